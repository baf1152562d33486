"""The default summariser: it chooses sentences and invents none. Offline, no key, no download."""

from collections.abc import Sequence

from memcairn.domain.summaries import Utterance, summarise


class ExtractiveSummariser:
    """See `domain.summaries.summarise`."""

    name = "extractive"

    def summarise(self, previous: str | None, said: Sequence[Utterance]) -> str:
        return summarise(previous, said)
