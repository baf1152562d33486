"""Calls about teams."""

from uuid import uuid4

from memcairn.client._operation import Operation, fields, nothing, pairs, segment
from memcairn.wire.teams import Team, TeamPage


def page(*, limit: int, cursor: str | None) -> Operation[TeamPage]:
    return Operation(
        method="GET",
        path="/v1/teams",
        query=pairs(limit=limit, cursor=cursor),
        parse=TeamPage.model_validate_json,
        repeatable=True,
    )


def create(
    name: str,
    *,
    focus: str | None,
    team_id: str | None,
    promotion_prompt: str | None,
    idempotency_key: str | None,
) -> Operation[Team]:
    return Operation(
        method="POST",
        path="/v1/teams",
        body=fields(name=name, focus=focus, team_id=team_id, promotion_prompt=promotion_prompt),
        parse=Team.model_validate_json,
        repeatable=True,  # by its key: the server keeps the first answer and gives it again
        idempotency_key=str(uuid4()) if idempotency_key is None else idempotency_key,
    )


def get(team_id: str) -> Operation[Team]:
    return Operation(method="GET", path=_path(team_id), parse=Team.model_validate_json, repeatable=True)


def update(team_id: str, *, name: str | None, focus: str | None, promotion_prompt: str | None) -> Operation[Team]:
    return Operation(
        method="PATCH",
        path=_path(team_id),
        body=fields(name=name, focus=focus, promotion_prompt=promotion_prompt),
        parse=Team.model_validate_json,
        repeatable=True,  # every field is set to a value: twice leaves what once leaves
    )


def regenerate_prompt(team_id: str) -> Operation[Team]:
    return Operation(
        method="POST",
        path=f"{_path(team_id)}/regenerate-prompt",
        parse=Team.model_validate_json,
        repeatable=True,  # the template writes the same prompt again
    )


def delete(team_id: str) -> Operation[None]:
    return Operation(
        method="DELETE",
        path=_path(team_id),
        parse=nothing,
        repeatable=True,  # what is gone stays gone
        settled_by=frozenset({404}),  # the attempt that got lost on its way back had deleted it
    )


def _path(team_id: str) -> str:
    return f"/v1/teams/{segment('team_id', team_id)}"
