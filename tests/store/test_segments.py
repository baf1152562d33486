"""The word index made one while others write: of what was removed no word is left, and it comes to an end."""

import random

import pytest
from sqlalchemy import Connection

from memcairn.store.database import SqliteDatabase
from memcairn.store.index import sqlite
from memcairn.store.index.sqlite import SqliteIndex
from tests.build import ORG, entry

pytestmark = pytest.mark.anyio

CANARY = "zebrafink"


@pytest.fixture
def index() -> SqliteIndex:
    return SqliteIndex()


async def say(database: SqliteDatabase, index: SqliteIndex, *, first: int, count: int, canary: bool = False) -> None:
    """Rows of mostly different words, 20 to a transaction."""
    dice = random.Random(first)
    for start in range(first, first + count, 20):
        entries = [
            entry(
                " ".join([*(f"w{dice.getrandbits(32):x}" for _ in range(8)), *([CANARY] * canary)]), memory_id=f"m{n}"
            )
            for n in range(start, min(start + 20, first + count))
        ]
        await database.write(index.put, ORG, entries, model="m")


async def remove(database: SqliteDatabase, index: SqliteIndex, numbers: range) -> None:
    for number in numbers:
        await database.write(index.remove, ORG, [f"m{number}"])


async def say_and_remove_canaries(database: SqliteDatabase, index: SqliteIndex, *, first: int) -> None:
    await say(database, index, first=first, count=20, canary=True)
    await remove(database, index, range(first, first + 20))
    assert await database.read(holds_canary)


def holds_canary(connection: Connection) -> bool:
    # Without its beginning, which a term may share with the one before it.
    blocks = connection.exec_driver_sql("SELECT block FROM memory_words_data").scalars().all()
    return any(CANARY[1:].encode() in block for block in blocks)


async def test_rows_that_are_added_between_the_steps_do_not_make_it_begin_anew(
    sqlite_database: SqliteDatabase, index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "TIDY_PAGES", 1)
    await say(sqlite_database, index, first=0, count=2_000)
    await say_and_remove_canaries(sqlite_database, index, first=2_000)

    left = await sqlite_database.write(index.tidy, None)
    steps = 0
    while left:
        await say(sqlite_database, index, first=10_000 + steps, count=1)
        left = await sqlite_database.write(index.tidy, left)
        steps += 1
        assert steps < 400

    assert steps > 5
    assert not await sqlite_database.read(holds_canary)


async def test_what_is_one_already_is_left_alone(sqlite_database: SqliteDatabase, index: SqliteIndex) -> None:
    await say(sqlite_database, index, first=0, count=20)

    assert not await sqlite_database.write(index.tidy, None)


async def test_every_removed_word_is_gone_when_nothing_is_left_to_do(
    sqlite_database: SqliteDatabase, index: SqliteIndex
) -> None:
    for first in range(0, 300, 20):
        await say(sqlite_database, index, first=first, count=20, canary=first % 40 == 0)
    for first in range(0, 300, 40):
        await remove(sqlite_database, index, range(first, first + 20))
    assert await sqlite_database.read(holds_canary)

    left = await sqlite_database.write(index.tidy, None)
    while left:
        left = await sqlite_database.write(index.tidy, left)

    assert not await sqlite_database.read(holds_canary)


async def test_many_removals_make_it_anew_in_steps_of_their_own(
    sqlite_database: SqliteDatabase, index: SqliteIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "TIDY_AFTER_ROWS", 30)
    await say(sqlite_database, index, first=0, count=400)
    await say_and_remove_canaries(sqlite_database, index, first=400)

    await remove(sqlite_database, index, range(200))

    assert not await sqlite_database.read(holds_canary)
