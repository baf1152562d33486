"""The composition root: the one place that knows every part and puts them together."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp

from memcairn import __version__
from memcairn.api import allowance, health, limits, paths, problems
from memcairn.api.memsy.call import Terms
from memcairn.api.memsy.door import memsy_app
from memcairn.api.native import (
    actors,
    clear,
    collections,
    context,
    events,
    export,
    forget,
    jobs,
    keys,
    lineage,
    me,
    memories,
    messages,
    orgs,
    purge,
    roles,
    search,
    session_search,
    sessions,
    statistics,
    summaries,
    teams,
    usage,
    users,
)
from memcairn.api.zep.door import zep_app
from memcairn.assembly import opened
from memcairn.core import purge as purging
from memcairn.core import reembedding
from memcairn.core.deps import Deps
from memcairn.core.keys import ensure_default_org, ensure_first_key
from memcairn.core.limits import RateLimits
from memcairn.core.planning import keep_statistics_up
from memcairn.core.services import Services, write_hints
from memcairn.domain.clock import Retention
from memcairn.domain.errors import Unavailable
from memcairn.pipeline.worker import GIVE_WAY_INSIDE_SECONDS, Worker
from memcairn.settings import Settings
from memcairn.store.migrate import current_revision, head_revision
from memcairn.wire.health import Reembedding

log = logging.getLogger(__name__)

HINTS_EVERY_SECONDS = 1.0
WORKER_SILENT_AFTER_SECONDS = 30.0
WORKER_STOP_SECONDS = 6.0
FIRST_PURGE_SECONDS = 60.0


_NATIVE_DOORS = (
    search,
    messages,
    events,
    context,
    sessions,
    session_search,
    summaries,
    statistics,
    memories,
    users,
    collections,
    jobs,
    purge,
    export,
    forget,
    orgs,
    roles,
    teams,
    keys,
    usage,
    actors,
    me,
    clear,
    lineage,
)
"""Looked through from the first on with every request: what is asked most stands first."""


class Alive(Protocol):
    """A worker, here or in another process."""

    @property
    def beat_at(self) -> float:
        """When it last gave a sign of life, in `time.monotonic` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Running:
    """A server at work: its ASGI application and what stands behind it. `first_key` was made just now, if any."""

    app: FastAPI
    services: Services
    worker: Worker | None
    first_key: str | None


@contextlib.asynccontextmanager
async def running(
    settings: Settings, *, local_key: str | None = None, beside: Alive | None = None
) -> AsyncIterator[Running]:
    """A server with its worker and upkeep, ready to be served; everything is stopped and written on the way out.

    With a worker `beside` it, none is started here, that one's health is told, and it brings the log of a SQLite file
    into it: nobody waits for that one's commits.
    """
    async with opened(settings, checkpoints_elsewhere=beside is not None) as deps:
        services = Services(deps, rate_limits=RateLimits(settings.rate_limit_per_minute), local_key=local_key)
        first_key = None
        if local_key is None:
            given = settings.api_key
            first_key = await ensure_first_key(deps, None if given is None else given.get_secret_value())
        else:
            await ensure_default_org(deps)
        await reembedding.begin(deps)
        if settings.worker:
            deps.db.listen(deps.wakeup.hear)
        inside = settings.worker and beside is None
        worker = Worker(deps, give_way_seconds=GIVE_WAY_INSIDE_SECONDS) if inside else None
        app = make_app(services, beside or worker, settings)
        tasks = [
            asyncio.create_task(_keep_up(services), name="memcairn-upkeep"),
            asyncio.create_task(keep_statistics_up(deps.db), name="memcairn-statistics"),
        ]
        if settings.purge_interval:
            tasks.append(asyncio.create_task(_purge_at_times(deps, settings), name="memcairn-purge"))
        working = [] if worker is None else [asyncio.create_task(worker.run(), name="memcairn-worker")]
        try:
            yield Running(app, services, worker, first_key)
        finally:
            if worker is not None:
                worker.stop()
            await _stop(tasks, working)
            await write_hints(services)


@contextlib.asynccontextmanager
async def local_app(path: Path) -> AsyncIterator[tuple[ASGIApp, str]]:
    """A server inside the calling process, on the SQLite database in the folder `path`; yields its app and a key.

    The key lives as long as the server and is stored nowhere.
    """
    local_key = secrets.token_urlsafe(32)
    async with running(Settings(data_dir=path, database_url=None), local_key=local_key) as server:
        yield server.app, local_key


def make_app(services: Services, worker: Alive | None, settings: Settings) -> FastAPI:
    """Every door on one application."""
    app = FastAPI(
        title="Memcairn",
        version=__version__,
        description="A memory server for AI agents and chat applications.",
        redirect_slashes=False,
        # Asking anew with each request whether somebody wants them costs as much as finding the route.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.services = services
    for door in _NATIVE_DOORS:
        # Complete as they are: included, each would be made anew here and looked for twice with every request.
        app.router.routes.extend(door.router.routes)

    async def check() -> Mapping[str, str | None]:
        return await _components(services.deps, worker)

    async def progress() -> Reembedding | None:
        return await _reembedding(services.deps)

    app.mount("/zep", zep_app(services))
    terms = Terms(plan=settings.memsy_plan, content_chars=settings.memsy_content_chars)
    app.mount("/memsy", memsy_app(services, check, terms))
    app.include_router(health.router(check, progress, metrics=services.deps.metrics, version=__version__))
    problems.install(app)
    paths.install(app)
    app.add_middleware(allowance.Allowance, services=services)
    limits.install(
        app,
        services.deps.metrics,
        limits.Limits(
            body_bytes=int(settings.max_body_mb * 2**20),
            body_seconds=settings.body_timeout_seconds,
            concurrent_requests=settings.max_concurrent_requests,
        ),
    )
    return app


async def _components(deps: Deps, worker: Alive | None) -> Mapping[str, str | None]:
    revision = await deps.db.read(current_revision)
    head = head_revision()
    silent = worker is not None and time.monotonic() - worker.beat_at > WORKER_SILENT_AFTER_SECONDS
    return {
        "database": None,
        "migrations": None if revision == head else f"the database is at revision {revision}, the program at {head}",
        "worker": f"no sign of life for {WORKER_SILENT_AFTER_SECONDS:g} s" if silent else None,
    }


async def _reembedding(deps: Deps) -> Reembedding | None:
    found = await reembedding.under_way(deps)
    if not found:
        return None
    done = sum(each.current for each in found)
    return Reembedding(model=deps.embedder.model, done=done, total=done + sum(each.waiting for each in found))


async def _keep_up(services: Services) -> None:
    while True:
        await asyncio.sleep(HINTS_EVERY_SECONDS)
        try:
            await write_hints(services)
        except (Unavailable, SQLAlchemyError) as error:
            log.error("upkeep could not be done; what was counted is kept, and it is tried again", exc_info=error)


async def _purge_at_times(deps: Deps, settings: Settings) -> None:
    """Purge every so many minutes, and soon after the start: a server that restarts often must purge as well."""
    interval = settings.purge_interval * 60
    pause = min(FIRST_PURGE_SECONDS, interval)
    older_than = timedelta(seconds=settings.purge_after)
    retention = Retention(deps.clock)
    while True:
        await asyncio.sleep(pause)
        pause = interval
        if not retention.can_tell(older_than):
            log.warning("the clock was set forward; the purge waits until what was deleted before has been kept")
            continue
        try:
            await purging.purge(deps, older_than=older_than)
        except (Unavailable, SQLAlchemyError) as error:
            log.error("the purge could not go on; it tries again", exc_info=error)


async def _stop(tasks: Sequence[asyncio.Task[None]], working: Sequence[asyncio.Task[None]]) -> None:
    """Let a worker finish its batch, within WORKER_STOP_SECONDS; its leases bring back what it had to drop."""
    if working:
        await asyncio.wait(working, timeout=WORKER_STOP_SECONDS)
    for task in (*tasks, *working):
        task.cancel()
    await asyncio.gather(*tasks, *working, return_exceptions=True)
