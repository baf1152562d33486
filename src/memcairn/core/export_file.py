"""The form of an exported org: JSON Lines, read strictly.

The first line says whose it is and what made it, each further one is a row with the name of its table, and the last
is the manifest: rows and SHA-256 of every table, and of all lines before it. A file holds no paths and names no files.
"""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

from sqlalchemy import Table

from memcairn.domain.errors import Conflict, Invalid
from memcairn.store import rows
from memcairn.store.migrate import known_revisions
from memcairn.store.schema import metadata

FORMAT_FIELD = "memcairn_export"
FORMAT = 1
VECTORS = "vectors"
"""What stands in place of a table's name before a vector."""

IMPORTING = "import"
"""The counter an org has while a file is being loaded into it."""

NOT_OF_THE_HEADER = frozenset({"org_id", "number"})
"""Of the row of the org: the id may become another one, the number is given by the database."""

MAX_LINE_BYTES = 64 * 1024 * 1024
"""A row is one line; the longest text that is accepted is far shorter."""

LINES_AT_ONCE = 1_000


@dataclass(slots=True)
class TableSum:
    """How many rows of a table there are, and the SHA-256 over their lines."""

    rows: int = 0
    hash: Any = field(default_factory=hashlib.sha256)

    def add(self, line: bytes) -> None:
        self.rows += 1
        self.hash.update(line)

    def as_json(self) -> dict[str, Any]:
        return {"rows": self.rows, "sha256": self.hash.hexdigest()}


@dataclass(frozen=True, slots=True)
class Header:
    """The first line. `org` holds the columns of the org's own row but for id and number."""

    org_id: str
    revision: str
    org: Mapping[str, Any]
    keys: bool


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector as it is stored, of one segment of a memory."""

    memory_id: str
    segment: int
    model: str
    packed: bytes


def exported_tables(*, keys: bool) -> list[Table]:
    """The tables whose rows are in a file, in their order; jobs come last, so that nobody works on half an org."""
    left_out = {"orgs"} if keys else {"orgs", "api_keys"}
    return [table for table in rows.moved_tables() if table.name not in left_out]


def names_in_order(*, keys: bool) -> list[str]:
    """What may stand in the lines of a file, in the order it must stand there."""
    names = [table.name for table in exported_tables(keys=keys)]
    return [*names[:-1], VECTORS, names[-1]]


class Reader:
    """One pass over a file from its beginning: the header first, then every row; Invalid unless all is as written."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = file
        self._line = 0
        self._whole = hashlib.sha256()
        self._sums: dict[str, TableSum] = {}
        first = self._next()
        self.header = self._header(self._parsed(first))
        self._whole.update(first)

    @property
    def counts(self) -> dict[str, int]:
        """Rows read so far, by table."""
        return {name: each.rows for name, each in self._sums.items()}

    def rows(self) -> Iterator[tuple[str, Mapping[str, Any] | Vector]]:
        """Every row, and at the end the check that they are all there and as they were."""
        tables = {table.name: table for table in exported_tables(keys=self.header.keys)}
        order = {name: place for place, name in enumerate(names_in_order(keys=self.header.keys))}
        place = 0
        while "manifest" not in (parsed := self._parsed(line := self._next())):
            name = parsed.get("table")
            if not isinstance(name, str) or order.get(name, -1) < place:
                self._refuse(f"a row of {name!r} has no place there")
            place = order[name]
            self._sums.setdefault(name, TableSum()).add(line)
            self._whole.update(line)
            yield name, self._row(tables.get(name), parsed.get("row"))
        self._check(parsed["manifest"], order)

    def _row(self, table: Table | None, given: object) -> Mapping[str, Any] | Vector:
        try:
            if table is None:
                return _vector(given)
            # The org is chosen by whoever imports.
            if isinstance(given, dict) and "org_id" in given:
                self._refuse("a row names an org of its own")
            return rows.decoded(table, given, given_elsewhere=frozenset({"org_id"}))
        except Invalid as error:
            self._refuse(error.message)

    def _header(self, parsed: Mapping[str, Any]) -> Header:
        if FORMAT_FIELD not in parsed:
            raise Invalid(
                "This is no file that `memcairn export` wrote: its first line says nothing of it.", code="not_an_export"
            )
        if parsed[FORMAT_FIELD] != FORMAT or parsed.get("revision") not in known_revisions():
            raise Conflict(
                f"The file has format {parsed[FORMAT_FIELD]!r} and revision {parsed.get('revision')!r}, which this "
                "version of Memcairn does not know: a newer one made it. Upgrade the program "
                "(`pip install -U 'memcairn[server]'`).",
                code="export_newer",
            )
        org_id, keys = parsed.get("org_id"), parsed.get("keys")
        if not isinstance(org_id, str) or not isinstance(keys, bool):
            self._refuse("the header does not say whose it is")
        try:
            org = rows.decoded(metadata.tables["orgs"], parsed.get("org"), given_elsewhere=NOT_OF_THE_HEADER)
        except Invalid as error:
            self._refuse(error.message)
        return Header(org_id, parsed["revision"], org, keys)

    def _next(self) -> bytes:
        self._line += 1
        try:
            line = self._file.readline(MAX_LINE_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            self._refuse(f"it cannot be unpacked ({error})")
        if not line.endswith(b"\n"):
            self._refuse("the file ends before its manifest: it was cut, or is no export")
        return line

    def _parsed(self, line: bytes) -> Mapping[str, Any]:
        try:
            parsed = json.loads(line, parse_constant=_no_number)
        except (ValueError, RecursionError):
            self._refuse("that is no JSON")
        if not isinstance(parsed, dict):
            self._refuse("that is no JSON object")
        return parsed

    def _check(self, manifest: object, names: Sequence[str] | Mapping[str, int]) -> None:
        found = {name: self._sums.get(name, TableSum()).as_json() for name in names}
        if manifest != {"tables": found, "sha256": self._whole.hexdigest()}:
            listed = manifest.get("tables") if isinstance(manifest, dict) else None
            told = listed if isinstance(listed, dict) else {}
            wrong = [name for name in names if told.get(name) != found[name]]
            which = f"the rows of {', '.join(wrong)} are" if wrong else "something is"
            self._refuse(f"{which} not what the manifest says: the file was edited or damaged")
        if self._file.read(1):
            self._refuse("something follows the manifest")

    def _refuse(self, why: str) -> NoReturn:
        raise Invalid(f"Line {self._line} of the file: {why}. Nothing was imported.", code="export_damaged")


def check(file: BinaryIO, on_progress: Callable[[int, int], None] = lambda _done, _all: None) -> dict[str, int]:
    """Read a whole export; its rows by table. Invalid unless every line of it is what was written."""
    reader = Reader(file)
    for number, _ in enumerate(reader.rows()):
        if number % LINES_AT_ONCE == 0:
            on_progress(number, 0)
    return reader.counts


def _vector(given: object) -> Vector:
    try:
        if isinstance(given, dict):
            memory_id, segment, model = given["memory_id"], given["segment"], given["model"]
            if isinstance(memory_id, str) and isinstance(model, str) and type(segment) is int:
                return Vector(memory_id, segment, model, rows.from_base64(given["vector"]))
    except (KeyError, ValueError):
        pass
    raise Invalid("A vector cannot be read", code="invalid_row")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
