"""`/sessions/{session_id}/search`: messages or summaries of one session, by likeness, metadata and time."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from memcairn.api.zep.answers import as_json_list
from memcairn.api.zep.call import Call
from memcairn.api.zep.schemas import MemorySearch
from memcairn.api.zep.views import Json, message_view, summary_view
from memcairn.core.conversation_search import Scope, SessionHit, search_session
from memcairn.domain.errors import Invalid, NotFound
from memcairn.domain.filters import Filter, parse_filter

DEFAULT_LIMIT = 10
SCOPES: Mapping[str, Scope] = {"messages": "messages", "summary": "summaries"}
MMR = "mmr"
"""Every other search type is similarity, as for Zep."""


async def search_memory(call: Call) -> Response:
    """Always a list: the best first, or without a text the newest first. An unknown session has nothing to find."""
    query = await call.body(MemorySearch)
    metadata = query.metadata or {}
    if not query.text.strip() and not metadata:
        raise Invalid("The search is empty: give a text, metadata, or both.")
    scope = SCOPES.get(query.search_scope or "messages")
    if scope is None:
        raise Invalid(f"There is no search scope {query.search_scope!r}; use messages or summary.")
    where = filter_of(metadata) if metadata else None
    try:
        hits = await search_session(
            call.deps,
            call.principal,
            call.path("session_id"),
            text=query.text.strip() or None,
            filter=where,
            scope=scope,
            mmr=query.search_type == MMR,
            mmr_lambda=query.mmr_lambda or None,
            limit=call.count() or DEFAULT_LIMIT,
        )
    except NotFound:
        hits = []
    return await as_json_list(hits, _hit_view)


def filter_of(metadata: Mapping[str, Any], *, dates: bool = True) -> Filter:
    """The condition under `where`, with the bounds on time beside it; other keys say nothing."""
    known = ("where", "start_date", "end_date") if dates else ("where",)
    return parse_filter({"where": None} | {key: metadata[key] for key in known if key in metadata})


def _hit_view(hit: SessionHit) -> Json:
    """`dist` is a likeness, higher for better, despite its name; it is Zep's."""
    return {
        "message": None if hit.event is None else message_view(hit.event),
        "summary": None if hit.summary is None else summary_view(hit.summary),
        "dist": round(hit.similarity, 6),
    }
