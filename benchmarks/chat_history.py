"""Keeping a chat history: Memcairn inside the process beside two libraries that do nothing else.

    python benchmarks/chat_history.py [--peers PATH/bin/python] [--rounds 3]

The two libraries are installed once in an environment of their own, in the user's cache folder; `--peers` names a
Python that has them instead. Each store has a process of its own, one after the other in every round. Memcairn derives
memories from what it is told meanwhile, which the others do not. The last rows tell how each file was synced (2: at
every commit; 1: at checkpoints only) and how much CPU time a message took in batches, work in the background included.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Awaitable, Callable
from pathlib import Path

SESSIONS = 40
BATCH = 50
SINGLES = 200
READS = 200
PEERS = ("openai-agents", "langchain-community", "greenlet")
STORES = ("memcairn", "openai-agents SQLiteSession", "langchain SQLChatMessageHistory")

Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="a Python with the two libraries")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", choices=STORES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.store is not None:
        print(json.dumps(asyncio.run(_measured(options.store))))
        return
    peers = str(options.peers or _peers_python())
    asked = f"from importlib.metadata import version; print(*(f'{{each}} {{version(each)}}' for each in {PEERS[:2]}))"
    subprocess.run([peers, "-c", asked], check=True)
    print(f"load {os.getloadavg()[0]:.1f} before the start", flush=True)
    chosen = {STORES[0]: sys.executable} | dict.fromkeys(STORES[1:], peers)
    rounds = [
        {store: _in_process_of_its_own(python, store) for store, python in chosen.items()}
        for _ in range(options.rounds)
    ]
    for name in rounds[0][STORES[0]]:
        print(name)
        ours = statistics.median(each[STORES[0]][name] for each in rounds)
        for store in chosen:
            value = statistics.median(each[store][name] for each in rounds)
            print(f"  {store:34} {value:10.1f}   {value / ours:6.2f} times ours" if ours else f"  {store}")


def _peers_python() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "memcairn" / "chat-history-peers"
    python, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
        complete.touch()
    return python


def _in_process_of_its_own(python: str, store: str) -> Figures:
    done = subprocess.run([python, __file__, "--store", store], capture_output=True, text=True, check=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


async def _measured(store: str) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        if store == STORES[0]:
            return await _memcairn(Path(folder))
        if store == STORES[1]:
            return await _agents(Path(folder) / "history.db")
        return await _langchain(Path(folder) / "history.db")


async def _memcairn(folder: Path) -> Figures:
    from memcairn import AsyncMemcairnClient  # noqa: PLC0415 -- this file also runs where it is not installed

    async with AsyncMemcairnClient.local(folder) as client:

        async def add(session: str, texts: list[str]) -> object:
            return await client.messages.add(session, [{"role": "user", "content": text} for text in texts])

        figures = await _figures(add, lambda session: client.messages.last(session, 20))
    return figures | {"synchronous": 2}  # set by the store on each connection; tests/store/test_database.py holds it


async def _agents(path: Path) -> Figures:
    from agents import SQLiteSession  # type: ignore[import-not-found]  # noqa: PLC0415 -- only the peers' Python has it

    sessions = {name: SQLiteSession(name, path) for name in _names()}

    async def add(session: str, texts: list[str]) -> object:
        return await sessions[session].add_items([{"role": "user", "content": text} for text in texts])

    figures = await _figures(add, lambda session: sessions[session].get_items(limit=20))
    return figures | {"synchronous": _synchronous(path)}


async def _langchain(path: Path) -> Figures:
    from langchain_community.chat_message_histories import (  # type: ignore[import-not-found]  # noqa: PLC0415 -- as above
        SQLChatMessageHistory,
    )
    from langchain_core.messages import HumanMessage  # type: ignore[import-not-found]  # noqa: PLC0415 -- as above

    histories = {name: SQLChatMessageHistory(name, connection=f"sqlite:///{path}") for name in _names()}

    async def add(session: str, texts: list[str]) -> object:
        return histories[session].add_messages([HumanMessage(text) for text in texts])

    async def last(session: str) -> object:
        return histories[session].messages[-20:]

    return (await _figures(add, last)) | {"synchronous": _synchronous(path)}


async def _figures(
    add: Callable[[str, list[str]], Awaitable[object]], last: Callable[[str], Awaitable[object]]
) -> Figures:
    texts = [f"Number {n}: the ferry leaves the harbour at noon, and the heron stays." for n in range(BATCH)]
    await add("s0", texts[:1])
    started, cpu = time.perf_counter(), time.process_time()
    for session in _names():
        await add(session, texts)
    batches = SESSIONS * BATCH / (time.perf_counter() - started)
    cpu_micros = 1_000_000 * (time.process_time() - cpu) / (SESSIONS * BATCH)
    started = time.perf_counter()
    for number in range(SINGLES):
        await add(f"s{number % SESSIONS}", texts[:1])
    singles = SINGLES / (time.perf_counter() - started)
    millis = []
    for number in range(READS):
        started = time.perf_counter()
        await last(f"s{number % SESSIONS}")
        millis.append(1_000 * (time.perf_counter() - started))
    return {
        f"batches of {BATCH}, messages/s": batches,
        "one at a time, messages/s": singles,
        "last 20, p50 ms": statistics.median(millis),
        "CPU of a message in a batch, µs": cpu_micros,
    }


def _names() -> list[str]:
    return [f"s{number}" for number in range(SESSIONS)]


def _synchronous(path: Path) -> float:
    """What a new connection to the file is set to, which is what these libraries leave it at."""
    with sqlite3.connect(path) as connection:
        return float(connection.execute("PRAGMA synchronous").fetchone()[0])


if __name__ == "__main__":
    main()
