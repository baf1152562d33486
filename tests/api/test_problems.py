"""Whatever goes wrong, the client gets one shape, and never what it should not see."""

import json
from http import HTTPStatus
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from memcairn.api import limits, problems
from memcairn.api.routing import StrictRoute
from memcairn.domain.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from memcairn.observability.metrics import Metrics

pytestmark = pytest.mark.anyio


class Song(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(max_length=10)
    year: int | None = None
    parts: list["Part | int"] = Field(default_factory=list, max_length=3)


class Part(BaseModel):
    key: str


class Songs(BaseModel):
    songs: list[Song]


def app_with(routes: APIRouter) -> FastAPI:
    app = FastAPI()
    app.include_router(routes, prefix="/v1")
    problems.install(app)
    limits.install(app, Metrics())
    return app


def singing() -> FastAPI:
    routes = APIRouter(route_class=StrictRoute)

    @routes.post("/songs")
    async def post_songs(songs: Songs) -> dict[str, Any]:
        return songs.model_dump()

    @routes.get("/songs/{number}")
    async def get_song(
        number: int,
        limit: Annotated[int, Query(le=100)] = 10,
        tune: Annotated[int | None, Header()] = None,
    ) -> dict[str, int]:
        return {"number": number, "limit": limit}

    return app_with(routes)


def failing(error: Exception) -> FastAPI:
    routes = APIRouter(route_class=StrictRoute)

    @routes.get("/fail")
    async def fail() -> None:
        raise error

    return app_with(routes)


async def send(app: FastAPI, method: str, path: str, **options: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        return await client.request(method, path, headers=options.pop("headers", {"X-Request-ID": "r1"}), **options)


@pytest.mark.parametrize(
    ("error", "status", "code", "headers"),
    [
        (Unauthenticated("Send a key."), 401, "unauthenticated", {"www-authenticate": "Bearer"}),
        (Forbidden("The key may not write."), 403, "forbidden", {}),
        (NotFound("There is no song 7."), 404, "not_found", {}),
        (Conflict("Being sung."), 409, "conflict", {}),
        (TooLarge("Too long a song."), 413, "too_large", {}),
        (Invalid("Not a song."), 422, "invalid", {}),
        (LimitReached("Enough sung.", retry_after_seconds=2.1), 429, "limit_reached", {"retry-after": "3"}),
        (Unavailable("No voice."), 503, "unavailable", {"retry-after": "1"}),
        (Unavailable("No room.", code="storage_full"), 507, "storage_full", {"retry-after": "1"}),
        (DomainError("Out of tune."), 500, "error", {}),
    ],
)
async def test_every_domain_error_has_its_status_and_headers(
    error: DomainError, status: int, code: str, headers: dict[str, str]
) -> None:
    answer = await send(failing(error), "GET", "/v1/fail")

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {name: answer.headers[name] for name in headers} == headers
    assert answer.json() == {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "code": code,
        "request_id": "r1",
        "errors": [],
    }


async def test_a_domain_error_points_to_the_place_it_means() -> None:
    answer = await send(failing(Invalid("Not a song.", pointer="/songs/0")), "GET", "/v1/fail")

    assert answer.json()["errors"] == [{"pointer": "/songs/0", "detail": "Not a song."}]


async def test_broken_json_is_refused_with_its_pointer() -> None:
    answer = await send(singing(), "POST", "/v1/songs", content=b'{"songs": [{"title": NaN}]}')

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    assert answer.json()["errors"][0]["pointer"] == "/songs/0/title"


async def test_every_broken_rule_of_a_model_is_placed() -> None:
    songs = [{"title": "a" * 11}, {"title": "b", "yaer": 1}, {"year": "x"}, {"title": "c", "parts": [[]]}]

    answer = await send(singing(), "POST", "/v1/songs", json={"songs": songs})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "/songs/0/title",
        "/songs/1/yaer",
        "/songs/2/title",
        "/songs/2/year",
        "/songs/3/parts/0",
        "/songs/3/parts/0",
    ]
    assert answer.json()["detail"] == (
        "/songs/0/title: String should have at most 10 characters; "
        "/songs/1/yaer: Extra inputs are not permitted; /songs/2/title: Field required; and 3 more."
    )


async def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    secret = "do-not-repeat-" * 1_000

    answer = await send(singing(), "POST", "/v1/songs", json={"songs": [{"title": secret, "year": secret}]})

    assert answer.status_code == 422
    assert "do-not-repeat" not in answer.text


async def test_a_thousand_broken_rules_make_a_short_answer() -> None:
    answer = await send(singing(), "POST", "/v1/songs", json={"songs": [{"k" * 5_000: 1}] * 1_000})

    assert len(answer.json()["errors"]) == problems.MAX_ERRORS
    assert answer.json()["detail"].endswith("and 1997 more.")
    assert len(answer.content) < 20_000


async def test_a_broken_parameter_is_named_with_where_it_stands() -> None:
    answer = await send(singing(), "GET", "/v1/songs/x?limit=1000", headers={"Tune": "y"})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "#/path/number",
        "#/query/limit",
        "#/header/tune",
    ]


async def test_a_body_that_is_missing_is_asked_for() -> None:
    answer = await send(singing(), "POST", "/v1/songs")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "", "detail": "Field required"}]


async def test_a_path_nobody_serves_is_a_problem_too() -> None:
    answer = await send(singing(), "GET", "/v1/nothing")

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
    assert "/v1/nothing" in answer.json()["detail"]


async def test_a_method_nobody_takes_is_a_problem_that_names_the_right_one() -> None:
    answer = await send(singing(), "DELETE", "/v1/songs")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.json()["code"] == "method_not_allowed"
    assert answer.json()["detail"] == "/v1/songs does not take DELETE; use POST."


async def test_an_error_of_the_framework_keeps_its_own_words() -> None:
    answer = await send(failing(HTTPException(410, "The song is over.")), "GET", "/v1/fail")

    assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (410, "gone", "The song is over.")


async def test_a_crash_tells_the_client_nothing_and_the_log_everything(caplog: pytest.LogCaptureFixture) -> None:
    answer = await send(failing(ValueError("the song is a secret")), "GET", "/v1/fail")

    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "r1"
    assert "secret" not in answer.text
    [record] = [record for record in caplog.records if record.name == "memcairn.api.problems"]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)


@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.song+json; charset=utf-8", None])
async def test_json_is_read_whether_it_is_declared_or_not(content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    answer = await send(singing(), "POST", "/v1/songs", content=b'{"songs": []}', headers=headers)

    assert answer.json() == {"songs": []}


@pytest.mark.parametrize("size", [10, 300_000])
async def test_large_bodies_are_read_as_strictly_as_small_ones(size: int) -> None:
    body = b'{"songs": [' + b" " * size + b'{"title": "a", "title": "b"}]}'

    answer = await send(singing(), "POST", "/v1/songs", content=body)

    assert answer.json()["errors"][0]["pointer"] == "/songs/0/title"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_bodies_of_another_type_are_refused(content_type: str) -> None:
    headers = {"Content-Type": content_type}

    answer = await send(singing(), "POST", "/v1/songs", content=b'{"songs": []}', headers=headers)

    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"
    assert "application/json" in answer.json()["detail"]


async def test_whoever_may_not_send_a_body_is_refused_before_it_is_read() -> None:
    class Guarded(StrictRoute):
        async def before_body(self, request: Request) -> None:
            if "authorization" not in request.headers:
                raise Unauthenticated("Send a key.")

    routes = APIRouter(route_class=Guarded)

    @routes.post("/guarded")
    async def post_songs(songs: Songs) -> None: ...

    app = app_with(routes)
    without = await send(app, "POST", "/v1/guarded", content=b"not even JSON")
    with_key = await send(app, "POST", "/v1/guarded", content=b"not even JSON", headers={"Authorization": "Bearer k"})

    assert (without.status_code, with_key.status_code) == (401, 422)


async def test_the_schema_documents_the_problems_of_every_route() -> None:
    routes = APIRouter(route_class=StrictRoute, dependencies=[Depends(HTTPBearer())])

    @routes.post("/songs/{number}")
    async def post_song(number: int, song: Song) -> None: ...

    @routes.get("/songs")
    async def get_songs() -> None: ...

    schema = (await send(app_with(routes), "GET", "/openapi.json")).json()

    posting = schema["paths"]["/v1/songs/{number}"]["post"]["responses"]
    listing = schema["paths"]["/v1/songs"]["get"]["responses"]
    assert sorted(posting) == [
        *["200", "401", "403", "404", "408", "409", "413", "415", "422", "429", "431", "500", "503", "507"],
    ]
    assert sorted(listing) == ["200", "401", "403", "429", "431", "500", "503"]
    reference = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert all(response["content"] == reference for status, response in posting.items() if status != "200")
    assert set(schema["components"]["schemas"]) == {"FieldProblem", "Part", "Problem", "Song"}
    assert "$defs" not in json.dumps(schema)
