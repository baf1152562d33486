"""Copies of large orgs beside the database: a start reads them instead of every row, and nothing depends on them."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from memcairn.domain.pool import Trait
from memcairn.domain.scopes import EVERYTHING
from memcairn.providers.fake import FakeEmbedder
from memcairn.store.database import SqliteDatabase
from memcairn.store.index.analysis import analyse_query
from memcairn.store.index.base import IndexQuery
from memcairn.store.index.copies import Copies, folder_of, remove_all
from memcairn.store.index.sqlite import SqliteIndex
from memcairn.store.index.views import State, View
from memcairn.store.schema import index_rows
from tests.build import ORG, entry

pytestmark = pytest.mark.anyio

EMBEDDER = FakeEmbedder()
WORDS = ["lisbon is warm", "porto and lisbon", "bread", "the heron nests", "a ferry to lisbon"]


class Server:
    """What one process holds: its index on the database, and the copies it reads and writes."""

    def __init__(self, database: SqliteDatabase, file: Path) -> None:
        self.database = database
        self.folder = folder_of(file)
        self.copies = Copies(self.folder, least_rows=1)
        self.index = SqliteIndex(exact_rows=0, copies=self.copies)

    async def put(self, *texts: str) -> None:
        entries = [entry(words, memory_id=f"{words} {n}", session_id=f"s{n}") for n, words in enumerate(texts)]
        await self.database.write(self.index.put, ORG, entries, model=EMBEDDER.model)

    async def remove(self, *memory_ids: str) -> None:
        await self.database.write(self.index.remove, ORG, memory_ids)

    async def found(self, words: str = "lisbon") -> Sequence[tuple[str, int]]:
        """Ids and traits of the candidates, once what is being written is written."""
        asked = IndexQuery(analyse_query(words), list(EMBEDDER.embed([words])), EMBEDDER.model, EMBEDDER.dimensions)
        pool = (await self.database.read(self.index.find, ORG, (EVERYTHING,), asked)).pool
        self.copies.wait()
        return sorted(zip(pool.memory_ids, pool.traits.tolist(), strict=True))

    async def copy(self) -> View | None:
        """What a start would take from the folder."""

        def read(connection: Connection) -> View | None:
            state = State(1 << 62, 1 << 62)
            return self.copies.read(connection, ORG, state, model=EMBEDDER.model, dimensions=EMBEDDER.dimensions)

        return await self.database.read(read)

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir()) if self.folder.exists() else []


@pytest.fixture
async def server(sqlite_database: SqliteDatabase, database_file: Path) -> Server:
    """One that has been searched, so that its copy is written."""
    server = Server(sqlite_database, database_file)
    await server.put(*WORDS)
    await server.found()
    return server


def restarted(server: Server, file: Path) -> Server:
    return Server(server.database, file)


async def test_a_start_finds_from_the_copy_what_it_would_find_without(server: Server, database_file: Path) -> None:
    again = restarted(server, database_file)
    without = SqliteIndex(exact_rows=0)
    asked = IndexQuery(analyse_query("lisbon"), list(EMBEDDER.embed(["lisbon"])), EMBEDDER.model, EMBEDDER.dimensions)

    from_copy = (await server.database.read(again.index.find, ORG, (EVERYTHING,), asked)).pool
    from_rows = (await server.database.read(without.find, ORG, (EVERYTHING,), asked)).pool

    assert await again.copy() is not None
    for column in ("memory_ids", "sources", "session_ids", "speaker_names", "kind_names", "type_names"):
        assert list(getattr(from_copy, column)) == list(getattr(from_rows, column))
    for column in ("sessions", "positions", "occurred_at", "traits", "term_ids", "offsets", "vectors"):
        assert getattr(from_copy, column).tolist() == getattr(from_rows, column).tolist()


async def test_what_came_went_and_changed_since_is_laid_over_it(server: Server, database_file: Path) -> None:
    await server.put("lisbon by night")
    await server.remove("lisbon is warm 0")
    await server.database.write(server.index.add_trait, ORG, ["porto and lisbon 1"], int(Trait.OUTDATED))

    found = await restarted(server, database_file).found()

    assert dict(found) == {
        "a ferry to lisbon 4": 0,
        "bread 2": 0,
        "lisbon by night 0": 0,
        "porto and lisbon 1": int(Trait.OUTDATED),
        "the heron nests 3": 0,
    }


async def test_a_copy_that_has_fallen_far_behind_is_written_anew(server: Server, database_file: Path) -> None:
    await server.put("lisbon by night")

    again = restarted(server, database_file)
    await again.found()

    view = await again.copy()
    assert view is not None
    assert sum(len(block) for block in view.blocks) == len(WORDS) + 1


async def test_a_flipped_or_missing_byte_is_noticed_and_the_copy_written_anew(
    server: Server, database_file: Path
) -> None:
    [file] = server.files
    whole, found = file.read_bytes(), await server.found()

    for damaged in (
        b"",
        whole[:-1],
        whole[:100],
        whole[:200] + b"\xff" + whole[201:],
        whole[:-50] + b"\xff\x00" + whole[-48:],
    ):
        file.write_bytes(damaged)
        assert await server.copy() is None
        assert await restarted(server, database_file).found() == found
        assert file.read_bytes() == whole


async def test_a_copy_of_another_past_than_the_databases_is_not_used(server: Server, database_file: Path) -> None:
    def as_after_a_backup(connection: Connection) -> None:
        mine = (index_rows.c.org_id == ORG, index_rows.c.memory_id == "bread 2")
        connection.execute(update(index_rows).where(*mine).values(memory_id="another"))

    await server.database.write(as_after_a_backup)

    assert await server.copy() is None
    assert "another" in dict(await restarted(server, database_file).found())


async def test_a_copy_from_the_future_is_not_used(server: Server) -> None:
    def read(connection: Connection) -> View | None:
        return server.copies.read(connection, ORG, State(0, 0), model=EMBEDDER.model, dimensions=EMBEDDER.dimensions)

    assert await server.database.read(read) is None


async def test_after_a_wipe_nothing_of_it_is_left(server: Server) -> None:
    assert server.files

    assert await server.database.wipe()

    assert not server.folder.exists()
    assert not list(server.folder.parent.glob("*-blocks*"))


async def test_one_begun_before_a_wipe_is_never_finished(server: Server) -> None:
    begun = server.copies.begin(ORG, EMBEDDER.model)
    view = await server.copy()
    assert begun is not None
    assert view is not None
    remove_all(server.folder)

    def write(connection: Connection) -> None:
        server.copies.write(begun, connection, ORG, view, model=EMBEDDER.model, dimensions=EMBEDDER.dimensions)

    await server.database.read(write)
    server.copies.wait()

    assert server.files == []


async def test_small_orgs_are_not_copied(sqlite_database: SqliteDatabase, database_file: Path) -> None:
    server = Server(sqlite_database, database_file)
    server.copies = Copies(server.folder, least_rows=len(WORDS) + 1)
    server.index = SqliteIndex(exact_rows=0, copies=server.copies)
    await server.put(*WORDS)

    await server.found()

    assert server.files == []


async def test_a_folder_that_cannot_be_written_costs_nothing_but_the_copy(
    sqlite_database: SqliteDatabase, database_file: Path
) -> None:
    server = Server(sqlite_database, database_file)
    server.folder.write_text("a file is in the way")
    await server.put(*WORDS)

    assert len(await server.found()) == len(WORDS)
