"""Copies of a SQLite database as one file: taken while others write, checked before they are trusted.

A copy shows one commit with everything before it and nothing after it: SQLite's backup reads inside one read
transaction, which in WAL mode keeps nobody from writing.
"""

import contextlib
import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from memcairn.domain.errors import Conflict, DomainError, Invalid, NotFound
from memcairn.store.migrate import known_revisions
from memcairn.store.new_file import new_file, refuse_existing
from memcairn.store.schema import metadata

PAGES_AT_ONCE = 4_096
"""Copied between two words on the progress: 16 MiB."""

_READ_BYTES = 1024 * 1024
_FAULTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that was checked, with the rows of every table; `digest_checked`: its digest stood beside it."""

    path: Path
    size_bytes: int
    sha256: str
    revision: str
    rows: Mapping[str, int]
    digest_checked: bool = True


def back_up(source: Path, target: Path, on_progress: Callable[[int, int], None]) -> Copied:
    """Copy the database `source` to the new file `target`, and its SHA-256 to `target`.sha256 for `sha256sum -c`.

    `on_progress` is told the pages done and the pages in all. Readers and writers of the source go on meanwhile.
    """
    if not source.exists():
        raise NotFound(f"There is no database {str(source)!r} to back up.", code="database_not_found")
    refuse_existing(digest_path(target))
    with new_file(target) as part:
        try:
            _copy_pages(source, part, on_progress)
        finally:
            _leave_no_companion(part)
        found = _examined(part, _damaged_source(source))
    with new_file(digest_path(target)) as part:
        part.write_text(f"{found.sha256}  {target.name}\n", "utf-8")
    return _placed(found, target)


def restore(backup: Path, target: Path) -> Copied:
    """Put a backup where a database is expected; nothing is overwritten, and a damaged one is refused with Invalid."""
    for leftover in (target, *_companions(target)):
        if leftover.exists():
            raise Conflict(
                f"{str(leftover)!r} is there already: a restore overwrites nothing. Name another folder with "
                "--data-dir, or move what is there away while no server runs on it.",
                code="database_exists",
            )
    with new_file(target) as part:
        shutil.copyfile(backup, part)
        expected = _expected_digest(backup)
        if expected is not None and file_digest(part) != expected:
            raise _damaged(backup, f"its SHA-256 is not the one in {digest_path(backup).name}")
        found = _examined(part, partial(_damaged, backup))
    return _placed(found, target, digest_checked=expected is not None)


def digest_path(path: Path) -> Path:
    """Where the digest of a backup stands, in the form `sha256sum` reads."""
    return path.with_name(path.name + ".sha256")


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def faults_of(connection: sqlite3.Connection) -> list[str]:
    """What SQLite itself finds wrong with a file: pages, b-trees, indexes, constraints, references. Empty: nothing."""
    try:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        for table, row_id, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            found.append(f"row {row_id} of {table} refers to a row of {parent} that is not there")
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return found


def _copy_pages(source: Path, target: Path, on_progress: Callable[[int, int], None]) -> None:
    with _opened(source, "mode=ro") as origin, _opened(target, "mode=rw") as copy:
        # With a read transaction open, a writer does not make the copy start again: it is of this moment.
        origin.execute("BEGIN")
        origin.execute("SELECT count(*) FROM sqlite_master").fetchone()
        origin.backup(copy, pages=PAGES_AT_ONCE, progress=lambda _status, left, total: on_progress(total - left, total))
        origin.execute("COMMIT")
        copy.execute("PRAGMA journal_mode = DELETE")


def _examined(path: Path, damaged: Callable[[str], DomainError]) -> Copied:
    """What is in a copy; refused when it is `damaged` or no database of ours, or when a newer program made it."""
    with _opened(path, "mode=ro&immutable=1") as connection:
        faults = faults_of(connection)
        if faults:
            raise damaged("; ".join(faults[:_FAULTS_SHOWN]))
        revision = _revision(connection)
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if revision == known_revisions()[-1] and metadata.tables.keys() - tables:
            missing = ", ".join(sorted(metadata.tables.keys() - tables))
            raise damaged(f"it lacks the tables {missing}")
        present = sorted(metadata.tables.keys() & tables)
        rows = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in present}  # noqa: S608 -- names of our own schema
    return Copied(path, path.stat().st_size, file_digest(path), revision, rows)


def _revision(connection: sqlite3.Connection) -> str:
    try:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError:
        found = None
    if found is None:
        raise Invalid("This is no database of Memcairn: it holds no schema of ours.", code="not_a_backup")
    if found[0] not in known_revisions():
        raise Conflict(
            f"The database has revision {found[0]!r}, which this version of Memcairn does not know: a newer one made "
            "it. Upgrade the program (`pip install -U 'memcairn[server]'`).",
            code="database_newer",
        )
    return str(found[0])


def _expected_digest(backup: Path) -> str | None:
    beside = digest_path(backup)
    if not beside.exists():
        return None
    words = beside.read_text("utf-8", errors="replace").split()
    return words[0] if words else ""


def _damaged(path: Path, why: str) -> Invalid:
    return Invalid(f"The backup {str(path)!r} is damaged: {why}. Use another one.", code="backup_damaged")


def _damaged_source(source: Path) -> Callable[[str], DomainError]:
    return lambda why: Conflict(
        f"The database {str(source)!r} is damaged, so no backup was made: {why}. `memcairn doctor --deep` says more.",
        code="database_damaged",
    )


def _placed(found: Copied, path: Path, *, digest_checked: bool = True) -> Copied:
    return Copied(path, found.size_bytes, found.sha256, found.revision, found.rows, digest_checked)


def _companions(path: Path) -> tuple[Path, Path]:
    """A log without its database would be taken for that of the next one at this path."""
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def _leave_no_companion(part: Path) -> None:
    for companion in _companions(part):
        companion.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(path: Path, how: str) -> Iterator[sqlite3.Connection]:
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{how}", uri=True, isolation_level=None)
    except sqlite3.DatabaseError as error:
        raise Invalid(f"{str(path)!r} cannot be opened: {error}.", code="not_a_backup") from None
    with contextlib.closing(connection):
        yield connection
