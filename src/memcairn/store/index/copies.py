"""Views of large orgs, copied to files beside the database, so that a start does not read every row anew.

A copy is a shortcut and never the truth. One that is damaged or of another history than the database is not used; one
that is older is brought up to date like any older view. It holds names of people and sessions as the database does:
whoever wipes the database removes the folder once no reader sees the removed rows any more, and a copy that was begun
before that can never be finished, because the place it was begun in is gone.
"""

import hashlib
import json
import logging
import os
import shutil
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from memcairn.store.index.blocks import Block, Names
from memcairn.store.index.codes import Codes
from memcairn.store.index.ids import Ids
from memcairn.store.index.postings import Postings
from memcairn.store.index.views import State, View
from memcairn.store.schema import index_changes, index_rows

LEAST_ROWS = 50_000
"""Smaller orgs are read from the database in about a second."""

BEHIND_SHARE = 0.1
"""A copy that lacks so large a part of the rows is written anew when it has been read."""

_FORMAT = b"memcairn blocks 1\n"
_BEGUN = "begun-"
_ABANDONED_AFTER_SECONDS = 3_600
_CHANGES_COMPARED = 200
_ROWS_COMPARED = 64

_COLUMNS = (
    *("numbers", "alive", "segments", "scopes", "sessions", "speakers", "kinds", "types", "positions", "occurred_at"),
    *("traits", "term_ids", "offsets", "places", "at_place"),
)
_CODES = ("levels", "scales", "bits")
_POSTINGS = ("terms", "starts", "slots", "impacts")
_IDS = ("memory_ids", "sources")

log = logging.getLogger(__name__)


def folder_of(database: Path) -> Path:
    """Where the copies for a database file lie."""
    return database.with_name(f"{database.name}-blocks")


def remove_all(folder: Path) -> None:
    """Remove every copy, finished or not; OSError when that does not succeed."""
    aside = folder.with_name(f"{folder.name}-gone-{uuid4().hex}")
    if folder.exists():
        folder.rename(aside)  # at once and whole: what is being written finds its place no more
    for gone in folder.parent.glob(f"{folder.name}-gone-*"):
        shutil.rmtree(gone)


@dataclass(frozen=True, slots=True)
class Begun:
    """The place of a copy that is to be written, made before the rows it will hold were read to the end."""

    place: Path
    target: Path


class Copies:
    """The copies of one database, or none without a folder. Safe to share between threads."""

    def __init__(self, folder: Path | None, *, least_rows: int = LEAST_ROWS) -> None:
        self._folder = folder
        self._least_rows = least_rows
        self._writing: list[threading.Thread] = []

    def begin(self, org_id: str, model: str) -> Begun | None:
        """Call it inside the transaction that the rows are read in, and before a copy is read."""
        if self._folder is None:
            return None
        place = self._folder / f"{_BEGUN}{uuid4().hex}"
        try:
            self._folder.mkdir(0o700, exist_ok=True)
            _remove_abandoned(self._folder)
            place.mkdir(0o700)
        except OSError as error:
            log.warning("the index cannot be copied beside the database", extra={"reason": error.strerror})
            return None
        return Begun(place, self._folder / _file_name(org_id, model))

    def read(self, connection: Connection, org_id: str, state: State, *, model: str, dimensions: int) -> View | None:
        """The copy of an org if there is one of the database's own past."""
        if self._folder is None:
            return None
        try:
            with (self._folder / _file_name(org_id, model)).open("rb") as file:
                read = _read(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("a copy of the index is damaged and will be written anew", extra={"reason": repr(error)[:200]})
            return None
        header, view = read
        about = {"org_id": org_id, "model": model, "dimensions": dimensions}
        if any(header[name] != value for name, value in about.items()) or not state.covers(view.state):
            return None
        if header["history"] != _history(connection, org_id, view.state.changes):
            return None
        return view if _shows_rows_of(connection, org_id, view) else None

    def write(
        self, begun: Begun, connection: Connection, org_id: str, view: View, *, model: str, dimensions: int
    ) -> None:
        """Write a view in the background, unless it is small."""
        if sum(len(block) for block in view.blocks) < self._least_rows:
            self.give_up(begun)
            return
        header = {
            "org_id": org_id,
            "model": model,
            "dimensions": dimensions,
            "history": _history(connection, org_id, view.state.changes),
        }
        thread = threading.Thread(target=_write, args=(begun, header, view), name="memcairn-index-copy", daemon=True)
        self._writing = [each for each in self._writing if each.is_alive()] + [thread]
        thread.start()

    def give_up(self, begun: Begun) -> None:
        shutil.rmtree(begun.place, ignore_errors=True)

    def wait(self) -> None:
        """Until everything that is being written is written."""
        for thread in self._writing:
            thread.join()


def is_far_behind(copy: View, now: View) -> bool:
    """Whether so much has come since that the next start should not have to read it again."""
    rows = sum(len(block) for block in now.blocks)
    return rows - sum(len(block) for block in copy.blocks) > BEHIND_SHARE * rows


def _file_name(org_id: str, model: str) -> str:
    name = json.dumps([org_id, model]).encode()
    return hashlib.blake2b(name, digest_size=16).hexdigest()


def _remove_abandoned(folder: Path) -> None:
    """What processes that ended in the middle have left behind."""
    for place in folder.glob(f"{_BEGUN}*"):
        if time.time() - place.stat().st_mtime > _ABANDONED_AFTER_SECONDS:
            shutil.rmtree(place, ignore_errors=True)


def _history(connection: Connection, org_id: str, changes: int) -> str:
    """What tells one past of an org from another: the last changes up to a number."""
    statement = (
        select(index_changes.c.number, index_changes.c.row_number)
        .where(index_changes.c.org_id == org_id, index_changes.c.number <= changes)
        .order_by(index_changes.c.number.desc())
        .limit(_CHANGES_COMPARED)
    )
    rows = [list(row) for row in connection.execute(statement)]
    return hashlib.blake2b(json.dumps([changes, rows]).encode(), digest_size=16).hexdigest()


def _shows_rows_of(connection: Connection, org_id: str, view: View) -> bool:
    """Whether the last rows of a view are those of the database: one that was put back from a backup has other ones."""
    if not view.blocks:
        return False
    block = view.blocks[-1]
    slots = np.flatnonzero(block.alive)[-_ROWS_COMPARED:]
    known = dict(zip(block.numbers[slots].tolist(), block.memory_ids.at(slots), strict=True))
    statement = select(index_rows.c.row_number, index_rows.c.memory_id).where(
        index_rows.c.org_id == org_id, index_rows.c.row_number.in_(list(known))
    )
    present = connection.execute(statement).all()
    return bool(present) and all(known[row.row_number] == row.memory_id for row in present)


def _write(begun: Begun, header: Mapping[str, Any], view: View) -> None:
    unfinished = begun.place / "copy"
    try:
        with unfinished.open("xb") as file:
            _write_to(file, header, view)
        os.replace(unfinished, begun.target)
    except FileNotFoundError:
        log.info("a copy of the index was not finished, for the database was wiped meanwhile")
    except OSError as error:
        log.warning("the index cannot be copied beside the database", extra={"reason": error.strerror})
    finally:
        shutil.rmtree(begun.place, ignore_errors=True)


def _write_to(file: IO[bytes], header: Mapping[str, Any], view: View) -> None:
    blocks = [
        {
            "arrays": {name: [array.dtype.str, list(array.shape)] for name, array in _arrays(block)},
            "others": {name: {str(at): other for at, other in getattr(block, name).others.items()} for name in _IDS},
        }
        for block in view.blocks
    ]
    state = {"last_row": view.state.last_row, "changes": view.state.changes}
    told = json.dumps({**header, "state": state, "names": view.names.strings, "blocks": blocks}).encode()
    file.write(_FORMAT + len(told).to_bytes(8, "little") + told)
    checksum = zlib.crc32(told)
    for block in view.blocks:
        for _, array in _arrays(block):
            data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            checksum = zlib.crc32(data, checksum)
            file.write(data)
    file.write(checksum.to_bytes(4, "little"))


def _arrays(block: Block) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every array of a block by a name, in the order they are written in."""
    for name in _COLUMNS:
        yield name, getattr(block, name)
    for name in _IDS:
        yield name, getattr(block, name).packed
    for name in _CODES:
        yield name, getattr(block.codes, name)
    for name in _POSTINGS:
        yield name, getattr(block.postings, name)


def _read(file: IO[bytes]) -> tuple[Mapping[str, Any], View]:
    """A header and the view behind it; ValueError if a byte of them is wrong."""
    if file.read(len(_FORMAT)) != _FORMAT:
        raise ValueError("it begins with something else")
    told = file.read(int.from_bytes(file.read(8), "little"))
    checksum = zlib.crc32(told)
    header: dict[str, Any] = json.loads(told)
    read = []
    for told_of in header["blocks"]:
        arrays = {}
        for name, (kind, shape) in told_of["arrays"].items():
            arrays[name] = array = np.empty(shape, dtype=np.dtype(kind))
            data = array.reshape(-1).view(np.uint8).data
            if file.readinto(data) != array.nbytes:  # type: ignore[attr-defined]  # files opened as "rb" have it
                raise ValueError("it ends too early")
            checksum = zlib.crc32(data, checksum)
        read.append((arrays, told_of["others"]))
    if file.read() != checksum.to_bytes(4, "little"):
        raise ValueError("its checksum is wrong")
    names = Names()
    names.codes_of(header["names"])
    state = State(header["state"]["last_row"], header["state"]["changes"])
    return header, View(state, tuple(_block(arrays, others) for arrays, others in read), names)


def _block(arrays: Mapping[str, NDArray[Any]], others: Mapping[str, Mapping[str, str]]) -> Block:
    parts: dict[str, Any] = {name: arrays[name] for name in _COLUMNS}
    for name in _IDS:
        parts[name] = Ids(arrays[name], {int(at): other for at, other in others[name].items()})
    return Block(
        **parts,
        codes=Codes(*(arrays[name] for name in _CODES)),
        postings=Postings(*(arrays[name] for name in _POSTINGS)),
    )
