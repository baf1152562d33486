"""The main job on a short conversation, in a folder that is removed afterwards: say it, see what is kept, ask."""

import asyncio
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console

from memcairn.assembly import opened
from memcairn.cli.mode import mode_of
from memcairn.cli.output import emit, escape, results
from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest, wait_until_processed
from memcairn.core.keys import ensure_default_org
from memcairn.core.memories import MemoryFilter, list_memories
from memcairn.core.recall import Recalls
from memcairn.core.search import Hit, SearchQuery, search
from memcairn.domain.candidates import MESSAGE
from memcairn.domain.errors import Unavailable
from memcairn.domain.events import EventKind, EventStatus, NewEvent
from memcairn.domain.keys import ALL_SCOPES, DEFAULT_ORG, Principal
from memcairn.domain.memories import Memory
from memcairn.pipeline.worker import Worker
from memcairn.settings import Settings, load

HITS = 2
BETWEEN_TURNS = timedelta(minutes=1)

_PRINCIPAL = Principal(DEFAULT_ORG, "demo", ALL_SCOPES)


@dataclass(frozen=True, slots=True)
class Asked:
    question: str
    hits: Sequence[Hit]
    millis: float


@dataclass(frozen=True, slots=True)
class Told:
    """What the demonstration did. `memories` are those read out of the words; the words themselves are kept besides."""

    mode: str
    events: Sequence[NewEvent]
    verbatim: int
    memories: Sequence[Memory]
    asked: Sequence[Asked]
    ingest_millis: float


def run_demo(*, as_json: bool) -> None:
    """Show it; offline, and whatever database the settings name stays untouched."""
    settings = load()
    with tempfile.TemporaryDirectory(prefix="memcairn-demo-") as place:
        own = settings.model_copy(update={"data_dir": Path(place), "database_url": None})
        told = asyncio.run(_tell(own, _script()))
    if as_json:
        emit(_as_json(told))
    else:
        _show(told, results())


def _script() -> Mapping[str, Any]:
    script: Mapping[str, Any] = json.loads(
        resources.files("memcairn.cli").joinpath("demo.json").read_text(encoding="utf-8")
    )
    return script


async def _tell(settings: Settings, script: Mapping[str, Any]) -> Told:
    events = _events(script)
    asked_at = datetime.fromisoformat(script["asked_at"])
    async with opened(settings) as deps, asyncio.TaskGroup() as tasks:
        await ensure_default_org(deps)
        worker = Worker(deps)
        tasks.create_task(worker.run(), name="memcairn-worker")
        try:
            started = time.perf_counter()
            await _ingest(deps, events)
            ingest_millis = (time.perf_counter() - started) * 1000
            kept = await list_memories(deps, _PRINCIPAL, MemoryFilter(), sort="observed_at_asc", limit=200)
            asked = [await _ask(deps, question, asked_at) for question in script["questions"]]
        finally:
            worker.stop()
    typed = [memory for memory in kept.items if memory.type != MESSAGE]
    return Told(mode_of(settings), events, len(kept.items) - len(typed), typed, asked, ingest_millis)


async def _ingest(deps: Deps, events: Sequence[NewEvent]) -> None:
    event_ids = await ingest(deps, _PRINCIPAL, events)
    states = await wait_until_processed(deps, _PRINCIPAL, event_ids)
    stuck = [state for state in states if state.status is not EventStatus.COMPLETED]
    if stuck:
        raise Unavailable(
            f"{len(stuck)} of {len(states)} messages were not processed ({stuck[0].error or 'no reason given'}). "
            "`memcairn doctor` checks this installation.",
            code="demo_failed",
        )


async def _ask(deps: Deps, question: str, asked_at: datetime) -> Asked:
    query = SearchQuery(question, limit=HITS, asked_at=asked_at, include_source_events=True)
    started = time.perf_counter()
    hits = await search(deps, Recalls(), _PRINCIPAL, query)
    return Asked(question, hits, (time.perf_counter() - started) * 1000)


def _events(script: Mapping[str, Any]) -> list[NewEvent]:
    return [
        NewEvent(
            actor_id=turn["actor_id"],
            session_id=session["session_id"],
            kind=EventKind(turn["kind"]),
            content=turn["content"],
            name=turn["name"],
            occurred_at=datetime.fromisoformat(session["said_at"]) + number * BETWEEN_TURNS,
        )
        for session in script["sessions"]
        for number, turn in enumerate(session["turns"])
    ]


def _show(told: Told, out: Console) -> None:
    out.print(f"[dim]Mode: {escape(told.mode)}. Database: SQLite in a temporary folder.[/]")
    out.print("\n[bold]What is said[/]")
    session = ""
    for event in told.events:
        if event.session_id != session:
            session = event.session_id
            out.print(f"  [dim]{session}, {event.occurred_at:%Y-%m-%d}[/]")
        out.print(f"    {f'{event.name}:':<10} {escape(event.content)}")
    out.print(
        f"\n[bold]What is kept[/]: {told.verbatim} messages as said, and what they tell "
        f"[dim]({told.ingest_millis:.0f} ms)[/]"
    )
    for memory in told.memories:
        out.print(f"  {memory.type:<11} {escape(memory.text)}{_validity(memory)}")
    out.print("\n[bold]What is asked[/]")
    for asked in told.asked:
        out.print(f"  [bold]{escape(asked.question)}[/]  [dim]{asked.millis:.1f} ms[/]")
        for hit in asked.hits:
            text, source = _hit_words(hit)
            out.print(f"    {hit.score:.2f}  {escape(text)}  [dim]{escape(source)}[/]")
    out.print("\nThe temporary folder is gone again. Next: [bold]memcairn serve[/]")


def _validity(memory: Memory) -> str:
    return "" if memory.valid_to is None else f"  [dim](until {memory.valid_to:%Y-%m-%d})[/]"


def _hit_words(hit: Hit) -> tuple[str, str]:
    """The text of a hit, and who said it when."""
    text = hit.memory.text if hit.memory is not None else ""
    source = hit.source_events[0] if hit.source_events else hit.event
    if source is None:
        return text, ""
    return text or source.content, f"{source.speaker}, {source.occurred_at:%Y-%m-%d}"


def _as_json(told: Told) -> dict[str, Any]:
    return {
        "mode": told.mode,
        "events": [
            {"name": event.name, "said_at": event.occurred_at, "content": event.content} for event in told.events
        ],
        "ingest_ms": round(told.ingest_millis, 1),
        "memories": [
            {"type": memory.type, "text": memory.text, "status": memory.status.value, "valid_to": memory.valid_to}
            for memory in told.memories
        ],
        "questions": [_asked_json(asked) for asked in told.asked],
    }


def _asked_json(asked: Asked) -> dict[str, Any]:
    hits = []
    for hit in asked.hits:
        text, source = _hit_words(hit)
        hits.append({"score": round(hit.score, 4), "similarity": round(hit.similarity, 4), "text": text, "by": source})
    return {"question": asked.question, "ms": round(asked.millis, 1), "hits": hits}
