"""Copies of the database of the settings: the work behind `memcairn backup` and `memcairn restore`."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from memcairn.assembly import make_folder
from memcairn.cli.progress import progress
from memcairn.domain.errors import Conflict, NotFound
from memcairn.settings import Settings, load
from memcairn.store.backup import Copied, back_up, restore


@dataclass(frozen=True, slots=True)
class Done:
    copy: Copied
    seconds: float

    @property
    def says(self) -> str:
        rows = f"{self.copy.rows.get('events', 0)} events, {self.copy.rows.get('memories', 0)} memories"
        return f"{self.copy.size_bytes / 2**20:.1f} MiB, {rows}, {self.seconds:.1f} s"

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.copy.path),
            "bytes": self.copy.size_bytes,
            "sha256": self.copy.sha256,
            "digest_checked": self.copy.digest_checked,
            "revision": self.copy.revision,
            "rows": dict(self.copy.rows),
            "seconds": round(self.seconds, 3),
        }


def back_up_database(data_dir: Path | None, file: Path) -> Done:
    """Conflict on Postgres, with the line that does it there."""
    settings = load({"data_dir": data_dir})
    _refuse_postgres(settings, f"pg_dump --format=custom --file={file}")
    started = time.monotonic()
    with progress("Copying pages") as on_progress:
        copied = back_up(settings.sqlite_path, file, on_progress)
    return Done(copied, time.monotonic() - started)


def restore_database(data_dir: Path | None, file: Path) -> Done:
    """Conflict on Postgres, with the line that does it there."""
    settings = load({"data_dir": data_dir})
    _refuse_postgres(settings, f"pg_restore --single-transaction --dbname={{url}} {file}", place_url=True)
    if not file.is_file():
        raise NotFound(f"There is no backup {str(file)!r}.", code="backup_not_found")
    started = time.monotonic()
    make_folder(settings.sqlite_path.parent)
    return Done(restore(file, settings.sqlite_path), time.monotonic() - started)


def _refuse_postgres(settings: Settings, line: str, *, place_url: bool = False) -> None:
    url = settings.url
    if url is None or not url.startswith("postgres"):
        return
    shown = without_password(url)
    line = line.format(url=shown) if place_url else f"{line} {shown}"
    raise Conflict(
        f"DATABASE_URL names a Postgres, which has its own program for this: `{line}`. A copy in one SQLite file is "
        f"made by `memcairn migrate-db {shown} sqlite:///copy.db`.",
        code="not_sqlite",
    )


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{host}"))
