"""Answers kept for those who did not hear them."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, func, select

from memcairn.store import idempotency
from memcairn.store.database import Database
from memcairn.store.idempotency import KEEP_FOR, Answer
from memcairn.store.schema import idempotency as table
from tests.build import NOW, ORG

pytestmark = pytest.mark.anyio

ANSWER = Answer(b"h" * 32, 200, ["e1", "e2"])
OTHER = Answer(b"o" * 32, 202, {"deep": [None, "é"]})


async def keep(db: Database, key: str, answer: Answer, *, after: timedelta = timedelta(0)) -> None:
    await db.write(idempotency.keep, ORG, "k1", key, answer=answer, now=NOW + after)


async def find(db: Database, key: str, *, after: timedelta = timedelta(0)) -> Answer | None:
    return await db.read(idempotency.find, ORG, "k1", key, NOW + after)


async def test_an_answer_is_found_under_its_key_for_a_day(database: Database) -> None:
    await keep(database, "one", ANSWER)
    await keep(database, "two", OTHER)

    assert await find(database, "one") == ANSWER
    assert await find(database, "two", after=KEEP_FOR - timedelta(seconds=1)) == OTHER
    assert await find(database, "one", after=KEEP_FOR) is None
    assert await find(database, "three") is None


async def test_equal_keys_of_other_callers_are_other_keys(database: Database) -> None:
    await keep(database, "one", ANSWER)

    assert await database.read(idempotency.find, ORG, "k2", "one", NOW) is None
    assert await database.read(idempotency.find, "other", "k1", "one", NOW) is None


async def test_an_expired_answer_gives_way(database: Database) -> None:
    await keep(database, "one", ANSWER)
    await keep(database, "two", ANSWER)

    await keep(database, "one", OTHER, after=KEEP_FOR)

    assert await find(database, "one", after=KEEP_FOR) == OTHER
    assert await database.read(_rows) == 1


def _rows(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(table).where(table.c.org_id == ORG)).scalar_one()
