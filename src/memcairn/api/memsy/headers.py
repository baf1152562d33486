"""What every authenticated answer says about the org's use, in the spelling of every client version."""

from collections.abc import Mapping

from memcairn.api.allowance import rate_headers
from memcairn.core.admission import Standing
from memcairn.domain.usage import Dimension

SPELLINGS: Mapping[Dimension, tuple[str, ...]] = {
    Dimension.API_CALLS: ("ApiCalls", "ApiCall"),
    Dimension.EVENTS_INGESTED: ("EventsIngested",),
    Dimension.MEMORIES_STORED: ("MemoriesStored", "MemoryStored"),
    Dimension.LLM_TOKENS: ("LlmTokens",),
    Dimension.SEARCH_QUERIES: ("SearchQueries",),
}
"""Clients up to 0.3.0 read the second spelling where there are two, later ones the first."""

UNLIMITED = 2**31 - 1
"""Clients take no answer without a number for "no rate limits known"."""


def of_standing(standing: Standing, plan: str) -> dict[str, str]:
    """`X-Usage-*` per dimension, `X-Plan`, and `X-RateLimit-*`, with a limit out of reach where there is none."""
    headers = {"X-Plan": plan}
    for dimension, names in SPELLINGS.items():
        limit = standing.limits.get(dimension)
        for name in names:
            headers[f"X-Usage-{name}"] = str(standing.used.get(dimension, 0))
            if limit is not None:
                headers[f"X-Usage-{name}-Limit"] = str(limit)
    return headers | (dict(rate_headers(standing)) or _without_limit(standing))


def _without_limit(standing: Standing) -> dict[str, str]:
    used = standing.used.get(Dimension.API_CALLS, 0)
    return {
        "X-RateLimit-Limit": str(UNLIMITED),
        "X-RateLimit-Remaining": str(max(0, UNLIMITED - used)),
        "X-RateLimit-Reset": str(int(standing.month_ends_at.timestamp())),
    }
