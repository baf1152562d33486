"""Keeping the database's planner informed."""

from memcairn.store import planning
from memcairn.store.database import Database


async def keep_statistics(database: Database) -> list[str]:
    """Have the tables analysed that have outgrown their statistics; their names. To be called while rows pour in."""
    tables = list(await database.read(planning.outgrown))
    if tables:
        await database.write(planning.analyse, tables)
    return tables
