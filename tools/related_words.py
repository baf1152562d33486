"""Looks up beforehand which words are related: `python -m tools.related_words [--check]`.

Writes the table the thesaurus reads, for the word vectors that are installed. `--check` writes nothing and fails if the
table is not what would be written. Takes some ten seconds.
"""

import sys

import numpy as np

from memcairn.providers.static import StaticEmbedder
from memcairn.providers.thesaurus import TABLE, RelatedWords, StaticThesaurus


def main() -> None:
    made = StaticThesaurus(StaticEmbedder()).table()
    if "--check" not in sys.argv[1:]:
        made.save()
    elif not _same(made, RelatedWords.load()):
        raise SystemExit(f"{TABLE.name} is out of date; run: python -m tools.related_words")


def _same(one: RelatedWords, other: RelatedWords) -> bool:
    alike = np.array_equal(one.asked, other.asked) and np.array_equal(one.rows, other.rows)
    return alike and one.vectors_digest == other.vectors_digest


if __name__ == "__main__":
    main()
