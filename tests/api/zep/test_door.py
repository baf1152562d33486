"""What holds for every route of the Zep door: keys, versions, paths, refusals."""

from datetime import timedelta
from urllib.parse import quote

import pytest

from memcairn.api.zep.call import MAX_BODY_BYTES
from memcairn.api.zep.door import ROUTES, VERSION
from memcairn.core.deps import Deps
from memcairn.core.keys import MadeKey, create_key, create_org
from memcairn.domain.clock import FrozenClock
from memcairn.domain.keys import ALL_SCOPES, KeyScope, Principal
from tests.api.zep.conftest import Door

pytestmark = pytest.mark.anyio


def _addresses() -> list[tuple[str, str]]:
    ids = {"session_id": "s", "message_id": "m", "user_id": "u", "name": "shelf", "uuid": "d"}
    return [(method, path.format(**ids)) for path, by_method in ROUTES.items() for method in by_method]


def bearing(made: MadeKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {made.raw_key}"}


async def test_health_is_one_dot_and_needs_no_key(door: Door) -> None:
    answer = await door.stranger.get("/zep/healthz")

    assert (answer.status_code, answer.text) == (200, ".")


async def test_every_answer_names_a_version_the_client_accepts(door: Door) -> None:
    answers = [
        await door.client.get("/zep/healthz"),
        await door.get("/sessions"),
        await door.get("/sessions/unknown"),
        await door.get("/nothing/here"),
        await door.stranger.get("/zep/api/v1/sessions"),
    ]

    assert [answer.headers["x-zep-version"] for answer in answers] == [VERSION] * 5
    number, dash, _ = VERSION.partition("-")
    assert (number, dash) == ("0.27.2", "-")


async def test_no_route_opens_without_a_key(door: Door) -> None:
    answers = {
        (method, path): await door.stranger.request(method, f"/zep/api/v1{path}") for method, path in _addresses()
    }

    assert {where for where, answer in answers.items() if answer.status_code != 401} == set()
    assert all(answer.headers["content-type"].startswith("text/plain") for answer in answers.values())


async def test_a_key_nobody_made_opens_nothing(door: Door) -> None:
    answer = await door.client.get("/zep/api/v1/sessions", headers={"Authorization": "Bearer mc_nobody"})

    assert answer.status_code == 401


async def test_a_key_opens_what_its_scope_allows(door: Door, deps: Deps, principal: Principal) -> None:
    async def shut_to(scope: KeyScope) -> set[tuple[str, str]]:
        key = bearing(await create_key(deps, principal.org_id, name=scope, scopes=frozenset({scope})))
        return {
            (method, path)
            for method, path in _addresses()
            if (await door.stranger.request(method, f"/zep/api/v1{path}", headers=key)).status_code == 403
        }

    reading = {
        (method, path)
        for method, path in _addresses()
        if method == "GET" or path.endswith(("/search", "/list/get", "/index/create"))
    }
    assert await shut_to(KeyScope.READ) == set(_addresses()) - reading
    assert await shut_to(KeyScope.WRITE) == reading


async def test_a_slash_at_the_end_changes_nothing(door: Door) -> None:
    for method, path in _addresses():
        plain = await door.client.request(method, f"/zep/api/v1{path}")
        slashed = await door.client.request(method, f"/zep/api/v1{path}/")

        assert (slashed.status_code, slashed.text) == (plain.status_code, plain.text), path
        assert not slashed.is_redirect


@pytest.mark.parametrize("name", ["two words", "ümlaut 象", "a/b", "50%", "%2F", "a+b", "semi;colon", "'quoted'"])
async def test_ids_may_hold_anything_once_they_are_percent_encoded(door: Door, name: str) -> None:
    path = f"/sessions/{quote(name, safe='')}"

    made = await door.post(f"{path}/memory", {"messages": []})
    found = await door.get(path)

    assert made.status_code == 200
    assert found.json()["session_id"] == name


async def test_bytes_no_database_takes_are_a_session_nobody_has(door: Door) -> None:
    answers = [await door.get(path) for path in ("/sessions/%00", "/sessions/%ff%fe", f"/sessions/{'x' * 5000}")]

    assert [answer.status_code for answer in answers] == [404] * 3


async def test_refusals_are_one_line_of_plain_text(door: Door) -> None:
    answer = await door.get("/sessions/unknown")

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/plain")
    assert "unknown" in answer.text
    assert answer.text.count("\n") == 1


async def test_what_is_not_there_is_not_found_and_what_is_not_taken_is_not_allowed(door: Door) -> None:
    assert (await door.get("/graph")).status_code == 404
    assert (await door.delete("/sessions/s")).status_code == 405
    assert (await door.client.get("/zep/nothing")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"session_id": 7}',
        b'{"session_id": "s", "metadata": []}',
        b'{"session_id": "s", "metadata": "x"}',
        b'{"session_id": "s", "metadata": {"n": NaN}}',
        b'{"session_id": "s", "metadata": {"n": 123456789012345678901234567890}}',
        b'{"session_id": "\\ud800"}',
        b'{"session_id": "\xff"}',
        b'{"session_id": "s", "metadata": ' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}",
    ],
)
async def test_a_body_that_does_not_fit_is_a_bad_request_and_stores_nothing(door: Door, body: bytes) -> None:
    answer = await door.client.post("/zep/api/v1/sessions", content=body)

    assert answer.status_code == 400
    assert await door.json("/sessions") == []


async def test_the_content_type_does_not_matter(door: Door) -> None:
    body = b'{"session_id": "s"}'
    answer = await door.client.post("/zep/api/v1/sessions", content=body, headers={"Content-Type": "text/plain"})

    assert answer.status_code == 201


async def test_a_body_over_the_limit_is_too_large(door: Door) -> None:
    answer = await door.client.post("/zep/api/v1/sessions", content=b" " * (MAX_BODY_BYTES + 1))

    assert answer.status_code == 413


@pytest.mark.parametrize("query", ["limit=two", "limit=1.5", "cursor=x", "limit=-1", "limit=99999999999999999999"])
@pytest.mark.parametrize("path", ["/sessions", "/user"])
async def test_a_query_that_is_no_number_is_a_bad_request(door: Door, path: str, query: str) -> None:
    answer = await door.client.get(f"/zep/api/v1{path}?{query}")

    assert answer.status_code == 400


async def test_another_orgs_session_is_not_found(door: Door, deps: Deps) -> None:
    await door.say("mine", "Only my own org reads this.")
    of_another_org = bearing(await create_org(deps, "another"))

    answers = [
        await door.client.request(method, f"/zep/api/v1/sessions/mine{rest}", headers=of_another_org)
        for method, rest in (("GET", ""), ("GET", "/memory"), ("DELETE", "/memory"))
    ]

    assert [answer.status_code for answer in answers] == [404] * 3


async def test_requests_are_measured_by_their_route_and_not_by_their_ids(door: Door) -> None:
    await door.get("/sessions/a%20secret%20name")
    await door.get("/sessions/a%20secret%20name/nowhere")

    measured = (await door.client.get("/metrics")).text

    assert 'route="/zep/api/v1/sessions/{session_id}"' in measured
    assert 'route="/zep/*"' in measured
    assert "secret" not in measured


async def test_an_expired_key_is_refused(door: Door, deps: Deps, principal: Principal, clock: FrozenClock) -> None:
    soon = clock.now() + timedelta(hours=1)
    made = await create_key(deps, principal.org_id, name="brief", scopes=ALL_SCOPES, expires_at=soon)
    clock.advance(timedelta(hours=2))

    answer = await door.client.get("/zep/api/v1/sessions", headers=bearing(made))

    assert answer.status_code == 401
