"""Is it there, and does it work?"""

from memcairn.wire.base import Response


class Health(Response):
    status: str
    version: str


class Readiness(Response):
    """`components` maps each part to null or to what is wrong with it."""

    status: str
    components: dict[str, str | None]
