"""The tables spread over a cluster: the work behind `memcairn migrate --distribute`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from memcairn.settings import load
from memcairn.store.distribution import distribute, no_cluster_for_sqlite
from memcairn.store.migrate import migrate
from memcairn.store.postgres import PostgresDatabase
from memcairn.store.schema import metadata


def spread_database(data_dir: Path | None) -> Sequence[str]:
    """Migrate, and spread what is not spread yet; the tables. Conflict without a Postgres that has Citus."""
    url = load({"data_dir": data_dir}).url
    if url is None or not url.startswith("postgres"):
        raise no_cluster_for_sqlite()

    async def run() -> Sequence[str]:
        # Moving rows that are there already takes as long as it takes.
        database = PostgresDatabase(url, statement_timeout_seconds=0)
        try:
            await database.write(migrate)
            return await database.write(distribute, metadata)
        finally:
            await database.close()

    return asyncio.run(run())
