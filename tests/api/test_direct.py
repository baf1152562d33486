"""Endpoints that are called directly answer every request as the framework would."""

from typing import Annotated, Any, Literal

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from memcairn.api import problems
from memcairn.api.direct import Signature, signature_of
from memcairn.api.routing import StrictRoute
from memcairn.domain.errors import Forbidden

pytestmark = pytest.mark.anyio


class Song(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    seconds: int | None = None


async def singer(request: Request) -> str:
    if request.headers.get("x-singer") == "nobody":
        raise Forbidden("Nobody may not sing.")
    return request.headers.get("x-singer", "ann")


async def post_song(
    request: Request,
    book: str,
    song: Song,
    by: Annotated[str, Depends(singer)],
    loud: Annotated[bool, Query()] = False,
    limit: Annotated[int | None, Query(ge=1, le=9, alias="at-most")] = None,
    key: Literal["c", "d"] = "c",
    tune: Annotated[str | None, Header()] = None,
    again_and_again: Annotated[int, Header()] = 1,
) -> Response:
    said = [request.method, book, song.model_dump(), by, loud, limit, key, tune, again_and_again]
    return JSONResponse(said, status_code=201)


async def get_songs(name: str, part: Annotated[int, Query()]) -> Response:
    return JSONResponse([name, part])


class Direct(StrictRoute):
    def signature(self) -> Signature | None:
        signature = signature_of(self.endpoint, set(self.param_convertors))
        assert signature is not None
        return signature


def app_of(route_class: type[StrictRoute]) -> FastAPI:
    routes = APIRouter(route_class=route_class)
    routes.post("/books/{book}/songs", status_code=201)(post_song)
    routes.get("/songs/{name}")(get_songs)
    app = FastAPI()
    app.include_router(routes)
    problems.install(app)
    return app


SONG: dict[str, Any] = {"json": {"name": "Air", "seconds": 7}}


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("POST", "/books/one/songs", SONG),
        ("POST", "/books/%C3%A9%20/songs?loud=yes&at-most=9&key=d&other=1", SONG),
        ("POST", "/books/one/songs?loud=true&loud=false", SONG),
        ("POST", "/books/one/songs", SONG | {"headers": {"Tune": "do re", "Again-And-Again": "3", "X-Singer": "bo"}}),
        ("POST", "/books/one/songs", SONG | {"headers": {"X-Singer": "nobody"}}),
        ("POST", "/books/one/songs?loud=", SONG | {"headers": {"X-Singer": "nobody"}}),
        ("POST", "/books/one/songs?at-most=10&key=e", SONG),
        ("POST", "/books/one/songs?at-most=", SONG),
        ("POST", "/books/one/songs", SONG | {"headers": {"Again-And-Again": "often"}}),
        ("POST", "/books/one/songs", {"json": {"name": 5, "length": 1}}),
        ("POST", "/books/one/songs", {"json": {"name": "Air", "seconds": "7"}}),
        ("POST", "/books/one/songs", {"json": None}),
        ("POST", "/books/one/songs", {"json": []}),
        ("POST", "/books/one/songs", {}),
        ("POST", "/books/one/songs", {"content": b"{"}),
        ("POST", "/books/one/songs", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
        ("GET", "/songs/air?part=2", {}),
        ("GET", "/songs/air", {}),
        ("GET", "/songs/air?part=two", {}),
        ("PUT", "/songs/air", {}),
    ],
)
async def test_the_answer_is_that_of_the_framework(method: str, path: str, options: dict[str, Any]) -> None:
    direct, by_framework = [await send(app_of(each), method, path, options) for each in (Direct, StrictRoute)]

    assert direct.status_code == by_framework.status_code
    assert direct.content == by_framework.content


async def send(app: FastAPI, method: str, path: str, options: dict[str, Any]) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        return await client.request(method, path, **options)


def not_awaited(book: str) -> Response:
    return Response(book)


async def answering_a_model(book: str) -> Song:
    return Song(name=book)


async def with_a_list(names: Annotated[list[str], Query()]) -> Response:
    return Response(str(names))


async def with_a_part_of_the_body(song: Song, encore: Song) -> Response:
    return Response(song.name + encore.name)


async def with_a_number_in_the_path(book: int) -> Response:
    return Response(str(book))


async def with_more_to_resolve(by: Annotated[str, Depends(not_awaited)]) -> Response:
    return Response(by)


@pytest.mark.parametrize(
    "endpoint",
    [
        not_awaited,
        answering_a_model,
        with_a_list,
        with_a_part_of_the_body,
        with_a_number_in_the_path,
        with_more_to_resolve,
    ],
)
def test_what_is_not_plain_is_left_to_the_framework(endpoint: Any) -> None:
    assert signature_of(endpoint, {"book"}) is None
