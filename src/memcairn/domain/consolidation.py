"""What candidates do to what is known: add, strengthen, supersede or nothing. Pure: no clock, no store, no model."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from memcairn.domain.candidates import NEGATED, Candidate, slot_key
from memcairn.domain.memories import MemoryKind, MemoryStatus
from memcairn.domain.trust import Trust

SAME_WORDS = 0.85
"""Share of common words (Jaccard) from which two statements of one type count as the same."""
CORRECTED_WORDS = 0.4
"""Share of common words from which an explicit correction is taken to mean a known statement."""
CORRECTED_SIMILARITY = 0.75
"""The same for vector similarity, where the caller supplies it."""

_WORD = re.compile(r"\w+")
# "t" is what is left of "don't".
_DENIALS = frozenset("not no never t cannot cant dont doesnt isnt wont without nobody none always only".split())
_HELD = frozenset({MemoryStatus.ACTIVE, MemoryStatus.DECAYED})


@dataclass(frozen=True, slots=True)
class LookupKeys:
    """What to fetch as known before consolidating: memories of the scope, in any status, that fit one of these.

    `event_id` stands for the memories this event is a source of already: they make a repeated run harmless.
    """

    digest: str
    slot_key: str | None
    event_id: str


@dataclass(frozen=True, slots=True)
class Known:
    """A stored memory as consolidation sees it. `similarity`: cosine to the candidate it was fetched for, if any.

    `former` are the digests of what it said before somebody changed it by hand.

    Superseded memories belong here too: they tell a repeated run and a late old statement from news.
    """

    memory_id: str
    kind: MemoryKind
    type: str
    text: str
    speaker: str | None
    digest: str
    observed_at: datetime
    slot: str | None = None
    value: str | None = None
    valid_to: datetime | None = None
    status: MemoryStatus = MemoryStatus.ACTIVE
    source_event_ids: Sequence[str] = ()
    similarity: float | None = None
    trust: Trust = Trust.NORMAL
    former: frozenset[str] = frozenset()

    @property
    def slot_key(self) -> str | None:
        return None if self.slot is None else slot_key(self.speaker or "", self.slot)


@dataclass(frozen=True, slots=True)
class Add:
    """Store `candidate` as `memory_id` with `status` (its `valid_to` is set if it comes already closed).

    `supersedes`: the memory to mark superseded, its validity closed at `candidate.observed_at`.
    """

    memory_id: str
    candidate: Candidate
    supersedes: str | None = None
    status: MemoryStatus = MemoryStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Strengthen:
    """Add `event_id` to the sources of `memory_id` and reinforce it once; its trust is the lower of both from then on.

    A decayed memory becomes active again; a superseded one (a late repetition of what held then) stays superseded.
    """

    memory_id: str
    event_id: str
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Drop:
    """Nothing to do for `candidate`."""

    candidate: Candidate
    reason: str


Decision = Add | Strengthen | Drop


def lookup_keys(candidate: Candidate) -> LookupKeys:
    return LookupKeys(candidate.digest, candidate.slot_key, candidate.event_id)


def consolidate(
    candidates: Sequence[Candidate],
    known: Sequence[Known],
    now: datetime,
    similar: Mapping[int, Sequence[Known]] | None = None,
    *,
    new_id: Callable[[], str] | None = None,
) -> list[Decision]:
    """One decision per candidate, in order; each candidate already sees what those before it did.

    `known` holds what `lookup_keys` of all candidates found; `similar` may add neighbours by vector, per index of a
    candidate. Running the same candidates against what their decisions wrote gives only Drops. `new_id` names the
    memories to add (default: `new-0`, `new-1`, … for callers that name them later). `now` only says which validity
    has run out by itself.
    """
    numbers = count()
    name = new_id or (lambda: f"new-{next(numbers)}")
    beliefs = _Beliefs(known, now)
    decisions: list[Decision] = []
    for index, candidate in enumerate(candidates):
        beliefs.look_near(similar.get(index, ()) if similar else ())
        decision = _decide(candidate, beliefs, name)
        beliefs.apply(decision)
        decisions.append(decision)
    return decisions


class _Beliefs:
    """What is known at this point of a batch, by id."""

    def __init__(self, known: Sequence[Known], now: datetime) -> None:
        self._by_id = {each.memory_id: each for each in known}
        self._similarity: dict[str, float] = {}
        self.now = now

    def look_near(self, similar: Sequence[Known]) -> None:
        """Take in the neighbours of the next candidate; what this batch did to one goes before what was fetched."""
        self._similarity = {each.memory_id: each.similarity for each in similar if each.similarity is not None}
        for each in similar:
            self._by_id.setdefault(each.memory_id, each)

    def similarity(self, known: Known) -> float:
        return self._similarity.get(known.memory_id, 0.0)

    def of_digest(self, digest: str) -> list[Known]:
        return [each for each in self._by_id.values() if each.digest == digest]

    def rewritten(self, candidate: Candidate) -> bool:
        """Whether a person has already put something else in the place of what this event says here."""
        known = self._by_id.values()
        return any(candidate.digest in each.former and candidate.event_id in each.source_event_ids for each in known)

    def of_slot(self, key: str | None) -> list[Known]:
        return [each for each in self._by_id.values() if key is not None and each.slot_key == key]

    def of_type(self, candidate: Candidate) -> list[Known]:
        """What the same speaker said of the same type and still holds."""
        return [
            each
            for each in self._by_id.values()
            if each.type == candidate.type and each.speaker == candidate.speaker and self.holds(each)
        ]

    def holds(self, known: Known) -> bool:
        return known.status in _HELD and (known.valid_to is None or known.valid_to > self.now)

    def apply(self, decision: Decision) -> None:
        if isinstance(decision, Strengthen):
            known = self._by_id[decision.memory_id]
            sources = (*known.source_event_ids, decision.event_id)
            status = MemoryStatus.ACTIVE if known.status is MemoryStatus.DECAYED else known.status
            trust = min(known.trust, decision.candidate.trust)
            self._by_id[known.memory_id] = replace(known, source_event_ids=sources, status=status, trust=trust)
        elif isinstance(decision, Add):
            self._add(decision)

    def _add(self, decision: Add) -> None:
        candidate = decision.candidate
        if decision.supersedes is not None:
            old = self._by_id[decision.supersedes]
            closed = replace(old, status=MemoryStatus.SUPERSEDED, valid_to=candidate.observed_at)
            self._by_id[old.memory_id] = closed
        self._by_id[decision.memory_id] = Known(
            memory_id=decision.memory_id,
            kind=candidate.kind,
            type=candidate.type,
            text=candidate.text,
            speaker=candidate.speaker,
            digest=candidate.digest,
            observed_at=candidate.observed_at,
            slot=candidate.slot,
            value=candidate.value,
            valid_to=candidate.valid_to,
            status=decision.status,
            source_event_ids=(candidate.event_id,),
            trust=candidate.trust,
        )


def _decide(candidate: Candidate, beliefs: _Beliefs, new_id: Callable[[], str]) -> Decision:
    same = beliefs.of_digest(candidate.digest)
    in_slot = beliefs.of_slot(candidate.slot_key)
    if any(candidate.event_id in each.source_event_ids for each in (*same, *_of_value(in_slot, candidate))):
        return Drop(candidate, "this event is already a source of it")
    if beliefs.rewritten(candidate):
        return Drop(candidate, "what was read from this event here was changed by hand")
    if candidate.slot is not None:
        return _decide_slot(candidate, in_slot, beliefs, new_id)
    repeated = [each for each in same if beliefs.holds(each)] or _nearly_same(candidate, beliefs)
    if repeated and candidate.event_id in repeated[0].source_event_ids:
        return Drop(candidate, "this event is already a source of it")
    if repeated:
        return Strengthen(repeated[0].memory_id, candidate.event_id, candidate)
    corrected = _corrected(candidate, beliefs)
    return Add(new_id(), candidate, supersedes=corrected.memory_id if corrected else None)


def _of_value(known: Sequence[Known], candidate: Candidate) -> list[Known]:
    return [each for each in known if each.value == candidate.value]


def _decide_slot(
    candidate: Candidate, in_slot: Sequence[Known], beliefs: _Beliefs, new_id: Callable[[], str]
) -> Decision:
    """One value holds at a time; which one is decided by when it was said, not by when it arrived.

    What is trusted less closes nothing that is trusted more: both hold then, side by side.
    """
    at = candidate.observed_at
    agreeing = [each for each in _of_value(in_slot, candidate) if _held_at(each, at) and each.status in _REPEATABLE]
    if agreeing:
        return Strengthen(_latest(agreeing).memory_id, candidate.event_id, candidate)
    contradicting = [each for each in in_slot if each.status in _REPEATABLE and _contradict(candidate, each)]
    later = [each for each in contradicting if each.observed_at > at and each.trust >= candidate.trust]
    if later:
        until = min(each.observed_at for each in later)
        return Add(new_id(), replace(candidate, valid_to=until), status=MemoryStatus.SUPERSEDED)
    holding = [each for each in contradicting if beliefs.holds(each) and each.trust <= candidate.trust]
    return Add(new_id(), candidate, supersedes=_latest(holding).memory_id if holding else None)


def _contradict(candidate: Candidate, known: Known) -> bool:
    """Two values of one slot do; "no longer X" does so with X alone."""
    new, old = candidate.value or "", known.value or ""
    if new.startswith(NEGATED) or old.startswith(NEGATED):
        return new == NEGATED + old or old == NEGATED + new
    return new != old


_REPEATABLE = frozenset({MemoryStatus.ACTIVE, MemoryStatus.DECAYED, MemoryStatus.SUPERSEDED})
"""Not what a person has put away: heard again, that is news."""


def _held_at(known: Known, at: datetime) -> bool:
    """Whether a known value held at `at`; what holds now may have been said before by a late arrival too."""
    if known.status is MemoryStatus.SUPERSEDED:
        return known.valid_to is not None and known.observed_at <= at < known.valid_to
    return known.valid_to is None or at < known.valid_to


def _latest(known: Sequence[Known]) -> Known:
    """A value that holds goes before one that is only denied."""
    return max(known, key=lambda each: (not (each.value or "").startswith(NEGATED), each.observed_at, each.memory_id))


def _nearly_same(candidate: Candidate, beliefs: _Beliefs) -> list[Known]:
    """Episodes are never merged by likeness: "I ran 5 km" and "I ran 6 km" are two of them."""
    if candidate.kind is MemoryKind.EPISODIC:
        return []
    alike = [each for each in beliefs.of_type(candidate) if _decisive(each.text) == _decisive(candidate.text)]
    scored = [(_shared_words(candidate.text, each.text), each) for each in alike]
    return [each for score, each in sorted(scored, key=_by_score, reverse=True) if score >= SAME_WORDS]


def _corrected(candidate: Candidate, beliefs: _Beliefs) -> Known | None:
    """The known statement an explicit correction means: the most alike of its type, if it is alike enough."""
    if not candidate.corrects:
        return None
    earlier = [
        each
        for each in beliefs.of_type(candidate)
        if each.observed_at <= candidate.observed_at and each.trust <= candidate.trust
    ]
    # Both measures on one scale, on which either bar is 1.
    scored = [
        (
            max(
                _shared_words(candidate.text, each.text) / CORRECTED_WORDS,
                beliefs.similarity(each) / CORRECTED_SIMILARITY,
            ),
            each,
        )
        for each in earlier
    ]
    best = max(scored, key=_by_score, default=None)
    return best[1] if best and best[0] >= 1.0 else None


def _decisive(text: str) -> set[str]:
    """Words of which a single one makes another statement: numbers and denials."""
    return {word for word in _WORD.findall(text.casefold()) if word.isdigit() or word in _DENIALS}


def _by_score(scored: tuple[float, Known]) -> tuple[float, datetime, str]:
    return scored[0], scored[1].observed_at, scored[1].memory_id


def _shared_words(left: str, right: str) -> float:
    """Jaccard index of the sets of words."""
    one, other = set(_WORD.findall(left.casefold())), set(_WORD.findall(right.casefold()))
    return len(one & other) / len(one | other) if one or other else 0.0
