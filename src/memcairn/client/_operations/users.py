"""Calls about users."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from memcairn.client._operation import Operation, fields, pairs, segment
from memcairn.wire.sessions import SessionPage
from memcairn.wire.users import Receipt, User, UserPage


def add(
    user_id: str,
    *,
    email: str | None,
    first_name: str | None,
    last_name: str | None,
    metadata: Mapping[str, Any] | None,
    idempotency_key: str | None,
) -> Operation[User]:
    return Operation(
        method="POST",
        path="/v1/users",
        body=fields(user_id=user_id, email=email, first_name=first_name, last_name=last_name, metadata=metadata),
        parse=User.model_validate_json,
        repeatable=True,  # by its key: the server keeps the first answer and gives it again
        idempotency_key=str(uuid4()) if idempotency_key is None else idempotency_key,
    )


def get(user_id: str) -> Operation[User]:
    return Operation(method="GET", path=_path(user_id), parse=User.model_validate_json, repeatable=True)


def update(
    user_id: str,
    *,
    email: str | None,
    first_name: str | None,
    last_name: str | None,
    metadata: Mapping[str, Any] | None,
) -> Operation[User]:
    return Operation(
        method="PATCH",
        path=_path(user_id),
        body=fields(email=email, first_name=first_name, last_name=last_name, metadata=metadata),
        parse=User.model_validate_json,
        repeatable=True,  # every field is set or merged: twice leaves what once leaves
    )


def delete(user_id: str) -> Operation[Receipt]:
    return Operation(
        method="DELETE",
        path=_path(user_id),
        parse=Receipt.model_validate_json,
        repeatable=False,  # the receipt is given once; a second call would find nobody
    )


def page(*, limit: int, cursor: str | None) -> Operation[UserPage]:
    return Operation(
        method="GET",
        path="/v1/users",
        query=pairs(limit=limit, cursor=cursor),
        parse=UserPage.model_validate_json,
        repeatable=True,
    )


def sessions(user_id: str, *, limit: int, cursor: str | None) -> Operation[SessionPage]:
    return Operation(
        method="GET",
        path=f"{_path(user_id)}/sessions",
        query=pairs(limit=limit, cursor=cursor),
        parse=SessionPage.model_validate_json,
        repeatable=True,
    )


def _path(user_id: str) -> str:
    return f"/v1/users/{segment('user_id', user_id)}"
