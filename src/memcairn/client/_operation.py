"""What a call is before anything is sent: a value that says where it goes and what comes back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from urllib.parse import quote

from memcairn.client.errors import InvalidArgument

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[T_co]):
    """One call to one endpoint.

    `repeatable` says that carrying it out twice leaves the same state as once, so that it may be sent again when nobody
    knows whether it arrived. `answers` are error statuses whose body is an answer all the same. `settled_by` are
    statuses which, on a repetition, mean that the attempt before had got through.
    """

    method: str
    path: str
    parse: Callable[[bytes], T_co]
    query: tuple[tuple[str, str], ...] = ()
    body: object | None = None
    repeatable: bool = False
    idempotency_key: str | None = None
    answers: frozenset[int] = frozenset()
    settled_by: frozenset[int] = frozenset()


class PageOf(Protocol[T_co]):
    """What every page of a list has: its items, and where the next one begins."""

    @property
    def items(self) -> Sequence[T_co]: ...

    @property
    def next_cursor(self) -> str | None: ...


def segment(name: str, value: str) -> str:
    """An id as one segment of a path, whatever characters it holds. Refuses the empty one with `InvalidArgument`."""
    if not value:
        raise InvalidArgument(f"{name} is empty; give the id of the thing that is meant")
    try:
        quoted = quote(value, safe="")
    except UnicodeEncodeError:
        raise InvalidArgument(f"{name} {value!r} holds half of a surrogate pair, which no id can") from None
    # "." and ".." are legal ids and mean "here" and "up" in a path unless they are written in another way.
    return quoted.replace(".", "%2E") if quoted in {".", ".."} else quoted


def pairs(**values: object) -> tuple[tuple[str, str], ...]:
    """Query parameters in the order given, without those that are None."""
    return tuple((name, _plain(value)) for name, value in values.items() if value is not None)


def fields(**values: object) -> dict[str, object]:
    """The fields of a body without those that are None: the server's default holds for what is left out."""
    return {name: value for name, value in values.items() if value is not None}


def nothing(content: bytes) -> None:
    """Reads an answer that has no body worth reading."""
    del content


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
