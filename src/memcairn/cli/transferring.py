"""Orgs of the database of the settings as files: the work behind `memcairn export` and `memcairn import`."""

import asyncio
import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from memcairn.assembly import opened
from memcairn.cli.progress import progress
from memcairn.core.exporting import Exported, ExportOptions, export_org
from memcairn.core.importing import Imported, import_org
from memcairn.domain.errors import NotFound
from memcairn.settings import load
from memcairn.store.new_file import new_file

_GZIP = b"\x1f\x8b"


def export_database(data_dir: Path | None, org_id: str, file: Path, *, keys: bool, deleted: bool) -> Exported:
    """NotFound when there is no such org; Conflict when the file is there."""

    async def run() -> Exported:
        async with opened(load({"data_dir": data_dir})) as deps:
            options = ExportOptions(keys=keys, deleted=deleted, now=deps.clock.now())
            packed = file.suffix == ".gz"
            with new_file(file) as part, _writable(part, packed=packed) as out, progress("Rows") as on_progress:
                return await export_org(deps, org_id, out, options, on_progress)

    return asyncio.run(run())


def import_database(data_dir: Path | None, file: Path, *, rename_to: str | None) -> Imported:
    """Invalid for a file that is not whole; Conflict when the org is there and not empty."""
    if not file.is_file():
        raise NotFound(f"There is no file {str(file)!r}.", code="export_not_found")

    async def run() -> Imported:
        async with opened(load({"data_dir": data_dir})) as deps:
            with _readable(file) as source, progress("Rows") as on_progress:
                return await import_org(deps, source, rename_to=rename_to, on_progress=on_progress)

    return asyncio.run(run())


@contextlib.contextmanager
def _writable(path: Path, *, packed: bool) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if not packed:
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file) as out:
            yield cast(BinaryIO, out)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.GzipFile(mode="rb", fileobj=file) as source:
            yield cast(BinaryIO, source)
