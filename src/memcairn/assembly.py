"""Settings become dependencies: a migrated database and all the core stands on, without a door."""

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from memcairn.core.deps import Deps
from memcairn.core.metering import Meter
from memcairn.core.usage import write_usage
from memcairn.domain.clock import SystemClock
from memcairn.domain.errors import Invalid
from memcairn.domain.tokens import estimate_tokens
from memcairn.domain.usage import Dimension
from memcairn.observability.metrics import Metrics
from memcairn.providers.absent import AbsentEmbedder
from memcairn.providers.base import Embedder, NoThesaurus
from memcairn.providers.tokenizer import tokenizer_counter
from memcairn.provision import make_embedder, make_reranking, make_thesaurus
from memcairn.settings import Settings
from memcairn.store.database import Database, SqliteDatabase
from memcairn.store.index.base import Index
from memcairn.store.index.copies import Copies, folder_of
from memcairn.store.index.postgres import PostgresIndex
from memcairn.store.index.sqlite import SqliteIndex
from memcairn.store.migrate import migrate
from memcairn.store.postgres import PostgresDatabase


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, *, embeds: bool = True, metrics: Metrics | None = None, checkpoints_elsewhere: bool = False
) -> AsyncIterator[Deps]:
    """The dependencies on a migrated database; closed again, with accepted writes finished, on the way out.

    Without `embeds` no embedder is loaded, or asked whether it is there: for what neither searches nor remembers.
    """
    metrics = metrics or Metrics()
    db = open_database(
        settings,
        on_group=lambda size, seconds: metrics.write_committed(size, seconds),
        checkpoints_elsewhere=checkpoints_elsewhere,
    )
    try:
        await db.write(migrate)
        embedder = await asyncio.to_thread(make_embedder, settings, metrics) if embeds else AbsentEmbedder()
        deps = Deps(
            db=db,
            index=await _opened_index(settings, db, embedder if embeds else None),
            embedder=embedder,
            thesaurus=await asyncio.to_thread(make_thesaurus) if embeds else NoThesaurus(),
            clock=SystemClock(),
            metrics=metrics,
            count_tokens=estimate_tokens if settings.tokenizer is None else tokenizer_counter(settings.tokenizer),
            summary_window=settings.summary_window,
            promotion_min_actors=settings.promotion_min_actors,
            meter=Meter(_quotas(settings)),
            keys_per_org=settings.keys_per_org,
            reranking=await asyncio.to_thread(make_reranking, settings) if embeds else None,
        )
        deps.wakeup.to_others = db.tell
        try:
            yield deps
        finally:
            await write_usage(deps)
    finally:
        await db.close()


def open_database(
    settings: Settings,
    *,
    on_group: Callable[[int, float], None] = lambda _size, _seconds: None,
    checkpoints_elsewhere: bool = False,
) -> Database:
    """The database of the settings, as it is: a SQLite file is made if it is not there, nothing is migrated."""
    if settings.postgres_url is not None:
        return PostgresDatabase(
            settings.postgres_url,
            connections=settings.database_connections,
            statement_timeout_seconds=settings.database_timeout_seconds,
            on_group=on_group,
        )
    make_folder(settings.sqlite_path.parent)
    make_private(settings.sqlite_path)
    return SqliteDatabase(settings.sqlite_path, on_group=on_group, checkpoints_elsewhere=checkpoints_elsewhere)


async def _opened_index(settings: Settings, db: Database, embedder: Embedder | None) -> Index:
    cache_bytes = settings.cache_mb * 1024 * 1024
    if settings.postgres_url is None:
        return SqliteIndex(cache_bytes=cache_bytes, copies=Copies(folder_of(settings.sqlite_path)))
    index = PostgresIndex(cache_bytes=cache_bytes)
    if embedder is not None:
        await db.write(index.prepare, model=embedder.model, dimensions=embedder.dimensions)
    return index


def make_folder(folder: Path) -> None:
    """Make the data folder, for its owner alone, if it is not there; Invalid when it cannot be made or written to."""
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(
            f"The data folder {str(folder)!r} cannot be made: {error.strerror}. Choose another with --data-dir.",
            code="data_folder",
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Invalid(
            f"The data folder {str(folder)!r} cannot be written to. Change its permissions, or choose another folder "
            "with --data-dir.",
            code="data_folder",
        )


def make_private(path: Path) -> None:
    """An empty file that only its owner may read, unless there is one: SQLite gives its log the same rights."""
    with contextlib.suppress(OSError):  # opening it says what is the matter
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def is_open_to_others(path: Path) -> bool:
    """Whether other users of this machine can read a database file: by its rights, and through its folder."""
    if os.name != "posix" or not path.exists():
        return False
    through = path.parent.stat().st_mode
    reading = path.stat().st_mode
    by_group = reading & stat.S_IRGRP and through & stat.S_IXGRP
    return bool(by_group or (reading & stat.S_IROTH and through & stat.S_IXOTH))


def _quotas(settings: Settings) -> dict[Dimension, int]:
    given = {dimension: getattr(settings, f"quota_{dimension.value}") for dimension in Dimension}
    return {dimension: quota for dimension, quota in given.items() if quota is not None}
