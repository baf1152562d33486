"""Damage is found wherever something is stored twice or follows from something else."""

import pytest
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.examining import Finding, examine
from memcairn.core.reindexing import mend_word_index, reindex_org
from memcairn.domain.keys import Principal
from tests.build import ORG
from tests.core.full_org import fill

pytestmark = pytest.mark.anyio


@pytest.fixture
async def filled(deps: Deps, principal: Principal) -> Deps:
    await fill(deps, principal)
    return deps


async def findings(deps: Deps) -> dict[str, Finding]:
    return {finding.name: finding async for finding in examine(deps)}


async def broken(deps: Deps, statement: str) -> set[str]:
    """The kinds of damage found after a change behind the server's back."""

    def change(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        for each in statement.split(";"):
            connection.exec_driver_sql(each)

    await deps.db.write(change)
    return {name for name, finding in (await findings(deps)).items() if finding.wrong}


async def test_nothing_is_found_where_nothing_is_wrong(filled: Deps) -> None:
    found = await findings(filled)

    assert {name: finding.examples for name, finding in found.items()} == {name: [] for name in found}
    assert min(found[name].checked for name in ("rows", "events", "sources", "index", "vectors", "tallies")) > 0


DAMAGE = {
    "a word of an event": (
        "UPDATE events SET content = 'I live in Torpo.' WHERE content = 'I live in Porto.'",
        {"events"},
    ),
    "who said it": ("UPDATE events SET actor_id = 'bob' WHERE content = 'I live in Porto.'", {"events"}),
    "a word of a memory": ("UPDATE memories SET text = replace(text, 'Biscuit', 'Biscuet')", {"index", "vectors"}),
    "metadata that is none": ("UPDATE users SET metadata = '{\"likes\": '", {"rows"}),
    "a time that is none": ("UPDATE sessions SET created_at = 'yesterday'", {"rows"}),
    "a vector": ("UPDATE index_rows SET vector = zeroblob(length(vector)) WHERE vector IS NOT NULL", {"vectors"}),
    "rows of the index": ("DELETE FROM index_rows WHERE row_number % 2 = 0", {"index"}),
    "words of the index": ("DELETE FROM memory_words WHERE rowid % 2 = 0", {"index"}),
    "the word index": ("DELETE FROM memory_words_data WHERE id > 10", {"words"}),
    "the size of a scope": ("UPDATE index_scopes SET row_count = row_count + 1", {"index"}),
    "a tally": ("UPDATE memory_tallies SET memory_count = memory_count + 1", {"tallies"}),
    "the tally of an actor": ("UPDATE actor_tallies SET active_count = 0", {"tallies"}),
    "a job": ("DELETE FROM jobs WHERE task = 'process_events'", {"work"}),
}


@pytest.mark.sqlite
@pytest.mark.parametrize(("statement", "kinds"), DAMAGE.values(), ids=DAMAGE.keys())
async def test_what_was_changed_is_found(filled: Deps, statement: str, kinds: set[str]) -> None:
    assert kinds <= await broken(filled, statement)


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "what",
    [name for name, (_, kinds) in DAMAGE.items() if kinds <= {"index", "words", "vectors", "tallies", "work"}],
)
async def test_what_is_derived_is_mended(filled: Deps, what: str) -> None:
    await broken(filled, DAMAGE[what][0])

    await mend_word_index(filled)
    done = await reindex_org(filled, ORG, everything=what == "a vector")

    assert done.checked > 0
    assert {name: finding.examples for name, finding in (await findings(filled)).items() if finding.wrong} == {}
