"""The index of the database of the settings, mended: the work behind `memcairn reindex`."""

import asyncio
from pathlib import Path

from memcairn.assembly import opened
from memcairn.cli.progress import progress
from memcairn.core.reindexing import Reindexed, mend_word_index, reindex_org
from memcairn.settings import load
from memcairn.store import orgs


def reindex_database(data_dir: Path | None, *, org_id: str | None, everything: bool) -> tuple[Reindexed, bool]:
    """What was done, and whether the word index was torn as a whole; NotFound when there is no such org."""

    async def run() -> tuple[Reindexed, bool]:
        async with opened(load({"data_dir": data_dir})) as deps:
            chosen = await deps.db.read(orgs.every) if org_id is None else [await deps.db.read(orgs.require, org_id)]
            torn = await mend_word_index(deps)
            done = Reindexed()
            for org in chosen:
                with progress(f"Memories of {org.org_id}") as on_progress:
                    done += await reindex_org(deps, org.org_id, everything=everything, on_progress=on_progress)
            return done, torn

    return asyncio.run(run())
