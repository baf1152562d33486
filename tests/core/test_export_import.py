"""An org goes to a file and into another database, and answers there as it did here."""

import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.export_file import VECTORS, names_in_order
from memcairn.core.exporting import ExportOptions, export_org
from memcairn.core.importing import Imported, import_org
from memcairn.core.ingest import ingest
from memcairn.core.keys import create_org
from memcairn.core.purge import purge
from memcairn.core.recall import Recalls
from memcairn.core.reindexing import Reindexed, reindex_org
from memcairn.core.search import SearchQuery, search
from memcairn.core.sessions import delete_session
from memcairn.domain.errors import Conflict, DomainError, Invalid, NotFound
from memcairn.domain.events import NewEvent
from memcairn.domain.keys import Principal
from memcairn.pipeline.worker import Worker
from memcairn.providers.fake import FakeEmbedder
from memcairn.store import jobs, orgs, rows, tally_check
from memcairn.store.database import Database, SqliteDatabase
from memcairn.store.migrate import migrate
from memcairn.store.postgres import PostgresDatabase
from memcairn.store.schema import metadata
from tests.build import ORG, index_on, make
from tests.core.full_org import QUESTIONS, answers, fill

pytestmark = pytest.mark.anyio


@pytest.fixture
async def filled(deps: Deps, principal: Principal) -> Deps:
    await fill(deps, principal)
    return deps


@pytest.fixture
async def elsewhere(deps: Deps, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Deps]:
    """Another server with another org on it."""
    database: Database
    if isinstance(deps.db, PostgresDatabase):
        database = PostgresDatabase(request.getfixturevalue("postgres_server").empty(), connections=4)
    else:
        database = SqliteDatabase(tmp_path / "elsewhere.db")
    await database.write(migrate)
    other = replace(deps, db=database, index=index_on(database))
    await create_org(other, "neighbours")
    yield other
    await database.close()


async def exported(deps: Deps, *, keys: bool = False, deleted: bool = True) -> bytes:
    out = io.BytesIO()
    await export_org(deps, ORG, out, ExportOptions(keys=keys, deleted=deleted))
    return out.getvalue()


async def loaded(deps: Deps, content: bytes, rename_to: str | None = None) -> Imported:
    return await import_org(deps, io.BytesIO(content), rename_to=rename_to)


async def table_rows(deps: Deps, org_id: str) -> dict[str, tuple[int, str]]:
    """Count and hash of the org's rows in every table that is moved."""

    def read(connection: Connection) -> dict[str, tuple[int, str]]:
        sums = {}
        for table in rows.moved_tables():
            total = rows.RowHash()
            for values in rows.page(connection, table, after=None, limit=10_000, org_id=org_id):
                total.add(table, values)
            sums[table.name] = (total.count, total.hexdigest)
        return sums

    return await deps.db.read(read)


class TestAllOfIt:
    async def test_a_restored_org_answers_alike(self, filled: Deps, elsewhere: Deps, principal: Principal) -> None:
        before = await answers(filled, principal)

        await loaded(elsewhere, await exported(filled))

        assert len(before) > len(QUESTIONS)
        assert await answers(elsewhere, principal) == before

    async def test_every_row_arrives_as_it_was(self, filled: Deps, elsewhere: Deps) -> None:
        before = await table_rows(filled, ORG)

        done = await loaded(elsewhere, await exported(filled, keys=True))

        after = await table_rows(elsewhere, ORG)
        made_here = {"orgs", "jobs"}
        assert {name for name, (count, _) in before.items() if count} >= {
            *("users", "sessions", "events", "memories", "memory_sources", "memory_history", "summaries"),
            *("collections", "documents", "roles", "api_keys", "jobs", "counters", "memory_tallies", "actor_tallies"),
        }
        assert {name: value for name, value in after.items() if name not in made_here} == {
            name: value for name, value in before.items() if name not in made_here
        }
        assert after["jobs"][0] == before["jobs"][0] > 0
        assert {name: done.rows.get(name, 0) for name in before if name != "orgs"} == {
            name: count for name, (count, _) in before.items() if name != "orgs"
        }

    async def test_the_index_is_whole_and_made_of_the_vectors_that_came_along(
        self, filled: Deps, elsewhere: Deps
    ) -> None:
        class Refusing(FakeEmbedder):
            def embed(self, texts: Any) -> Any:
                assert not list(texts), "a vector that was in the file was made again"
                return super().embed(texts)

        content = await exported(filled)

        done = await loaded(replace(elsewhere, embedder=Refusing()), content)

        assert done.embedded == 0
        assert (await reindex_org(elsewhere, ORG)).mended == 0

    async def test_vectors_of_another_model_are_made_anew(self, filled: Deps, elsewhere: Deps) -> None:
        other = replace(elsewhere, embedder=FakeEmbedder(dimensions=16))

        done = await loaded(other, await exported(filled))

        assert done.embedded > 0
        assert await reindex_org(other, ORG) == Reindexed(checked=done.rows["memories"])

    async def test_work_that_waited_is_done_on_the_other_side(
        self, filled: Deps, elsewhere: Deps, principal: Principal
    ) -> None:
        await loaded(elsewhere, await exported(filled))

        while await Worker(elsewhere).run_once():
            pass

        hits = await search(elsewhere, Recalls(), principal, SearchQuery("who sings by the sea?", actor_id="ann"))
        assert hits[0].memory is not None
        assert "tern" in hits[0].memory.text

    async def test_what_was_deleted_can_be_purged_there(self, filled: Deps, elsewhere: Deps) -> None:
        await loaded(elsewhere, await exported(filled))

        report = await purge(elsewhere, older_than=timedelta(0), org_id=ORG)

        assert report.counts["events"] == 1

    async def test_an_export_of_the_import_is_the_same_file(self, filled: Deps, elsewhere: Deps) -> None:
        content = await exported(filled)
        await loaded(elsewhere, content)

        again = await exported(elsewhere)

        assert _lines_but_jobs(again) == _lines_but_jobs(content)


def _lines_but_jobs(content: bytes) -> list[Mapping[str, Any]]:
    lines = [json.loads(line) for line in content.splitlines()]
    return [line for line in lines[:-1] if line.get("table") != "jobs"]


class TestWithoutWhatIsDeleted:
    async def test_no_word_of_it_is_in_the_file(self, filled: Deps, principal: Principal) -> None:
        await delete_session(filled, principal, "late")
        assert b"tern sings" in await exported(filled)

        content = await exported(filled, deleted=False)

        assert b"parrot" not in content
        assert b"tern sings" not in content
        assert b"moved to Lisbon" in content

    async def test_what_is_left_answers_as_before(self, filled: Deps, elsewhere: Deps, principal: Principal) -> None:
        before = await answers(filled, principal)

        await loaded(elsewhere, await exported(filled, deleted=False))

        assert await answers(elsewhere, principal) == before
        assert await elsewhere.db.read(tally_check.wrong, ORG) == []
        assert (await reindex_org(elsewhere, ORG)).mended == 0
        assert (await purge(elsewhere, older_than=timedelta(0), org_id=ORG)).counts == {}

    async def test_work_about_it_stays_behind_too(self, filled: Deps, elsewhere: Deps, principal: Principal) -> None:
        late = [make(NewEvent, content=f"Gull {n} cries.", session_id=f"gull {n}") for n in range(2)]
        await ingest(filled, principal, late)
        await delete_session(filled, principal, "gull 0")

        await loaded(elsewhere, await exported(filled, deleted=False))

        while await Worker(elsewhere).run_once():
            pass
        assert sum((await elsewhere.db.read(jobs.count_by_status)).values()) == 0
        hits = await search(elsewhere, Recalls(), principal, SearchQuery("which gull cries?", actor_id="ann"))
        assert hits[0].memory is not None
        assert hits[0].memory.text == "Gull 1 cries."


class TestNames:
    async def test_an_org_is_loaded_under_another_id_beside_the_first(self, filled: Deps, principal: Principal) -> None:
        before = await answers(filled, principal)

        done = await loaded(filled, await exported(filled, keys=True), rename_to="twin")

        assert done.keys_left_out == done.rows["api_keys"] == 1
        assert await answers(filled, replace(principal, org_id="twin")) == before
        assert await answers(filled, principal) == before

    async def test_the_work_of_a_renamed_org_is_done_in_it(self, filled: Deps, principal: Principal) -> None:
        await loaded(filled, await exported(filled), rename_to="twin")

        while await Worker(filled).run_once():
            pass

        for org_id in (ORG, "twin"):
            pilot = replace(principal, org_id=org_id)
            hits = await search(filled, Recalls(), pilot, SearchQuery("who sings by the sea?", actor_id="ann"))
            assert hits[0].memory is not None
            assert hits[0].memory.org_id == org_id

    async def test_an_org_that_holds_something_is_left_alone(self, filled: Deps, principal: Principal) -> None:
        before = await table_rows(filled, ORG)

        with pytest.raises(Conflict) as refused:
            await loaded(filled, await exported(filled))

        assert refused.value.code == "org_not_empty"
        assert await table_rows(filled, ORG) == before

    async def test_an_empty_org_takes_it_and_keeps_its_keys(
        self, filled: Deps, elsewhere: Deps, principal: Principal
    ) -> None:
        await loaded(elsewhere, await exported(filled), rename_to="neighbours")

        assert await answers(elsewhere, replace(principal, org_id="neighbours")) == await answers(filled, principal)
        assert (await table_rows(elsewhere, "neighbours"))["api_keys"][0] == 1

    @pytest.mark.parametrize("org_id", ["", "  ", "a\x00b", "x" * 300])
    async def test_an_id_no_org_may_have_is_refused(self, filled: Deps, org_id: str) -> None:
        with pytest.raises(Invalid):
            await loaded(filled, await exported(filled), rename_to=org_id)

    async def test_an_org_nobody_made_cannot_be_exported(self, deps: Deps) -> None:
        with pytest.raises(NotFound):
            await export_org(deps, "nobody", io.BytesIO(), ExportOptions())


def edited(content: bytes, number: int, **changes: Any) -> bytes:
    """The file with fields of one line changed; -1 is the manifest."""
    lines = content.splitlines(keepends=True)
    lines[number] = json.dumps(json.loads(lines[number]) | changes).encode() + b"\n"
    return b"".join(lines)


class TestDamage:
    async def test_not_one_byte_can_be_changed_unseen(self, filled: Deps, elsewhere: Deps) -> None:
        content = await exported(filled)
        seen = 0
        for place in range(0, len(content), len(content) // 60):
            changed = bytearray(content)
            changed[place] ^= 1
            with pytest.raises(DomainError):
                await loaded(elsewhere, bytes(changed))
            seen += 1

        assert seen >= 60
        assert await elsewhere.db.read(orgs.get, ORG) is None

    @pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
    async def test_a_file_that_was_cut_is_refused(self, filled: Deps, elsewhere: Deps, share: float) -> None:
        content = await exported(filled)

        with pytest.raises(Invalid) as refused:
            await loaded(elsewhere, content[: int(len(content) * share)])

        assert refused.value.code in ("export_damaged", "not_an_export")

    @pytest.mark.parametrize("number", [5, -2])
    async def test_a_line_more_or_less_is_refused(self, filled: Deps, elsewhere: Deps, number: int) -> None:
        lines = (await exported(filled)).splitlines(keepends=True)
        for changed in ([*lines[:number], *lines[number + 1 :]], [*lines[:number], lines[number], *lines[number:]]):
            with pytest.raises(Invalid, match="manifest"):
                await loaded(elsewhere, b"".join(changed))

    async def test_a_newer_file_is_refused_with_the_way_out(self, filled: Deps, elsewhere: Deps) -> None:
        content = await exported(filled)

        for changes in ({"memcairn_export": 2}, {"revision": "9999"}):
            with pytest.raises(Conflict, match="Upgrade"):
                await loaded(elsewhere, edited(content, 0, **changes))

    @pytest.mark.parametrize(
        "row",
        [
            {"org_id": "neighbours"},
            {"surprise": 1},
            {"created_at": "yesterday"},
            {"position": 2**70},
            {"position": True},
            {"content": 7},
            {"content": None},
            {"actor_id": "x" * 1_000},
        ],
        ids=str,
    )
    async def test_a_row_no_table_takes_is_refused(self, filled: Deps, elsewhere: Deps, row: Mapping[str, Any]) -> None:
        content = await exported(filled)
        lines = [json.loads(line) for line in content.splitlines()]
        number = next(n for n, line in enumerate(lines) if line.get("table") == "events")

        with pytest.raises(Invalid) as refused:
            await loaded(elsewhere, edited(content, number, row=lines[number]["row"] | row))

        assert refused.value.code == "export_damaged"
        assert f"Line {number + 1}" in refused.value.message

    @pytest.mark.parametrize("name", ["../users", "alembic_version", "sqlite_master", "index_rows", "orgs", "api_keys"])
    async def test_a_table_that_is_not_moved_is_refused(self, filled: Deps, elsewhere: Deps, name: str) -> None:
        with pytest.raises(Invalid, match="has no place there"):
            await loaded(elsewhere, edited(await exported(filled), 3, table=name))

    @pytest.mark.parametrize("content", [b"{}\n", b"[" * 100_000 + b"\n", b'{"memcairn_export": NaN}\n', b"\xff\xfe\n"])
    async def test_a_file_that_is_no_export_is_refused(self, elsewhere: Deps, content: bytes) -> None:
        with pytest.raises(Invalid):
            await loaded(elsewhere, content)


class TestBrokenOff:
    async def test_a_load_that_was_broken_off_is_begun_again(
        self, filled: Deps, elsewhere: Deps, principal: Principal
    ) -> None:
        content = await exported(filled)
        total = content.count(b"\n")

        class Power(Exception):
            pass

        for limit in (40, total // 2, total - 8):

            def cut(done: int, known: int, *, limit: int = limit) -> None:
                if known and done >= limit:
                    raise Power

            with pytest.raises(Power):
                await import_org(elsewhere, io.BytesIO(content), on_progress=cut)
            with pytest.raises(Conflict) as refused:
                await exported(elsewhere)
            assert refused.value.code == "import_unfinished"

        await loaded(elsewhere, content)

        assert await answers(elsewhere, principal) == await answers(filled, principal)


def test_every_table_is_in_a_file_but_what_the_index_derives() -> None:
    derived = {name for name in metadata.tables if name.startswith("index_")}

    assert derived >= {"index_rows", "index_scopes"}
    assert set(names_in_order(keys=True)) == metadata.tables.keys() - derived - {"orgs"} | {VECTORS}
    assert names_in_order(keys=True)[-1] == "jobs"
