"""Many memories in little time: the turns of real conversations taken apart and put together anew, from a seed.

    python -m benchmarks.bulk FOLDER_OF_FOLDERS DATABASE_FOLDER --memories 100000 [--per-actor 5000] [--seed 1]

Words and vectors are then distributed like real ones. Sessions, events, memories and index rows are written by the
store's own functions, as the pipeline leaves them behind; what is left out is the pipeline's thinking.
"""

import argparse
import asyncio
import gzip
import json
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from memcairn.assembly import opened
from memcairn.core.deps import Deps
from memcairn.core.indexing import Prepared, entries, prepare_now
from memcairn.core.ingest import digest_of
from memcairn.core.keys import ensure_first_key
from memcairn.domain.candidates import MESSAGE
from memcairn.domain.candidates import digest_of as statement_digest
from memcairn.domain.events import Event, EventKind, EventStatus, NewEvent
from memcairn.domain.ids import new_id
from memcairn.domain.keys import DEFAULT_ORG
from memcairn.domain.memories import HALF_LIFE_DAYS, Memory, MemoryKind, MemoryStatus
from memcairn.domain.scopes import actor_scope
from memcairn.domain.tokens import estimate_tokens
from memcairn.settings import Settings
from memcairn.store import events, memories, sessions
from memcairn.store.memories import MemoryRow

KEY = "the key of a benchmark"
SEED = 1
PER_ACTOR = 5_000
SESSION_TURNS = 25
BATCH = 2_000
MAX_CHARS = 400
"""One index row a memory: longer texts are cut into several."""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True, slots=True)
class Turn:
    """`number` counts all turns of a bulk; an actor's sessions follow each other in turn with other actors'."""

    number: int
    actor_id: str
    session_id: str
    speaker: str
    text: str


def turns(data: Path, count: int, *, per_actor: int = PER_ACTOR, seed: int = SEED) -> Iterator[Turn]:
    """`count` turns made of the sentences of every set below `data`; the same seed gives the same turns."""
    rng = random.Random(seed)
    said = _said(data)
    sentences = [[part for part in _SENTENCE.split(text) if part.strip()] for _, text in said]
    pool = [part for parts in sentences for part in parts if len(part) < MAX_CHARS]
    speakers = sorted({speaker for speaker, _ in said})
    actors = max(1, count // per_actor)
    for number in range(count):
        session = number // SESSION_TURNS
        actor = session % actors
        length = min(4, len(rng.choice(sentences)) or 1)
        text = " ".join(_sentence(rng, pool) for _ in range(length))[:MAX_CHARS]
        speaker = speakers[(actor * 2 + number % 2) % len(speakers)]
        yield Turn(number, actor_name(actor), f"bulk {session}", speaker, text)


def actor_name(number: int) -> str:
    return f"actor {number}"


def questions(data: Path) -> list[str]:
    """Every question of the sets, shuffled by a seed: the first hundred are of all sets, and of every length."""
    paths = sorted(data.glob("*/queries.jsonl.gz"))
    asked = [question["query"] for path in paths for question in read_lines(path)]
    random.Random(SEED).shuffle(asked)
    return asked


def read_lines(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


async def fill(deps: Deps, made: Iterator[Turn]) -> int:
    """Write turns as events, memories and index rows; returns how many."""
    await ensure_first_key(deps, KEY)
    count = 0
    while batch := list(islice(made, BATCH)):
        prepared = prepare_now(deps, [turn.text for turn in batch])
        await deps.db.write(_add, deps, batch, prepared)
        count += len(batch)
    return count


def _said(data: Path) -> list[tuple[str, str]]:
    paths = sorted(data.glob("*/docs.jsonl.gz"))
    return [(turn["speaker"] or turn["role"], turn["text"]) for path in paths for turn in read_lines(path)]


def _sentence(rng: random.Random, pool: Sequence[str]) -> str:
    """A sentence as said, or the head of one with the tail of another."""
    first = rng.choice(pool)
    if rng.random() < 0.5:
        return first
    head, tail = first.split(), rng.choice(pool).split()
    return " ".join(head[: (len(head) + 1) // 2] + tail[len(tail) // 2 :])


def _add(connection: Connection, deps: Deps, batch: Sequence[Turn], prepared: Sequence[Prepared]) -> None:
    sizes: dict[str, int] = {}
    for turn in batch:
        sizes[turn.session_id] = sizes.get(turn.session_id, 0) + 1
    places = sessions.reserve(connection, DEFAULT_ORG, sizes, BEGIN)
    heard = []
    for turn in batch:
        heard.append(_event(turn, places[turn.session_id]))
        places[turn.session_id] += 1
    digests = [
        digest_of(NewEvent(each.actor_id, each.session_id, each.kind, each.content, each.name)) for each in heard
    ]
    events.add(connection, heard, digests)
    rows = [_memory(each) for each in heard]
    memories.add(connection, rows)
    indexed = [one for row, pieces in zip(rows, prepared, strict=True) for one in entries(row.memory, pieces)]
    deps.index.put(connection, DEFAULT_ORG, indexed, model=deps.embedder.model)


def _event(turn: Turn, position: int) -> Event:
    moment = BEGIN + timedelta(seconds=turn.number * 30)
    return Event(
        org_id=DEFAULT_ORG,
        event_id=new_id(),
        session_id=turn.session_id,
        position=position,
        actor_id=turn.actor_id,
        kind=EventKind.USER_MESSAGE,
        content=turn.text,
        name=turn.speaker,
        role=None,
        token_count=estimate_tokens(turn.text),
        metadata={},
        role_id=None,
        team_id=None,
        status=EventStatus.COMPLETED,
        error=None,
        occurred_at=moment,
        created_at=moment,
        updated_at=moment,
    )


def _memory(event: Event) -> MemoryRow:
    memory = Memory(
        org_id=event.org_id,
        memory_id=new_id(),
        scope=actor_scope(event.actor_id),
        session_id=event.session_id,
        position=event.position,
        kind=MemoryKind.EPISODIC,
        type=MESSAGE,
        status=MemoryStatus.ACTIVE,
        text=event.content,
        title=None,
        speaker=event.name,
        slot=None,
        tags=(),
        entities=(),
        confidence=0.8,
        strength=1.0,
        recall_count=0,
        last_recalled_at=None,
        half_life_days=HALF_LIFE_DAYS,
        pinned=True,
        observed_at=event.occurred_at,
        valid_from=None,
        valid_to=None,
        supersedes=None,
        metadata={},
        created_at=event.created_at,
        updated_at=event.updated_at,
        source_event_ids=(event.event_id,),
    )
    return MemoryRow(memory, digest=statement_digest(event.content, event.speaker))


async def _main(options: argparse.Namespace) -> None:
    async with opened(Settings(data_dir=options.database, database_url=None)) as deps:
        started = time.perf_counter()
        made = turns(options.data, options.memories, per_actor=options.per_actor, seed=options.seed)
        count = await fill(deps, made)
        print(f"{count} memories in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("database", type=Path)
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--per-actor", type=int, default=PER_ACTOR)
    parser.add_argument("--seed", type=int, default=SEED)
    asyncio.run(_main(parser.parse_args()))
