"""Search inside the process: Memcairn beside mem0 (with qdrant and with faiss) and LangGraph's in-memory store.

    python -m benchmarks.peers_search FOLDER_OF_FOLDERS [--memories 6000] [--searches 100]

Every store holds the same texts of one user, uses the same static embedding and answers the same questions, ten hits
each, one after the other, each store in a process of its own and one process at a time. mem0 keeps texts as they are
(`infer=False`). The peers live in a virtual environment that is made the first time, in `~/.cache/memcairn-benchmarks`.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

PEERS = ("mem0ai==2.2.1", "qdrant-client==1.20.0", "faiss-cpu==1.15.1", "langgraph==1.2.22", "wordllama==0.4.0.post1")
CACHE = Path.home() / ".cache" / "memcairn-benchmarks" / "peers"
STORES = ("memcairn", "mem0 qdrant", "mem0 faiss", "langgraph InMemoryStore")
DIMENSIONS = 256
HITS = 10
SETTLE_SECONDS = 3
"""After filling, for the summaries that are still being made."""
USER = "ann"

Search = Callable[[str], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--memories", type=int, default=6_000)
    parser.add_argument("--searches", type=int, default=400)
    parser.add_argument("--store", choices=STORES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.store is not None:
        given = json.loads(options.data.read_text(encoding="utf-8"))
        print(json.dumps(_measured(options.store, given["texts"], given["questions"])))
        return
    peers = _peers()
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "given.json"
        given.write_text(json.dumps(_given(options.data, options.memories, options.searches)), encoding="utf-8")
        print(f"{options.memories} memories of one user, {options.searches} searches, {os.cpu_count()} cores")
        for store in STORES:
            figures = _in_process_of_its_own(sys.executable if store == STORES[0] else str(peers), store, given)
            line = "  ".join(f"{name} {value:8.2f}" for name, value in figures.items())
            print(f"{store:26} {line}", flush=True)


def _given(data: Path, memories: int, searches: int) -> dict[str, list[str]]:
    from benchmarks import bulk  # noqa: PLC0415 -- this file also runs where Memcairn is not installed

    return {
        "texts": [turn.text for turn in bulk.turns(data, memories, per_actor=memories)],
        "questions": bulk.questions(data)[:searches],
    }


def _peers() -> Path:
    """The interpreter of the peers' environment, made if it is not there."""
    python = CACHE / "bin" / "python"
    wanted = CACHE / "installed.txt"
    if not wanted.exists() or wanted.read_text(encoding="utf-8").split() != list(PEERS):
        venv.create(CACHE, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
        wanted.write_text("\n".join(PEERS), encoding="utf-8")
    return python


def _in_process_of_its_own(python: str, store: str, given: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"MEM0_TELEMETRY": "False", "MEM0_DIR": home, "OPENAI_API_KEY": "none"}
        command = [python, str(Path(__file__).resolve()), str(given), "--store", store]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=home)
    if done.returncode:
        raise SystemExit(f"{store} failed:\n{done.stderr[-2_000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _measured(store: str, texts: list[str], questions: list[str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        if store == STORES[0]:
            return asyncio.run(_memcairn(Path(folder), texts, questions))
        started = time.perf_counter()
        search = _langgraph(texts) if store == STORES[3] else _mem0(store.split()[1], Path(folder), texts)
        filled = time.perf_counter() - started
        search(questions[0])
        millis, cpu = [], time.process_time()
        for question in questions:
            began = time.perf_counter()
            search(question)
            millis.append((time.perf_counter() - began) * 1_000)
        return _figures(millis, time.process_time() - cpu, filled)


async def _memcairn(folder: Path, texts: list[str], questions: list[str]) -> dict[str, float]:
    from memcairn import AsyncMemcairnClient  # noqa: PLC0415 -- the peers' environment does not have it

    async with AsyncMemcairnClient.local(folder) as client:
        events = [
            {"actor_id": USER, "session_id": f"s{n // 25}", "kind": "user_message", "content": text}
            for n, text in enumerate(texts)
        ]
        started = time.perf_counter()
        for start in range(0, len(events), 500):
            await client.ingest(events[start : start + 500], wait=True)
        filled = time.perf_counter() - started
        await asyncio.sleep(SETTLE_SECONDS)
        await client.search(questions[0], actor_id=USER, limit=HITS)
        millis, cpu = [], time.process_time()
        for question in questions:
            began = time.perf_counter()
            await client.search(question, actor_id=USER, limit=HITS)
            millis.append((time.perf_counter() - began) * 1_000)
        return _figures(millis, time.process_time() - cpu, filled)


def _figures(millis: list[float], cpu_seconds: float, filled: float) -> dict[str, float]:
    return {
        "p50 ms": statistics.median(millis),
        "p95 ms": statistics.quantiles(millis, n=20)[18],
        "processor ms": cpu_seconds * 1_000 / len(millis),
        "filled in s": filled,
    }


def _embed() -> Callable[[list[str]], list[list[float]]]:
    import wordllama  # noqa: PLC0415 -- as above

    folder = Path(str(wordllama.__file__)).parent
    words = wordllama.WordLlama.load(cache_dir=folder, dim=DIMENSIONS, disable_download=True)
    return lambda texts: [[float(value) for value in row] for row in words.embed(texts, norm=True)]


def _langgraph(texts: list[str]) -> Search:
    from langgraph.store.memory import InMemoryStore  # type: ignore[import-not-found]  # noqa: PLC0415 -- as above

    store = InMemoryStore(index={"dims": DIMENSIONS, "embed": _embed(), "fields": ["text"]})
    for number, text in enumerate(texts):
        store.put((USER,), str(number), {"text": text})
    return lambda question: store.search((USER,), query=question, limit=HITS)


def _mem0(vectors: str, folder: Path, texts: list[str]) -> Search:
    from mem0 import Memory  # type: ignore[import-not-found]  # noqa: PLC0415 -- as above
    from mem0.configs.base import MemoryConfig  # type: ignore[import-not-found]  # noqa: PLC0415 -- as above
    from mem0.embeddings.configs import EmbedderConfig  # type: ignore[import-not-found]  # noqa: PLC0415 -- as above
    from mem0.utils.factory import EmbedderFactory  # type: ignore[import-not-found]  # noqa: PLC0415 -- as above
    from mem0.vector_stores.configs import VectorStoreConfig  # type: ignore[import-not-found]  # noqa: PLC0415 -- as above

    embed = _embed()

    class SameEmbedding:
        config: Any = None

        def embed(self, text: str, memory_action: str | None = None) -> list[float]:
            return embed([text])[0]

        def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
            return embed(texts)

    EmbedderFactory.create = classmethod(lambda *_: SameEmbedding())
    where = {"collection_name": "memories", "embedding_model_dims": DIMENSIONS, "path": str(folder / vectors)}
    memory = Memory(
        MemoryConfig(
            vector_store=VectorStoreConfig(provider=vectors, config=where),
            embedder=EmbedderConfig(provider="openai", config={}),
            history_db_path=str(folder / "history.db"),
        )
    )
    for start in range(0, len(texts), 500):
        said = [{"role": "user", "content": text} for text in texts[start : start + 500]]
        memory.add(said, user_id=USER, infer=False)
    return lambda question: memory.search(question, top_k=HITS, filters={"user_id": USER})


if __name__ == "__main__":
    main()
