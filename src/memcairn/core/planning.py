"""Keeping the database's planner informed."""

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from memcairn.domain.errors import Unavailable
from memcairn.store import planning
from memcairn.store.database import Database

EVERY_SECONDS = 1.0

log = logging.getLogger(__name__)


async def keep_statistics(database: Database) -> list[str]:
    """Have the tables analysed that have outgrown their statistics; their names. To be called while rows pour in."""
    tables = list(await database.read(planning.outgrown))
    if tables:
        await database.write(planning.analyse, tables)
    return tables


async def keep_statistics_up(database: Database) -> None:
    """The same every second, until cancelled; what goes wrong is logged, and tried again."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await keep_statistics(database)
        except (Unavailable, SQLAlchemyError) as error:
            log.error("tables could not be analysed; it is tried again", exc_info=error)
