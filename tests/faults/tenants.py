"""Every native route as a request that can be made with anybody's ids, and orgs that make such requests."""

import random
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2
from sqlalchemy import Connection, select

from memcairn.store.schema import metadata

TEXT_TAG = re.compile(r"q\d\d[a-z]{6}z(?!-)")
ID_TAG = re.compile(r"q\d\d[a-z]{6}z(?=-)")
"""A tag stands alone in a text, and at the head of an id."""
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

Pick = Callable[[str], str]
"""An id of a kind, such as `session`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: what goes into its path, its query and its body. `denied` says that foreign ids are not found."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    denied: bool = False


def _at(**path: str) -> Ask:
    return Ask(path=path, denied=True)


def _event(pick: Pick) -> dict[str, Any]:
    return {
        "actor_id": pick("actor"),
        "session_id": pick("session"),
        "kind": "user_message",
        "content": f"{pick('text')} was said on the pier.",
        "role_id": pick("role"),
        "team_id": pick("team"),
        "metadata": {"note": pick("text")},
    }


def _group(noun: str) -> dict[str, Callable[[Pick], Ask]]:
    key, where = f"{noun}_id", f"/v1/{noun}s/{{{noun}_id}}"
    return {
        f"GET /v1/{noun}s": lambda pick: Ask(query={"limit": 200}),
        f"POST /v1/{noun}s": lambda pick: Ask(body={"name": pick("text"), key: pick(noun), "focus": pick("text")}),
        f"GET {where}": lambda pick: _at(**{key: pick(noun)}),
        f"PATCH {where}": lambda pick: Ask({key: pick(noun)}, body={"focus": pick("text")}, denied=True),
        f"DELETE {where}": lambda pick: _at(**{key: pick(noun)}),
        f"POST {where}/regenerate-prompt": lambda pick: _at(**{key: pick(noun)}),
    }


OPERATIONS: Mapping[str, Callable[[Pick], Ask]] = {
    "POST /v1/events": lambda pick: Ask(body={"events": [_event(pick)]}),
    "GET /v1/events": lambda pick: Ask(query={"session_id": pick("session"), "actor_id": pick("actor")}),
    "POST /v1/events/status": lambda pick: Ask(body={"event_ids": [pick("event"), pick("message")]}),
    "POST /v1/search": lambda pick: Ask(
        body={
            "query": f"what was said on the pier, {pick('text')}?",
            "actor_id": pick("actor"),
            "session_id": pick("session"),
            "role_ids": [pick("role")],
            "team_ids": [pick("team")],
            "include_source_events": True,
            "explain": True,
        }
    ),
    "POST /v1/search/why": lambda pick: Ask(
        body={"query": "what was said on the pier?", "memory_id": pick("memory"), "actor_id": pick("actor")}
    ),
    "GET /v1/export": lambda pick: Ask(query={"deleted": "true", "keys": "true"}),
    "GET /v1/memories": lambda pick: Ask(query={"actor_id": pick("actor"), "q": "pier"}),
    "GET /v1/memories/stats": lambda pick: Ask(query={"actor_id": pick("actor")}),
    "GET /v1/memories/{memory_id}": lambda pick: _at(memory_id=pick("memory")),
    "PATCH /v1/memories/{memory_id}": lambda pick: Ask(
        {"memory_id": pick("memory")}, body={"text": f"{pick('text')} by hand"}, denied=True
    ),
    "DELETE /v1/memories/{memory_id}": lambda pick: _at(memory_id=pick("memory")),
    "GET /v1/memories/{memory_id}/history": lambda pick: _at(memory_id=pick("memory")),
    "GET /v1/memories/{memory_id}/sources": lambda pick: _at(memory_id=pick("memory")),
    "GET /v1/memories/{memory_id}/lineage": lambda pick: _at(memory_id=pick("memory")),
    "POST /v1/sessions": lambda pick: Ask(body={"session_id": pick("session"), "metadata": {"note": pick("text")}}),
    "GET /v1/sessions": lambda pick: Ask(query={"user_id": pick("user"), "limit": 200}),
    "GET /v1/sessions/{session_id}": lambda pick: _at(session_id=pick("session")),
    "PATCH /v1/sessions/{session_id}": lambda pick: Ask(
        {"session_id": pick("session")}, body={"metadata": {"more": pick("text")}}, denied=True
    ),
    "DELETE /v1/sessions/{session_id}": lambda pick: _at(session_id=pick("session")),
    "GET /v1/sessions/{session_id}/summary": lambda pick: _at(session_id=pick("session")),
    "GET /v1/sessions/{session_id}/summaries": lambda pick: _at(session_id=pick("session")),
    "POST /v1/sessions/{session_id}/search": lambda pick: Ask(
        {"session_id": pick("session")}, body={"text": "pier"}, denied=True
    ),
    "POST /v1/sessions/{session_id}/messages": lambda pick: Ask(
        {"session_id": pick("session")}, body={"messages": [{"role": "user", "content": f"{pick('text')} again"}]}
    ),
    "GET /v1/sessions/{session_id}/messages": lambda pick: _at(session_id=pick("session")),
    "GET /v1/sessions/{session_id}/messages/{message_id}": lambda pick: _at(
        session_id=pick("session"), message_id=pick("message")
    ),
    "PATCH /v1/sessions/{session_id}/messages/{message_id}": lambda pick: Ask(
        {"session_id": pick("session"), "message_id": pick("message")},
        body={"metadata": {"more": pick("text")}},
        denied=True,
    ),
    "DELETE /v1/sessions/{session_id}/messages/{message_id}": lambda pick: _at(
        session_id=pick("session"), message_id=pick("message")
    ),
    "POST /v1/sessions/{session_id}/messages/{message_id}/restore": lambda pick: _at(
        session_id=pick("session"), message_id=pick("message")
    ),
    "POST /v1/sessions/{session_id}/messages/{message_id}/hold": lambda pick: Ask(
        {"session_id": pick("session"), "message_id": pick("message")}, body={"held": True}, denied=True
    ),
    "POST /v1/context": lambda pick: Ask(body={"session_id": pick("session"), "query": "pier"}, denied=True),
    "POST /v1/users": lambda pick: Ask(body={"user_id": pick("user"), "first_name": pick("text")}),
    "GET /v1/users": lambda pick: Ask(query={"limit": 200}),
    "GET /v1/users/{user_id}": lambda pick: _at(user_id=pick("user")),
    "PATCH /v1/users/{user_id}": lambda pick: Ask(
        {"user_id": pick("user")}, body={"last_name": pick("text")}, denied=True
    ),
    "DELETE /v1/users/{user_id}": lambda pick: _at(user_id=pick("user")),
    "GET /v1/users/{user_id}/sessions": lambda pick: _at(user_id=pick("user")),
    "POST /v1/collections": lambda pick: Ask(body={"name": pick("collection"), "description": pick("text")}),
    "GET /v1/collections": lambda pick: Ask(query={"limit": 200}),
    "GET /v1/collections/{name}": lambda pick: _at(name=pick("collection")),
    "PATCH /v1/collections/{name}": lambda pick: Ask(
        {"name": pick("collection")}, body={"description": pick("text")}, denied=True
    ),
    "DELETE /v1/collections/{name}": lambda pick: _at(name=pick("collection")),
    "POST /v1/collections/{name}/documents": lambda pick: Ask(
        {"name": pick("collection")}, body={"documents": [{"content": f"{pick('text')} on paper"}]}, denied=True
    ),
    "POST /v1/collections/{name}/documents/get": lambda pick: Ask(
        {"name": pick("collection")}, body={"uuids": [pick("document")]}, denied=True
    ),
    "GET /v1/collections/{name}/documents/{document_uuid}": lambda pick: _at(
        name=pick("collection"), document_uuid=pick("document")
    ),
    "PATCH /v1/collections/{name}/documents/{document_uuid}": lambda pick: Ask(
        {"name": pick("collection"), "document_uuid": pick("document")},
        body={"metadata": {"note": pick("text")}},
        denied=True,
    ),
    "DELETE /v1/collections/{name}/documents/{document_uuid}": lambda pick: _at(
        name=pick("collection"), document_uuid=pick("document")
    ),
    "POST /v1/collections/{name}/search": lambda pick: Ask(
        {"name": pick("collection")}, body={"text": "paper"}, denied=True
    ),
    "POST /v1/purge": lambda pick: Ask(body={}),
    "POST /v1/forget": lambda pick: Ask(body={"session_id": pick("session"), "actor_id": pick("actor")}),
    "GET /v1/actors": lambda pick: Ask(query={"limit": 200}),
    "GET /v1/actors/{actor_id}": lambda pick: _at(actor_id=pick("actor")),
    "GET /v1/org": lambda pick: Ask(query={"org_id": pick("org")}, denied=True),
    "POST /v1/org": lambda pick: Ask(query={"org_id": pick("org")}, body={"focus": pick("text")}, denied=True),
    "PATCH /v1/org": lambda pick: Ask(query={"org_id": pick("org")}, body={"name": pick("text")}, denied=True),
    "DELETE /v1/org": lambda pick: Ask(query={"org_id": pick("org")}, denied=True),
    "POST /v1/org/regenerate-prompt": lambda pick: Ask(query={"org_id": pick("org")}, denied=True),
    **_group("role"),
    **_group("team"),
    "GET /v1/keys": lambda pick: Ask(query={"limit": 200}),
    "POST /v1/keys": lambda pick: Ask(body={"name": pick("text"), "scopes": ["read"]}),
    "DELETE /v1/keys/{key_id}": lambda pick: _at(key_id=pick("key")),
    "GET /v1/keys/{key_id}/usage": lambda pick: _at(key_id=pick("key")),
    "GET /v1/usage/summary": lambda pick: Ask(),
    "GET /v1/usage/timeseries": lambda pick: Ask(),
    "GET /v1/me": lambda pick: Ask(),
    "DELETE /v1/clear/{container_tag}": lambda pick: _at(container_tag=pick("session")),
    "GET /v1/jobs": lambda pick: Ask(query={"limit": 200}),
    "GET /v1/jobs/{job_id}": lambda pick: _at(job_id=pick("job")),
    "POST /v1/jobs/{job_id}/retry": lambda pick: _at(job_id=pick("job")),
}
"""One per route that needs a key: a route without one fails the test."""

KINDS: Mapping[str, Sequence[str]] = {
    "session": ["{session_id}", "{container_tag}"],
    "message": ["{message_id}"],
    "memory": ["{memory_id}"],
    "user": ["{user_id}"],
    "collection": ["{name}"],
    "document": ["{document_uuid}"],
    "actor": ["{actor_id}"],
    "role": ["{role_id}"],
    "team": ["{team_id}"],
    "key": ["{key_id}"],
    "job": ["{job_id}"],
    "org": ["/v1/org"],
}
"""Kind of id to what marks the routes that take one."""

LISTS = {
    "/v1/events": "event_id",
    "/v1/memories": "memory_id",
    "/v1/sessions": "session_id",
    "/v1/users": "user_id",
    "/v1/collections": "name",
    "/v1/roles": "role_id",
    "/v1/teams": "team_id",
    "/v1/keys": "key_id",
    "/v1/jobs": "job_id",
}
"""Lists that together show everything an org can lose, and by what each item is known."""

VOLATILE = {"last_used_at"}


def routes_taking(kind: str) -> list[str]:
    """The routes that refuse a foreign id of this kind."""
    taking = [route for route in OPERATIONS if any(mark in route for mark in KINDS[kind])]
    return [route for route in taking if OPERATIONS[route](lambda kind: kind).denied]


@dataclass(slots=True)
class Tenant:
    """An org with a key, its ids by kind, and a tag that is in every text and id it chose itself."""

    number: int
    client: httpx2.AsyncClient
    tag: str
    rng: random.Random
    ids: dict[str, list[str]] = field(default_factory=dict)
    borrowed: set[str] = field(default_factory=set)
    """Tags of others in ids that it uses for things of its own."""

    def pick(self, kind: str) -> str:
        """One of its own ids, or a text of its own."""
        if kind == "text":
            return f"{self.tag} {self.rng.choice(['heron', 'lamp', 'tide', 'mooring'])}"
        if kind == "org":
            return self.tag
        return self.rng.choice(self.ids.get(kind) or ["00000000-0000-7000-8000-000000000000"])

    async def ask(self, route: str, ask: Ask, **headers: str) -> tuple[httpx2.Response, str]:
        """The answer, and everything that was sent, as one text."""
        method, template = route.split(" ")
        path = template.format(**{name: quote(value, safe="") for name, value in ask.path.items()})
        options = {} if ask.body is None else {"json": ask.body}
        response = await self.client.request(method, path, params=dict(ask.query), headers=headers, **options)
        return response, repr((ask.path, ask.query, ask.body))

    async def everything(self) -> dict[str, dict[str, Any]]:
        """What its lists show, item by item."""
        found: dict[str, dict[str, Any]] = {}
        for path, key in LISTS.items():
            items = (await self.client.get(path, params={"limit": 200})).json()["items"]
            for item in items:
                found[f"{path} {item[key]}"] = {name: item[name] for name in item.keys() - VOLATILE}
        return found | {"/v1/org": (await self.client.get("/v1/org")).json()}


def new_tag(number: int, rng: random.Random) -> str:
    return f"q{number:02d}{''.join(rng.choices(string.ascii_lowercase, k=6))}z"


def owners(connection: Connection) -> dict[str, str]:
    """Whose each UUID in the database is, by what the tables say."""
    found: dict[str, str] = {}
    for table in metadata.sorted_tables:
        for column in table.columns:
            if column.name.endswith(("_id", "_uuid")) and column.name not in ("org_id", "worker_id"):
                rows = connection.execute(select(table.c.org_id, column).distinct())
                found |= {value: org_id for org_id, value in rows if value is not None and UUID.fullmatch(value)}
    return found
