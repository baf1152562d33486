"""Many rows at once mean the same as one INSERT after the other."""

from typing import Any

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from memcairn.domain.jobs import JobStatus
from memcairn.store import bulk
from memcairn.store.database import Database
from memcairn.store.schema import jobs, sessions, users
from tests.build import NOW, ORG

pytestmark = pytest.mark.anyio

MANY = bulk.COPIED_FROM * 3


def session(number: int, **fields: Any) -> dict[str, Any]:
    """Without the columns that have a default."""
    row = {"org_id": ORG, "session_id": f"s{number}", "session_uuid": f"u{number}", "number": number, "user_id": None}
    return row | {"metadata": None, "created_at": NOW, "updated_at": NOW} | fields


def stored(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(sessions).order_by(sessions.c.number))]


@pytest.mark.parametrize("count", [1, MANY], ids=["one", "many"])
async def test_every_value_comes_back_as_it_was(database: Database, count: int) -> None:
    text = "tab\there, line\nthere, \\N and \\. and ñ, 水, 🪨"
    given = [session(n, session_id=f"{text} {n}", metadata={"says": [text, None, 1.5, True]}) for n in range(count)]
    given[0]["metadata"] = None

    await database.write(bulk.add, sessions, given)

    defaults = {"last_position": 0, "deleted_at": None}
    assert await database.read(stored) == [row | defaults for row in given]


async def test_no_row_stays_when_one_of_them_is_taken(database: Database) -> None:
    await database.write(bulk.add, sessions, [session(MANY - 1)])

    with pytest.raises(IntegrityError):
        await database.write(bulk.add, sessions, [session(n) for n in range(MANY)])

    assert len(await database.read(stored)) == 1


async def test_a_row_that_refers_to_nothing_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await database.write(bulk.add, sessions, [session(n, user_id="nobody") for n in range(MANY)])


async def test_the_transaction_can_go_on_elsewhere_after_a_refusal(database: Database) -> None:
    with pytest.raises(DBAPIError):
        await database.write(bulk.add, sessions, [session(n) | {"number": None} for n in range(MANY)])

    await database.write(bulk.add, sessions, [session(n) for n in range(MANY)])

    assert len(await database.read(stored)) == MANY


async def test_nothing_is_a_row_too_few(database: Database) -> None:
    await database.write(bulk.add, users, [])

    assert await database.read(lambda connection: connection.execute(select(users)).all()) == []


async def test_rows_of_other_shapes_take_their_defaults(database: Database) -> None:
    job = {"org_id": ORG, "task": "promote", "serial_key": "k", "payload": {"a": 1}, "status": JobStatus.QUEUED.value}
    moments = {"run_at": NOW, "created_at": NOW, "updated_at": NOW}

    await database.write(bulk.add, jobs, [job | moments | {"job_id": str(n), "max_attempts": 5} for n in range(MANY)])

    read = select(jobs.c.attempts, jobs.c.fencing_token, jobs.c.payload)
    stored = await database.read(lambda connection: connection.execute(read).all())
    assert [tuple(row) for row in stored] == [(0, 0, {"a": 1})] * MANY
