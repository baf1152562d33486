"""Single bytes of a database are flipped: what was said is never something else without being found out."""

import contextlib
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError

from memcairn.core.deps import Deps
from memcairn.core.examining import examine
from memcairn.domain.errors import DomainError
from memcairn.domain.keys import Principal
from memcairn.store.backup import faults_of
from memcairn.store.database import SqliteDatabase
from memcairn.store.index.sqlite import SqliteIndex
from tests.core.full_org import fill
from tests.faults.scale import times

FLIPS = times(40, 1_000)
WATCHED = (
    "SELECT event_id, actor_id, session_id, kind, content, name FROM events",
    "SELECT memory_id, text FROM memories WHERE deleted_at IS NULL AND status = 'active'",
    "SELECT memory_id, segment, terms, vector FROM index_rows",
    "SELECT rowid, scope, words FROM memory_words",
)
"""What a search or a transcript would show wrongly without anybody noticing."""


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.anyio
async def test_a_flipped_byte_in_what_is_shown_is_found(
    deps: Deps, principal: Principal, tmp_path: Path, record_property: Any
) -> None:
    await fill(deps, principal)
    await deps.db.wipe()
    whole = tmp_path / "memory.db"
    before = _watched(whole)
    rng = random.Random(20_260_131)
    content = whole.read_bytes()
    # Half of them anywhere, half of them where something is written: a page is full of nothing.
    places = [rng.randrange(100, len(content)) for _ in range(FLIPS)]
    places += rng.sample([place for place, byte in enumerate(content) if byte and place >= 100], FLIPS)

    changed = missed = 0
    for number, place in enumerate(places):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.randrange(8)
        path = tmp_path / f"{number}" / "memory.db"
        path.parent.mkdir()
        path.write_bytes(damaged)
        shown_wrongly = _watched(path) != before
        noticed = await _noticed(deps, path)
        changed += shown_wrongly
        missed += shown_wrongly and not noticed
        shutil.rmtree(path.parent)

    figure = f"bytes flipped: {len(places)} | shown wrongly: {changed} | of these not found: {missed}"
    record_property("figure", figure)
    assert changed > FLIPS // 8
    assert missed == 0


def _watched(path: Path) -> list[Any] | None:
    """What is shown; None where it cannot be read at all."""
    with contextlib.suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as connection:
        return [sorted(connection.execute(statement), key=repr) for statement in WATCHED]
    return None


async def _noticed(deps: Deps, path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        if faults_of(connection):
            return True
    try:
        database = SqliteDatabase(path)
    except DomainError:
        return True
    try:
        there = replace(deps, db=database, index=SqliteIndex())
        return any([finding.wrong async for finding in examine(there)])
    except (DomainError, DatabaseError, ValueError):
        return True
    finally:
        await database.close()
