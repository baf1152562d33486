"""Statements put together once do what ordinary ones do."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from memcairn.store.database import Database
from memcairn.store.prepared import Prepared
from memcairn.store.schema import idempotency as table
from tests.build import NOW, ORG

pytestmark = pytest.mark.anyio

_MINE = table.c.org_id == bindparam("of_org")
INSERT = Prepared(insert(table))
SELECT = Prepared(select(table).where(_MINE, table.c.status < 300).order_by(table.c.idempotency_key))
RAISE = Prepared(
    update(table).where(_MINE).values(status=table.c.status + bindparam("more"), body=[]).returning(table.c.status)
)
AMONG = Prepared(
    select(table)
    .where(_MINE, table.c.idempotency_key.in_(bindparam("these", expanding=True)))
    .where(table.c.status >= bindparam("least"), table.c.status < 200)
    .order_by(table.c.idempotency_key),
    many="these",
)
FORGET = Prepared(delete(table).where(_MINE, table.c.idempotency_key == bindparam("wanted")))


def row(key: str, **values: Any) -> Mapping[str, Any]:
    given = {"org_id": ORG, "key_id": "k1", "idempotency_key": key, "request_hash": b"\x00h", "status": 200}
    return given | {"body": {"é": [None, 1.5]}, "created_at": NOW} | values


def written_by_both(connection: Connection) -> None:
    INSERT.run(connection, [row("one"), row("three", status=300)])
    connection.execute(insert(table), row("two"))


async def test_values_are_converted_as_ever(database: Database) -> None:
    await database.write(written_by_both)

    found = await database.read(SELECT.rows, {"of_org": ORG})
    ordinary = await database.read(lambda connection: connection.execute(select(table).limit(1)).one())

    assert [dict(zip(row(""), each, strict=True)) for each in found] == [row("one"), row("two")]
    assert tuple(found[0]) == tuple(ordinary)
    assert found[1].created_at == NOW


async def test_changes_are_made_for_each_row_and_seen_at_once(database: Database) -> None:
    await database.write(written_by_both)

    def change(connection: Connection) -> list[int]:
        FORGET.run(connection, [{"of_org": ORG, "wanted": "one"}, {"of_org": ORG, "wanted": "three"}])
        return [each.status for each in RAISE.rows(connection, {"of_org": ORG, "more": 4})]

    assert await database.write(change) == [204]
    assert (await database.read(SELECT.first, {"of_org": ORG})).body == []
    assert await database.read(SELECT.first, {"of_org": "other"}) is None


async def test_what_it_wrote_goes_with_its_transaction(database: Database) -> None:
    def fail(connection: Connection) -> None:
        INSERT.run(connection, [row("one")])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.write(fail)

    assert await database.read(SELECT.rows, {"of_org": ORG}) == []


async def test_a_refusal_is_the_error_of_any_other_statement(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await database.write(INSERT.run, [row("one"), row("one")])

    await database.write(INSERT.run, [row("one")])
    await database.write(INSERT.run, [])
    assert len(await database.read(SELECT.rows, {"of_org": ORG})) == 1


async def test_a_list_may_have_any_length_and_repetitions(database: Database) -> None:
    keys = [f"key {number}" for number in range(21)]
    await database.write(INSERT.run, [row(key, status=100 + number) for number, key in enumerate(keys)])

    for length in (1, 2, 3, 7, 20):
        wanted = [*keys[:length], keys[0], "missing"]
        found = await database.read(AMONG.rows, {"of_org": ORG, "these": wanted, "least": 101})
        assert [each.idempotency_key for each in found] == sorted(keys[1:length])
