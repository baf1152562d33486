"""From a word asked for to the terms of words that mean something alike."""

import functools

import numpy as np

from memcairn.domain.lexical import Kin
from memcairn.providers.base import Thesaurus
from memcairn.store.index.analysis import QueryTerm, term_id_of_word, term_ids

REMEMBERED_TERMS = 8_192

NOBODY = Kin(np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.float32))


def kin_of(thesaurus: Thesaurus, term: QueryTerm) -> Kin:
    """The terms under which the index holds words near `term`; its own other forms are no kin."""
    return _kin(thesaurus, term.word, term.alternatives) if term.word else NOBODY


@functools.lru_cache(REMEMBERED_TERMS)
def _kin(thesaurus: Thesaurus, word: str, forms: tuple[str, ...]) -> Kin:
    own = set(term_ids(forms).tolist())
    near = [(term_id_of_word(each.word), each.likeness) for each in thesaurus.related(word)]
    kept = [(number, likeness) for number, likeness in near if number not in own]
    if not kept:
        return NOBODY
    numbers, likeness = zip(*kept, strict=True)
    return Kin(np.array(numbers, dtype=np.uint32), np.array(likeness, dtype=np.float32))
