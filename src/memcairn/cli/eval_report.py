"""`memcairn eval`, from the folder to the report."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from memcairn.assembly import open_database, opened
from memcairn.cli.eval_run import Measured, Progress, measure
from memcairn.cli.eval_set import EvalSet, load_set
from memcairn.cli.output import emit, escape, notes, results, table
from memcairn.domain.errors import Conflict, Unavailable
from memcairn.domain.evaluation import MEASURES, Figure, Scores, percentile, scores, scores_by_type
from memcairn.settings import Settings, load
from memcairn.store.migrate import drop_everything, has_tables
from memcairn.store.postgres import postgres_url

APART = frozenset({"adversarial"})
"""Types whose questions have no true answer; their gold is what misleads. They are reported and not counted."""


def run_eval(
    folder: Path,
    *,
    limit: int | None,
    tenants: int | None,
    embedder: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Measure and report; Unavailable, after the report, if events were left unprocessed.

    `database` is the address of an empty Postgres database; Conflict (`target_not_empty`) when it is not empty.
    """
    settings = load({"embedder": embedder})
    chosen = load_set(folder, tenants=tenants, limit=limit)
    with tempfile.TemporaryDirectory(prefix="memcairn-eval-") as place, _bars() as progress:
        url = None if database is None else SecretStr(postgres_url(database).render_as_string(hide_password=False))
        own = settings.model_copy(update={"data_dir": Path(place), "database_url": url})
        measured = asyncio.run(_measure(own, chosen, progress))
    report = report_of(chosen, measured, settings.embedder)
    if as_json:
        emit(report)
    else:
        _show(report)
    if measured.unprocessed:
        raise Unavailable(
            f"{measured.unprocessed} of {measured.events} events were not processed, so the figures are too low. "
            "The log lines above say why.",
            code="unprocessed_events",
        )


async def _measure(settings: Settings, chosen: EvalSet, progress: Progress) -> Measured:
    async with _emptied_afterwards(settings), opened(settings) as deps:
        return await measure(deps, chosen, progress)


@asynccontextmanager
async def _emptied_afterwards(settings: Settings) -> AsyncIterator[None]:
    """Leave an empty Postgres database as it was found; a file goes with its folder."""
    if settings.postgres_url is None:
        yield
        return
    database = open_database(settings)
    try:
        if await database.read(has_tables):
            raise Conflict(
                f"{settings.database_name} holds tables already. Name an empty database: what is measured there is "
                "removed afterwards.",
                code="target_not_empty",
            )
        try:
            yield
        finally:
            await database.write(drop_everything)
    finally:
        await database.close()


def report_of(chosen: EvalSet, measured: Measured, embedder: str) -> dict[str, Any]:
    """Everything that was measured, as JSON values."""
    counted = [answered for answered in measured.answered if answered.type not in APART]
    apart = [answered for answered in measured.answered if answered.type in APART]
    return {
        "set": chosen.name,
        "embedder": embedder,
        "llm": None,
        "tenants": len(chosen.turns),
        "events": measured.events,
        "events_unprocessed": measured.unprocessed,
        "questions_skipped": chosen.skipped,
        "total": _scores(scores(counted)),
        "by_type": {type_: _scores(found) for type_, found in scores_by_type(counted).items()},
        "apart": {type_: _scores(found) for type_, found in scores_by_type(apart).items()},
        "events_per_second": {
            "accepted": _rate(measured.events, measured.ingest_seconds),
            "processed": _rate(measured.events, measured.process_seconds),
        },
        "search_ms": {
            "p50": round(percentile(measured.search_millis, 50), 2),
            "p95": round(percentile(measured.search_millis, 95), 2),
        },
    }


def _rate(count: int, seconds: float) -> int:
    return round(count / seconds) if seconds > 0 else 0


def _scores(found: Scores) -> dict[str, Any]:
    return {"questions": found.questions} | {name: _figure(figure) for name, figure in found.figures.items()}


def _figure(figure: Figure) -> dict[str, float]:
    return {"value": round(figure.value, 4), "low": round(figure.low, 4), "high": round(figure.high, 4)}


def _show(report: Mapping[str, Any]) -> None:
    rows = [_row("all", report["total"])]
    rows += [_row(type_, found) for type_, found in report["by_type"].items()]
    rows += [_row(f"({type_})", found) for type_, found in report["apart"].items()]
    out = results()
    out.print(
        f"[bold]{escape(report['set'])}[/]: {report['events']} events of {report['tenants']} tenants, "
        f"no LLM, embedding: {escape(report['embedder'])}"
    )
    out.print(table(("TYPE", "ASKED", *MEASURES), rows, right=("ASKED", *MEASURES)))
    out.print("± is half of the 95 % interval; --json has its ends.")
    if report["apart"]:
        out.print("Types in brackets have no true answer and are not counted in `all`.")
    if report["questions_skipped"]:
        out.print(f"{report['questions_skipped']} questions name no turn and were skipped.")
    speed, search = report["events_per_second"], report["search_ms"]
    out.print(f"ingest: {speed['accepted']} events/s accepted, {speed['processed']} events/s processed")
    out.print(f"search: p50 {search['p50']:.1f} ms, p95 {search['p95']:.1f} ms")


def _row(name: str, found: Mapping[str, Any]) -> list[str]:
    cells = []
    for measure_name in MEASURES:
        figure = found.get(measure_name)
        cells.append("" if figure is None else f"{figure['value']:.3f} ±{(figure['high'] - figure['low']) / 2:.3f}")
    return [name, str(found["questions"]), *cells]


@contextmanager
def _bars() -> Iterator[Progress]:
    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=notes()) as bars:
        tasks = {}

        def advance(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done)

        yield advance
