"""Counting tokens without holding up the event loop."""

import asyncio
from collections.abc import Sequence

from memcairn.core.deps import Deps
from memcairn.domain.tokens import estimate_tokens


async def token_counts(deps: Deps, texts: Sequence[str]) -> list[int]:
    """The count of each text, in order; estimated on the spot, or counted by a tokenizer on a thread."""
    if deps.count_tokens is estimate_tokens:
        return [estimate_tokens(text) for text in texts]
    return await asyncio.to_thread(lambda: [deps.count_tokens(text) for text in texts])
