"""`memcairn forget`."""

from typing import Annotated

import typer

from memcairn.cli.options import AsJson, DataDir
from memcairn.cli.output import emit, results


def forget(
    org: Annotated[str, typer.Option(help="The org to forget in.")],
    key: Annotated[str | None, typer.Option(help="What was written with this key; its id.", metavar="KEY_ID")] = None,
    channel: Annotated[str | None, typer.Option(help="What came in by native, zep, memsy, mcp or import.")] = None,
    session: Annotated[str | None, typer.Option(help="What was said in this session.")] = None,
    actor: Annotated[str | None, typer.Option(help="What was said by or to this actor.")] = None,
    max_trust: Annotated[str | None, typer.Option(help="What is trusted no more than low, normal or high.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what was received from this ISO date on.")] = None,
    before: Annotated[str | None, typer.Option(help="Only what was received before this ISO date.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what rests on it at most.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Hide everything that came from a source, and what rests on it alone; `purge` removes it for good."""
    from memcairn.cli.forgetting import Source, forget_in  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    source = Source(key, channel, session, actor, max_trust, since, before)
    receipt = forget_in(data_dir, org, source, dry_run=dry_run)
    if as_json:
        emit({name: getattr(receipt, name) for name in type(receipt).__slots__})
        return
    done = "At most this rests on it:" if dry_run else "Hidden from every read:"
    results().print(
        f"{done} {receipt.events} events, {receipt.memories} memories, {receipt.promoted} risen from them"
        + ("." if dry_run else f", {receipt.summaries} summaries. `memcairn purge` removes them for good.")
    )
