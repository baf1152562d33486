"""How far a source is trusted, and by which door it came in. Both are decided by the key, never by what it says."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from memcairn.domain.errors import Forbidden


class Trust(IntEnum):
    """What a key, an event and a memory are worth; ordered, so that the lowest of several is their minimum."""

    LOW = 0
    """Outsiders write through it: web pages, mail, forms."""
    NORMAL = 1
    HIGH = 2
    """Vouched for by the operator."""

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = tuple(each.name.lower() for each in Trust)


class Channel(StrEnum):
    """The door something came in by."""

    NATIVE = "native"
    ZEP = "zep"
    MEMSY = "memsy"
    MCP = "mcp"
    IMPORT = "import"


COUNTS_AS_EVIDENCE = Trust.NORMAL
"""Below this, what somebody said does not help it to rise to a role, a team or the org."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A key and a door that a memory's sources came through."""

    key_id: str
    channel: Channel


def trust_named(label: str) -> Trust:
    """The trust of that label: `low`, `normal` or `high`."""
    return Trust[label.upper()]


def handed_down(asked: Trust | None, of_key: Trust) -> Trust:
    """The trust of a key made with another one: as asked, by default NORMAL but no more than that of the maker.

    Forbidden (`trust_too_high`) for more than the maker has: a key does not vouch for others beyond itself.
    """
    if asked is None:
        return min(Trust.NORMAL, of_key)
    if asked > of_key:
        raise Forbidden(
            f"A key of {of_key.label} trust cannot make one of {asked.label} trust. Ask for {of_key.label} or less, "
            "or have the operator make it: `memcairn keys create --trust`.",
            code="trust_too_high",
        )
    return asked
