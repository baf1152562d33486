"""Searching while the embedder cannot be asked."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from memcairn.core.deps import Deps
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search
from memcairn.domain.errors import Unavailable
from memcairn.domain.keys import Principal
from memcairn.providers.fake import FakeEmbedder
from tests.core.talk import process, say

pytestmark = pytest.mark.anyio


class Silent(FakeEmbedder):
    """An embedder that is down."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise Unavailable("down", code="embedder_unavailable")


async def test_a_search_goes_on_by_words_while_the_embedder_is_down(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, "s1", "I keep the spare key under the flowerpot.")
    await process(deps)

    hits = await search(replace(deps, embedder=Silent()), Recalls(), principal, SearchQuery("spare key"))

    assert [hit.memory.text for hit in hits if hit.memory] == ["I keep the spare key under the flowerpot."]
    assert hits[0].similarity == 0
