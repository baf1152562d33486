"""Who is asking, as it travels."""

from memcairn.wire.base import Response, Told


class Me(Response):
    """The org and the key of a request; `is_admin` says whether the key may change the org's records."""

    org_id: str
    org_name: str
    key_id: str
    key_name: str
    prefix: str
    scopes: list[str]
    is_admin: bool
    expires_at: Told | None
