"""Erasing a user: everything of theirs, down to the last byte, with a receipt that names nobody."""

from pathlib import Path

import pytest
from sqlalchemy import select

from memcairn.core import erasure
from memcairn.core.deps import Deps
from memcairn.core.idempotency import repeatable_request
from memcairn.core.ingest import ingest
from memcairn.core.messages import add_messages, delete_message, hold_message
from memcairn.core.sessions import create_session, get_session
from memcairn.core.summaries import latest_summary
from memcairn.core.users import create_user, erase_user, get_user
from memcairn.domain.conversations import NewMessage
from memcairn.domain.errors import NotFound
from memcairn.domain.events import NewEvent
from memcairn.domain.keys import Principal
from memcairn.store.schema import erasures
from tests.build import make
from tests.core.talk import contents, everything_read, kept, process, rows, say
from tests.core.test_purge import TABLES, give_up_on_jobs, left, places_of

pytestmark = pytest.mark.anyio

ANN = "xyloann"


async def live(deps: Deps, principal: Principal, *, messages: int = 16) -> None:
    """A user with a profile, two sessions and words in somebody else's; all of it names her."""
    repeatable = repeatable_request(f"{ANN}-key", "POST", {})
    await create_user(
        deps, principal, ANN, email=f"{ANN}@x.org", first_name=ANN, metadata={ANN: ANN}, repeatable=repeatable
    )
    await create_session(deps, principal, f"{ANN}-1", user_id=ANN, metadata={ANN: 1})
    said = [NewMessage("user", f"I live in {ANN}burg, number {n}.", name=ANN) for n in range(messages)]
    ids = await add_messages(deps, principal, f"{ANN}-1", said, repeatable=repeatable_request(f"{ANN}2", "POST", {}))
    await create_session(deps, principal, f"{ANN}-2", user_id=ANN)
    await say(deps, principal, f"{ANN}-2", f"The {ANN} opens at nine.")
    await ingest(deps, principal, [make(NewEvent, actor_id=ANN, session_id="shared", content=f"{ANN} was here.")])
    await process(deps)
    await hold_message(deps, principal, f"{ANN}-1", ids[0], held=True)
    await delete_message(deps, principal, f"{ANN}-1", ids[0])
    await say(deps, principal, f"{ANN}-2", f"Unprocessed {ANN}.")
    await give_up_on_jobs(deps)


async def test_not_a_row_and_not_a_byte_is_left(deps: Deps, principal: Principal, database_file: Path) -> None:
    await live(deps, principal)
    assert places_of(ANN, database_file)

    await erase_user(deps, principal, ANN)

    assert await left(deps) == {}
    assert await rows(deps, "SELECT * FROM users") == []
    assert places_of(ANN, database_file) == {}


async def test_the_receipt_counts_what_was_there_and_names_nobody(deps: Deps, principal: Principal) -> None:
    await live(deps, principal)
    before = await left(deps)

    receipt = await erase_user(deps, principal, ANN)

    assert receipt == before | {"users": 1}
    assert set(receipt) == {*TABLES, "users"}
    [(counts,)] = await deps.db.read(lambda connection: list(connection.execute(select(erasures.c.counts))))
    assert counts == receipt


async def test_other_people_keep_what_is_theirs(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, "bob's", "The heron nests here.")
    await ingest(deps, principal, [make(NewEvent, actor_id="bob", session_id="shared", content="Bob fishes at noon.")])
    await live(deps, principal)
    await process(deps)

    await erase_user(deps, principal, ANN)

    assert await contents(deps, principal, "bob's") == ["The heron nests here."]
    assert await contents(deps, principal, "shared") == ["Bob fishes at noon."]
    assert await kept(deps, principal) == ["Bob fishes at noon.", "The heron nests here."]
    assert ANN not in await everything_read(deps, principal, f"where does {ANN} live?")


async def test_summaries_of_shared_sessions_forget_her_words(deps: Deps, principal: Principal) -> None:
    await create_user(deps, principal, ANN)
    said = [
        make(
            NewEvent,
            actor_id=ANN if n == 0 else "bob",
            session_id="shared",
            content=f"Met {n} people in Oslo on 4 May.",
        )
        for n in range(15)
    ]
    said[0] = make(NewEvent, actor_id=ANN, session_id="shared", content=f"{ANN} met 40 people in Oslo on 4 May 2025.")
    await ingest(deps, principal, said)
    await process(deps)
    summary = await latest_summary(deps, principal, "shared")
    assert summary is not None
    assert ANN in summary.content

    await erase_user(deps, principal, ANN)
    await process(deps)

    renewed = await latest_summary(deps, principal, "shared")
    assert renewed is not None
    assert ANN not in renewed.content


async def test_her_ids_are_free_again(deps: Deps, principal: Principal) -> None:
    await live(deps, principal)
    before = await get_user(deps, principal, ANN)

    await erase_user(deps, principal, ANN)

    with pytest.raises(NotFound):
        await get_user(deps, principal, ANN)
    with pytest.raises(NotFound):
        await get_session(deps, principal, f"{ANN}-1")
    again = await create_user(deps, principal, ANN)
    assert (again.user_uuid != before.user_uuid, again.email, again.metadata) == (True, None, {})
    await create_session(deps, principal, f"{ANN}-1", user_id=ANN)
    assert await contents(deps, principal, f"{ANN}-1") == []


async def test_a_second_time_there_is_nobody(deps: Deps, principal: Principal) -> None:
    await create_user(deps, principal, ANN)
    await erase_user(deps, principal, ANN)

    with pytest.raises(NotFound):
        await erase_user(deps, principal, ANN)


async def test_a_user_with_more_than_one_piece_goes_whole(
    deps: Deps, principal: Principal, database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "ROWS_AT_ONCE", 3)
    await live(deps, principal)
    before = await left(deps)

    receipt = await erase_user(deps, principal, ANN)

    assert receipt == before | {"users": 1}
    assert places_of(ANN, database_file) == {}
