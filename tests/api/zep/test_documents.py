"""`/collection/{name}/document` and `/collection/{name}/search` of the Zep door."""

from typing import Any
from uuid import uuid4

import pytest

from memcairn.providers.fake import FakeEmbedder
from tests.api.zep.conftest import Door

pytestmark = pytest.mark.anyio

X, BETWEEN, Y = [1.0] + [0.0] * 7, [0.6, 0.8] + [0.0] * 6, [0.0, 1.0] + [0.0] * 6


@pytest.fixture
async def auto(door: Door) -> str:
    """A collection the server embeds."""
    body = {"name": "autos", "embedding_dimensions": 384, "is_auto_embedded": True}
    assert (await door.post("/collection/autos", body)).status_code == 200
    return "/collection/autos"


@pytest.fixture
async def own(door: Door) -> str:
    """A collection with vectors of the caller's."""
    body = {"name": "owned", "embedding_dimensions": 8, "is_auto_embedded": False}
    assert (await door.post("/collection/owned", body)).status_code == 200
    return "/collection/owned"


async def add(door: Door, shelf: str, *documents: dict[str, Any]) -> list[str]:
    answer = await door.post(f"{shelf}/document", list(documents))
    assert answer.status_code == 200, answer.text
    uuids: list[str] = answer.json()
    return uuids


async def axes(door: Door, shelf: str) -> list[str]:
    """Three documents between two axes."""
    return await add(
        door,
        shelf,
        {"document_id": "x", "content": "along x", "metadata": {"n": 1}, "embedding": X},
        {"document_id": "between", "content": "between them", "metadata": {"n": 2}, "embedding": BETWEEN},
        {"document_id": "y", "content": "along y", "metadata": {"n": 3}, "embedding": Y},
    )


async def search(door: Door, shelf: str, *, limit: int | None = None, **body: Any) -> dict[str, Any]:
    answer = await door.post(f"{shelf}/search", body, **({} if limit is None else {"limit": limit}))
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_documents_are_embedded_in_the_background(door: Door, auto: str) -> None:
    [uuid] = await add(door, auto, {"content": "a soup of leeks", "metadata": {"a": 1}})
    before = await door.json(f"{auto}/document/uuid/{uuid}")
    pending = await door.json(auto)
    await door.work()
    after = await door.json(f"{auto}/document/uuid/{uuid}")
    ready = await door.json(auto)

    assert before == {
        "uuid": uuid,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "document_id": "",
        "content": "a soup of leeks",
        "metadata": {"a": 1},
        "embedding": None,
        "is_embedded": False,
    }
    assert (pending["document_count"], pending["document_embedded_count"]) == (1, 0)
    assert (after["is_embedded"], len(after["embedding"])) == (True, FakeEmbedder().dimensions)
    assert (ready["document_count"], ready["document_embedded_count"]) == (1, 1)


async def test_documents_with_their_own_vectors_are_ready_at_once(door: Door, own: str) -> None:
    uuids = await axes(door, own)

    found = await door.json(f"{own}/document/uuid/{uuids[1]}")

    assert found["is_embedded"] is True
    assert found["embedding"] == pytest.approx(BETWEEN)
    assert (await door.json(own))["document_embedded_count"] == 3


@pytest.mark.parametrize(
    ("shelf", "document"),
    [
        ("autos", {}),
        ("autos", {"content": ""}),
        ("autos", {"content": " "}),
        ("autos", {"content": None}),
        ("autos", {"content": 5}),
        ("autos", {"content": "x", "embedding": X}),
        ("autos", {"content": "x", "document_id": "d" * 101}),
        ("autos", {"content": "x", "document_id": "ümlaut"}),
        ("autos", {"content": "x", "document_id": "first"}),
        ("autos", {"content": "x", "metadata": [1]}),
        ("owned", {"content": "x"}),
        ("owned", {"content": "x", "embedding": []}),
        ("owned", {"content": "x", "embedding": X[:7]}),
        ("owned", {"content": "x", "embedding": ["1"] * 8}),
        ("owned", {"content": "x", "embedding": [1e300] * 8}),
    ],
)
async def test_a_document_that_cannot_be_refuses_the_whole_batch(
    door: Door, auto: str, own: str, shelf: str, document: dict[str, Any]
) -> None:
    good: dict[str, Any] = {"content": "good", "document_id": "first"}
    good |= {"embedding": X} if shelf == "owned" else {}

    answer = await door.post(f"/collection/{shelf}/document", [good, document])

    assert answer.status_code == 400
    assert (await door.json(f"/collection/{shelf}"))["document_count"] == 0


async def test_a_document_id_that_is_taken_is_refused(door: Door, auto: str) -> None:
    await add(door, auto, {"content": "one", "document_id": "taken"})

    assert (await door.post(f"{auto}/document", [{"content": "two", "document_id": "taken"}])).status_code == 400
    assert len(await add(door, auto, {"content": "a", "document_id": ""}, {"content": "b", "document_id": ""})) == 2


async def test_documents_are_not_one_object(door: Door, auto: str) -> None:
    assert (await door.post(f"{auto}/document", {"content": "x"})).status_code == 400


async def test_a_uuid_that_is_none_is_a_bad_request_and_an_unknown_one_not_found(door: Door, auto: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        bad = await door.client.request(method, f"/zep/api/v1{auto}/document/uuid/nonsense", json={})
        unknown = await door.client.request(method, f"/zep/api/v1{auto}/document/uuid/{uuid4()}", json={})

        assert (bad.status_code, unknown.status_code) == (400, 404)


async def test_an_update_replaces_metadata_and_may_name_the_document(door: Door, own: str) -> None:
    uuid, *_ = await axes(door, own)
    address = f"{own}/document/uuid/{uuid}"

    changes: list[dict[str, Any]] = [{"metadata": {"new": 1}}, {"document_id": "z"}, {"description": "-"}, {}]
    for body in [*changes, {"metadata": {}}]:
        answer = await door.patch(address, body)
        assert (answer.status_code, answer.text) == (200, "OK")

    changed = await door.json(address)
    assert (changed["document_id"], changed["metadata"], changed["content"]) == ("z", {"new": 1}, "along x")
    assert (await door.patch(address, {"document_id": "y"})).status_code == 400


async def test_a_deleted_document_is_gone_from_everything(door: Door, own: str) -> None:
    uuid, *others = await axes(door, own)

    answer = await door.delete(f"{own}/document/uuid/{uuid}")

    assert (answer.status_code, answer.text) == (200, "OK")
    assert (await door.get(f"{own}/document/uuid/{uuid}")).status_code == 404
    assert (await door.delete(f"{own}/document/uuid/{uuid}")).status_code == 404
    assert {each["uuid"] for each in (await search(door, own, embedding=X))["results"]} == set(others)
    assert (await door.json(own))["document_count"] == 2
    assert len(await add(door, own, {"content": "again", "document_id": "x", "embedding": X})) == 1


async def test_several_documents_come_in_the_order_asked_for(door: Door, own: str) -> None:
    x, between, y = await axes(door, own)

    async def names(**body: Any) -> list[str]:
        found = (await door.post(f"{own}/document/list/get", body)).json()
        return [document["document_id"] for document in found]

    assert await names(uuids=[y, x]) == ["y", "x"]
    assert await names(uuids=[y, str(uuid4())]) == ["y"]
    assert await names(document_ids=["between", "x"]) == ["between", "x"]
    assert await names(uuids=[between], document_ids=[]) == ["between"]
    assert (await door.post(f"{own}/document/list/get", {"uuids": [str(uuid4())]})).status_code == 404
    wrong: list[Any] = [{}, {"uuids": [x], "document_ids": ["x"]}, {"uuids": ["nonsense"]}, {"uuids": x}, []]
    for body in wrong:
        assert (await door.post(f"{own}/document/list/get", body)).status_code == 400


async def test_several_documents_are_deleted_at_once(door: Door, own: str) -> None:
    x, between, y = await axes(door, own)

    answer = await door.post(f"{own}/document/list/delete", [x, y])

    assert (answer.status_code, answer.text) == (200, "OK")
    assert [each["uuid"] for each in (await search(door, own, embedding=X))["results"]] == [between]
    assert (await door.post(f"{own}/document/list/delete", [x, y])).status_code == 404
    assert (await door.post(f"{own}/document/list/delete", ["nonsense"])).status_code == 400


async def test_several_documents_are_updated_together_or_not_at_all(door: Door, own: str) -> None:
    x, between, y = await axes(door, own)
    fine = [{"uuid": x, "metadata": {"m": 1}}, {"uuid": y, "document_id": "z"}]

    refused = await door.patch(f"{own}/document/list/update", [*fine, {"uuid": between, "document_id": "z"}])
    untouched = await door.json(f"{own}/document/uuid/{x}")
    answer = await door.patch(f"{own}/document/list/update", fine)

    assert refused.status_code == 400
    assert untouched["metadata"] == {"n": 1}
    assert (answer.status_code, answer.text) == (200, "OK")
    assert (await door.json(f"{own}/document/uuid/{x}"))["metadata"] == {"m": 1}
    assert (await door.json(f"{own}/document/uuid/{y}"))["document_id"] == "z"
    assert (await door.patch(f"{own}/document/list/update", [{"uuid": str(uuid4())}])).status_code == 404
    assert (await door.patch(f"{own}/document/list/update", [{"metadata": {}}])).status_code == 400


async def test_search_by_vector_scores_half_of_one_plus_the_cosine(door: Door, own: str) -> None:
    await axes(door, own)

    page = await search(door, own, embedding=X)

    assert [(each["document_id"], each["score"]) for each in page["results"]] == [
        ("x", pytest.approx(1.0)),
        ("between", pytest.approx(0.8)),
        ("y", pytest.approx(0.5)),
    ]
    assert page["query_vector"] == pytest.approx(X)
    assert (page["result_count"], page["total_pages"], page["current_page"]) == (3, 0, 0)
    assert set(page["results"][0]) == {
        "uuid", "created_at", "updated_at", "document_id", "content", "metadata", "embedding", "is_embedded", "score",
    }  # fmt: skip


async def test_search_by_text_returns_the_vector_it_used(door: Door, auto: str) -> None:
    await add(door, auto, {"content": "a soup of leeks"}, {"content": "the history of trains"})
    await door.work()

    page = await search(door, auto, text="a soup of leeks", limit=1)

    assert [each["content"] for each in page["results"]] == ["a soup of leeks"]
    assert page["results"][0]["score"] == pytest.approx(1.0)
    assert page["query_vector"] == pytest.approx(page["results"][0]["embedding"])
    assert (await search(door, auto, embedding=page["query_vector"], limit=1))["results"] == page["results"]


async def test_documents_without_a_vector_yet_are_found_by_metadata_only(door: Door, auto: str) -> None:
    await add(door, auto, {"content": "a soup", "metadata": {"n": 1}})

    assert (await search(door, auto, text="a soup"))["results"] == []
    page = await search(door, auto, metadata={"where": {"jsonpath": "$.n ? (@ == 1)"}})
    assert [(each["content"], each["score"]) for each in page["results"]] == [("a soup", 0)]
    assert page["query_vector"] is None


async def test_filters_hold_before_the_limit(door: Door, own: str) -> None:
    await axes(door, own)
    where = {"where": {"jsonpath": "$[*] ? (@.n >= 2)"}}

    page = await search(door, own, embedding=X, metadata=where, limit=1)

    assert [each["document_id"] for each in page["results"]] == ["between"]


async def test_variety_takes_another_kind_before_the_same_again(door: Door, own: str) -> None:
    await axes(door, own)
    await add(door, own, {"document_id": "x again", "content": "along x too", "embedding": X})

    page = await search(door, own, limit=2, embedding=X, search_type="mmr", mmr_lambda=0.1)
    found = [each["document_id"] for each in page["results"]]

    assert found[0] in ("x", "x again")
    assert found[1] == "y"


async def test_twenty_are_found_unless_asked_otherwise(door: Door, own: str) -> None:
    await add(door, own, *[{"content": f"number {number}", "embedding": X} for number in range(25)])

    assert (await search(door, own, embedding=X))["result_count"] == 20
    assert (await search(door, own, embedding=X, limit=0))["result_count"] == 20
    assert (await search(door, own, embedding=X, limit=22))["result_count"] == 22


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "", "metadata": {}},
        {"text": "x", "embedding": X},
        {"text": "a text where the vectors are the caller's"},
        {"embedding": X[:3]},
        {"metadata": {"where": {"jsonpath": "$["}}},
        {"metadata": "x"},
    ],
)
async def test_a_search_that_cannot_be_is_a_bad_request(door: Door, own: str, body: dict[str, Any]) -> None:
    assert (await door.post(f"{own}/search", body)).status_code == 400
