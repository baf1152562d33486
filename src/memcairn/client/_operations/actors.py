"""Calls about actors."""

from memcairn.client._operation import Operation, pairs, segment
from memcairn.wire.actors import Actor, ActorPage, ActorSort


def page(*, sort: ActorSort | None, q: str | None, limit: int, cursor: str | None) -> Operation[ActorPage]:
    return Operation(
        method="GET",
        path="/v1/actors",
        query=pairs(sort=sort, q=q, limit=limit, cursor=cursor),
        parse=ActorPage.model_validate_json,
        repeatable=True,
    )


def get(actor_id: str) -> Operation[Actor]:
    return Operation(
        method="GET",
        path=f"/v1/actors/{segment('actor_id', actor_id)}",
        parse=Actor.model_validate_json,
        repeatable=True,
    )
