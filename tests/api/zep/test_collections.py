"""`/collection` of the Zep door."""

from typing import Any
from uuid import UUID

import pytest

from tests.api.zep.conftest import Door

pytestmark = pytest.mark.anyio


def collection(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "embedding_dimensions": 384, "is_auto_embedded": True} | fields


async def add(door: Door, name: str, **fields: Any) -> None:
    answer = await door.post(f"/collection/{name}", collection(name, **fields))
    assert (answer.status_code, answer.text) == (200, "OK")


async def test_a_collection_is_shown_with_exactly_the_keys_the_client_takes(door: Door) -> None:
    await add(door, "Recipes", description="To cook", metadata={"lang": "en"})

    shown = await door.json("/collection/recipes")

    assert shown == {
        "uuid": str(UUID(shown["uuid"])),
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "name": "recipes",
        "description": "To cook",
        "metadata": {"lang": "en"},
        "embedding_dimensions": 384,
        "is_auto_embedded": True,
        "is_normalized": True,
        "is_indexed": True,
        "document_count": 0,
        "document_embedded_count": 0,
    }
    assert await door.json("/collection") == [shown]


async def test_what_is_left_out_is_empty(door: Door) -> None:
    await add(door, "recipes", description=None)

    shown = await door.json("/collection/RECIPES")

    assert (shown["description"], shown["metadata"]) == ("", {})


@pytest.mark.parametrize("dimensions", [8, 384, 1536, 2000])
async def test_any_declared_width_is_echoed(door: Door, dimensions: int) -> None:
    await add(door, "recipes", embedding_dimensions=dimensions)

    assert (await door.json("/collection/recipes"))["embedding_dimensions"] == dimensions


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("recipes", collection("recipes")),
        ("fresh", collection("others")),
        ("fresh", {"name": "fresh", "embedding_dimensions": 384}),
        ("fresh", {"name": "fresh", "is_auto_embedded": True}),
        ("fresh", {"embedding_dimensions": 384, "is_auto_embedded": True}),
        ("fresh", collection("fresh", embedding_dimensions=7)),
        ("fresh", collection("fresh", embedding_dimensions=2001)),
        ("fresh", collection("fresh", embedding_dimensions="384")),
        ("fresh", collection("fresh", description="d" * 1001)),
        ("four", collection("four")),
        ("no spaces", collection("no spaces")),
        ("n" * 41, collection("n" * 41)),
    ],
)
async def test_a_collection_that_cannot_be_is_a_bad_request(door: Door, name: str, body: dict[str, Any]) -> None:
    await add(door, "recipes")

    answer = await door.post(f"/collection/{name}", body)

    assert answer.status_code == 400
    assert [each["name"] for each in await door.json("/collection")] == ["recipes"]


async def test_an_update_replaces_metadata_and_ignores_the_rest(door: Door) -> None:
    await add(door, "recipes", description="old", metadata={"a": {"x": 1}}, is_auto_embedded=False)

    body = {"name": "recipes", "is_auto_embedded": True, "embedding_dimensions": 9, "metadata": {"a": {"y": 2}}}
    answer = await door.patch("/collection/recipes", body)
    changed = await door.json("/collection/recipes")
    await door.patch("/collection/recipes", {"name": "recipes", "description": "new", "metadata": {}})
    again = await door.json("/collection/recipes")

    assert (answer.status_code, answer.text) == (200, "OK")
    assert (changed["description"], changed["metadata"]) == ("old", {"a": {"y": 2}})
    assert (changed["is_auto_embedded"], changed["embedding_dimensions"]) == (False, 384)
    assert (again["description"], again["metadata"]) == ("new", {"a": {"y": 2}})


async def test_a_deleted_collection_is_gone_with_its_documents_and_its_name_is_free(door: Door) -> None:
    await add(door, "recipes")
    await door.post("/collection/recipes/document", [{"content": "a soup"}])

    answer = await door.delete("/collection/recipes")

    assert (answer.status_code, answer.text) == (200, "OK")
    assert (await door.get("/collection/recipes")).status_code == 404
    await add(door, "recipes")
    assert (await door.json("/collection/recipes"))["document_count"] == 0


async def test_an_unknown_collection_is_not_found(door: Door) -> None:
    unknown = "/collection/unknown"
    document = f"{unknown}/document/uuid/01890000-0000-7000-8000-000000000000"

    answers = [
        await door.get(unknown),
        await door.patch(unknown, {"description": "x"}),
        await door.delete(unknown),
        await door.post(f"{unknown}/index/create"),
        await door.post(f"{unknown}/document", [{"content": "x"}]),
        await door.post(f"{unknown}/search", {"text": "x"}),
        await door.get(document),
        await door.patch(document, {"metadata": {"a": 1}}),
        await door.delete(document),
        await door.post(f"{unknown}/document/list/get", {"document_ids": ["x"]}),
        await door.post(f"{unknown}/document/list/delete", []),
        await door.patch(f"{unknown}/document/list/update", []),
    ]

    assert [answer.status_code for answer in answers] == [404] * len(answers)


@pytest.mark.parametrize("force", ["true", "false"])
async def test_an_index_is_there_without_being_made(door: Door, force: str) -> None:
    await add(door, "recipes")

    answer = await door.post("/collection/recipes/index/create", force=force)

    assert (answer.status_code, answer.text) == (200, "OK")
