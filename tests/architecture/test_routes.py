"""Every route is known by name, guarded by a key, and open to the right keys alone."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount

from memcairn.app import make_app
from memcairn.core.deps import Deps
from memcairn.core.keys import create_key
from memcairn.core.services import Services
from memcairn.domain.keys import KeyScope
from memcairn.settings import Settings
from tests.architecture.routes import DOORS, ROUTES
from tests.build import ORG

pytestmark = pytest.mark.anyio

DOCUMENTS = {"GET /docs", "GET /docs/oauth2-redirect", "GET /redoc", "GET /openapi.json"}
"""Made by the framework; they show the interface and no data."""

GUARDED = [
    (route, scope if isinstance(scope, frozenset) else frozenset({scope}))
    for route, scope in sorted(ROUTES.items())
    if scope is not None
]


@pytest.fixture
def app(deps: Deps) -> FastAPI:
    return make_app(Services(deps), None, Settings())


@pytest.fixture
async def client(app: FastAPI, anyio_backend: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as opened:
        yield opened


def routes_of(app: FastAPI) -> Iterator[tuple[str, BaseRoute]]:
    """Every route with its method and path; those of included routers too, not those of mounted doors."""
    yield from _routes(app.routes)


def _routes(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, BaseRoute]]:
    for route in routes:
        if isinstance(route, Mount):
            continue
        included = getattr(route, "original_router", None)  # the framework reads an included router when it is asked
        if included is not None:
            yield from _routes(included.routes)
            continue
        for method in sorted(getattr(route, "methods", None) or {"ANY"}):
            if method != "HEAD":
                yield f"{method} {getattr(route, 'path', route)}", route


async def status_of(client: httpx2.AsyncClient, route: str, key: str | None) -> int:
    """What a request without a usable body is answered: rights come before the body's rules."""
    method, path = route.split(" ")
    headers: Mapping[str, str] = {} if key is None else {"Authorization": f"Bearer {key}"}
    filled = re.sub(r"\{\w+(?::\w+)?\}", "00000000-0000-7000-8000-000000000000", path)
    json: dict[str, str] | None = {} if method in ("POST", "PUT", "PATCH") else None
    response = await client.request(method, filled, headers=headers, json=json)
    return response.status_code


async def key_with(deps: Deps, *scopes: KeyScope) -> str:
    return (await create_key(deps, ORG, name="test", scopes=frozenset(scopes))).raw_key


async def test_the_table_names_every_route_and_no_other(app: FastAPI) -> None:
    assert {name for name, _ in routes_of(app)} - DOCUMENTS == set(ROUTES)


async def test_the_table_names_every_door_that_is_mounted_whole(app: FastAPI) -> None:
    assert {route.path for route in app.routes if isinstance(route, Mount)} == DOORS


async def test_every_route_has_an_operation_id_of_its_own(app: FastAPI) -> None:
    ids = [(name, getattr(route, "operation_id", None)) for name, route in routes_of(app) if name not in DOCUMENTS]

    assert [name for name, operation_id in ids if not operation_id] == []
    assert len({operation_id for _, operation_id in ids}) == len(ids)


async def test_every_guarded_route_says_so_in_the_interface_description(app: FastAPI) -> None:
    described = app.openapi()["paths"]

    def security(route: str) -> object:
        method, path = route.split(" ")
        return described[path][method.lower()].get("security")

    assert [route for route, scope in ROUTES.items() if bool(security(route)) != (scope is not None)] == []


@pytest.mark.parametrize(("route", "scopes"), GUARDED, ids=[route for route, _ in GUARDED])
async def test_a_route_opens_to_the_right_keys_alone(
    deps: Deps, client: httpx2.AsyncClient, route: str, scopes: frozenset[KeyScope]
) -> None:
    others = [other for other in KeyScope if other not in scopes | {KeyScope.ADMIN}]

    assert await status_of(client, route, None) == 401
    assert await status_of(client, route, "a-key-nobody-made") == 401
    if others:
        assert await status_of(client, route, await key_with(deps, *others)) == 403
    for scope in scopes:
        assert await status_of(client, route, await key_with(deps, scope)) not in (401, 403)
    assert await status_of(client, route, await key_with(deps, KeyScope.ADMIN)) not in (401, 403)


@pytest.mark.parametrize("route", sorted(route for route, scope in ROUTES.items() if scope is None))
async def test_an_open_route_asks_for_no_key(client: httpx2.AsyncClient, route: str) -> None:
    assert await status_of(client, route, None) in (200, 503)


async def test_the_interface_is_shown_by_routes_the_framework_makes(app: FastAPI) -> None:
    assert not [name for name, route in routes_of(app) if name in DOCUMENTS and isinstance(route, APIRoute)]
