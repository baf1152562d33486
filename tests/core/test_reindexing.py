"""The index is mended from the memories, whatever happened to it."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest
from memcairn.core.memories import delete_memory, list_memories, update_memory
from memcairn.core.recall import Recalls
from memcairn.core.reindexing import Reindexed, mend_word_index, reindex_org
from memcairn.core.search import SearchQuery, search
from memcairn.core.sessions import delete_session
from memcairn.domain.events import EventKind, NewEvent
from memcairn.domain.keys import Principal
from memcairn.pipeline.worker import Worker
from memcairn.store import orgs
from memcairn.store.memories import MemoryFilter
from tests.build import NOW, ORG, at, make

SAID = [
    ("I live in Porto, right above the market.", EventKind.USER_MESSAGE),
    ("Porto has wonderful trams.", EventKind.ASSISTANT_MESSAGE),
    ("I moved to Lisbon last week.", EventKind.USER_MESSAGE),
    ("I prefer tea to coffee.", EventKind.USER_MESSAGE),
    ("My dog is called Biscuit.", EventKind.USER_MESSAGE),
]
QUESTIONS = ("where do I live?", "what do I drink?", "what is my dog called?", "trams in Porto")

pytestmark = [pytest.mark.anyio, pytest.mark.sqlite]


@pytest.fixture
async def talked(deps: Deps, principal: Principal) -> Deps:
    """A conversation with a correction, a deleted memory and a deleted session behind it."""
    new = [
        make(NewEvent, content=words, kind=kind, occurred_at=at(minute)) for minute, (words, kind) in enumerate(SAID)
    ]
    gone = [make(NewEvent, content="The parrot sings at noon.", session_id="gone")]
    await ingest(deps, principal, [*new, *gone])
    while await Worker(deps).run_once():
        pass
    await delete_session(deps, principal, "gone")
    listed = await list_memories(deps, principal, MemoryFilter(text="tea"), sort="created_at_desc", limit=10)
    await update_memory(deps, principal, listed.items[0].memory_id, {"text": "Ann prefers green tea."})
    await delete_memory(deps, principal, listed.items[-1].memory_id)
    return deps


async def answers(deps: Deps, principal: Principal) -> list[list[tuple[str, float]]]:
    found = []
    for question in QUESTIONS:
        hits = await search(deps, Recalls(), principal, SearchQuery(question, actor_id="ann"))
        found.append([(hit.memory.text, round(hit.score, 4)) for hit in hits if hit.memory is not None])
    return found


async def run(deps: Deps, *statements: str) -> None:
    def change(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    await deps.db.write(change)


async def test_an_index_in_order_is_left_alone(talked: Deps) -> None:
    done = await reindex_org(talked, ORG)

    assert done == Reindexed(checked=done.checked)
    assert done.checked > len(SAID)
    assert await mend_word_index(talked) is False


async def test_making_everything_anew_changes_no_answer(talked: Deps, principal: Principal) -> None:
    before = await answers(talked, principal)

    done = await reindex_org(talked, ORG, everything=True)

    assert done.mended > 0
    assert all(before)
    assert await answers(talked, principal) == before
    assert await reindex_org(talked, ORG) == Reindexed(checked=done.checked)


TORN: dict[str, tuple[str, ...]] = {
    "all rows lost": ("DELETE FROM index_rows", "DELETE FROM memory_words", "DELETE FROM index_scopes"),
    "some rows lost": ("DELETE FROM index_rows WHERE row_number % 2 = 0",),
    "words lost": ("DELETE FROM memory_words WHERE rowid % 2 = 0",),
    "words of nothing": (
        "INSERT INTO memory_words (rowid, scope, words) SELECT max(row_number) + 7, 'k', 'ghost' FROM index_rows",
    ),
    "other words": ("UPDATE memory_words SET words = 'ghost' WHERE rowid % 2 = 0",),
    "other terms": ("UPDATE index_rows SET terms = x'00000000' WHERE row_number % 2 = 1",),
    "another scope": ("UPDATE index_rows SET scope_key = 'actor:bob' WHERE row_number % 2 = 1",),
    "a row of a deleted memory": (
        "UPDATE index_rows SET memory_id = (SELECT memory_id FROM memories WHERE deleted_at IS NOT NULL LIMIT 1) "
        "WHERE row_number = (SELECT max(row_number) FROM index_rows)",
    ),
    "a wrong count": ("UPDATE index_scopes SET row_count = row_count + 30000",),
}


@pytest.mark.parametrize("statements", TORN.values(), ids=TORN.keys())
async def test_a_torn_index_is_healed_and_answers_as_before(
    talked: Deps, principal: Principal, statements: tuple[str, ...]
) -> None:
    before = await answers(talked, principal)
    await run(talked, *statements)

    done = await reindex_org(talked, ORG)

    assert done != Reindexed(checked=done.checked)
    assert await answers(talked, principal) == before
    assert await reindex_org(talked, ORG) == Reindexed(checked=done.checked)


WORD_INDEX: dict[str, Callable[[Connection], None]] = {
    "gone": lambda connection: _statements(connection, "DROP TABLE memory_words"),
    "torn inside": lambda connection: _statements(connection, "DELETE FROM memory_words_data WHERE id > 10"),
    "without its list": lambda connection: _statements(connection, "DROP TABLE memory_words_config"),
    "without its words": lambda connection: _statements(connection, "DELETE FROM memory_words_content"),
}


def _statements(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("tear", WORD_INDEX.values(), ids=WORD_INDEX.keys())
async def test_a_torn_word_index_is_made_anew(
    talked: Deps, principal: Principal, tear: Callable[[Connection], None]
) -> None:
    before = await answers(talked, principal)
    await talked.db.write(tear)

    mended = await mend_word_index(talked)
    done = await reindex_org(talked, ORG)

    assert mended is True
    assert await mend_word_index(talked) is False
    assert await answers(talked, principal) == before
    assert await reindex_org(talked, ORG) == Reindexed(checked=done.checked)


async def test_another_org_is_not_touched(talked: Deps) -> None:
    await talked.db.write(orgs.add, "another", "Another", NOW)
    await run(talked, "DELETE FROM index_rows")

    assert await reindex_org(talked, "another", everything=True) == Reindexed()
