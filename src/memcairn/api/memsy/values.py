"""Times and objects as they are written at this door."""

from datetime import UTC, datetime
from typing import Any

from memcairn.api import strict_json
from memcairn.domain.errors import Invalid

RAW = "raw"
"""The one key of metadata that was no JSON object: its words as they came."""

Json = dict[str, Any]


def zulu(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def maybe_zulu(when: datetime | None) -> str | None:
    return None if when is None else zulu(when)


def metadata_of(text: str | None) -> Json:
    """The object a JSON text holds. Whatever else it is is kept as it came, under RAW; without a text there is none."""
    if text is None or not text.strip():
        return {}
    try:
        value = strict_json.parse(text.encode())
    except Invalid:
        return {RAW: text}
    return value if isinstance(value, dict) else {RAW: text}
