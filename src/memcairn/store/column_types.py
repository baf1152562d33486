"""What every table is made with: one collection of metadata, and types that mean the same on both databases."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, MetaData, String, TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time on both databases. SQLite keeps no zone, so it is put back on the way out.

    There it rests as SQLAlchemy's own type writes it, `2026-01-31 12:00:00.000000`; the standard library reads that in
    a sixth of the time and writes it in half, and every row of a conversation has four of them.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return _utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        return _sqlite_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return _from_sqlite if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone; store times are UTC")
    return value.astimezone(UTC)


def _sqlite_text(value: datetime | None) -> str | None:
    global _latest
    if value is None:
        return None
    latest = _latest
    if value is latest[0]:
        return latest[1]
    text = _utc(value).isoformat(" ", "microseconds")[:_WITHOUT_ZONE]
    _latest = (value, text)
    return text


def _from_sqlite(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text + "+00:00")


_WITHOUT_ZONE = len("2026-01-31 12:00:00.000000")
_latest: tuple[datetime | None, str] = (None, "")
"""The one written last: most rows of a transaction carry its own time, several times each."""


# JSON and not JSONB on Postgres: an answer has its keys in the order they were sent, and 1e22 stays what it was.
Document = JSON(none_as_null=True)
Id = String(256)
