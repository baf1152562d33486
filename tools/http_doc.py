"""Writes the page of the HTTP API from its own description: `python -m tools.http_doc [--check]`.

`--check` writes nothing and fails if the page is not what would be written.
"""

import asyncio
import inspect
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from memcairn.app import running
from memcairn.settings import Settings
from tools.page import asked_to_check, cell, keep

HEAD = """\
# HTTP

<!-- Written by tools/http_doc.py from the OpenAPI description: change the routes, and run it. -->

Every route of the native API, the shapes it takes and the shapes it answers. A running server shows all of it with
every field and limit at `/docs`, and as OpenAPI at `/openapi.json`.

- A key goes into `Authorization: Bearer <key>` (or `X-API-Key`). The column *Key* names the scope it needs; `admin`
  includes the other two. Another org's id is a 404, like one that never was.
- Bodies are JSON, read strictly: an unknown field, a wrong type or a number that is none is a 422 that names its place,
  and nothing of the request is stored. [Errors](errors.md) lists every code.
- Lists answer `items` and `next_cursor`; give that one as `cursor` for the next page, until it is null.
- Routes that take `Idempotency-Key` can be repeated with the same key and body for 24 hours and give the same answer.
- Times are ISO 8601; one without a zone is UTC. [Filters](filters.md) on metadata and the block of
  [context](context.md) have pages of their own.

The routes of other clients lie under `/zep` and `/memsy`: [zep-python](../how-to/zep-python.md),
[Memsy](../how-to/memsy.md).
"""

NO_KEY = "–"
ANY_KEY = "any"
SCHEMA = re.compile(r"#/components/schemas/(\w+)")

Json = Mapping[str, Any]


def page() -> str:
    """The whole page."""
    return asyncio.run(_page())


async def _page() -> str:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database_url=None, worker=False, purge_interval=0)
        async with running(settings, local_key="nobody asks anything") as server:
            return HEAD + _tables(server.app) + _bodies(server.app.openapi())


def _tables(app: FastAPI) -> str:
    description = app.openapi()
    keys = {f"{method} {route.path}": _key(route) for route in _routes(app.routes) for method in route.methods or ()}
    by_tag: dict[str, list[str]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            by_tag.setdefault(operation["tags"][0], []).append(_row(name, keys[name], operation))
    heads = "| Route | Key | Takes | Answers | What it does |\n|---|---|---|---|---|\n"
    return "".join(f"\n## {tag.capitalize()}\n\n{heads}{''.join(rows)}" for tag, rows in by_tag.items())


def _routes(routes: Sequence[BaseRoute]) -> Iterator[APIRoute]:
    for route in routes:
        included = getattr(route, "original_router", None)  # the framework reads an included router when it is asked
        if included is not None:
            yield from _routes(included.routes)
        elif isinstance(route, APIRoute):
            yield route


def _key(route: APIRoute) -> str:
    """The scope that the route's dependency asks for, see `api.native.access.needs`."""
    scopes = [str(scope.value) for scope in _scopes(route.dependant)]
    if scopes:
        return scopes[0]
    return ANY_KEY if route.path.startswith("/v1/") else NO_KEY


def _scopes(dependant: Dependant) -> Iterator[Any]:
    for each in dependant.dependencies:
        if inspect.isfunction(each.call) and "scope" in (held := inspect.getclosurevars(each.call).nonlocals):
            yield held["scope"]
        yield from _scopes(each)


def _row(name: str, key: str, operation: Json) -> str:
    what = operation.get("description") or f"{operation['operationId'].replace('_', ' ').capitalize()}."
    parameters = [f"`{each['name']}`" for each in operation.get("parameters", ()) if each["in"] != "path"]
    body = _schema(operation.get("requestBody", {}))
    takes = ", ".join([*([f"**{body}**"] if body else []), *parameters])
    return f"| `{name}` | {key} | {takes} | {_answer(operation['responses'])} | {cell(what)} |\n"


def _answer(responses: Json) -> str:
    status = next(code for code in responses if code.startswith("2"))
    shape = _schema(responses[status])
    return f"{status} {shape}".strip()


def _schema(part: Json) -> str:
    content = part.get("content", {}).get("application/json", {}).get("schema", {})
    listed = content.get("type") == "array"
    found = SCHEMA.search(str(content))
    return "" if found is None else f"{'list of ' if listed else ''}{found[1]}"


def _bodies(description: Json) -> str:
    """What may be sent, each shape with its fields; those in bold have to be there."""
    schemas: Mapping[str, Json] = description["components"]["schemas"]
    sent = [
        _schema(operation["requestBody"])
        for methods in description["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    ]
    lines = "".join(_fields(name, schemas[name]) for name in _with_parts(sent, schemas))
    return f"\n## What is sent\n\nFields in bold have to be there.\n\n{lines}"


def _with_parts(names: Sequence[str], schemas: Mapping[str, Json]) -> list[str]:
    """These shapes and those they are made of, in alphabetical order."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += SCHEMA.findall(str(schemas[name]))
    return sorted(found)


def _fields(name: str, schema: Json) -> str:
    required = schema.get("required", ())
    fields = [f"**`{field}`**" if field in required else f"`{field}`" for field in schema.get("properties", ())]
    says = cell(schema.get("description", ""))
    return f"- **{name}**: {', '.join(fields)}.{f' {says}' if says else ''}\n"


def main(*, check: bool) -> int:
    return keep("http.md", page(), check=check)


if __name__ == "__main__":
    sys.exit(main(check=asked_to_check()))
