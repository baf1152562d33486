"""What every authenticated answer says about the org's use, in the spelling of every client version."""

from collections.abc import Mapping

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
    """`X-Usage-*` per dimension, `X-Plan`, and `X-RateLimit-*`.

    The rate is the month's quota of calls where there is one, else how fast the org may ask; without either it never
    runs out.
    """
    headers = {"X-Plan": plan}
    for dimension, names in SPELLINGS.items():
        limit = standing.limits.get(dimension)
        for name in names:
            headers[f"X-Usage-{name}"] = str(standing.used.get(dimension, 0))
            if limit is not None:
                headers[f"X-Usage-{name}-Limit"] = str(limit)
    return headers | _rate(standing)


def _rate(standing: Standing) -> dict[str, str]:
    calls = standing.limits.get(Dimension.API_CALLS)
    limit, reset = UNLIMITED if calls is None else calls, standing.month_ends_at
    remaining = max(0, limit - standing.used.get(Dimension.API_CALLS, 0))
    if calls is None and standing.rate is not None:
        limit, remaining, reset = standing.rate.limit, standing.rate.remaining, standing.rate.full_at
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(reset.timestamp())),
    }
