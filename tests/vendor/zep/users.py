"""Users."""

from typing import Any

from zep_python.user import CreateUserRequest, UpdateUserRequest  # type: ignore[import-not-found]  # see caller.py

from tests.vendor.zep.caller import Caller

Facts = dict[str, Any]


async def users(do: Caller) -> Facts:
    client, user_id = do.client.user, do.id("kim")
    profile = {"email": "kim@example.org", "first_name": "Kim", "last_name": "Ito"}
    new = CreateUserRequest(user_id=user_id, metadata={"plan": {"name": "free"}}, **profile)
    created = await do(client, "add", new)
    change = {"plan": {"seats": 3}, "left": None, "system": {"tier": "gold"}}
    updated = await do(client, "update", UpdateUserRequest(user_id=user_id, first_name="Kimi", metadata=change))
    got = await do(client, "get", user_id)
    facts: Facts = {
        "created": {name: getattr(created, name) for name in profile},
        "has_uuid_id_and_times": all([created.uuid, created.id, created.created_at, created.updated_at]),
        "updated": [updated.first_name, updated.last_name, updated.email],
        "metadata": updated.metadata,
        "got_is_updated": got == updated,
        "again": await do.refusal(client, "add", CreateUserRequest(user_id=user_id)),
        "empty_id": await do.refusal(client, "add", CreateUserRequest(user_id="")),
        "unknown": await do.refusal(client, "get", do.id("nobody")),
        "update_unknown": await do.refusal(client, "update", UpdateUserRequest(user_id=do.id("nobody"))),
        "delete_unknown": await do.refusal(client, "delete", do.id("nobody")),
        "sessions_of_unknown": await do(client, "get_sessions", do.id("nobody")),
        "deleted": await do(client, "delete", user_id),
        "gone": await do.refusal(client, "get", user_id),
        "gone_twice": await do.refusal(client, "delete", user_id),
    }
    anew = await do(client, "add", CreateUserRequest(user_id=user_id))
    return facts | {"anew": [anew.email, anew.metadata]}


async def lists_of_users(do: Caller) -> Facts:
    client = do.client.user
    wanted = [do.id(f"listed user {number}") for number in range(5)]
    numbers = [(await do(client, "add", CreateUserRequest(user_id=name))).id for name in wanted]
    every = await do(client, "list")
    one = await do(client, "list", limit=1, cursor=numbers[2])
    pages = await do.pages(client, "list_chunked", chunk_size=2)
    return {
        "without_limit": [each.user_id for each in every if each.user_id in wanted] == wanted,
        "after_cursor": [each.user_id == wanted[3] for each in one],
        "chunks_skip_none": set(wanted) <= {each.user_id for page in pages for each in page},
    }


SCENARIOS = [users, lists_of_users]
