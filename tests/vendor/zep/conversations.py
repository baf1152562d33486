"""Sessions, memory, messages and search in them."""

import uuid
from typing import Any

import httpx
from zep_python.memory import Memory, MemorySearchPayload, Session  # type: ignore[import-not-found]  # see caller.py
from zep_python.message import Message  # type: ignore[import-not-found]  # see caller.py
from zep_python.user import CreateUserRequest  # type: ignore[import-not-found]  # see caller.py

from tests.vendor.zep.caller import Caller, until
from tests.vendor.zep.talk import TALK

Facts = dict[str, Any]


def said(*lines: tuple[str, str], **fields: Any) -> Any:
    return Memory(messages=[Message(role=role, content=content, **fields) for role, content in lines])


async def sessions(do: Caller) -> Facts:
    memory, session_id = do.client.memory, do.id("plan")
    first = {"trip": {"to": "Lisbon"}, "days": 0, "system": {"source": "import"}}
    created = await do(memory, "add_session", Session(session_id=session_id, metadata=first))
    change = {"trip": {"by": "train"}, "hotel": None, "system": {"source": "forged"}}
    updated = await do(memory, "update_session", Session(session_id=session_id, metadata=change))
    got = await do(memory, "get_session", session_id)
    return {
        "created": {"session_id": created.session_id, "metadata": created.metadata, "user_id": created.user_id},
        "has_uuid_id_and_times": all([created.uuid, created.id, created.created_at, created.updated_at]),
        "updated": updated.metadata,
        "got_is_updated": got == updated,
        "again": await do.refusal(memory, "add_session", Session(session_id=session_id)),
        "unknown_user": await do.refusal(memory, "add_session", Session(session_id=do.id("n"), user_id="nobody")),
        "left_behind": await do.refusal(memory, "get_session", do.id("n")),
        "unknown": await do.refusal(memory, "update_session", Session(session_id=do.id("never"))),
    }


async def lists_of_sessions(do: Caller) -> Facts:
    memory = do.client.memory
    wanted = [do.id(f"listed {number} ü") for number in range(5)]
    numbers = [(await do(memory, "add_session", Session(session_id=name))).id for name in wanted]
    one = await do(memory, "list_sessions", limit=1, cursor=numbers[1])
    every = await do(memory, "list_sessions")
    pages = await do.pages(memory, "list_all_sessions", chunk_size=2)
    listed = [session.session_id for page in pages for session in page]
    return {
        "ascending": numbers == sorted(set(numbers)),
        "after_cursor": [session.session_id == wanted[2] for session in one],
        "all_at_once": [each.session_id for each in every if each.session_id in wanted] == wanted,
        "generator_skips_none": set(wanted) <= set(listed),
        "named_again": (await do(memory, "get_session", wanted[0])).session_id == wanted[0],
    }


async def memory(do: Caller) -> Facts:
    client, session_id = do.client.memory, do.id("cats")
    answer = await do(client, "add_memory", session_id, said(*TALK[:11]))
    short = await do(client, "get_memory", session_id)
    last = await do(client, "get_memory", session_id, lastn=3)
    await do(client, "add_memory", session_id, said(TALK[11]))
    with_summary = await until(lambda: do(client, "get_memory", session_id), lambda found: found.summary is not None)
    summary = with_summary.summary
    every = await do(client, "get_memory", session_id, lastn=100)
    return {
        "answer": answer,
        "made_session": (await do(client, "get_session", session_id)).user_id is None,
        "before_summary": [[each.role, each.content] for each in short.messages],
        "no_summary_yet": short.summary is None,
        "last_three": [each.content for each in last.messages],
        "after_summary": [each.content for each in with_summary.messages],
        "summary_has_words": bool(summary and summary.content.strip()),
        "summary_reaches": summary is not None and summary.recent_message_uuid == every.messages[5].uuid,
        "summary_tokens": summary is not None and summary.token_count > 0,
        "every_message": len(every.messages),
        "tokens_counted": all(each.token_count > 0 for each in every.messages),
        "unknown": await do.refusal(client, "get_memory", do.id("never")),
    }


async def upserts(do: Caller) -> Facts:
    client, session_id, known = do.client.memory, do.id("upserts"), str(uuid.uuid4())
    before = Message(role="human", content="See you Monday.", uuid=known, metadata={"seen": {"by": "ann"}})
    await do(client, "add_memory", session_id, Memory(messages=[before]))
    await do(client, "add_memory", session_id, said(("human", "Same."), ("human", "Same.")))
    change = {"seen": {"at": 9}, "system": {"x": 1}}
    after = Message(role="user", content="See you Friday.", uuid=known, metadata=change)
    await do(client, "add_memory", session_id, Memory(messages=[after]))
    found = await do(client, "get_memory", session_id)
    first = found.messages[0]
    return {
        "contents": [each.content for each in found.messages],
        "role": first.role,
        "uuid_kept": first.uuid == known,
        "metadata": {key: value for key, value in first.metadata.items() if key != "system"},
        "system_untouched": "x" not in first.metadata.get("system", {}),
        "elsewhere": await do.refusal(client, "add_memory", do.id("other"), Memory(messages=[after])),
        "no_uuid": await do.refusal(client, "add_memory", session_id, said(("human", "x"), uuid="not-one")),
    }


async def deletion(do: Caller) -> Facts:
    client, session_id = do.client.memory, do.id("gone")
    await do(client, "add_session", Session(session_id=session_id, metadata={"kept": True}))
    await do(client, "add_memory", session_id, said(("human", "The vault code is walnut.")))
    [old] = (await do(client, "get_memory", session_id)).messages
    answer = await do(client, "delete_memory", session_id)
    facts: Facts = {
        "answer": answer,
        "get": await do.refusal(client, "get_session", session_id),
        "memory": await do.refusal(client, "get_memory", session_id),
        "listed": session_id in [each.session_id for each in await do(client, "list_sessions")],
        "found": await do(client, "search_memory", session_id, MemorySearchPayload(text="vault code")),
        "twice": await do.refusal(client, "delete_memory", session_id),
        "add_again": await do.refusal(client, "add_session", Session(session_id=session_id)),
        "message": await do.refusal(do.client.message, "get_session_message", session_id, old.uuid),
    }
    await do(client, "add_memory", session_id, said(("human", "A fresh start.")))
    purged = await _purge(do)
    revived = await do(client, "get_session", session_id)
    return facts | {
        "revived": [each.content for each in (await do(client, "get_memory", session_id)).messages],
        "purge": purged.status_code,
        "session_after_purge": revived.metadata,
        "found_after": [
            each.message["content"]
            for each in await do(client, "search_memory", session_id, MemorySearchPayload(text="vault code walnut"))
        ],
    }


async def messages(do: Caller) -> Facts:
    client, session_id = do.client.message, do.id("pages")
    await do(do.client.memory, "add_memory", session_id, said(*TALK[:5], metadata={"n": {"a": 1}}))
    pages = [await do(client, "get_session_messages", session_id, limit=2, cursor=page) for page in (1, 2, 3, 4)]
    first = pages[0][0]
    got = await do(client, "get_session_message", session_id, first.uuid)
    wrapped = {"metadata": {"n": {"b": None}, "system": {"x": 1}}}
    updated = await do(client, "update_message_metadata", session_id, first.uuid, wrapped)
    bare = await do(client, "update_message_metadata", session_id, first.uuid, {"mood": "calm"})
    return {
        "pages": [[each.content for each in page] for page in pages],
        "got": got == first,
        "updated": _own(updated.metadata),
        "bare": _own(bare.metadata),
        "words_kept": [bare.content, bare.role, bare.token_count] == [first.content, first.role, first.token_count],
        "default_page": len(await do(client, "get_session_messages", session_id)),
        "of_unknown_session": await do(client, "get_session_messages", do.id("never")),
        "unknown": await do.refusal(client, "get_session_message", session_id, str(uuid.uuid4())),
        "no_uuid": await do.refusal(client, "get_session_message", session_id, "not-one"),
        "update_unknown": await do.refusal(client, "update_message_metadata", session_id, str(uuid.uuid4()), wrapped),
    }


async def search(do: Caller) -> Facts:
    client, session_id = do.client.memory, do.id("search")
    marked = [
        ({"n": 1, "tag": "pet"}, "My cat Miso sleeps all day."),
        ({"n": 2, "tag": "pet"}, "My cat Miso sleeps all night as well."),
        ({"n": 3, "tag": "travel"}, "The train to Lisbon leaves at nine."),
        ({"n": 4, "system": {"entities": [{"Label": "DATE", "Name": "Monday"}]}}, "The report is due on Monday."),
    ]
    lines = [Message(role="human", content=content, metadata=metadata) for metadata, content in marked]
    await do(client, "add_memory", session_id, Memory(messages=lines))

    async def find(limit: int | None = None, **payload: Any) -> list[Any]:
        found = await do(client, "search_memory", session_id, MemorySearchPayload(**payload), limit)
        return [each.message["metadata"]["n"] for each in found]

    def where(path: str) -> dict[str, Any]:
        return {"jsonpath": path}

    pets, late = where("$[*] ? (@.tag == 'pet')"), where("$.n ? (@ >= 3)")
    either = {"or": [where("$[*] ? (@.n == 1)"), {"and": [pets, where("$[*] ? (@.n == 2)")]}]}
    alike = await do(client, "search_memory", session_id, MemorySearchPayload(text="When does the train leave?"))
    return {
        "best": alike[0].message["content"],
        "descending": [each.dist for each in alike] == sorted((each.dist for each in alike), reverse=True),
        "within_bounds": all(-1 <= each.dist <= 1 for each in alike),
        "mmr": await find(2, text="cat Miso sleeps", search_type="mmr", mmr_lambda=0.1),
        "limit": len(await find(2, text="cat")),
        "metadata_only": await find(metadata={"where": late}),
        "and": await find(metadata={"where": {"and": [pets, where("$[*] ? (@.n < 2)")]}}),
        "or": await find(metadata={"where": either}),
        "stored_system": await find(metadata={"where": where('$.system.entities[*] ? (@.Label == "DATE")')}),
        "text_and_filter": await find(text="train to Lisbon", metadata={"where": pets}, limit=1),
        "long_ago": await find(metadata={"end_date": "2001-01-01"}),
        "since_long_ago": sorted(await find(text="cat", metadata={"start_date": "2001-01-01"})),
        "empty": await do.refusal(client, "search_memory", session_id, MemorySearchPayload()),
        "bad_path": await do.refusal(
            client, "search_memory", session_id, MemorySearchPayload(metadata={"where": where("$[")})
        ),
        "of_unknown_session": await do(client, "search_memory", do.id("never"), MemorySearchPayload(text="cat")),
    }


async def summaries(do: Caller) -> Facts:
    client, session_id = do.client.memory, do.id("summaries")
    await do(client, "add_memory", session_id, said(*TALK))
    await until(lambda: do(client, "get_memory", session_id), lambda found: found.summary is not None)
    payload = MemorySearchPayload(text="cats Miso and Tofu", search_scope="summary")
    found = await do(client, "search_memory", session_id, payload)
    return {
        "found": len(found),
        "only_summaries": all(each.summary is not None and each.message is None for each in found),
    }


async def users_sessions(do: Caller) -> Facts:
    """A user's whole conversation, and what deleting the user leaves of it: nothing."""
    user_id, session_id = do.id("ann"), do.id("ann's talk")
    await do(do.client.user, "add", CreateUserRequest(user_id=user_id))
    await do(do.client.memory, "add_session", Session(session_id=session_id, user_id=user_id))
    await do(do.client.memory, "add_memory", session_id, said(("human", "My sister lives in Oslo.")))
    had = [session.session_id for session in await do(do.client.user, "get_sessions", user_id)]
    await do(do.client.user, "delete", user_id)
    gone = await do.refusal(do.client.memory, "get_session", session_id)
    anew = await do(do.client.memory, "add_session", Session(session_id=session_id))
    return {
        "had": had == [session_id],
        "session": gone,
        "sessions_after": await do(do.client.user, "get_sessions", user_id),
        "session_id_is_free": anew.session_id == session_id,
        "nothing_came_back": (await do(do.client.memory, "get_memory", session_id)).messages,
        "user_id_is_free": (await do(do.client.user, "add", CreateUserRequest(user_id=user_id))).user_id == user_id,
    }


async def purging(do: Caller) -> Facts:
    client, session_id = do.client.memory, do.id("purged")
    await do(client, "add_memory", session_id, said(("human", "Nobody will read this.")))
    await do(client, "delete_memory", session_id)
    purged = await _purge(do)
    anew = await do(client, "add_session", Session(session_id=session_id, metadata={"new": True}))
    return {
        "purge": purged.status_code,
        "metadata": anew.metadata,
        "messages": (await do(client, "get_memory", session_id)).messages,
    }


async def _purge(do: Caller) -> Any:
    """Zep has no call for it; ours stands outside its door."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {do.key}"}) as plain:
        return await plain.post(f"{do.url}/v1/purge", json={}, timeout=30)


def _own(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata without what the server adds to it."""
    return {key: value for key, value in metadata.items() if key != "system"}


SCENARIOS = [
    sessions,
    lists_of_sessions,
    memory,
    upserts,
    deletion,
    purging,
    messages,
    search,
    summaries,
    users_sessions,
]
