"""What a running server holds besides its dependencies: hints that are gathered in memory and written in batches."""

from dataclasses import dataclass, field

from memcairn.core.access import Keyring
from memcairn.core.deps import Deps
from memcairn.core.export_stream import Exports
from memcairn.core.idempotency import InFlight
from memcairn.core.limits import RateLimits
from memcairn.core.recall import Recalls, write_recalls
from memcairn.core.usage import write_usage
from memcairn.store import jobs, keys


@dataclass(frozen=True, slots=True)
class Services:
    """One per process; the doors receive it from the composition root."""

    deps: Deps
    recalls: Recalls = field(default_factory=Recalls)
    keyring: Keyring = field(default_factory=Keyring)
    in_flight: InFlight = field(default_factory=InFlight)
    exports: Exports = field(default_factory=Exports)
    rate_limits: RateLimits = field(default_factory=RateLimits)
    local_key: str | None = None
    """Set for a server inside its client's process, see `core.access.authenticate`."""


async def write_hints(services: Services) -> None:
    """Write what was gathered since the last time: usage, recalls and last uses of keys."""
    deps = services.deps
    await write_usage(deps)
    await write_recalls(deps, services.recalls)
    last_used = services.keyring.take()
    if last_used:
        await deps.db.write(keys.note_use, last_used)
    deps.metrics.jobs_counted(await deps.db.read(jobs.count_by_status))
