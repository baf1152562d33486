"""`/sessions/{session_id}/search` of the Zep door."""

from datetime import timedelta
from typing import Any

import pytest

from memcairn.domain.clock import FrozenClock
from tests.api.zep.conftest import Door

pytestmark = pytest.mark.anyio

Hits = list[dict[str, Any]]

FOO = {"jsonpath": '$[*] ? (@.foo == "bar")'}


async def find(door: Door, session_id: str = "s1", *, limit: int | str | None = None, **body: Any) -> Hits:
    query = {} if limit is None else {"limit": limit}
    answer = await door.post(f"/sessions/{session_id}/search", body, **query)
    assert answer.status_code == 200, answer.text
    hits: Hits = answer.json()
    return hits


async def found(door: Door, **body: Any) -> list[str]:
    return [hit["message"]["content"] for hit in await find(door, **body)]


async def marked(door: Door, **metadata_of: Any) -> None:
    for content, metadata in metadata_of.items():
        await door.say("s1", content, metadata=metadata)


async def test_the_likeliest_message_comes_first_with_its_cosine(door: Door) -> None:
    await door.say("s1", "the train leaves at nine", "my cat sleeps", "the bus leaves at ten")

    hits = await find(door, text="the train leaves at nine")

    assert [set(hit) for hit in hits] == [{"message", "summary", "dist"}] * 3
    assert hits[0]["message"]["content"] == "the train leaves at nine"
    assert hits[0]["summary"] is None
    assert hits[0]["dist"] == pytest.approx(1.0, abs=1e-5)
    distances = [hit["dist"] for hit in hits]
    assert distances == sorted(distances, reverse=True)
    assert all(-1 <= distance <= 1 for distance in distances)


async def test_a_message_is_found_before_and_after_it_was_processed(door: Door) -> None:
    await door.say("s1", "the train leaves at nine")

    before = await found(door, text="train")
    await door.work()

    assert before == await found(door, text="train") == ["the train leaves at nine"]


async def test_only_the_session_asked_for_is_searched(door: Door) -> None:
    await door.say("s1", "the train leaves at nine")
    await door.say("s2", "the train leaves at noon")

    assert await found(door, text="train") == ["the train leaves at nine"]
    assert await find(door, "never", text="train") == []


async def test_what_was_deleted_is_not_found(door: Door) -> None:
    await door.say("s1", "the train leaves at nine")
    await door.work()
    await door.delete("/sessions/s1/memory")
    assert await find(door, text="train") == []

    await door.say("s1", "the tram is late")
    assert await found(door, text="train") == ["the tram is late"]


@pytest.mark.parametrize(("limit", "expected"), [(None, 10), (0, 10), ("", 10), (3, 3), (50, 12)])
async def test_ten_are_found_unless_asked_otherwise(door: Door, limit: int | str | None, expected: int) -> None:
    await door.say("s1", *[f"stone number {number}" for number in range(12)])

    assert len(await find(door, limit=limit, text="stone")) == expected


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "", "metadata": {}},
        {"text": None, "metadata": None},
        {"text": "x", "search_scope": "everything"},
        {"text": "x", "metadata": {"where": "text"}},
        {"text": "x", "metadata": {"where": {"jsonpath": "$["}}},
        {"text": "x", "metadata": {"where": {"jsonpath": 5}}},
        {"text": "x", "metadata": {"where": {"and": {}}}},
        {"text": "x", "metadata": {"start_date": "soon"}},
        {"text": "x", "metadata": {"end_date": "2023-13-45"}},
        {"text": "x", "metadata": []},
        {"text": ["x"]},
        {"text": "x", "mmr_lambda": "much"},
    ],
)
async def test_a_search_that_cannot_be_is_a_bad_request(door: Door, body: dict[str, Any]) -> None:
    await door.say("s1", "x")

    assert (await door.post("/sessions/s1/search", body)).status_code == 400


async def test_a_limit_below_nothing_is_a_bad_request(door: Door) -> None:
    assert (await door.post("/sessions/s1/search", {"text": "x"}, limit=-2)).status_code == 400


async def test_an_unknown_search_type_is_similarity(door: Door) -> None:
    await door.say("s1", "the train leaves at nine")

    assert await found(door, text="train", search_type="telepathy") == ["the train leaves at nine"]


async def test_without_a_text_the_newest_come_first(door: Door, clock: FrozenClock) -> None:
    for content, foo in (("one", "bar"), ("two", "baz"), ("three", "bar")):
        await door.say("s1", content, metadata={"foo": foo})
        clock.advance(timedelta(minutes=1))

    hits = await find(door, metadata={"where": FOO}, search_type="mmr")

    assert [(hit["message"]["content"], hit["dist"]) for hit in hits] == [("three", 0), ("one", 0)]


async def test_filters_hold_before_the_limit(door: Door) -> None:
    await door.say("s1", *[f"the train number {number}" for number in range(20)])
    await door.say("s1", "a boat", metadata={"foo": "bar"})

    assert await found(door, text="the train", metadata={"where": FOO}, limit=1) == ["a boat"]


async def test_and_and_or_are_true_boolean_logic(door: Door) -> None:
    await marked(door, one={"a": 1, "b": True}, two={"a": 2, "b": True}, three={"a": 3, "b": False}, four={})
    a1, a2, b = ({"jsonpath": f"$[*] ? ({test})"} for test in ("@.a == 1", "@.a == 2", "@.b == true"))
    nested = {"or": [{"jsonpath": "$[*] ? (@.a == 3)"}, {"and": [b, a2]}]}

    assert sorted(await found(door, metadata={"where": {"and": [b, a1]}})) == ["one"]
    assert sorted(await found(door, metadata={"where": {"or": [a1, a2]}})) == ["one", "two"]
    assert sorted(await found(door, metadata={"where": nested})) == ["three", "two"]
    assert sorted(await found(door, metadata={"where": {"jsonpath": "$.a ? (@ > 1)", "and": [b]}})) == ["two"]
    assert len(await found(door, metadata={"where": {}})) == 4


async def test_single_quotes_count_as_double_ones(door: Door) -> None:
    await marked(door, one={"foo": "bar"}, two={"foo": "baz"})

    assert await found(door, metadata={"where": {"jsonpath": "$[*] ? (@.foo == 'bar')"}}) == ["one"]


async def test_a_filter_reaches_what_was_stored_under_system(door: Door) -> None:
    await marked(door, one={"system": {"entities": [{"Label": "DATE"}]}}, two={})

    where = {"jsonpath": '$.system.entities[*] ? (@.Label == "DATE")'}
    assert await found(door, metadata={"where": where}) == ["one"]


async def test_dates_are_inclusive_and_a_date_alone_is_its_midnight(door: Door, clock: FrozenClock) -> None:
    for content in ("first", "second", "third"):
        await door.say("s1", content)
        clock.advance(timedelta(hours=12))

    async def between(**bounds: str) -> list[str]:
        return await found(door, metadata=bounds)

    assert await between(start_date="2026-01-01", end_date="2026-01-01") == ["first"]
    assert await between(start_date="2026-01-01T12:00:00Z") == ["third", "second"]
    assert await between(end_date="2026-01-01T13:00:00+01:00") == ["second", "first"]
    assert await between(start_date="2026-01-02", end_date="") == ["third"]


async def test_variety_takes_another_kind_before_the_same_again(door: Door) -> None:
    await door.say("s1", "my cat sleeps here", "my cat sleeps here", "my dog barks")

    plain = await found(door, text="my cat sleeps here", limit=2)
    varied = await found(door, text="my cat sleeps here", limit=2, search_type="mmr", mmr_lambda=0.1)

    assert plain == ["my cat sleeps here"] * 2
    assert varied == ["my cat sleeps here", "my dog barks"]


async def test_summaries_are_searched_on_their_own_and_old_ones_stay_findable(door: Door) -> None:
    for start in (0, 12):
        await door.say("s1", *[f"Point {number} concerns the garden wall." for number in range(start, start + 12)])
        await door.work()

    hits = await find(door, text="garden wall", search_scope="summary")

    assert len(hits) == 2
    assert all(hit["message"] is None for hit in hits)
    assert all(None not in hit["summary"].values() for hit in hits)
