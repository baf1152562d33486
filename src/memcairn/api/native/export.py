"""Everything an org holds, as one file."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.events import Admin
from memcairn.core.export_stream import streamed_export
from memcairn.core.exporting import ExportOptions
from memcairn.core.services import Services

MEDIA_TYPE = "application/x-ndjson"
_HEADERS = {"content-disposition": 'attachment; filename="memcairn-export.jsonl"'}

router = APIRouter(prefix="/v1/export", tags=["export"], route_class=KeyedRoute, dependencies=[bearer])


class ExportResponse(Response):
    """Reads and sends at once; a refusal is raised before the first byte of the answer."""

    media_type = MEDIA_TYPE

    def __init__(self, services: Services, org_id: str, options: ExportOptions) -> None:
        super().__init__()
        self._services = services
        self._org_id = org_id
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        services = self._services
        async with streamed_export(services.deps, services.exports, self._org_id, self._options) as pieces:
            await StreamingResponse(pieces, media_type=MEDIA_TYPE, headers=_HEADERS)(scope, receive, send)


@router.get(
    "",
    operation_id="export_org",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
)
async def get_export(
    request: Request,
    principal: Admin,
    deleted: Annotated[bool, Query(description="Take along what is deleted and not purged yet.")] = True,
    keys: Annotated[bool, Query(description="Take along the API keys (their hashes).")] = False,
) -> Response:
    """The org as JSON Lines, as of one moment: a header, a row a line, and a manifest of counts and hashes.

    `memcairn import` loads it into any server. An answer whose last line is not the manifest was broken off.
    """
    services = services_of(request)
    options = ExportOptions(keys=keys, deleted=deleted, now=services.deps.clock.now())
    return ExportResponse(services, principal.org_id, options)
