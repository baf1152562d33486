"""A JSON path as a tree: what was read, ready to be evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass

from memcairn.domain.like_regex import Regex

LAST = -1
"""As a bound: the end of the array, or the deepest level."""


@dataclass(frozen=True, slots=True)
class Key:
    """`.name`"""

    name: str


@dataclass(frozen=True, slots=True)
class AnyKey:
    """`.*`"""


@dataclass(frozen=True, slots=True)
class Descend:
    """`.**`: the values `first` to `last` levels below, level 0 being the value itself."""

    first: int = 0
    last: int = LAST


@dataclass(frozen=True, slots=True)
class AnyElement:
    """`[*]`"""


@dataclass(frozen=True, slots=True)
class Elements:
    """`[0, 2 to 4]`: ranges of indexes, both ends included."""

    ranges: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Where:
    """`? (…)`"""

    predicate: "Predicate"


Step = Key | AnyKey | Descend | AnyElement | Elements | Where


@dataclass(frozen=True, slots=True)
class Root:
    """`$`"""


@dataclass(frozen=True, slots=True)
class Current:
    """`@`"""


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Walk:
    """Steps taken one after another from each value of `source`."""

    source: "Root | Current | Walk"
    steps: Sequence[Step]


Expression = Root | Current | Literal | Walk


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op right`, op one of `== != < <= > >=`."""

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class StartsWith:
    expression: Expression
    prefix: str


@dataclass(frozen=True, slots=True)
class LikeRegex:
    expression: Expression
    regex: Regex


@dataclass(frozen=True, slots=True)
class Exists:
    expression: Expression


@dataclass(frozen=True, slots=True)
class And:
    parts: "Sequence[Predicate]"


@dataclass(frozen=True, slots=True)
class Or:
    parts: "Sequence[Predicate]"


@dataclass(frozen=True, slots=True)
class Not:
    part: "Predicate"


@dataclass(frozen=True, slots=True)
class IsUnknown:
    part: "Predicate"


Predicate = Compare | StartsWith | LikeRegex | Exists | And | Or | Not | IsUnknown


def crosses(tree: object) -> bool:
    """Whether somewhere in `tree` what one path yields is compared with what another yields, each value with each."""
    if isinstance(tree, Compare) and isinstance(tree.left, Walk) and isinstance(tree.right, Walk):
        return True
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        return any(map(crosses, tree))
    return is_dataclass(tree) and any(crosses(getattr(tree, each.name)) for each in fields(tree))
