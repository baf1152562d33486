"""Calls about the messages of a session."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from memcairn.client._operation import Operation, nothing, pairs, segment
from memcairn.client._operations.sessions import path as session_path
from memcairn.wire.events import Event
from memcairn.wire.messages import AddMessagesResponse, Hold, MessagePage, NewMessage


def add(
    session_id: str, messages: Sequence[NewMessage | Mapping[str, Any]], *, idempotency_key: str | None
) -> Operation[AddMessagesResponse]:
    return Operation(
        method="POST",
        path=_messages(session_id),
        body={"messages": messages},
        parse=AddMessagesResponse.model_validate_json,
        repeatable=True,  # by its key: the server keeps the first answer and gives it again
        idempotency_key=str(uuid4()) if idempotency_key is None else idempotency_key,
    )


def page(session_id: str, *, limit: int, cursor: str | None) -> Operation[MessagePage]:
    return Operation(
        method="GET",
        path=_messages(session_id),
        query=pairs(limit=limit, cursor=cursor),
        parse=MessagePage.model_validate_json,
        repeatable=True,
    )


def last(session_id: str, count: int) -> Operation[MessagePage]:
    return Operation(
        method="GET",
        path=_messages(session_id),
        query=pairs(last=count),
        parse=MessagePage.model_validate_json,
        repeatable=True,
    )


def get(session_id: str, message_id: str) -> Operation[Event]:
    return Operation(method="GET", path=_path(session_id, message_id), parse=Event.model_validate_json, repeatable=True)


def update(session_id: str, message_id: str, *, metadata: Mapping[str, Any]) -> Operation[Event]:
    return Operation(
        method="PATCH",
        path=_path(session_id, message_id),
        body={"metadata": metadata},
        parse=Event.model_validate_json,
        repeatable=True,  # merging the same values twice leaves what once leaves
    )


def delete(session_id: str, message_id: str) -> Operation[None]:
    return Operation(
        method="DELETE",
        path=_path(session_id, message_id),
        parse=nothing,
        repeatable=True,  # what is gone stays gone
        settled_by=frozenset({404}),  # the attempt that got lost on its way back had deleted it
    )


def restore(session_id: str, message_id: str) -> Operation[Event]:
    return Operation(
        method="POST",
        path=f"{_path(session_id, message_id)}/restore",
        parse=Event.model_validate_json,
        repeatable=True,  # what is back stays back
    )


def hold(session_id: str, message_id: str, *, held: bool) -> Operation[Hold]:
    return Operation(
        method="POST",
        path=f"{_path(session_id, message_id)}/hold",
        body={"held": held},
        parse=Hold.model_validate_json,
        repeatable=True,  # it is set, not switched
    )


def _messages(session_id: str) -> str:
    return f"{session_path(session_id)}/messages"


def _path(session_id: str, message_id: str) -> str:
    return f"{_messages(session_id)}/{segment('message_id', message_id)}"
