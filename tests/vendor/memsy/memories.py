"""The data plane: events in, memories out."""

import inspect
import time
from datetime import datetime
from typing import Any

from tests.vendor.memsy.caller import VERSION, Caller, until

Facts = dict[str, Any]

HABITS = (
    "We always board the ship at the north gate.",
    "We always paint the hull with red lead.",
    "We always count the life jackets before sailing.",
    "We always log the fuel at midnight.",
)
"""One per version and colour: what the roles of several agree on would rise further, to the org."""


def has_sessions(do: Caller) -> bool:
    """Whether this version can restrict a search to a session, a role or a team."""
    return "session_id" in inspect.signature(do.data.search).parameters


async def found(do: Caller, query: str, **options: Any) -> list[Any]:
    results: list[Any] = (await do(do.data, "search", query, **options)).results
    return results


def session_of(result: Any) -> Any:
    return (result.metadata or {}).get("session_id")


async def health(do: Caller) -> Facts:
    data, control = await do(do.data, "health"), await do(do.control, "health")
    bare = do.data_client(do.places["url"] + "/", do.places["key"])
    stranger = do.data_client(do.places["url"] + "/v1", "msy_nobody")
    nowhere = do.data_client(do.places["closed"], do.places["key"])
    return {
        "data": [data.status, bool(data.version), data.billing_enabled, sorted(set(data.components.values()))],
        "control_is_data": control == data or control.version == data.version,
        "without_v1": (await do(bare, "health")).status,
        "wrong_key": await do.refusal(stranger, "health"),
        "nobody_there": await do.refusal(nowhere, "health"),
        "seen": [data.usage is not None, data.rate_limit is not None],
    }


async def ingest(do: Caller) -> Facts:
    lines = [f"The harbour log of {do.id('berth')} {number} is complete." for number in range(25)]
    batch = [do.event(line) for line in lines]
    first = await do(do.data, "ingest", batch)
    again = await do(do.data, "ingest", [batch[7], batch[3], do.event("Good to know, thanks for the harbour log.")])
    status = await do.processed(first.event_ids)
    odd = [*first.event_ids, first.event_ids[0], "01J0000000000000000000000X"]
    mixed = await do(do.data, "status", odd)
    listed = await do(do.control.events, "list", actor_id=do.id("ann"), sort="ts_asc", limit=200)
    shown = {each.event_id: each.content for each in listed.items}
    return {
        "ids": [len(first.event_ids), len(set(first.event_ids))],
        "order": [shown[event_id] for event_id in first.event_ids] == lines,
        "repeated": again.event_ids[:2] == [first.event_ids[7], first.event_ids[3]],
        "fresh": again.event_ids[2] not in first.event_ids,
        "status": [status.total, sorted(status.completed_ids) == sorted(first.event_ids), status.failed_ids],
        "statuses": sorted(set((status.statuses or {}).values())),
        "mixed": [mixed.total, len(mixed.completed_ids), mixed.failed_ids],
        "empty": (await do(do.data, "ingest", [])).event_ids,
        "usage": [_counts(each) for each in (first, status)],
        "rate_limit": [_rate(each) for each in (first, status)],
    }


def _counts(response: Any) -> bool:
    usage = response.usage
    counted = [usage.api_calls, usage.events_ingested, usage.memory_stored, usage.llm_tokens, usage.search_queries]
    return usage.plan == "self-hosted" and all(isinstance(count, int) for count in counted) and usage.api_calls > 0


def _rate(response: Any) -> bool:
    rate = response.rate_limit
    return bool(rate.limit > 0 and 0 <= rate.remaining < rate.limit and rate.reset > time.time())


async def refused_events(do: Caller) -> Facts:
    broken: dict[str, dict[str, Any]] = {
        "blank_actor": {"actor_id": " "},
        "long_session": {"session_id": "x" * 257},
        "unknown_kind": {"kind": "comment"},
        "blank_content": {"content": " "},
        "long_content": {"content": "x" * 8_001},
        "bad_time": {"ts": "yesterday"},
        "long_metadata": {"metadata": "x" * 4_097},
    }
    who = do.id("refused")
    seen: Facts = {}
    for name, fields in broken.items():
        events = [
            do.event("This is fine.", actor_id=who),
            do.event(**({"content": "So is this.", "actor_id": who} | fields)),
        ]
        seen[name] = await do.refusal(do.data, "ingest", events)
    stored = await do(do.control.events, "list", actor_id=who)
    too_many = await do.refusal(do.data, "status", [f"e{number}" for number in range(501)])
    return {"refused": seen, "stored": stored.total, "too_many_ids": too_many}


async def metadata(do: Caller) -> Facts:
    who = do.id("meta")
    objects = await do.say("I moved to Lisbon.", actor_id=who, metadata='{"plan": "pro", "n": {"a": [1]}}')
    junk = await do.say("My favourite colour is green.", actor_id=who, metadata="from the phone")
    named = await do.say("I play the oboe.", actor_id=do.id("group"), metadata='{"name": "Bea"}')
    [home, *_] = await found(do, "Where do they live?", actor_id=who, include_source_events=True)
    [colour, *_] = await found(do, "What is the favourite colour?", actor_id=who)
    [music, *_] = await found(do, "Who plays the oboe?", actor_id=do.id("group"))
    listed = (await do(do.control.events, "list", actor_id=who, sort="ts_asc")).items
    return {
        "object": home.metadata["source_metadata"]
        == [{"event_id": objects[0], "metadata": {"plan": "pro", "n": {"a": [1]}}}],
        "raw": colour.metadata["source_metadata"] == [{"event_id": junk[0], "raw": "from the phone"}],
        "in_events": [each.metadata for each in listed],
        "source_ids": [home.source_event_ids, colour.source_event_ids] == [objects, junk],
        "source_event": [[each.kind, each.content, bool(each.ts)] for each in home.source_events],
        "not_asked_for": colour.source_events,
        "speaker": "Bea" in music.content or named == music.source_event_ids,
    }


async def search(do: Caller) -> Facts:
    who, other = do.id("seeker"), do.id("other")
    await do.say("I moved to Lisbon last spring.", "My favourite colour is green.", actor_id=who)
    await do.say("I moved to Lisbon as well.", actor_id=other)
    [best, *_] = mine = await found(do, "Where do they live?", actor_id=who)
    everyone = await found(do, "Who moved to Lisbon?", limit=100)
    response = await do(do.data, "search", "Lisbon", actor_id=who, limit=1)
    return {
        "best": "Lisbon" in best.content,
        "good_enough_for_the_old_threshold": best.score >= 0.3,
        "within_bounds": all(0 <= each.score <= 0.99 for each in [*mine, *everyone]),
        "descending": [each.score for each in mine] == sorted((each.score for each in mine), reverse=True),
        "own": {each.metadata["actor_id"] for each in mine if each.metadata["scope"]["level"] == "actor"} == {who},
        "everyones": {who, other} <= {each.metadata["actor_id"] for each in everyone},
        "limit": len(response.results),
        "counted": [_counts(response), _rate(response)],
        "fields": [best.kind, best.type, best.summary, 0 < best.confidence <= 1, 1 <= best.strength <= 5],
        "entities": [each["name"] for each in best.entities],
        "observed": bool(datetime.fromisoformat(best.observed_at)),
        "tags": isinstance(best.tags, list),
        "blank": await do.refusal(do.data, "search", " "),
        "no_limit": await do.refusal(do.data, "search", "x", limit=0),
        "beyond_limit": await do.refusal(do.data, "search", "x", limit=101),
        "anything": await do.refusal(do.data, "search", '"*" AND (NOT 象'),
    }


async def sessions(do: Caller) -> Facts:
    """Only with a version whose search knows sessions."""
    if not has_sessions(do):
        return {"unknown": True}
    who, one, two, odd = do.id("sailor"), do.id("one"), do.id("two"), do.id("two words")
    await do.say("The ship sails on Monday.", actor_id=who, session_id=one)
    await do.say("The ship sails on Tuesday.", actor_id=who, session_id=two)
    stored = await do.say("The ship sails on Sunday.", actor_id=who, session_id=odd)

    async def seen(**filters: Any) -> list[Any]:
        results = await found(do, "When does the ship sail?", actor_id=who, limit=100, **filters)
        return sorted({session_of(each) for each in results} - {None})

    return {
        "one": await seen(session_id=one) == [one],
        "not_one": await seen(exclude_session_id=one) == sorted([two, odd]),
        "empty_is_unset": await seen(session_id="", exclude_session_id=one) == sorted([two, odd]),
        "both": await do.refusal(do.data, "search", "x", session_id=one, exclude_session_id=two),
        "not_searchable": [
            await do.refusal(do.data, "search", "x", session_id=odd),
            await do.refusal(do.data, "search", "x", exclude_session_id="象"),
        ],
        "stored_all_the_same": len(stored),
    }


async def promotion(do: Caller) -> Facts:
    """What three people of a role and a team say rises, and is nobody's and of no conversation any more."""
    role, team, talk = do.id("pilots"), do.id("north"), do.id("bridge")
    said = _habit(do)
    for person in ("una", "vic", "wim"):
        await do.say(said, actor_id=do.id(person), session_id=f"{talk}-{person}", role_id=role, team_id=team)
    await do.say("I moved to Lisbon.", actor_id=do.id("una"), session_id=f"{talk}-una", role_id=role, team_id=team)

    async def risen() -> list[Any]:
        listed = (await do(do.data.memories, "list", search=said[3:-1], limit=200)).items
        return [each for each in listed if role == each.scope.role_id or team == each.scope.team_id]

    shared = await until(risen, lambda memories: {each.scope.level for each in memories} >= {"role", "team"})
    seen: Facts = {
        "levels": sorted({each.scope.level for each in shared}),
        "nobodys": all(each.scope.actor_id is None for each in shared),
        "private_stays": not any("Lisbon" in each.text for each in shared),
    }
    if has_sessions(do):
        seen |= await _promoted_in_searches(do, role, team, f"{talk}-una")
    return seen


def _habit(do: Caller) -> str:
    return HABITS[2 * (VERSION == "0.3.0") + do.awaited]


async def _promoted_in_searches(do: Caller, role: str, team: str, session_id: str) -> Facts:
    async def levels(**options: Any) -> list[str]:
        options = {"actor_id": do.id("newcomer"), "limit": 100} | options
        results = await found(do, _habit(do), **options)
        mine = [
            each for each in results if {role, team} & {each.metadata["scope"][key] for key in ("role_id", "team_id")}
        ]
        assert all(each.session_id is None for each in mine)
        return sorted({each.metadata["scope"]["level"] for each in mine})

    return {
        "for_role": await levels(role_ids=[role]),
        "for_team": await levels(team_ids=[team]),
        "for_neither": await levels(),
        "in_a_session": await levels(session_id=session_id, role_ids=[role]),
        "outside_a_session": await levels(exclude_session_id=session_id, team_ids=[team]),
    }


async def strength(do: Caller) -> Facts:
    who = do.id("climber")
    await do.say("I moved to Bergen.", actor_id=who)

    async def home() -> Any:
        listed = (await do(do.data.memories, "list", type="fact", search="Bergen", limit=200)).items
        [memory_id] = [each.memory_id for each in listed if each.scope.actor_id == who]
        return await do(do.data.memories, "get", memory_id)

    before = await home()
    await found(do, "Where do they live?", actor_id=who)
    after = await until(home, lambda memory: memory.recall_count > 0)
    return {
        "before": [before.strength, before.recall_count, before.last_recalled_at],
        "rises": before.strength < after.strength <= 5.0,
        "recalled": [after.recall_count, bool(after.last_recalled_at)],
        "pinned": after.pinned,
        "half_life": after.decay_half_life_days,
    }


async def console(do: Caller) -> Facts:
    who = do.id("browser")
    await do.say("I moved to Turin.", "I moved to Genoa.", actor_id=who)
    memories = do.data.memories
    listed = await do(memories, "list", search=who, limit=200)
    paged = [(await do(memories, "list", search=who, limit=1, offset=n)).items for n in range(listed.total + 1)]
    one = listed.items[0]
    sorts = ("observed_at_desc", "observed_at_asc", "strength_desc", "confidence_desc", "created_at_desc")
    stats = await do(memories, "stats")
    superseded = await do(memories, "list", search=who, status="superseded", type="fact")
    return {
        "total": listed.total == len(listed.items) > 0,
        "paged": [each.memory_id for page in paged for each in page] == [each.memory_id for each in listed.items],
        "got": await do(memories, "get", one.memory_id) == one,
        "kinds": all(each.kind == each.memory_kind for each in listed.items),
        "filtered": {each.kind for each in (await do(memories, "list", kind="semantic", search=who)).items},
        "superseded": [each.status for each in superseded.items],
        "sorted": [(await do(memories, "list", search=who, sort=sort)).total for sort in sorts] == [listed.total] * 5,
        "unknown_sort": await do.refusal(memories, "list", sort="newest"),
        "unknown": await do.refusal(memories, "get", "00000000-0000-7000-8000-000000000000"),
        "no_uuid": await do.refusal(memories, "get", "mem_1"),
        "stats": [
            stats.total == stats.total_memories == sum(stats.by_status.values()) == sum(stats.by_kind.values()),
            stats.active_memories == stats.by_status["active"],
            stats.by_type["fact"] > 0,
            0 < stats.avg_confidence <= 1,
            1 <= stats.avg_strength <= 5,
            any(each["name"] == "Genoa" and each["count"] > 0 for each in stats.top_entities)
            or len(stats.top_entities),
            sum(each["count"] for each in stats.confidence_buckets) == stats.total,
            sorted(stats.date_range) == ["earliest", "latest"],
        ],
    }


async def actors(do: Caller) -> Facts:
    """Only with a version that knows actors."""
    if not hasattr(do.data, "actors"):
        return {"unknown": True}
    odd, silent = do.id("slack:T0/B7 x%2F"), do.id("silent")
    await do.say("I moved to Oslo.", actor_id=odd)
    await do.say("ok", actor_id=silent)
    resource = do.data.actors
    shown = await do(resource, "get", odd)
    listed = await do(resource, "list", q=odd.upper(), limit=500)
    page = await do(resource, "list", limit=1, offset=1, sort="actor_id_asc")
    return {
        "got": [shown.actor_id == odd, shown.memory_count == shown.active_memory_count > 0, shown.scope_levels],
        "times": bool(datetime.fromisoformat(shown.first_memory_at) <= datetime.fromisoformat(shown.last_memory_at)),
        "listed": [listed.items == [shown], listed.total, listed.truncated],
        "page": [len(page.items), page.limit, page.offset, page.total > 1],
        "own_org": (await do(resource, "list", do.places["org"], q=odd)).total,
        "other_org": await do.refusal(resource, "list", do.places["other_org"]),
        "silent": await do.refusal(resource, "get", silent),
        "too_many": await do.refusal(resource, "list", limit=501),
    }


async def clearing(do: Caller) -> Facts:
    """Only with a version that can clear."""
    if not hasattr(do.data, "clear"):
        return {"unknown": True}
    who, talk = do.id("leaver"), do.id("farewell")
    await do.say("I moved to Malmo.", "I play the oboe.", actor_id=who, session_id=talk)
    cleared = await do(do.data, "clear", talk)
    return {
        "deleted": cleared.deleted,
        "left": [each.content for each in await found(do, "Malmo", actor_id=who)],
        "again": await do.refusal(do.data, "clear", talk),
    }


async def isolation(do: Caller) -> Facts:
    other = do.data_client(do.places["url"], do.places["other_key"])
    other_control = do.control_client(do.places["url"] + "/api", do.places["other_key"])
    ids = await do.say("I moved to Vienna.", actor_id=do.id("hidden"))
    mine = (await do(do.data.memories, "list", search="Vienna")).items
    return {
        "mine": len(mine) > 0,
        "search": len((await do(other, "search", "Vienna", threshold=0.0)).results),
        "memories": (await do(other.memories, "list")).total,
        "events": (await do(other_control.events, "list")).total,
        "memory": await do.refusal(other.memories, "get", mine[0].memory_id),
        "status": (await do(other, "status", ids)).failed_ids == ids,
        "me": (await do(other_control, "me")).org_id == do.places["other_org"],
    }


SCENARIOS = [
    health,
    ingest,
    refused_events,
    metadata,
    search,
    sessions,
    promotion,
    strength,
    console,
    actors,
    clearing,
    isolation,
]
