"""What plain BM25 finds on a set of conversations: the floor that `memcairn eval` is compared with.

    python benchmarks/bm25.py FOLDER...

Every turn is one document with the words it was said with, and a question is its words, as the index cuts and stems
them; k1 = 1.5 and b = 0.75 (Robertson and Zaragoza 2009, section 3). Nothing else is known: no speaker, no date, no
neighbour. Questions of the type `adversarial` are left out, as in `memcairn eval`.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from memcairn.cli.eval_set import EvalSet, Question, Turn, load_set
from memcairn.domain.evaluation import Answered, scores
from memcairn.store.index.analysis import analyse

K1 = 1.5
B = 0.75
PLACES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    print(f"{'set':24} {'questions':>9} {'recall@5':>9} {'recall@10':>9} {'mrr':>6}")
    for folder in parser.parse_args().folders:
        found = scores(_answered(load_set(folder)))
        values = [found.figures[name].value for name in ("recall@5", "recall@10", "mrr")]
        print(f"{folder.name:24} {found.questions:9} {values[0]:9.3f} {values[1]:9.3f} {values[2]:6.3f}")


def _answered(given: EvalSet) -> list[Answered]:
    ranked = {tenant: _Ranked(turns) for tenant, turns in given.turns.items()}
    asked = [question for question in given.questions if question.type != "adversarial"]
    return [_answer(question, ranked[question.tenant]) for question in asked]


def _answer(question: Question, ranked: "_Ranked") -> Answered:
    return Answered(question.type, question.gold, ranked.best(question.text))


class _Ranked:
    """The turns of one tenant, each term with the weight it has in every turn it is in."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._ids = [turn.doc_id for turn in turns]
        counts = [Counter(analyse(turn.text)) for turn in turns]
        lengths = np.array([sum(each.values()) for each in counts], dtype=np.float64)
        self._long = K1 * (1 - B + B * lengths / max(lengths.mean(), 1.0))
        self._postings: dict[str, list[tuple[int, int]]] = {}
        for number, each in enumerate(counts):
            for term, count in each.items():
                self._postings.setdefault(term, []).append((number, count))

    def best(self, question: str) -> list[str]:
        points = np.zeros(len(self._ids))
        for term in dict.fromkeys(analyse(question)):
            if postings := self._postings.get(term):
                rows = np.array([row for row, _ in postings])
                count = np.array([count for _, count in postings], dtype=np.float64)
                idf = np.log(1 + (len(self._ids) - len(rows) + 0.5) / (len(rows) + 0.5))
                points[rows] += idf * count * (K1 + 1) / (count + self._long[rows])
        order = np.argsort(-points, kind="stable")[:PLACES]
        return [self._ids[row] for row in order if points[row] > 0]


if __name__ == "__main__":
    main()
