"""Calls about API keys."""

from collections.abc import Sequence
from datetime import datetime

from memcairn.client._operation import Operation, fields, nothing, pairs, segment
from memcairn.wire.events import Trust
from memcairn.wire.keys import KeyPage, KeyScope, MadeKey
from memcairn.wire.usage import Granularity, KeyUsage


def page(*, limit: int, cursor: str | None) -> Operation[KeyPage]:
    return Operation(
        method="GET",
        path="/v1/keys",
        query=pairs(limit=limit, cursor=cursor),
        parse=KeyPage.model_validate_json,
        repeatable=True,
    )


def create(
    name: str, *, scopes: Sequence[KeyScope], expires_at: datetime | str | None, trust: Trust | None
) -> Operation[MadeKey]:
    return Operation(
        method="POST",
        path="/v1/keys",
        body=fields(name=name, scopes=list(scopes), expires_at=expires_at, trust=trust),
        parse=MadeKey.model_validate_json,
        repeatable=False,  # the answer is the only place the key is ever shown: a second one would be another key
    )


def revoke(key_id: str) -> Operation[None]:
    return Operation(
        method="DELETE",
        path=_path(key_id),
        parse=nothing,
        repeatable=True,  # what is ended stays ended
        settled_by=frozenset({404}),  # the attempt that got lost on its way back had ended it
    )


def usage(
    key_id: str, *, granularity: Granularity, start: datetime | str | None, end: datetime | str | None
) -> Operation[KeyUsage]:
    return Operation(
        method="GET",
        path=f"{_path(key_id)}/usage",
        query=pairs(granularity=granularity, start=start, end=end),
        parse=KeyUsage.model_validate_json,
        repeatable=True,
    )


def _path(key_id: str) -> str:
    return f"/v1/keys/{segment('key_id', key_id)}"
