"""Who has to wait for whom where several write at once. SQLite has one writer: there nobody does.

Derived memories are read, decided about and written in one transaction. Workers that derive (`deriving`) go side by
side, since the queue gives each actor to one of them at a time; whoever changes or removes what is there (`reworking`)
goes alone in its org. Take such a lock before anything else in a transaction: then no two wait for each other.

The locks are held by the transaction and end with it.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, text

_SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")
_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_EACH_ALONE = text(
    "SELECT pg_advisory_xact_lock(number) FROM (SELECT DISTINCT hashtextextended(name, 0) AS number "
    "FROM unnest(CAST(:names AS text[])) AS name ORDER BY 1) AS numbers"
)


def deriving(connection: Connection, org_id: str) -> None:
    """Memories are made here: not while others change those of the org."""
    if connection.dialect.name == "postgresql":
        connection.execute(_SHARED, {"name": _name(org_id, "memories")})


def reworking(connection: Connection, org_id: str) -> None:
    """Memories are changed or removed here: nobody else makes or changes any of the org meanwhile."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ALONE, {"name": _name(org_id, "memories")})


def alone(connection: Connection, org_id: str, what: str) -> None:
    """Nobody else of the org comes past here with the same `what` until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ALONE, {"name": _name(org_id, what)})


def alone_in_sessions(connection: Connection, org_id: str, session_ids: Iterable[str]) -> None:
    """The same for several sessions at once, whether they exist yet or not."""
    if connection.dialect.name == "postgresql":
        names = [_name(org_id, f"session {session_id}") for session_id in dict.fromkeys(session_ids)]
        connection.execute(_EACH_ALONE, {"names": names})


def _name(org_id: str, what: str) -> str:
    return f"memcairn {org_id} {what}"
