"""How fast an org may ask: a bucket of tokens per org, in this process."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from memcairn.domain.errors import LimitReached

SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Rate:
    """How much of the rate is left; `full_at` is when all of it is there again."""

    limit: int
    remaining: int
    full_at: datetime


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: datetime


class RateLimits:
    """Lets each org make `per_minute` requests a minute, at once or spread; None lets everything through.

    Several server processes allow as many times as much: each keeps its own buckets.
    """

    def __init__(self, per_minute: int | None = None) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, _Bucket] = {}

    @property
    def limiting(self) -> bool:
        return self._per_minute is not None

    def take(self, org_id: str, now: datetime) -> None:
        """Take the token of one request; LimitReached when the bucket is empty, with the seconds until the next."""
        if self._per_minute is None:
            return
        bucket = self._filled(org_id, now, self._per_minute)
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return
        wait = (1 - bucket.tokens) * SECONDS_PER_MINUTE / self._per_minute
        raise LimitReached(
            f"The org made its {self._per_minute} requests of this minute. The next one is possible in "
            f"{max(1, math.ceil(wait))} s.",
            retry_after_seconds=wait,
            code="rate_limited",
        )

    def rate(self, org_id: str, now: datetime) -> Rate | None:
        """How the org stands; None where there is no limit."""
        if self._per_minute is None:
            return None
        bucket = self._filled(org_id, now, self._per_minute)
        missing_seconds = (self._per_minute - bucket.tokens) * SECONDS_PER_MINUTE / self._per_minute
        return Rate(self._per_minute, int(bucket.tokens), now + timedelta(seconds=missing_seconds))

    def _filled(self, org_id: str, now: datetime, per_minute: int) -> _Bucket:
        bucket = self._buckets.setdefault(org_id, _Bucket(float(per_minute), now))
        passed = max(0.0, (now - bucket.filled_at).total_seconds())  # a clock set back fills nothing
        bucket.tokens = min(float(per_minute), bucket.tokens + passed * per_minute / SECONDS_PER_MINUTE)
        bucket.filled_at = now
        return bucket
