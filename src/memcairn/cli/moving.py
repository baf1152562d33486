"""One database copied into another: the work behind `memcairn migrate-db`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from memcairn.assembly import make_folder
from memcairn.cli.copies import without_password
from memcairn.cli.progress import progress
from memcairn.core.copying import DatabaseCopied, OnProgress, copy_database
from memcairn.core.deps import Deps
from memcairn.domain.clock import SystemClock
from memcairn.domain.errors import Invalid, NotFound
from memcairn.observability.metrics import Metrics
from memcairn.provision import make_embedder
from memcairn.settings import load
from memcairn.store.database import Database, SqliteDatabase
from memcairn.store.index.base import Index
from memcairn.store.index.postgres import PostgresIndex
from memcairn.store.index.sqlite import SqliteIndex
from memcairn.store.postgres import PostgresDatabase

_SQLITE = "sqlite:///"


def move_database(source: str, target: str, *, restart: bool) -> DatabaseCopied:
    """Conflict when the target is not empty and no unfinished copy of the source, or when both differ in the end."""
    for url in (source, target):
        if not url.startswith((_SQLITE, "postgresql://", "postgres://")):
            raise Invalid(
                f"{without_password(url)!r} is no address of a database. Write sqlite:///path/to/file.db or "
                "postgresql://user@host/name.",
                code="database_url",
            )
    name = _name(source)
    if name == _name(target):
        raise Invalid("Source and target are the same database. Name another target.", code="same_database")
    if source.startswith(_SQLITE) and not Path(source.removeprefix(_SQLITE)).exists():
        raise NotFound(f"There is no database {source.removeprefix(_SQLITE)!r} to copy.", code="database_not_found")
    return asyncio.run(_move(source, target, name, restart=restart))


async def _move(source: str, target: str, name: str, *, restart: bool) -> DatabaseCopied:
    settings = load()
    async with _opened(source) as (origin, _), _opened(target) as (copy, index):
        embedder = await asyncio.to_thread(make_embedder, settings, Metrics())
        deps = Deps(db=copy, index=index, embedder=embedder, clock=SystemClock(), metrics=Metrics())
        with _progress() as on_progress:
            copied = await copy_database(origin, deps, name=name, restart=restart, on_progress=on_progress)
        if isinstance(index, PostgresIndex):
            # At the end and in one go: row by row it takes three times as long.
            await copy.write(index.prepare, model=embedder.model, dimensions=embedder.dimensions)
        return copied


@contextlib.asynccontextmanager
async def _opened(url: str) -> AsyncIterator[tuple[Database, Index]]:
    database: Database
    index: Index
    if url.startswith(_SQLITE):
        path = Path(url.removeprefix(_SQLITE))
        make_folder(path.parent)
        database, index = SqliteDatabase(path), SqliteIndex()
    else:
        database, index = PostgresDatabase(url, statement_timeout_seconds=0), PostgresIndex()
    try:
        yield database, index
    finally:
        await database.close()


@contextlib.contextmanager
def _progress() -> Iterator[OnProgress]:
    """A bar for each table in its turn."""
    with contextlib.ExitStack() as bars:
        shown: list[tuple[str, Callable[[int, int], None]]] = []

        def tell(part: str, done: int, total: int) -> None:
            if not shown or shown[-1][0] != part:
                bars.close()
                shown[:] = [(part, bars.enter_context(progress(part)))]
            shown[-1][1](done, total)

        yield tell


def _name(url: str) -> str:
    """What a database is called, wherever it is called from, without its password."""
    if url.startswith(_SQLITE):
        return f"{_SQLITE}{Path(url.removeprefix(_SQLITE)).absolute()}"
    return without_password(url).replace("postgres://", "postgresql://", 1)
