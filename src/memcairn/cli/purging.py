"""The purge on the database of the settings: the work behind `memcairn purge`."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

from memcairn.assembly import opened
from memcairn.core.purge import PurgeReport, purge
from memcairn.domain.errors import Invalid
from memcairn.settings import load
from memcairn.store import orgs

_SPAN = re.compile(r"(\d{1,5})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}


def purge_database(data_dir: Path | None, *, org_id: str | None, older_than: str) -> PurgeReport:
    """NotFound when there is no such org; Invalid for a span that cannot be read."""
    age = span(older_than)

    async def run() -> PurgeReport:
        async with opened(load({"data_dir": data_dir}), embeds=False) as deps:
            if org_id is not None:
                await deps.db.read(orgs.require, org_id)
            return await purge(deps, older_than=age, org_id=org_id)

    return asyncio.run(run())


def span(text: str) -> timedelta:
    """What `12h`, `30d` or `8w` means."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise Invalid(f"The span {text!r} cannot be read. Write one such as 12h, 30d or 8w.", code="invalid_span")
    return timedelta(hours=int(match[1]) * _HOURS[match[2]])
