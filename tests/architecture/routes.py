"""Who may use which route: one line each. A route that is not here fails the tests."""

from collections.abc import Mapping

from memcairn.domain.keys import KeyScope

READ, WRITE, ADMIN = KeyScope.READ, KeyScope.WRITE, KeyScope.ADMIN

OPEN = None
"""Answered without a key."""

ANY = frozenset(KeyScope)
"""Answered to every valid key."""

ROUTES: Mapping[str, KeyScope | frozenset[KeyScope] | None] = {
    "POST /v1/events": WRITE,
    "GET /v1/events": READ,
    "POST /v1/events/status": READ,
    "POST /v1/search": READ,
    "POST /v1/search/why": READ,
    "GET /v1/memories": READ,
    "GET /v1/memories/{memory_id}": READ,
    "PATCH /v1/memories/{memory_id}": WRITE,
    "DELETE /v1/memories/{memory_id}": WRITE,
    "GET /v1/memories/{memory_id}/history": READ,
    "GET /v1/memories/{memory_id}/sources": READ,
    "GET /v1/memories/{memory_id}/lineage": READ,
    "GET /v1/sessions/{session_id}/summary": READ,
    "GET /v1/sessions/{session_id}/summaries": READ,
    "POST /v1/context": READ,
    "POST /v1/sessions/{session_id}/search": READ,
    "POST /v1/collections": WRITE,
    "GET /v1/collections": READ,
    "GET /v1/collections/{name}": READ,
    "PATCH /v1/collections/{name}": WRITE,
    "DELETE /v1/collections/{name}": WRITE,
    "POST /v1/collections/{name}/documents": WRITE,
    "POST /v1/collections/{name}/documents/get": READ,
    "GET /v1/collections/{name}/documents/{document_uuid}": READ,
    "PATCH /v1/collections/{name}/documents/{document_uuid}": WRITE,
    "DELETE /v1/collections/{name}/documents/{document_uuid}": WRITE,
    "POST /v1/collections/{name}/search": READ,
    "POST /v1/sessions": WRITE,
    "GET /v1/sessions": READ,
    "GET /v1/sessions/{session_id}": READ,
    "PATCH /v1/sessions/{session_id}": WRITE,
    "DELETE /v1/sessions/{session_id}": WRITE,
    "POST /v1/sessions/{session_id}/messages": WRITE,
    "GET /v1/sessions/{session_id}/messages": READ,
    "GET /v1/sessions/{session_id}/messages/{message_id}": READ,
    "PATCH /v1/sessions/{session_id}/messages/{message_id}": WRITE,
    "DELETE /v1/sessions/{session_id}/messages/{message_id}": WRITE,
    "POST /v1/sessions/{session_id}/messages/{message_id}/restore": WRITE,
    "POST /v1/sessions/{session_id}/messages/{message_id}/hold": WRITE,
    "POST /v1/users": WRITE,
    "GET /v1/users": READ,
    "GET /v1/users/{user_id}": READ,
    "PATCH /v1/users/{user_id}": WRITE,
    "DELETE /v1/users/{user_id}": WRITE,
    "GET /v1/users/{user_id}/sessions": READ,
    "POST /v1/purge": ADMIN,
    "GET /v1/memories/stats": READ,
    "GET /v1/actors": READ,
    "GET /v1/actors/{actor_id}": READ,
    "GET /v1/org": READ,
    "POST /v1/org": ADMIN,
    "PATCH /v1/org": ADMIN,
    "DELETE /v1/org": ADMIN,
    "POST /v1/org/regenerate-prompt": ADMIN,
    "GET /v1/roles": READ,
    "POST /v1/roles": ADMIN,
    "GET /v1/roles/{role_id}": READ,
    "PATCH /v1/roles/{role_id}": ADMIN,
    "DELETE /v1/roles/{role_id}": ADMIN,
    "POST /v1/roles/{role_id}/regenerate-prompt": ADMIN,
    "GET /v1/teams": READ,
    "POST /v1/teams": ADMIN,
    "GET /v1/teams/{team_id}": READ,
    "PATCH /v1/teams/{team_id}": ADMIN,
    "DELETE /v1/teams/{team_id}": ADMIN,
    "POST /v1/teams/{team_id}/regenerate-prompt": ADMIN,
    "GET /v1/keys": ADMIN,
    "POST /v1/keys": ADMIN,
    "DELETE /v1/keys/{key_id}": ADMIN,
    "GET /v1/keys/{key_id}/usage": ADMIN,
    "GET /v1/usage/summary": ADMIN,
    "GET /v1/usage/timeseries": ADMIN,
    "GET /v1/me": ANY,
    "DELETE /v1/clear/{container_tag}": WRITE,
    "GET /v1/jobs": READ,
    "GET /v1/jobs/{job_id}": READ,
    "POST /v1/jobs/{job_id}/retry": WRITE,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": OPEN,
}

DOORS = frozenset({"/zep", "/memsy"})
"""Applications mounted whole. Their routes have a table of their own beside them, and tests that hold them to it."""
