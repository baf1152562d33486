"""Ids and times as they are written at this door."""

import uuid
from datetime import UTC, datetime


def canonical_uuid(text: str) -> str:
    """The UUID in lower case with its hyphens; ValueError when `text` is none."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ValueError(f"{text[:64]!r} is not a UUID") from None


def moment(text: str) -> datetime:
    """A time in UTC: RFC 3339, or a date alone for its midnight; without a zone it is UTC. ValueError if it is none."""
    try:
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:64]!r} is not a time; write it like 2026-03-01T09:30:00Z") from None


def zulu(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
