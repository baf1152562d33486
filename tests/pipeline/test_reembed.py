"""Another embedder takes over: behind what people do, and without losing sight of anything."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from memcairn.core import collections, document_search, documents, indexing, memories, reembedding
from memcairn.core.deps import Deps
from memcairn.core.recall import Recalls
from memcairn.core.search import Hit, SearchQuery, search
from memcairn.domain.clock import FrozenClock
from memcairn.domain.collections import NewDocument
from memcairn.domain.errors import Unavailable
from memcairn.domain.jobs import JobStatus, Task
from memcairn.domain.keys import Principal
from memcairn.pipeline.worker import Worker
from memcairn.providers.fake import FakeEmbedder
from memcairn.providers.fastembed_embedder import fastembed_embedder
from memcairn.store import jobs, vectors
from memcairn.store.database import SqliteDatabase
from tests.build import ORG, index_on
from tests.core.talk import process, say
from tests.providers.tiny_models import model_folder

pytestmark = pytest.mark.anyio

UMBRELLA = "I lost my umbrella on the ferry"
SAID = [f"I saw {count} herons near the old chapel on walk number {count}." for count in range(60)]


class Neural(FakeEmbedder):
    """Has a vector for every text, unless it `chokes` on a word of it or is `down`."""

    covers_all = True

    def __init__(self, dimensions: int, *, chokes_on: str = "\0", down: bool = False) -> None:
        super().__init__(dimensions, f"neural:{dimensions}")
        self.chokes_on, self.down = chokes_on, down
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.down:
            raise Unavailable("down", code="embedder_unavailable")
        self.embedded += texts
        rows = super().embed(texts)
        rows[[number for number, text in enumerate(texts) if self.chokes_on in text]] = 0
        return rows


def with_embedder(deps: Deps, embedder: FakeEmbedder) -> Deps:
    """The same server, started again with another embedder."""
    return replace(deps, embedder=embedder, index=index_on(deps.db))


async def counted(deps: Deps) -> dict[str | None, int]:
    return await deps.db.read(vectors.counts, ORG)


async def asked(deps: Deps, principal: Principal, words: str) -> list[Hit]:
    return await search(deps, Recalls(), principal, SearchQuery(words, limit=5))


async def half_way(deps: Deps) -> dict[str | None, int]:
    """Work until the first vectors are replaced."""
    while deps.embedder.model not in (found := await counted(deps)):
        await Worker(deps).run_once()
    return found


async def talked(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, "s1", *SAID)
    await process(deps)


async def test_every_vector_becomes_one_of_the_new_embedder(deps: Deps, principal: Principal) -> None:
    await talked(deps, principal)
    before = await counted(deps)
    new = with_embedder(deps, Neural(48))

    assert await reembedding.begin(new) == 1
    await process(new)

    assert await counted(new) == {"neural:48": sum(before.values())}
    assert (await reembedding.progress(new, ORG)).done


async def test_what_waits_is_found_by_words_and_never_compared(deps: Deps, principal: Principal) -> None:
    await talked(deps, principal)
    new = with_embedder(deps, Neural(768))
    await reembedding.begin(new)

    [hit, *_] = await asked(new, principal, "walk number 17")

    assert hit.memory is not None
    assert "walk number 17" in hit.memory.text
    assert hit.similarity == 0


async def test_answers_are_there_at_every_step(deps: Deps, principal: Principal) -> None:
    await talked(deps, principal)
    new = with_embedder(deps, Neural(768))
    await reembedding.begin(new)
    worker, steps = Worker(new), 0

    while await worker.run_once():
        steps += 1
        hits = await asked(new, principal, f"walk number {steps % 60}")
        assert hits[0].memory is not None
        assert f"walk number {steps % 60}." in hits[0].memory.text

    assert steps > 2
    assert (await asked(new, principal, "walk number 3"))[0].similarity > 0


async def test_what_is_said_meanwhile_does_not_wait(deps: Deps, principal: Principal) -> None:
    await talked(deps, principal)
    new = with_embedder(deps, Neural(48))
    await reembedding.begin(new)

    await half_way(new)
    await say(new, principal, "s1", UMBRELLA)
    await Worker(new).run_once()

    [hit, *_] = await asked(new, principal, "umbrella on the ferry")
    assert hit.memory is not None
    assert hit.similarity > 0
    assert not (await reembedding.progress(new, ORG)).done


async def test_from_384_to_768_numbers_with_real_models(deps: Deps, principal: Principal, tmp_path: Path) -> None:
    words = sorted({word for text in SAID for word in text.lower().replace(".", "").split()})
    narrow = fastembed_embedder(str(model_folder(tmp_path / "n", dimensions=384, words=words)), models=tmp_path)
    wide = fastembed_embedder(str(model_folder(tmp_path / "w", dimensions=768, words=words)), models=tmp_path)
    first, second = replace(deps, embedder=narrow), replace(deps, embedder=wide, index=index_on(deps.db))
    await talked(first, principal)

    await reembedding.begin(second)
    during = await asked(second, principal, "walk number 9")
    await process(second)
    after = await asked(second, principal, "walk number 9")

    assert [hits[0].memory and hits[0].memory.text for hits in (during, after)] == [SAID[9], SAID[9]]
    assert set(await counted(second)) == {wide.model}
    assert after[0].similarity > 0.5


async def test_a_worker_that_was_killed_leaves_the_rest_to_the_next(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    await talked(deps, principal)
    new = with_embedder(deps, Neural(48))
    await reembedding.begin(new)
    half = (await half_way(new))["neural:48"]
    await deps.db.write(jobs.claim, "killed", clock.now(), limit=10)
    embedder = Neural(48)

    clock.advance(timedelta(minutes=1))
    await process(with_embedder(deps, embedder))

    assert 0 < half < sum((await counted(new)).values())
    assert set(await counted(new)) == {"neural:48"}
    assert len(embedder.embedded) < sum((await counted(new)).values())


async def test_beginning_again_adds_no_work(deps: Deps, principal: Principal) -> None:
    await talked(deps, principal)
    new = with_embedder(deps, Neural(48))

    await asyncio.gather(reembedding.begin(new), reembedding.begin(new))
    await reembedding.begin(new, thorough=True)

    assert len(await deps.db.read(jobs.queued, ORG, Task.REEMBED)) == 1


async def test_nothing_is_embedded_twice(deps: Deps, principal: Principal) -> None:
    await talked(deps, principal)
    embedder = Neural(48)
    new = with_embedder(deps, embedder)
    await reembedding.begin(new)
    await process(new)
    once = len(embedder.embedded)

    assert await reembedding.begin(new) == 0
    await reembedding.begin(new, thorough=True)
    await process(new)

    assert len(embedder.embedded) == once


async def test_the_embedder_chosen_last_wins(deps: Deps, principal: Principal, clock: FrozenClock) -> None:
    await talked(deps, principal)
    first, second = with_embedder(deps, Neural(48)), with_embedder(deps, Neural(64))
    await reembedding.begin(first)
    await half_way(first)
    await reembedding.begin(second)

    for _ in range(30):
        await process(first)
        clock.advance(timedelta(seconds=20))
        await process(second)

    assert set(await counted(second)) == {"neural:64"}


async def test_what_a_killed_process_had_claimed_for_another_embedder_is_in_nobodys_way(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    await talked(deps, principal)
    first, second = with_embedder(deps, Neural(48)), with_embedder(deps, Neural(64))
    await reembedding.begin(first)
    await half_way(first)
    await deps.db.write(jobs.claim, "killed", clock.now(), limit=10)

    await reembedding.begin(second)
    await process(second)
    clock.advance(timedelta(minutes=1))
    await process(second)

    assert set(await counted(second)) == {"neural:64"}
    assert (await reembedding.progress(second, ORG)).done


async def test_vectors_written_by_a_process_that_was_stopping_are_found_a_minute_later(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    await talked(deps, principal)
    new = with_embedder(deps, Neural(48))
    await reembedding.begin(new)
    await process(new)
    await say(deps, principal, "s1", UMBRELLA)
    await process(deps)

    clock.advance(reembedding.SEEN_AGAIN_AFTER + timedelta(seconds=1))
    await process(new)

    assert set(await counted(new)) == {"neural:48"}


async def test_two_processes_share_the_work(deps: Deps, principal: Principal, database_file: Path) -> None:
    await talked(deps, principal)
    new = with_embedder(deps, Neural(48))
    other = replace(new, db=SqliteDatabase(database_file), index=index_on(deps.db))
    await reembedding.begin(new)

    await asyncio.gather(process(new), process(other))
    await process(new)

    assert set(await counted(new)) == {"neural:48"}
    assert (await asked(other, principal, "walk number 5"))[0].similarity > 0
    await other.db.close()


async def test_a_text_the_embedder_fails_is_kept_and_found_by_words_and_tried_again(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    embedder = Neural(48, chokes_on="umbrella")
    new = with_embedder(deps, embedder)
    await say(new, principal, "s1", UMBRELLA, "The soup was cold.")
    await process(new)

    [hit, *_] = await asked(new, principal, "my umbrella on the ferry")
    assert hit.memory is not None
    assert hit.similarity == 0
    assert None in await counted(new)

    embedder.chokes_on = "\0"
    clock.advance(timedelta(minutes=1))
    await process(new)

    assert set(await counted(new)) == {"neural:48"}
    assert (await asked(new, principal, "my umbrella on the ferry"))[0].similarity > 0


async def test_a_text_that_is_always_failed_ends_as_a_dead_job_that_says_so(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    new = with_embedder(deps, Neural(48, chokes_on="umbrella"))
    await say(new, principal, "s1", UMBRELLA)

    for _ in range(8):
        await process(new)
        clock.advance(timedelta(minutes=6))

    [dead] = await deps.db.read(jobs.page, ORG, status=JobStatus.DEAD.value, after=None, limit=10)
    assert dead.task is Task.EMBED_MEMORIES
    assert "no usable vector" in str(dead.error)


async def test_an_embedder_that_is_down_costs_no_attempt_and_no_memory(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    embedder = Neural(48, down=True)
    new = with_embedder(deps, embedder)
    await say(new, principal, "s1", UMBRELLA)

    for _ in range(20):
        await process(new)
        clock.advance(timedelta(minutes=10))
    found = await asked(new, principal, "my umbrella on the ferry")
    embedder.down = False
    await process(new)

    assert found[0].memory is not None
    assert set(await counted(new)) == {"neural:48"}


async def test_an_embedder_that_goes_down_half_way_leaves_old_vectors_alone(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    await talked(deps, principal)
    embedder = Neural(48)
    new = with_embedder(deps, embedder)
    await reembedding.begin(new)
    half = await half_way(new)

    embedder.down = True
    clock.advance(timedelta(minutes=1))
    await process(new)

    assert await counted(new) == half
    assert half["fake:32"] > 0


async def test_a_memory_rewritten_meanwhile_keeps_its_new_words(deps: Deps, principal: Principal) -> None:
    await talked(deps, principal)
    [hit, *_] = await asked(deps, principal, "walk number 17")
    assert hit.memory is not None
    new = with_embedder(deps, Neural(48))
    await reembedding.begin(new)

    await memories.update_memory(new, principal, hit.memory.memory_id, {"text": "A stork sat on the mill."})
    await process(new)

    assert (await asked(new, principal, "stork mill"))[0].memory is not None
    assert set(await counted(new)) == {"neural:48"}


async def test_documents_and_summaries_come_along(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, "s1", *SAID[:30])
    await collections.add_collection(deps, principal, "notes")
    await documents.add_documents(deps, principal, "notes", [NewDocument("The heron nests behind the chapel")])
    await process(deps)
    new = with_embedder(deps, Neural(48))

    await reembedding.begin(new)
    await process(new)

    query = document_search.DocumentQuery(text="heron behind the chapel")
    [found] = (await document_search.search_documents(new, principal, "notes", query)).items
    assert found.similarity > 0.3
    assert await deps.db.read(vectors.summaries_without, ORG, model="neural:48", after="", limit=9) == {}


async def test_how_far_it_is_can_be_told_until_it_is_done(deps: Deps, principal: Principal) -> None:
    await talked(deps, principal)
    total = sum((await counted(deps)).values())
    new = with_embedder(deps, Neural(48))
    assert await reembedding.under_way(new) == []
    await reembedding.begin(new)
    half = (await half_way(new))["neural:48"]

    [during] = await reembedding.under_way(new)
    await process(new)

    assert (during.current, during.waiting, during.done) == (half, total - half, False)
    assert await reembedding.under_way(new) == []


async def test_a_request_does_not_wait_for_an_embedder_that_hangs(
    deps: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talked(deps, principal)
    [hit, *_] = await asked(deps, principal, "walk number 17")
    assert hit.memory is not None
    release = threading.Event()

    class Hanging(Neural):
        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            release.wait(10)
            return super().embed(texts)

    monkeypatch.setattr(indexing, "PATIENCE_SECONDS", 0.05)
    new = with_embedder(deps, Hanging(48))

    await memories.update_memory(new, principal, hit.memory.memory_id, {"text": "A stork sat on the mill."})
    waiting = await deps.db.read(jobs.queued, ORG, Task.EMBED_MEMORIES)
    release.set()
    await process(new)

    assert len(waiting) == 1
    assert (await counted(new))["neural:48"] >= 1
