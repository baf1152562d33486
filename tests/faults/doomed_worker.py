"""A worker that ends or pauses itself at a named step: `python -m tests.faults.doomed_worker DATABASE_URL STEP SIGNAL`.

Its leases are short, so that what it leaves behind is soon taken over. The step `none` is never reached: a worker with
it is a healthy one.
"""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any

from memcairn.cli.serving import run_worker
from memcairn.core.deps import Deps
from memcairn.domain.jobs import Job, Task
from memcairn.pipeline import process, tasks, worker
from memcairn.settings import load
from memcairn.store import jobs

LEASE_SECONDS = 1.0
LIFE_SECONDS = 60
STEPS = ("claimed", "understood", "before the commit", "after the commit")


def main() -> None:
    database_url, doom, how = sys.argv[1:]
    signal_number = signal.Signals[how]
    signal.alarm(LIFE_SECONDS)
    _replace(jobs, "LEASE", timedelta(seconds=LEASE_SECONDS))
    _replace(worker, "HEARTBEAT_EVERY", timedelta(seconds=LEASE_SECONDS / 4))

    doomed = [doom]

    def reached(step: str) -> None:
        if doomed == [step]:
            doomed.clear()
            os.kill(os.getpid(), signal_number)

    carry_out, understand, write = process.process_events, process._understand, process._write

    async def process_events(deps: Deps, held: Sequence[Job]) -> None:
        reached("claimed")
        await carry_out(deps, held)
        reached("after the commit")

    def understand_then(*args: Any) -> Any:
        heard = understand(*args)
        reached("understood")
        return heard

    def write_then(*args: Any) -> None:
        write(*args)
        reached("before the commit")

    _replace(process, "_understand", understand_then)
    _replace(process, "_write", write_then)
    handlers: dict[Task, tasks.Handler] = tasks.HANDLERS  # type: ignore[assignment]  # read-only for everybody else
    handlers[Task.PROCESS_EVENTS] = replace(handlers[Task.PROCESS_EVENTS], carry_out=process_events)
    run_worker(load({"database_url": database_url}), as_json=True)


def _replace(module: ModuleType, name: str, value: object) -> None:
    assert hasattr(module, name)
    setattr(module, name, value)


if __name__ == "__main__":
    main()
