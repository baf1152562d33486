"""An org's index rows in memory as of one moment."""

from dataclasses import dataclass

from memcairn.store.index.blocks import Block, Names


@dataclass(frozen=True, slots=True)
class State:
    """How far an org has come: its last row number, and how many changes to earlier rows were noted."""

    last_row: int
    changes: int

    def covers(self, other: "State") -> bool:
        return self.last_row >= other.last_row and self.changes >= other.changes


@dataclass(frozen=True, slots=True)
class View:
    """All rows of an org as of `state`."""

    state: State
    blocks: tuple[Block, ...]
    names: Names

    @property
    def size_bytes(self) -> int:
        return sum(block.size_bytes for block in self.blocks)
