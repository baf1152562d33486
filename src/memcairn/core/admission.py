"""Letting a request in: who asks, how fast, and whether the month still holds it. Every door does it here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from memcairn.core.access import authenticate
from memcairn.core.limits import Rate
from memcairn.core.services import Services
from memcairn.core.usage import look_up
from memcairn.domain.keys import Principal
from memcairn.domain.usage import Dimension, next_month


@dataclass(frozen=True, slots=True)
class Standing:
    """How an org stands against its limits at one moment; dimensions without a limit are not in `limits`."""

    used: Mapping[Dimension, int]
    limits: Mapping[Dimension, int]
    month_ends_at: datetime
    rate: Rate | None


async def authenticated(services: Services, raw_key: str | None) -> Principal:
    """The principal behind a key; Unauthenticated as `core.access.authenticate` says."""
    return await authenticate(services.deps, services.keyring, raw_key, local_key=services.local_key)


async def charge(services: Services, principal: Principal) -> None:
    """Count one call; LimitReached when the org asks too fast, QuotaReached when its month is used up.

    A refused call is not counted.
    """
    deps = services.deps
    now = deps.clock.now()
    await look_up(deps, principal.org_id)
    services.rate_limits.take(principal.org_id, now)
    deps.meter.charge(principal, Dimension.API_CALLS, 1, now)


def limited(services: Services, principal: Principal) -> bool:
    """Whether anything limits how many requests the principal's org may make."""
    return services.rate_limits.limiting or Dimension.API_CALLS in services.deps.meter.limits(principal.org_id)


def standing(services: Services, principal: Principal) -> Standing:
    """How the principal's org stands now, with everything this process counted."""
    deps = services.deps
    now = deps.clock.now()
    return Standing(
        used=deps.meter.used(principal.org_id, now),
        limits=deps.meter.limits(principal.org_id),
        month_ends_at=next_month(now),
        rate=services.rate_limits.rate(principal.org_id, now),
    )
