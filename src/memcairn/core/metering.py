"""Counting use in memory, so that no request costs a write: the upkeep of the server writes the counts in batches."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from memcairn.domain.errors import QuotaReached
from memcairn.domain.keys import Principal
from memcairn.domain.usage import NO_KEY, Dimension, MonthOfUsage, hour_of, month_of, next_month
from memcairn.store.usage import Spot

Counts = Mapping[str, Mapping[Spot, int]]
"""What was counted, per org."""


class Meter:
    """Counts since the last write, and how they stand against the quotas of the month.

    `quotas` are those of orgs without their own. Used from one event loop. Whoever reads counters from the database
    holds `settling` meanwhile, so that no count is on its way between memory and database and missed or seen twice.
    """

    def __init__(self, quotas: Mapping[Dimension, int] | None = None) -> None:
        self.settling = asyncio.Lock()
        self._default_quotas = dict(quotas or {})
        self._noted: dict[str, Counter[Spot]] = {}
        self._being_written: Counts = {}
        self._months: dict[str, MonthOfUsage] = {}

    def note(self, principal: Principal, dimension: Dimension, quantity: int, now: datetime) -> None:
        """Count something that a key caused."""
        self._note(principal.org_id, Spot(hour_of(now), dimension, principal.key_id), quantity)

    def note_of_org(self, org_id: str, dimension: Dimension, quantity: int, now: datetime) -> None:
        """Count something that no request caused, such as the tokens of background work."""
        self._note(org_id, Spot(hour_of(now), dimension, NO_KEY), quantity)

    def require(self, org_id: str, dimension: Dimension, adding: int, now: datetime) -> None:
        """QuotaReached when `adding` more would exceed the quota of the month; nothing is counted.

        Counts of other processes are known as of the last write of this one; an org that was never looked up
        (`learn`) has no quota here.
        """
        limit = self.limits(org_id).get(dimension)
        if limit is None or org_id not in self._months:
            return
        used = self.used(org_id, now).get(dimension, 0)
        if used + adding > limit:
            raise QuotaReached(
                f"The org has used {used} of {limit} {dimension.value} this month, and this request would add "
                f"{adding}. The next month begins at {next_month(now).isoformat()}; an operator can raise the quota.",
                dimension=dimension.value,
                used=used,
                limit=limit,
            )

    def charge(self, principal: Principal, dimension: Dimension, quantity: int, now: datetime) -> None:
        """Count something a key is about to cause; QuotaReached, and nothing counted, when the month has no room."""
        self.require(principal.org_id, dimension, quantity, now)
        self.note(principal, dimension, quantity, now)

    def require_room(self, org_id: str, events: int, now: datetime) -> None:
        """QuotaReached when the month has no room for this many events, or the org none for another memory."""
        self.require(org_id, Dimension.EVENTS_INGESTED, events, now)
        self.require(org_id, Dimension.MEMORIES_STORED, 1, now)

    def limits(self, org_id: str) -> Mapping[Dimension, int]:
        """The quotas in force; dimensions without one are unlimited."""
        month = self._months.get(org_id)
        return self._default_quotas | (dict(month.quotas) if month is not None else {})

    def used(self, org_id: str, now: datetime) -> Mapping[Dimension, int]:
        """What the month holds so far: as last written or read, and everything counted since."""
        begin, month = month_of(now), self._months.get(org_id)
        used: Counter[Dimension] = Counter(month.used if month is not None and month.month == begin else {})
        for counts in (self._being_written, self._noted):
            for spot, quantity in counts.get(org_id, {}).items():
                if month_of(spot.hour) == begin:
                    used[spot.dimension] += quantity
        return used

    def knows(self, org_id: str, now: datetime) -> bool:
        """Whether the org was looked up this month."""
        known = self._months.get(org_id)
        return known is not None and known.month == month_of(now)

    def learn(self, org_id: str, month: MonthOfUsage) -> None:
        """Take over what the database says of an org."""
        self._months[org_id] = month

    def unwritten(self, org_id: str) -> Mapping[Spot, int]:
        """Counts of an org that the database does not hold yet."""
        return self._noted.get(org_id, {})

    def begin_write(self) -> Counts:
        """Take everything counted so far; it counts as used until `end_write`."""
        self._being_written, self._noted = self._noted, {}
        return self._being_written

    def end_write(self, written: Mapping[str, MonthOfUsage]) -> None:
        """The counts of these orgs are in the database now; those of others were not written and are kept."""
        for org_id, counts in self._being_written.items():
            if org_id not in written:
                self._noted.setdefault(org_id, Counter()).update(counts)
        self._being_written = {}
        self._months |= written

    def _note(self, org_id: str, spot: Spot, quantity: int) -> None:
        if quantity:
            self._noted.setdefault(org_id, Counter())[spot] += quantity
