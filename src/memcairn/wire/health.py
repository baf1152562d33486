"""Is it there, and does it work?"""

from memcairn.wire.base import Response


class Health(Response):
    status: str
    version: str


class Reembedding(Response):
    """Vectors of memories are being made anew by another embedder: how many are done, of how many in all."""

    model: str
    done: int
    total: int


class Readiness(Response):
    """`components` maps each part to null or to what is wrong with it; `reembedding` is null most of the time."""

    status: str
    components: dict[str, str | None]
    reembedding: Reembedding | None = None
