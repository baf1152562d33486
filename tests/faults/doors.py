"""Every route of the vendors' doors as a request that can be made with anybody's ids, see `tenants`."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.faults.tenants import Ask, Pick

Operation = Callable[[Pick], Ask]

MEMSY = "/memsy/v1"
MEMSY_CONTROL = "/memsy/api"
ZEP = "/zep/api/v1"


def _get(**names: str) -> Operation:
    """A request whose path holds ids and whose body is empty; foreign ones are not found."""
    return lambda pick: Ask({name: pick(kind) for name, kind in names.items()}, denied=True)


def _send(body: Callable[[Pick], Any], **names: str) -> Operation:
    """The same with a body."""
    return lambda pick: Ask({name: pick(kind) for name, kind in names.items()}, body=body(pick), denied=True)


def _event(pick: Pick) -> dict[str, Any]:
    return {
        "actor_id": pick("actor"),
        "session_id": pick("session"),
        "kind": "user_message",
        "content": f"{pick('text')} was said at the gate.",
        "role_id": pick("role"),
        "team_id": pick("team"),
        "metadata": f'{{"note": "{pick("text")}"}}',
    }


def _search(pick: Pick) -> Ask:
    body = {"query": f"what was said, {pick('text')}?", "actor_id": pick("actor"), "include_source_events": True}
    return Ask(body=body | {"role_ids": [pick("role")], "team_ids": [pick("team")]})


def _described(pick: Pick) -> dict[str, str]:
    return {"name": pick("text"), "focus": pick("text")}


def _groups(noun: str) -> Mapping[str, Operation]:
    where = f"{MEMSY}/{noun}s/{{group_id}}"
    return {
        f"GET {MEMSY}/{noun}s": lambda pick: Ask(),
        f"POST {MEMSY}/{noun}s": lambda pick: Ask(body=_described(pick)),
        f"GET {where}": _get(group_id=noun),
        f"PATCH {where}": _send(_described, group_id=noun),
        f"DELETE {where}": _get(group_id=noun),
        f"POST {where}/regenerate-prompt": _get(group_id=noun),
    }


def _listed(**query: str) -> Operation:
    """A list, filtered by ids."""
    return lambda pick: Ask(query={name: pick(kind) for name, kind in query.items()})


def _plain(_pick: Pick) -> Ask:
    return Ask()


MEMSY_OPERATIONS: Mapping[str, Operation] = {
    f"POST {MEMSY}/ingest": lambda pick: Ask(body={"events": [_event(pick)]}),
    f"POST {MEMSY}/status": lambda pick: Ask(body={"event_ids": [pick("event")]}),
    f"POST {MEMSY}/search": _search,
    f"DELETE {MEMSY}/clear/{{container_tag}}": _get(container_tag="session"),
    f"GET {MEMSY}/orgs": _plain,
    f"POST {MEMSY}/orgs": _send(lambda pick: {"org_id": pick("org")} | _described(pick)),
    f"GET {MEMSY}/orgs/{{org_id}}": _get(org_id="org"),
    f"PATCH {MEMSY}/orgs/{{org_id}}": _send(_described, org_id="org"),
    f"DELETE {MEMSY}/orgs/{{org_id}}": _get(org_id="org"),
    f"POST {MEMSY}/orgs/{{org_id}}/regenerate-prompt": _get(org_id="org"),
    **_groups("role"),
    **_groups("team"),
    f"GET {MEMSY}/console/memories": _listed(actor_id="actor"),
    f"GET {MEMSY}/console/memories/stats": _plain,
    f"GET {MEMSY}/console/memories/{{memory_id}}": _get(memory_id="memory"),
    f"GET {MEMSY}/actors": _listed(q="actor"),
    f"GET {MEMSY}/actors/{{actor_id}}": _get(actor_id="actor"),
    f"GET {MEMSY_CONTROL}/me": _plain,
    f"GET {MEMSY_CONTROL}/usage/summary": _plain,
    f"GET {MEMSY_CONTROL}/usage/timeseries": _plain,
    f"GET {MEMSY_CONTROL}/billing/summary": _plain,
    f"GET {MEMSY_CONTROL}/billing/invoices": _plain,
    f"GET {MEMSY_CONTROL}/console/events": _listed(actor_id="actor", session_id="session"),
    f"GET {MEMSY_CONTROL}/keys": _plain,
    f"POST {MEMSY_CONTROL}/keys": lambda pick: Ask(body={"name": pick("text"), "scopes": ["read"]}),
    f"DELETE {MEMSY_CONTROL}/keys/{{key_id}}": _get(key_id="key"),
    f"GET {MEMSY_CONTROL}/keys/{{key_id}}/usage": _get(key_id="key"),
    f"POST {MEMSY_CONTROL}/interest/pro": lambda pick: Ask(body={"email": "a@example.org", "name": pick("text")}),
    f"GET {MEMSY_CONTROL}/interest/pro/status": _plain,
    f"GET {MEMSY_CONTROL}/connectors": _plain,
    f"GET {MEMSY_CONTROL}/connectors/providers": _plain,
    f"POST {MEMSY_CONTROL}/connectors/s3/configure": lambda pick: Ask(body={"bucket": pick("text")}),
    f"GET {MEMSY_CONTROL}/connectors/{{provider}}/status": lambda pick: Ask({"provider": "slack"}),
    f"POST {MEMSY_CONTROL}/connectors/{{provider}}/connect": lambda pick: Ask({"provider": "slack"}),
    f"GET {MEMSY_CONTROL}/connectors/{{connector_id}}": _get(connector_id="memory"),
    f"DELETE {MEMSY_CONTROL}/connectors/{{connector_id}}": _get(connector_id="memory"),
    f"GET {MEMSY_CONTROL}/connectors/{{connector_id}}/resources": _get(connector_id="memory"),
    f"PUT {MEMSY_CONTROL}/connectors/{{connector_id}}/resources": _send(
        lambda pick: {"resources": []}, connector_id="memory"
    ),
    f"GET {MEMSY_CONTROL}/connectors/{{connector_id}}/branches": _get(connector_id="memory"),
    f"POST {MEMSY_CONTROL}/connectors/{{connector_id}}/sync": _get(connector_id="memory"),
    f"GET {MEMSY_CONTROL}/connectors/{{connector_id}}/picker-token": _get(connector_id="memory"),
}

_SESSION, _MESSAGE = f"{ZEP}/sessions/{{session_id}}", f"{ZEP}/sessions/{{session_id}}/messages/{{message_id}}"
_SHELF, _DOCUMENT = f"{ZEP}/collection/{{name}}", f"{ZEP}/collection/{{name}}/document/uuid/{{uuid}}"


def _noted(pick: Pick) -> dict[str, Any]:
    return {"metadata": {"note": pick("text")}}


def _message(pick: Pick) -> dict[str, Any]:
    return {"messages": [{"role": "human", "content": f"{pick('text')} once more"}]}


def _shelf(pick: Pick) -> dict[str, Any]:
    return {"name": pick("collection"), "embedding_dimensions": 8, "is_auto_embedded": True} | _noted(pick)


ZEP_OPERATIONS: Mapping[str, Operation] = {
    f"GET {ZEP}/sessions": _plain,
    f"POST {ZEP}/sessions": lambda pick: Ask(body={"session_id": pick("session")} | _noted(pick)),
    f"GET {_SESSION}": _get(session_id="session"),
    f"PATCH {_SESSION}": _send(_noted, session_id="session"),
    f"GET {_SESSION}/memory": _get(session_id="session"),
    f"POST {_SESSION}/memory": lambda pick: Ask({"session_id": pick("session")}, body=_message(pick)),
    f"DELETE {_SESSION}/memory": _get(session_id="session"),
    f"GET {_SESSION}/messages": lambda pick: Ask({"session_id": pick("session")}),
    f"GET {_MESSAGE}": _get(session_id="session", message_id="message"),
    f"PATCH {_MESSAGE}": _send(_noted, session_id="session", message_id="message"),
    f"POST {_SESSION}/search": lambda pick: Ask({"session_id": pick("session")}, body={"text": "heron"}),
    f"GET {ZEP}/user": _plain,
    f"POST {ZEP}/user": lambda pick: Ask(body={"user_id": pick("user")} | _noted(pick)),
    f"GET {ZEP}/user/{{user_id}}": _get(user_id="user"),
    f"PATCH {ZEP}/user/{{user_id}}": _send(_noted, user_id="user"),
    f"DELETE {ZEP}/user/{{user_id}}": _get(user_id="user"),
    f"GET {ZEP}/user/{{user_id}}/sessions": lambda pick: Ask({"user_id": pick("user")}),
    f"GET {ZEP}/collection": _plain,
    f"GET {_SHELF}": _get(name="collection"),
    f"POST {_SHELF}": lambda pick: Ask({"name": pick("collection")}, body=_shelf(pick)),
    f"PATCH {_SHELF}": _send(_noted, name="collection"),
    f"DELETE {_SHELF}": _get(name="collection"),
    f"POST {_SHELF}/search": _send(lambda pick: {"text": "paper"}, name="collection"),
    f"POST {_SHELF}/index/create": _get(name="collection"),
    f"POST {_SHELF}/document": _send(lambda pick: [{"content": f"{pick('text')} on paper"}], name="collection"),
    f"GET {_DOCUMENT}": _get(name="collection", uuid="document"),
    f"PATCH {_DOCUMENT}": _send(_noted, name="collection", uuid="document"),
    f"DELETE {_DOCUMENT}": _get(name="collection", uuid="document"),
    f"POST {_SHELF}/document/list/get": _send(lambda pick: {"uuids": [pick("document")]}, name="collection"),
    f"POST {_SHELF}/document/list/delete": _send(lambda pick: [pick("document")], name="collection"),
    f"PATCH {_SHELF}/document/list/update": _send(
        lambda pick: [{"uuid": pick("document")} | _noted(pick)], name="collection"
    ),
}

OPERATIONS: Mapping[str, Operation] = {**MEMSY_OPERATIONS, **ZEP_OPERATIONS}
