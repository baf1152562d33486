"""`/search`: memories alone, never the raw text of events that wait for processing."""

from starlette.responses import JSONResponse, Response

from memcairn.api.memsy.call import Call, fitting
from memcairn.api.memsy.errors import invalid
from memcairn.api.memsy.ingest import guard_org
from memcairn.api.memsy.schemas import Search
from memcairn.api.memsy.views import hit_view
from memcairn.core.search import SearchQuery, search


async def post_search(call: Call) -> Response:
    """The best memories, best first: of the actor, the roles and teams named and the org, or of all of them."""
    body = await call.object()
    guard_org(call, body)
    wanted = fitting(Search, body)
    if wanted.session_id is not None and wanted.exclude_session_id is not None:
        raise invalid("`session_id` and `exclude_session_id` exclude each other; send one of them.")
    query = SearchQuery(
        text=wanted.query,
        limit=wanted.limit,
        threshold=wanted.threshold,
        actor_id=wanted.actor_id,
        session_id=wanted.session_id,
        exclude_session_id=wanted.exclude_session_id,
        role_ids=[role_id.strip() for role_id in wanted.role_ids],
        team_ids=[team_id.strip() for team_id in wanted.team_ids],
        include_source_events=True,  # for what came with them
        include_pending=False,
    )
    hits = await search(call.deps, call.services.recalls, call.principal, query)
    now, with_events = call.deps.clock.now(), wanted.include_source_events
    results = [hit_view(hit, hit.memory, now, with_events=with_events) for hit in hits if hit.memory is not None]
    return JSONResponse({"results": results})
