"""The tables spread over a Citus cluster: in what order, once, and only where there is Citus."""

import os

import pytest
from sqlalchemy import Column, ForeignKeyConstraint, Integer, MetaData, String, Table

from memcairn.domain.errors import Conflict
from memcairn.store.database import Database
from memcairn.store.distribution import LOCAL, Spread, Step, distribute, plan, remaining, statement_of
from memcairn.store.migrate import migrate
from memcairn.store.postgres import PostgresDatabase
from memcairn.store.schema import metadata

STEPS = plan(metadata)


class TestPlan:
    def test_every_table_is_spread_but_the_queue(self) -> None:
        assert {step.table for step in STEPS} == metadata.tables.keys() - LOCAL
        assert [step.table for step in STEPS if step.spread is Spread.REFERENCE] == [
            table.name
            for table in metadata.sorted_tables
            if table.info.get("tenancy") == "global" and table.name not in LOCAL
        ]

    def test_what_is_referred_to_comes_first(self) -> None:
        place = {step.table: number for number, step in enumerate(STEPS)}

        for name, table in metadata.tables.items():
            for key in table.foreign_key_constraints:
                if key.referred_table is not table:
                    assert place[key.referred_table.name] < place[name]

    def test_nothing_that_is_spread_refers_to_a_table_of_the_coordinator_alone(self) -> None:
        referred = {
            key.referred_table.name for table in metadata.tables.values() for key in table.foreign_key_constraints
        }

        assert not referred & LOCAL

    def test_the_shards_of_an_org_lie_together(self) -> None:
        first, *others = [step for step in STEPS if step.spread is Spread.BY_ORG]

        assert first.beside is None
        assert {step.beside for step in others} == {first.table}

    def test_a_table_that_is_added_is_planned_without_a_word(self) -> None:
        small = MetaData()
        Table("orgs", small, Column("org_id", String, primary_key=True), info={"tenancy": "global"})
        Table(
            "answers",
            small,
            Column("org_id", String, primary_key=True),
            Column("n", Integer, primary_key=True),
            ForeignKeyConstraint(["org_id"], ["orgs.org_id"]),
        )

        assert plan(small) == [Step("orgs", Spread.REFERENCE), Step("answers", Spread.BY_ORG)]


class TestRemaining:
    def test_a_second_run_has_nothing_to_do(self) -> None:
        assert remaining(STEPS, {step.table: step.spread.value for step in STEPS}) == []

    def test_a_run_that_was_broken_off_goes_on(self) -> None:
        done = {step.table: step.spread.value for step in STEPS[:5]}

        assert remaining(STEPS, done) == STEPS[5:]

    def test_a_table_spread_otherwise_is_refused(self) -> None:
        with pytest.raises(Conflict) as refused:
            remaining(STEPS, {"events": Spread.REFERENCE.value})

        assert refused.value.code == "spread_otherwise"


def said(step: Step) -> str:
    return str(statement_of(step).compile(compile_kwargs={"literal_binds": True})).replace("\n", " ")


def test_the_statements_are_those_of_citus() -> None:
    assert "create_reference_table('orgs')" in said(Step("orgs", Spread.REFERENCE))
    assert "create_distributed_table('users', 'org_id', colocate_with => 'none')" in said(Step("users", Spread.BY_ORG))
    assert "colocate_with => 'users')" in said(Step("events", Spread.BY_ORG, "users"))


@pytest.mark.anyio
async def test_without_citus_it_is_refused_with_the_way_out(database: Database) -> None:
    with pytest.raises(Conflict) as refused:
        await database.write(distribute, metadata)

    assert refused.value.code == "no_citus"


@pytest.mark.anyio
@pytest.mark.skipif("MEMCAIRN_TEST_CITUS_URL" not in os.environ, reason="MEMCAIRN_TEST_CITUS_URL names no cluster")
async def test_a_cluster_is_spread_once() -> None:
    database = PostgresDatabase(os.environ["MEMCAIRN_TEST_CITUS_URL"])
    try:
        await database.write(migrate)
        first = await database.write(distribute, metadata)
        second = await database.write(distribute, metadata)
    finally:
        await database.close()

    assert first in ([step.table for step in STEPS], [])
    assert second == []
