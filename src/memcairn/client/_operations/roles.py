"""Calls about roles."""

from uuid import uuid4

from memcairn.client._operation import Operation, fields, nothing, pairs, segment
from memcairn.wire.roles import Role, RolePage


def page(*, limit: int, cursor: str | None) -> Operation[RolePage]:
    return Operation(
        method="GET",
        path="/v1/roles",
        query=pairs(limit=limit, cursor=cursor),
        parse=RolePage.model_validate_json,
        repeatable=True,
    )


def create(
    name: str,
    *,
    focus: str | None,
    role_id: str | None,
    promotion_prompt: str | None,
    idempotency_key: str | None,
) -> Operation[Role]:
    return Operation(
        method="POST",
        path="/v1/roles",
        body=fields(name=name, focus=focus, role_id=role_id, promotion_prompt=promotion_prompt),
        parse=Role.model_validate_json,
        repeatable=True,  # by its key: the server keeps the first answer and gives it again
        idempotency_key=str(uuid4()) if idempotency_key is None else idempotency_key,
    )


def get(role_id: str) -> Operation[Role]:
    return Operation(method="GET", path=_path(role_id), parse=Role.model_validate_json, repeatable=True)


def update(role_id: str, *, name: str | None, focus: str | None, promotion_prompt: str | None) -> Operation[Role]:
    return Operation(
        method="PATCH",
        path=_path(role_id),
        body=fields(name=name, focus=focus, promotion_prompt=promotion_prompt),
        parse=Role.model_validate_json,
        repeatable=True,  # every field is set to a value: twice leaves what once leaves
    )


def regenerate_prompt(role_id: str) -> Operation[Role]:
    return Operation(
        method="POST",
        path=f"{_path(role_id)}/regenerate-prompt",
        parse=Role.model_validate_json,
        repeatable=True,  # the template writes the same prompt again
    )


def delete(role_id: str) -> Operation[None]:
    return Operation(
        method="DELETE",
        path=_path(role_id),
        parse=nothing,
        repeatable=True,  # what is gone stays gone
        settled_by=frozenset({404}),  # the attempt that got lost on its way back had deleted it
    )


def _path(role_id: str) -> str:
    return f"/v1/roles/{segment('role_id', role_id)}"
