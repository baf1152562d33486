"""A second ranking behind the first: fused with it, within a budget, and never in the way."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import anyio
import numpy as np
import pytest
from numpy.typing import NDArray

from memcairn.core import memories
from memcairn.core.deps import Deps
from memcairn.core.recall import Recalls
from memcairn.core.reranking import ARM, fused
from memcairn.core.search import Hit, SearchQuery, search
from memcairn.domain.errors import Unavailable
from memcairn.domain.keys import Principal
from memcairn.domain.ranking import Ranked
from memcairn.providers.base import Reranking
from tests.core.talk import process, say

pytestmark = pytest.mark.anyio

SAID = [f"I drank tea with {name} on the balcony." for name in ("Ida", "Olof", "Mei", "Jonas", "Zola", "Piet")]


@dataclass(slots=True)
class Fond:
    """A reranker that is fond of a word; it may wait for `release` first, or be `down`."""

    word: str = "Zola"
    model: str = "fond"
    down: bool = False
    release: threading.Event | None = None
    asked: list[list[str]] = field(default_factory=list)

    def rerank(self, query: str, texts: Sequence[str], *, seconds: float) -> NDArray[np.float64]:
        self.asked.append(list(texts))
        if self.release is not None:
            self.release.wait(10)
        if self.down:
            raise Unavailable("The reranker is down.", code="reranker_unavailable")
        return np.array([float(self.word in text) for text in texts])


def with_reranker(deps: Deps, reranker: Fond, *, weight: float = 0.9, seconds: float = 5.0) -> Deps:
    return replace(deps, reranking=Reranking(reranker, seconds=seconds, weight=weight, candidates=30))


@pytest.fixture
async def told(deps: Deps, principal: Principal) -> Deps:
    await say(deps, principal, "s1", *SAID)
    await process(deps)
    return deps


async def asked(deps: Deps, principal: Principal, limit: int = 3, **options: object) -> list[Hit]:
    query = SearchQuery("Who drank tea on the balcony?", limit=limit, **options)  # type: ignore[arg-type]  # a test's
    return await search(deps, Recalls(), principal, query)


def text_of(hit: Hit) -> str:
    return hit.memory.text if hit.memory else hit.event.content if hit.event else ""


async def test_it_can_bring_to_the_top_what_stood_behind_the_limit(told: Deps, principal: Principal) -> None:
    first = [text_of(hit) for hit in await asked(told, principal, limit=20)]
    word = first[-1].split()[-4]

    hits = await asked(with_reranker(told, Fond(word)), principal, limit=1)

    assert word in text_of(hits[0])
    assert word not in first[0]


async def test_scores_stay_with_their_places(told: Deps, principal: Principal) -> None:
    first = await asked(told, principal)

    second = await asked(with_reranker(told, Fond()), principal)

    assert [hit.score for hit in second] == [hit.score for hit in first]


async def test_without_weight_the_first_ranking_stands(told: Deps, principal: Principal) -> None:
    first = await asked(told, principal)

    second = await asked(with_reranker(told, Fond(), weight=0), principal)

    assert [text_of(hit) for hit in second] == [text_of(hit) for hit in first]


async def test_raw_text_that_is_not_processed_yet_is_read_too(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, "s1", *SAID)
    reranker = Fond()

    hits = await asked(with_reranker(deps, reranker), principal)

    assert "Zola" in text_of(hits[0])
    assert set(SAID) <= set(reranker.asked[0])


async def test_the_explanation_adds_up_with_it(told: Deps, principal: Principal) -> None:
    hits = await asked(with_reranker(told, Fond()), principal, explain=True)

    for hit in hits:
        assert hit.explanation is not None
        parts = [arm.contribution for arm in hit.explanation.arms.values()] + [*hit.explanation.factors.values()]
        assert sum(parts) == pytest.approx(hit.explanation.fused, abs=1e-4)
    assert hits[0].explanation is not None
    assert hits[0].explanation.arms[ARM].rank == 1


@pytest.mark.parametrize("down", [True, False], ids=["down", "slow"])
async def test_when_it_has_no_say_the_first_ranking_stands_and_says_so(
    told: Deps, principal: Principal, down: bool
) -> None:
    first = await asked(told, principal)
    release = threading.Event()
    slow = Fond(down=down, release=None if down else release)

    second = await asked(with_reranker(told, slow, seconds=5.0 if down else 0.05), principal, explain=True)
    release.set()

    assert [text_of(hit) for hit in second] == [text_of(hit) for hit in first]
    assert second[0].explanation is not None
    assert "the reranker had no say" in second[0].explanation.reasons[-1]
    assert 'memcairn_provider_failures_total{call="rerank"} 1.0' in told.metrics.render().decode()


async def test_no_connection_is_held_while_it_thinks_and_what_goes_meanwhile_is_not_shown(
    told: Deps, principal: Principal
) -> None:
    [best] = await asked(told, principal, limit=1)
    assert best.memory is not None
    doomed = best.memory.memory_id
    release = threading.Event()
    searching = with_reranker(told, Fond(release=release))

    async def delete_meanwhile() -> None:
        await memories.delete_memory(told, principal, doomed)
        release.set()

    hits: list[Hit] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(delete_meanwhile)
        hits = await asked(searching, principal, limit=10)

    assert hits
    assert doomed not in {hit.memory.memory_id for hit in hits if hit.memory}


def row(at: int, fused_sum: float) -> Ranked:
    return Ranked(at, fused_sum, score=fused_sum / 2, similarity=0.0)


def test_a_text_without_a_number_keeps_its_own_share() -> None:
    ranked = [row(0, 1.0), row(1, 0.8), row(2, 0.4)]

    both = fused(ranked, np.array([0.0, np.nan, 9.0]), weight=0.5)

    assert [each.row for each in both] == [1, 2, 0]
    assert [each.score for each in both] == [0.5, 0.4, 0.2]


@pytest.mark.parametrize("values", [[np.nan] * 3, [2.0] * 3])
def test_numbers_that_tell_nothing_apart_change_nothing(values: list[float]) -> None:
    ranked = [row(0, 1.0), row(1, 0.8), row(2, 0.4)]

    assert [each.row for each in fused(ranked, np.array(values), weight=1.0)] == [0, 1, 2]


def test_where_nothing_was_found_by_the_first_ranking_the_second_decides() -> None:
    both = fused([row(0, 0.0), row(1, 0.0)], np.array([1.0, 2.0]), weight=0.5)

    assert [each.row for each in both] == [1, 0]
