"""Descriptions, the control plane, and every refusal."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.vendor.memsy.caller import Caller, until

Facts = dict[str, Any]


async def org(do: Caller) -> Facts:
    orgs, org_id = do.data.orgs, do.places["org"]
    before = await do(orgs, "list")
    made = await do(orgs, "create", org_id, "Harbour", "ships")
    manual = await do(orgs, "update", org_id, promotion_prompt="Only ships.", name="Port")
    again = await do.refusal(orgs, "create", org_id, "Harbour", "ships")
    listed, got = await do(orgs, "list"), await do(orgs, "get", org_id)
    regenerated = await do(orgs, "regenerate_prompt", org_id)
    seen = {
        "before": before,
        "made": [made.org_id == org_id, made.name, made.focus, "Harbour" in made.promotion_prompt, made.prompt_meta],
        "times": bool(datetime.fromisoformat(made.created_at) and datetime.fromisoformat(made.updated_at)),
        "manual": [manual.promotion_prompt, manual.name, manual.prompt_meta],
        "listed": listed == [manual] == [got],
        "regenerated": ["Port" in regenerated.promotion_prompt, regenerated.prompt_meta],
        "again": again,
        "foreign": await do.refusal(orgs, "get", do.places["other_org"]),
        "deleted": await do(orgs, "delete", org_id),
        "gone": await do.refusal(orgs, "get", org_id),
    }
    return seen | {"after": await do(orgs, "list")}


async def roles(do: Caller) -> Facts:
    return await _groups(do, do.data.roles, "role_id")


async def teams(do: Caller) -> Facts:
    return await _groups(do, do.data.teams, "team_id")


async def _groups(do: Caller, groups: Any, key: str) -> Facts:
    org_id, name = do.places["org"], do.id("Nurses")
    made = await do(groups, "create", org_id, name, "night shifts")
    group_id = getattr(made, key)
    manual = await do(groups, "update", group_id, org_id, promotion_prompt="Only nights.")
    renamed = await do(groups, "update", group_id, org_id, focus="the ward")
    regenerated = await do(groups, "regenerate_prompt", group_id, org_id)
    listed = await do(groups, "list", org_id, limit=200)
    reader = await _key(do, "read")
    seen = {
        "made": [made.org_id == org_id, made.name == name, made.focus, name in made.promotion_prompt, made.prompt_meta],
        "manual": [manual.promotion_prompt, renamed.promotion_prompt, renamed.focus],
        "regenerated": ["the ward" in regenerated.promotion_prompt, regenerated.prompt_meta],
        "listed": regenerated in listed,
        "paged": len(await do(groups, "list", org_id, limit=1, offset=0)),
        "unchanged": await do(groups, "update", group_id, org_id) == regenerated,
        "got": await do(groups, "get", group_id, org_id) == regenerated,
        "foreign_org": await do.refusal(groups, "list", do.places["other_org"]),
        "read_by_others": len(await do(getattr(reader, _noun(key)), "list", org_id)) > 0,
        "changed_by_others": await do.refusal(getattr(reader, _noun(key)), "delete", group_id, org_id),
        "deleted": await do(groups, "delete", group_id, org_id),
        "gone": await do.refusal(groups, "get", group_id, org_id),
    }
    await _revoke_all(do)
    return seen


def _noun(key: str) -> str:
    return f"{key.removesuffix('_id')}s"


async def _key(do: Caller, *scopes: str) -> Any:
    """A data client with a new key."""
    made = await do(do.control.keys, "create", do.id("key"), list(scopes))
    return do.data_client(do.places["url"], made.raw_key)


async def _revoke_all(do: Caller) -> None:
    for each in (await do(do.control.keys, "list")).keys:
        if each.is_active and each.name.startswith(do.id("")):
            await do(do.control.keys, "delete", each.key_id)


async def keys(do: Caller) -> Facts:
    resource = do.control.keys
    made = await do(resource, "create", do.id("ci"))
    client = do.data_client(do.places["url"], made.raw_key)
    await do(client, "search", "x")
    listed = {each.key_id: each for each in (await do(resource, "list")).keys}

    async def used() -> Any:
        return {each.key_id: each for each in (await do(resource, "list")).keys}[made.key_id].last_used_at

    usage = await do(resource, "usage", made.key_id)
    last_used = await until(used, bool)
    await do(resource, "delete", made.key_id)
    return {
        "made": [made.name == do.id("ci"), made.scopes, made.raw_key.startswith(made.prefix)],
        "listed": [listed[made.key_id].is_active, listed[made.key_id].scopes, listed[made.key_id].expires_at],
        "last_used": bool(last_used),
        "usage": {each["dimension"]: each["quantity"] for each in usage},
        "revoked": await do.refusal(client, "search", "x"),
        "revoked_twice": await do.refusal(resource, "delete", made.key_id),
        "expired": await _expired(do),
    }


async def _expired(do: Caller) -> Any:
    ends = datetime.now(UTC) + timedelta(seconds=2)
    made = await do(do.control.keys, "create", do.id("brief"), ["read"], ends.isoformat())
    client = do.data_client(do.places["url"], made.raw_key)
    before = await do.refusal(client, "search", "x")
    await asyncio.sleep((ends - datetime.now(UTC)).total_seconds() + 0.1)
    return [before, await do.refusal(client, "search", "x")]


async def rights(do: Caller) -> Facts:
    reader, writer = await _key(do, "read"), await _key(do, "write")
    made = await do(do.control.keys, "create", do.id("hand"), ["read", "write"])
    hand = do.control_client(do.places["url"] + "/api", made.raw_key)
    seen = {
        "reader_writes": await do.refusal(reader, "ingest", [do.event("Hello there.")]),
        "writer_reads": await do.refusal(writer, "search", "x"),
        "hand_administers": [
            await do.refusal(hand.keys, "list"),
            await do.refusal(hand.usage, "summary"),
            await do.refusal(hand.billing, "summary"),
        ],
        "hand_is": [(await do(hand, "me")).org_role, (await do(hand.events, "list", limit=1)).limit],
    }
    seen["one_too_many"] = await _one_too_many(do)
    await _revoke_all(do)
    return seen


async def _one_too_many(do: Caller) -> Any:
    most = (await do(do.control.keys, "list")).max_keys
    for _ in range(most):
        refused = await do.refusal(do.control.keys, "create", do.id("more"))
        if refused is not None:
            return refused | {"max_keys": most}
    return None


async def account(do: Caller) -> Facts:
    control = do.control
    me = await do(control, "me")
    before = {each.dimension: each.used for each in (await do(control.usage, "summary")).dimensions}
    await do(do.data, "search", "x")
    summary = await do(control.usage, "summary")
    after = {each.dimension: each.used for each in summary.dimensions}
    today = datetime.now(UTC).date().isoformat()
    daily = await do(control.usage, "timeseries", dimension="search_queries", period_start=today, period_end=today)
    hourly = await do(control.usage, "timeseries", granularity="hourly")
    interested = await do(control.interest, "express", "ann@example.org", "Ann", company="Harbour", notes="n")
    return {
        "me": [me.org_id == do.places["org"], me.tier, me.is_superadmin, me.is_billing_admin, me.org_role],
        "counted": [after["search_queries"] - before["search_queries"], after["api_calls"] - before["api_calls"]],
        "dimensions": sorted(after),
        "period": [summary.org_id == me.org_id, summary.tier, summary.period_start < today < summary.period_end],
        "today": [
            [each.date == today, each.dimension, each.quantity == after["search_queries"]] for each in daily.data
        ],
        "hourly": [hourly.granularity, {each.dimension for each in hourly.data} >= {"api_calls", "events_ingested"}],
        "unknown_dimension": await do.refusal(control.usage, "timeseries", dimension="smiles"),
        "billing": await do.refusal(control.billing, "summary"),
        "invoices": await do(control.billing, "invoices"),
        "interest": [bool(interested.message), await do(control.interest, "status")],
        "events": await _events(do),
    }


async def _events(do: Caller) -> Any:
    who = do.id("logged")
    ids = await do.say("One is done.", "Two is done.", actor_id=who)
    events = do.control.events
    newest = await do(events, "list", actor_id=who, session_id=do.id("talk"), kind="user_message", limit=1)
    oldest = await do(events, "list", actor_id=who, sort="ts_asc", limit=1)
    return [
        [newest.total, newest.limit, newest.offset],
        {newest.items[0].event_id, oldest.items[0].event_id} <= set(ids),
        newest.items[0].org_id == do.places["org"],
        bool(newest.items[0].ingested_at),
        await do.refusal(events, "list", limit=201),
    ]


async def connectors(do: Caller) -> Facts:
    """Only with a version that knows connectors."""
    resource = getattr(do.control, "connectors", None)
    if resource is None:
        return {"unknown": True}
    status = await do(resource, "status", "slack")
    bucket = {"access_key_id": "EXAMPLEACCESSKEYID", "secret_access_key": "opens nothing at all", "bucket": "logs"}
    return {
        "providers": await do(resource, "list_providers"),
        "status": [status.connected, status.display_name],
        "listed": await do(resource, "list"),
        "slack": await do.refusal(resource, "create", "slack"),
        "s3": await do.refusal(resource, "create", "s3"),
        "bucket": await do.refusal(resource, "configure_s3", region="eu-central-1", **bucket),
        "no_bucket": await do.refusal(resource, "configure_s3", region="the moon", **bucket),
        "unknown_connector": [
            await do.refusal(resource, "get", "c/1"),
            await do.refusal(resource, "list_resources", "c/1", parent_id="p"),
            await do.refusal(resource, "list_branches", "c/1", "repo"),
            await do.refusal(resource, "picker_config", "c/1"),
            await do.refusal(resource, "wait_until_authorized", "c/1", timeout=1.0, poll_interval=0.1),
            await do.refusal(resource, "configure_resources", "c/1", []),
            await do.refusal(resource, "sync", "c/1"),
            await do.refusal(resource, "delete", "c/1"),
        ],
    }


async def limits(do: Caller) -> Facts:
    """Servers whose month is used up, that let a call through a minute, and that call their plan free."""
    key, at_once = do.places["key"], {"max_retries": 0}
    spent = do.control_client(do.places["spent"] + "/api", key, **at_once)
    hasty = do.control_client(do.places["hasty"] + "/api", key, **at_once)
    free = do.data_client(do.places["free"], key)
    calls = [await do.refusal(hasty, "me") for _ in range(2)]
    return {
        "quota": await do.refusal(spent, "me"),
        "quota_of_data": await do.refusal(do.data_client(do.places["spent"], key, **at_once), "search", "x"),
        "rate": next(refused for refused in calls if refused is not None),
        "org_id": await do.refusal(free, "_request", "POST", "/search", json={"query": "x", "org_id": "default"}),
        "plan": (await do(free, "search", "x")).usage.plan,
    }


async def forced(do: Caller) -> Facts:
    """Every row of the table of errors, worded by the door and told to both clients."""
    seen: Facts = {}
    for code in do.places["forced_codes"].split():
        address, key = f"{do.places['forced']}/{code}", do.places["key"]
        clients = [do.data_client(address, key), do.control_client(address, key)]
        seen[code] = [await do.refusal(client, "health") for client in clients]
    return seen


SCENARIOS = [org, roles, teams, keys, rights, account, connectors, limits, forced]
