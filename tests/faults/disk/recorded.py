"""A disk under a real server that notes every write and sync, fails on demand, and can be cut off at any moment."""

import random
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SECTOR_BYTES = 512
_HEAD = struct.Struct("<cQQII")
_WRITE, _TRUNCATE, _SYNC, _UNLINK = b"w", b"t", b"s", b"u"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing done to a file; `at` is on the clock of `time.monotonic_ns`."""

    kind: bytes
    at: int
    path: str
    offset: int
    data: bytes


class Disk:
    """The folder `data` as a server sees it; `settings` make the server use it."""

    def __init__(self, folder: Path) -> None:
        folder = folder.resolve()
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self._log = folder / "operations"
        self._full = folder / "full"
        self._failing = folder / "failing"
        self._library = folder / "recorder.so"
        _compile(self._library)

    def settings(self, *, recording: bool = False) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": str(self._library),
            "DISK_FOLDER": str(self.data),
            "DISK_FULL": str(self._full),
            "DISK_FAILING": str(self._failing),
        } | ({"DISK_LOG": str(self._log)} if recording else {})

    def fill(self) -> None:
        """From now on nothing can be written, as on a full disk."""
        self._full.touch()

    def free(self) -> None:
        self._full.unlink()

    def break_syncs(self) -> None:
        """From now on every sync fails, as on a dying disk."""
        self._failing.touch()

    def break_sync(self, number: int) -> None:
        """The sync of this number from now on fails, and none after it."""
        part = self._failing.with_suffix(".part")
        part.write_text(str(number))
        part.rename(self._failing)

    def mend_syncs(self) -> None:
        self._failing.unlink()

    def operations(self) -> list[Operation]:
        """What was done so far, in order."""
        return list(_read(self._log.read_bytes()))


@dataclass(slots=True)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)


class PowerCut:
    """Replays operations up to a moment and writes the files as a power cut then might leave them.

    What was synced is there. Each later write is kept, lost or torn at a sector by chance, in no particular order;
    creating and removing a file counts as done. Reordering across a sync is not modelled: nobody claims to survive a
    disk that lies about syncs.
    """

    def __init__(self, operations: list[Operation]) -> None:
        self._operations = operations
        self._next = 0
        self._files: dict[str, _File] = {}

    def go_to(self, number: int) -> int:
        """Replay the first `number` operations (never backwards); returns the time of the last one."""
        for operation in self._operations[self._next : number]:
            self._replay(operation)
        self._next = max(self._next, number)
        return self._operations[self._next - 1].at

    def write_image(self, folder: Path, rng: random.Random) -> None:
        """The files of this moment, in `folder`; the chance that an unsynced write survives is drawn per image."""
        folder.mkdir()
        kept = rng.choice((0.0, 0.5, 0.9))
        for path, file in self._files.items():
            content = bytearray(file.durable)
            for operation in file.pending:
                if rng.random() < kept:
                    _apply(content, operation, torn=rng.random() < 0.3, rng=rng)
            (folder / Path(path).name).write_bytes(content)

    def _replay(self, operation: Operation) -> None:
        if operation.kind == _UNLINK:
            self._files.pop(operation.path, None)
            return
        if operation.kind == _SYNC and operation.path not in self._files:  # a folder
            return
        file = self._files.setdefault(operation.path, _File())
        if operation.kind == _SYNC:
            for pending in file.pending:
                _apply(file.durable, pending, torn=False, rng=None)
            file.pending.clear()
        else:
            file.pending.append(operation)


def _apply(content: bytearray, operation: Operation, *, torn: bool, rng: random.Random | None) -> None:
    if operation.kind == _TRUNCATE:
        del content[operation.offset :]
        content.extend(bytes(operation.offset - len(content)))
        return
    data = operation.data
    if torn and rng is not None:
        data = data[: rng.randrange(len(data) // SECTOR_BYTES + 1) * SECTOR_BYTES]
    content.extend(bytes(max(0, operation.offset - len(content))))
    content[operation.offset : operation.offset + len(data)] = data


def _read(log: bytes) -> Iterator[Operation]:
    place = 0
    while place < len(log):
        kind, at, offset, path_length, size = _HEAD.unpack_from(log, place)
        place += _HEAD.size
        path = log[place : place + path_length].decode()
        place += path_length
        yield Operation(kind, at, path, offset, log[place : place + size])
        place += size


def _compile(library: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a disk that fails on demand needs a C compiler, and there is none here")
    source = Path(__file__).with_name("recorder.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl", "-lpthread"], check=True
    )
