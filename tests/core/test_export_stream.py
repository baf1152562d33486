"""An org that is fetched piece by piece while it is read."""

import asyncio
import io
import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import pytest
from sqlalchemy import Connection

from memcairn.core import export_stream
from memcairn.core.deps import Deps
from memcairn.core.export_file import IMPORTING, check
from memcairn.core.export_stream import Exports, streamed_export
from memcairn.core.exporting import ExportOptions
from memcairn.core.ingest import ingest
from memcairn.core.keys import create_org
from memcairn.domain.errors import Conflict, Unavailable
from memcairn.domain.events import NewEvent
from memcairn.domain.keys import Principal
from memcairn.store import counters
from memcairn.store.database import Database
from tests.build import ORG, make

pytestmark = pytest.mark.anyio

P = ParamSpec("P")
T = TypeVar("T")

LETTERS = 100


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_stream, "PIECE_BYTES", 2_000)


@pytest.fixture
async def talkative(deps: Deps, principal: Principal) -> Deps:
    await ingest(deps, principal, letters())
    return deps


def letters() -> list[NewEvent]:
    return [make(NewEvent, content=f"Letter {n} tells of a tower.", session_id="letters") for n in range(LETTERS)]


async def fetched(deps: Deps, exports: Exports, org_id: str = ORG) -> list[bytes]:
    async with streamed_export(deps, exports, org_id, ExportOptions()) as pieces:
        return [piece async for piece in pieces]


async def fetched_when_free(deps: Deps, exports: Exports, org_id: str) -> list[bytes]:
    while True:
        try:
            return await fetched(deps, exports, org_id)
        except Unavailable:
            await asyncio.sleep(0.01)


class Unlucky:
    """A database that loses its connection at the end of each read: `again`, it runs the function once more."""

    def __init__(self, inner: Database, *, again: bool) -> None:
        self._inner = inner
        self._again = again

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def lost(connection: Connection) -> T:
            fn(connection, *args, **kwargs)
            if self._again:
                return fn(connection, *args, **kwargs)
            raise Unavailable("The database cannot be reached.", code="database_unreachable")

        return await self._inner.read(lost)


def unlucky(deps: Deps, *, again: bool) -> Deps:
    return replace(deps, db=cast(Any, Unlucky(deps.db, again=again)))


async def test_the_pieces_are_the_file(talkative: Deps) -> None:
    pieces = await fetched(talkative, Exports())

    assert len(pieces) > 5
    assert max(map(len, pieces)) <= export_stream.PIECE_BYTES
    assert check(io.BytesIO(b"".join(pieces)))["events"] == LETTERS


async def test_what_is_said_while_it_is_fetched_is_not_in_it(talkative: Deps, principal: Principal) -> None:
    async with streamed_export(talkative, Exports(), ORG, ExportOptions()) as pieces:
        first = await anext(pieces)
        await ingest(talkative, principal, letters())
        rest = [piece async for piece in pieces]

    assert check(io.BytesIO(first + b"".join(rest)))["events"] == LETTERS


async def test_who_fetches_slowly_keeps_nobody_from_the_database(talkative: Deps) -> None:
    exports = Exports()
    await create_org(talkative, "neighbours")

    async with streamed_export(talkative, exports, ORG, ExportOptions()) as pieces:
        await anext(pieces)
        other = await fetched_when_free(talkative, exports, "neighbours")

    assert "events" not in check(io.BytesIO(b"".join(other)))


async def test_an_org_is_fetched_by_one_at_a_time(talkative: Deps) -> None:
    exports = Exports()
    async with streamed_export(talkative, exports, ORG, ExportOptions()):
        with pytest.raises(Unavailable) as refused:
            await fetched(talkative, exports)

    assert refused.value.code == "export_running"
    assert refused.value.retry_after_seconds > 0
    assert await fetched(talkative, exports)


async def test_who_leaves_in_the_middle_ends_the_reading(talkative: Deps) -> None:
    exports = Exports()

    async with streamed_export(talkative, exports, ORG, ExportOptions()):
        pass

    assert check(io.BytesIO(b"".join(await fetched(talkative, exports))))["events"] == LETTERS


async def test_half_an_org_is_refused_before_the_first_piece(talkative: Deps) -> None:
    await talkative.db.write(counters.take, ORG, IMPORTING)

    with pytest.raises(Conflict) as refused:
        await fetched(talkative, Exports())

    assert refused.value.code == "import_unfinished"


@pytest.mark.parametrize("again", [False, True], ids=["lost", "lost and run again"])
async def test_a_database_that_is_lost_on_the_way_leaves_a_part_without_a_manifest(
    talkative: Deps, again: bool
) -> None:
    got: list[bytes] = []

    with pytest.raises(Unavailable) as refused:
        async with streamed_export(unlucky(talkative, again=again), Exports(), ORG, ExportOptions()) as pieces:
            got += [piece async for piece in pieces]

    assert refused.value.code == "database_unreachable"


async def test_a_full_folder_for_temporary_files_is_named(talkative: Deps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda buffering: io.FileIO("/dev/full", "w"))

    with pytest.raises(Unavailable, match="TMPDIR") as refused:
        await fetched(talkative, Exports())

    assert refused.value.code == "storage_full"


async def test_whoever_has_read_the_last_byte_may_ask_again_at_once() -> None:
    exports = Exports()
    cleared_away = asyncio.Event()

    async def end_late() -> None:
        async with exports.of(ORG):
            await cleared_away.wait()

    ending = asyncio.create_task(end_late())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.05, cleared_away.set)

    async with exports.of(ORG):
        assert ending.done()
