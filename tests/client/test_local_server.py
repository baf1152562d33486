"""The client on a real server inside the process: nothing to start, nothing to configure."""

from pathlib import Path

import pytest

from memcairn import AsyncMemcairnClient, MemcairnClient
from memcairn.client import NotFoundError

HERON = {
    "actor_id": "ann",
    "session_id": "s1",
    "kind": "user_message",
    "name": "Ann",
    "content": "The heron nests behind the chapel.",
}


def test_what_is_said_is_found_again_without_a_port(tmp_path: Path) -> None:
    with MemcairnClient.local(tmp_path) as client:
        said = client.ingest([HERON], wait=True)

        found = client.search("Where does the heron nest?", actor_id="ann", include_source_events=True)

    assert said.statuses == dict.fromkeys(said.event_ids, "completed")
    assert found.hits[0].text == HERON["content"]
    assert found.hits[0].source_event_ids == said.event_ids


def test_a_second_run_finds_what_the_first_one_was_told(tmp_path: Path) -> None:
    with MemcairnClient.local(tmp_path) as client:
        client.ingest([HERON])

    with MemcairnClient.local(tmp_path) as client:
        assert [hit.text for hit in client.search("heron").hits] == [HERON["content"]]


def test_a_memory_that_is_not_found_says_why(tmp_path: Path) -> None:
    with MemcairnClient.local(tmp_path) as client:
        client.ingest([HERON], wait=True)
        [memory] = client.memories.list_all(actor_id="ann")

        found = client.why("heron", memory.memory_id, actor_id="ann")
        lost = client.why("heron", memory.memory_id, actor_id="ben", threshold=0.99)

    assert (found.found, found.place, found.losses) == (True, 1, [])
    assert [loss.stage for loss in lost.losses] == ["out_of_scope", "below_threshold"]


def test_errors_arrive_typed_with_their_code_and_request_id(tmp_path: Path) -> None:
    with MemcairnClient.local(tmp_path) as client:
        with pytest.raises(NotFoundError) as caught:
            client.memories.get("nothing of the kind")

        assert (caught.value.status, caught.value.code) == (404, "memory_not_found")
        assert caught.value.request_id


@pytest.mark.anyio
async def test_the_asynchronous_client_does_the_same(tmp_path: Path) -> None:
    async with AsyncMemcairnClient.local(tmp_path) as client:
        said = await client.ingest([HERON], wait=True)
        [memory] = [memory async for memory in client.memories.list_all(actor_id="ann")]
        changed = await client.memories.update(memory.memory_id, tags=["birds"])
        await client.memories.delete(memory.memory_id)

        assert (memory.source_event_ids, changed.tags) == (said.event_ids, ["birds"])
        assert (await client.search("heron")).hits == []
        assert (await client.jobs.list()).items == []


def test_a_source_is_forgotten_and_searches_ask_for_trust(tmp_path: Path) -> None:
    with MemcairnClient.local(tmp_path) as client:
        tool = HERON | {"kind": "tool_result", "content": "The heron was seen in Spain."}
        client.ingest([HERON, tool], wait=True)

        trusted = client.search("heron", min_trust="normal")
        receipt = client.forget(max_trust="low")
        left = client.search("heron")

    assert [hit.text for hit in trusted.hits] == [HERON["content"]]
    assert (receipt.events, receipt.memories) == (1, 1)
    assert [hit.text for hit in left.hits] == [HERON["content"]]
