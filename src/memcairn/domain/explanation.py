"""Why a hit stands where it stands: figures that add up, and a sentence for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of searching: the place it would give the row alone (from 1, among rows that may be returned) and why."""

    rank: int
    value: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Contributions of arms and factors add up to `fused`, the sum that orders hits."""

    fused: float
    arms: Mapping[str, Arm]
    factors: Mapping[str, float]
    coverage: float
    """The part of the question's words, weighed by rarity, that stands in the row itself; 0..1."""
    held: Sequence[int] = ()
    """Which terms of the query stand in the row itself, by their place in it."""
    stands_back: bool = False
    """It says nearly the same as a hit before it, and lets others pass."""
    reasons: Sequence[str] = ()
    """One sentence for each thing that counts, with what it adds to the sum or takes from it; the weightiest first."""

    def told(self, words: Sequence[str]) -> "Explanation":
        """The same with its reasons; `words` are the query's terms."""
        return replace(self, reasons=_reasons(self, words))


_FACTORS = {
    "speaker": "said by somebody the question names",
    "date": "said within the time the question names",
    "afterwards": "said within three weeks after the time the question names",
    "asks": "asks rather than tells",
    "short": "of few words",
    "dated": "names a time",
    "personal": "its speaker speaks of themselves",
    "remark": "only speaks to the other side",
    "head": "the beginning of its text",
    "opening": "opens its session",
    "when": "names a time, and the question asks when",
    "how_many": "names a number, and the question asks how many",
    "list": "lists things, and the question asks for several",
    "latest": "newer than others, and the question asks how things stand now",
    "told": "said by the assistant, and the question asks what it said",
    "people": "said by a person rather than the assistant",
    "standing": "a standing wish or rule, and the question asks for help",
    "typed": "states plainly what its source says with the same words",
    "outdated": "superseded since",
    "former": "superseded since, and the question asks about the past",
    "session": "other turns of its session match too",
    "after": "the turn behind it matches",
    "reply": "answers a question that matches",
    "replaced": "a later statement has replaced what it says",
}
_ARMS = {
    "words": "its words",
    "words_near": "its words and those of the turns beside it",
    "words_around": "its words and those up to two turns away",
    "kin": "words of it that mean something like those asked for",
    "kin_near": "such words in it and the turns beside it",
    "meaning": "its meaning",
    "meaning_whole": "the meaning of its whole turn",
    "meaning_near": "the meaning of it and the turns beside it",
    "meaning_around": "the meaning of it and up to two turns away",
}


def _reasons(explanation: Explanation, words: Sequence[str]) -> list[str]:
    told = [
        (arm.contribution, f"{_ARMS.get(name, name)}: place {arm.rank}")
        for name, arm in explanation.arms.items()
        if arm.contribution
    ]
    told += [(worth, _FACTORS.get(name, name)) for name, worth in explanation.factors.items() if worth]
    found = [f"holds {', '.join(words[at] for at in explanation.held)}"] if explanation.held else []
    if explanation.stands_back:
        found.append("nearly the same as a hit before it, so it stands behind the others")
    return found + [f"{why} ({worth:+.3f})" for worth, why in sorted(told, key=lambda each: -abs(each[0]))]
