"""Domain objects as Zep's clients expect them."""

from collections.abc import Mapping
from typing import Any

from memcairn.api.zep.entities import with_entities
from memcairn.api.zep.values import zulu
from memcairn.domain.collections import Collection, Document
from memcairn.domain.conversations import Session, User
from memcairn.domain.events import Event, EventKind
from memcairn.domain.summaries import Summary

Json = dict[str, Any]

ROLE_BY_KIND: Mapping[EventKind, str] = {
    EventKind.USER_MESSAGE: "user",
    EventKind.ASSISTANT_MESSAGE: "assistant",
    EventKind.TOOL_RESULT: "tool",
    EventKind.APP_EVENT: "system",
}
"""For events that came through a door which has kinds and no roles; the client takes no message without a role."""


def session_view(session: Session) -> Json:
    return {
        "uuid": session.session_uuid,
        "id": session.number,
        "created_at": zulu(session.created_at),
        "updated_at": zulu(session.updated_at),
        "deleted_at": None,
        "session_id": session.session_id,
        "metadata": None if session.metadata is None else dict(session.metadata),
        "user_id": session.user_id,
    }


def user_view(user: User) -> Json:
    """A user; what is empty is left out."""
    profile = {
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "metadata": dict(user.metadata),
    }
    view = {
        "uuid": user.user_uuid,
        "id": user.number,
        "created_at": zulu(user.created_at),
        "updated_at": zulu(user.updated_at),
        "deleted_at": None,
        "user_id": user.user_id,
    }
    return view | {name: value for name, value in profile.items() if value}


def message_view(event: Event) -> Json:
    """An event as a message; the names found in it stand in its metadata under `system.entities`."""
    return {
        "uuid": event.event_id,
        "created_at": zulu(event.created_at),
        "updated_at": zulu(event.updated_at),
        "role": event.role if event.role is not None else ROLE_BY_KIND[event.kind],
        "content": event.content,
        "metadata": with_entities(event.metadata, event.content, said_at=event.occurred_at),
        "token_count": event.token_count,
    }


def summary_view(summary: Summary) -> Json:
    return {
        "uuid": summary.summary_id,
        "created_at": zulu(summary.created_at),
        "content": summary.content,
        "recent_message_uuid": summary.up_to_event_id,
        "metadata": with_entities(summary.metadata, summary.content, said_at=summary.created_at),
        "token_count": summary.token_count,
    }


def collection_view(collection: Collection) -> Json:
    """A collection with exactly these keys: the client refuses any other."""
    return {
        "uuid": collection.collection_id,
        "created_at": zulu(collection.created_at),
        "updated_at": zulu(collection.updated_at),
        "name": collection.name,
        "description": collection.description,
        "metadata": dict(collection.metadata),
        "embedding_dimensions": collection.embedding_dimensions,
        "is_auto_embedded": collection.is_auto_embedded,
        "is_normalized": collection.is_auto_embedded,
        "is_indexed": True,
        "document_count": collection.document_count,
        "document_embedded_count": collection.document_embedded_count,
    }


def document_view(document: Document) -> Json:
    return {
        "uuid": document.document_uuid,
        "created_at": zulu(document.created_at),
        "updated_at": zulu(document.updated_at),
        "document_id": document.document_id or "",
        "content": document.content,
        "metadata": dict(document.metadata or {}),
        "embedding": None if document.embedding is None else list(document.embedding),
        "is_embedded": document.embedding is not None,
    }
