"""What the index holds, read row by row to be compared with what it should hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, exists, func, select, text, update
from sqlalchemy.exc import DatabaseError

from memcairn.domain.memories import MemoryStatus
from memcairn.domain.scopes import EVERYTHING
from memcairn.store import orgs
from memcairn.store.batches import chunks
from memcairn.store.index.sqlite import ORG_BITS
from memcairn.store.schema import index_rows, index_scopes, memories

WORD_TABLE = (
    "CREATE VIRTUAL TABLE memory_words USING fts5("
    "scope, words, detail = column, tokenize = \"unicode61 remove_diacritics 0 categories 'L* N* M* Co'\")"
)
"""As the first revision makes it."""

_WORD_TABLES = {"memory_words", *(f"memory_words_{part}" for part in ("data", "idx", "content", "docsize", "config"))}

_WORDS = text("SELECT rowid AS row_number, scope, words FROM memory_words WHERE rowid IN :numbers").bindparams(
    bindparam("numbers", expanding=True)
)
_CHECK_WORDS = text("INSERT INTO memory_words (memory_words, rank) VALUES ('integrity-check', 1)")
_REBUILD_WORDS = text("INSERT INTO memory_words (memory_words) VALUES ('rebuild')")
_STRAY_WORDS = text(
    "SELECT rowid FROM memory_words WHERE rowid BETWEEN :low AND :high AND NOT EXISTS ("
    "SELECT 1 FROM index_rows WHERE index_rows.org_id = :org_id AND index_rows.row_number = memory_words.rowid) "
    "LIMIT :n"
)
_REMOVE_WORDS = text("DELETE FROM memory_words WHERE rowid = :row_number")


@dataclass(frozen=True, slots=True)
class Held:
    """One row of the index; `words` is what the word index has under its number, None where that is no second place."""

    memory_id: str
    segment: int
    row_number: int
    scope_key: str
    traits: int
    terms: bytes
    vector: bytes | None
    model: str | None
    words: "Words | None" = None


@dataclass(frozen=True, slots=True)
class Words:
    """A row of the word index; both are None where there is none."""

    scope_token: str | None = None
    words: str | None = None


def held(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, list[Held]]:
    """The rows of these memories by memory, in the order of their segments."""
    columns = [index_rows.c[name] for name in Held.__slots__ if name != "words"]
    found: dict[str, list[Held]] = {}
    for chunk in chunks(memory_ids):
        statement = select(*columns).where(index_rows.c.org_id == org_id, index_rows.c.memory_id.in_(chunk))
        rows = connection.execute(statement.order_by(index_rows.c.memory_id, index_rows.c.segment)).all()
        words = _words(connection, [row.row_number for row in rows])
        for row in rows:
            found.setdefault(row.memory_id, []).append(_held(row, words))
    return found


def memory_ids(connection: Connection, org_id: str, *, after: str, limit: int) -> list[str]:
    """A page of the org's memories in whatever state, in the order of their ids."""
    statement = select(memories.c.memory_id).where(memories.c.org_id == org_id, memories.c.memory_id > after)
    return list(connection.execute(statement.order_by(memories.c.memory_id).limit(limit)).scalars())


def memory_count(connection: Connection, org_id: str) -> int:
    """How many memories the org has in whatever state."""
    return int(connection.execute(select(func.count()).where(memories.c.org_id == org_id)).scalar_one())


def strays(connection: Connection, org_id: str, *, limit: int) -> list[str]:
    """Ids under which the index holds rows although no live and active memory has them."""
    live = exists().where(
        and_(
            memories.c.org_id == index_rows.c.org_id,
            memories.c.memory_id == index_rows.c.memory_id,
            memories.c.deleted_at.is_(None),
            memories.c.status == MemoryStatus.ACTIVE.value,
        )
    )
    statement = select(index_rows.c.memory_id).distinct().where(index_rows.c.org_id == org_id, ~live)
    return list(connection.execute(statement.limit(limit)).scalars())


def word_index_fault(connection: Connection) -> str | None:
    """What is the matter with the word index as a whole; None when it is in order or lies in the rows themselves.

    On SQLite this needs a connection that may write: FTS5 is told to check itself by an INSERT that changes nothing.
    """
    if connection.dialect.name != "sqlite":
        return None
    missing = sorted(_WORD_TABLES - _tables(connection))
    if missing:
        return f"there is no table {missing[0]}"
    try:
        connection.execute(_CHECK_WORDS)
    except DatabaseError as error:
        return str(error.orig)
    return None


def mend_word_index(connection: Connection) -> bool:
    """Make the word index one that can be written to and searched again; what it has lost is to be put again.

    False when there was nothing to mend.
    """
    if word_index_fault(connection) is None:
        return False
    whole = _tables(connection) >= _WORD_TABLES
    if not whole or not _rebuilt(connection):
        _make_anew(connection)
    return True


def stray_words(connection: Connection, org_id: str, *, limit: int) -> list[int]:
    """Numbers under which the word index holds words of the org that belong to no row."""
    if connection.dialect.name != "sqlite":
        return []
    low = orgs.require(connection, org_id).number << ORG_BITS
    bound = {"low": low, "high": low + (1 << ORG_BITS) - 1, "org_id": org_id, "n": limit}
    return list(connection.execute(_STRAY_WORDS, bound).scalars())


def remove_stray_words(connection: Connection, org_id: str, *, limit: int) -> int:
    """Take words of the org out that belong to no row any more; returns how many rows of them there were."""
    numbers = stray_words(connection, org_id, limit=limit)
    if numbers:
        connection.execute(_REMOVE_WORDS, [{"row_number": number} for number in numbers])
    return len(numbers)


def forget_words(connection: Connection) -> None:
    """Empty the word index, where it is a table of its own."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM memory_words"))


def miscounted(connection: Connection, org_id: str) -> dict[str, tuple[int, int]]:
    """Scopes whose size is not that of their rows, with the true count and last row.

    Only SQLite counts them beside the rows in one place.
    """
    if connection.dialect.name != "sqlite":
        return {}
    statement = select(index_rows.c.scope_key, func.count(), func.max(index_rows.c.row_number))
    statement = statement.where(index_rows.c.org_id == org_id).group_by(index_rows.c.scope_key)
    true = {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(statement)}
    if true:
        true[EVERYTHING] = (sum(count for count, _ in true.values()), max(last for _, last in true.values()))
    present = _counted(connection, org_id)
    wrong = {}
    for key in sorted(true.keys() | present.keys()):
        (count, last), (counted_rows, known_last) = true.get(key, (0, 0)), present.get(key, (0, 0))
        if count != counted_rows or last > known_last:
            wrong[key] = (count, max(last, known_last))
    return wrong


def recount(connection: Connection, org_id: str) -> int:
    """Make the sizes of the org's scopes those of their rows, and let every process read them anew.

    Returns how many were wrong.
    """
    wrong = miscounted(connection, org_id)
    present = _counted(connection, org_id) if wrong else {}
    for key, (count, last) in wrong.items():
        _set_scope(connection, org_id, key, count, last, known=key in present)
    return len(wrong)


def _counted(connection: Connection, org_id: str) -> dict[str, tuple[int, int]]:
    statement = select(index_scopes).where(index_scopes.c.org_id == org_id)
    return {row.scope_key: (row.row_count, row.last_row) for row in connection.execute(statement)}


def _set_scope(
    connection: Connection, org_id: str, scope_key: str, row_count: int, last_row: int, *, known: bool
) -> None:
    values = {"row_count": row_count, "last_row": last_row}
    if not known:
        new = {"org_id": org_id, "scope_key": scope_key, "resets": 0} | values
        connection.execute(index_scopes.insert().values(new))
        return
    mine = (index_scopes.c.org_id == org_id, index_scopes.c.scope_key == scope_key)
    connection.execute(update(index_scopes).where(*mine).values(values | {"resets": index_scopes.c.resets + 1}))


def _rebuilt(connection: Connection) -> bool:
    try:
        connection.execute(_REBUILD_WORDS)
    except DatabaseError:
        return False
    return word_index_fault(connection) is None


def _make_anew(connection: Connection) -> None:
    # A table whose own parts are missing or torn cannot be dropped by its name: its parts go first.
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql("DELETE FROM sqlite_master WHERE name = 'memory_words'")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")
    for name in sorted(_WORD_TABLES & _tables(connection)):
        connection.exec_driver_sql(f'DROP TABLE "{name}"')
    connection.exec_driver_sql(WORD_TABLE)


def _tables(connection: Connection) -> set[str]:
    return set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())


def _words(connection: Connection, numbers: Iterable[int]) -> Mapping[int, Words] | None:
    if connection.dialect.name != "sqlite":
        return None
    rows = connection.execute(_WORDS, {"numbers": list(numbers)})
    return {row.row_number: Words(row.scope, row.words) for row in rows}


def _held(row: Row[*tuple[Any, ...]], words: Mapping[int, Words] | None) -> Held:
    values = dict(row._mapping)
    return Held(**values, words=None if words is None else words.get(row.row_number, Words()))


def models(connection: Connection, org_id: str) -> list[str]:
    """The models that made the org's vectors."""
    statement = select(index_rows.c.model).distinct().where(index_rows.c.org_id == org_id)
    return sorted(connection.execute(statement.where(index_rows.c.model.is_not(None))).scalars())
