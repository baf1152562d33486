"""What several people hold in common: which statements rise to a role, a team or the org, and which no longer stand.

Pure: no clock, no store, no model. A statement rises when enough different people hold it, each of them in words of
their own or in those of another; what one person alone says never does, however often.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

from memcairn.domain.claims import Claim
from memcairn.domain.memories import MemoryKind
from memcairn.domain.sense import AGREED, NEAR_WORDS, Opposition, Sense, Vectors, agreement, opposition

MIN_ACTORS = 3
"""Different people who must hold a statement before it rises."""
MOST_CERTAIN = 0.99
_PER_PERSON = 0.5
"""What the word of one more person takes away of the doubt, times how well the wordings agree."""
_COMPARED = 64
"""Statements a claim is compared with, those with the most in common first."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much must be there. `of_groups`: the claims are what roles and teams hold, and two must agree."""

    min_people: int = MIN_ACTORS
    of_groups: bool = False

    def suffices(self, backers: Sequence[frozenset[str]]) -> bool:
        """Whether these memories, each told by some people, are enough.

        Two groups count when each of them has enough people who are not in the other: a role and a team of the same
        people are not two voices.
        """
        if not self.of_groups:
            return len(frozenset().union(*backers)) >= self.min_people
        pairs = combinations(backers, 2)
        return any(min(len(one - other), len(other - one)) >= self.min_people for one, other in pairs)


@dataclass(frozen=True, slots=True)
class Support:
    """A memory that holds a statement: who told it, when, and how far its words agree with it."""

    memory_id: str
    people: frozenset[str]
    observed_at: datetime
    agreement: float = 1.0


@dataclass(frozen=True, slots=True)
class Held:
    """A statement that has risen before. `standing`: it holds now; `dropped`: somebody has put it away for good."""

    memory_id: str
    sense: Sense
    support: Sequence[Support]
    standing: bool = True
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Rise:
    """Write a new memory with the words of `words`; `memory_id` names it."""

    memory_id: str
    words: Claim
    support: Sequence[Support]
    kind: MemoryKind
    type: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Uphold:
    """Add support to a memory that has risen before."""

    memory_id: str
    support: Sequence[Support]
    confidence: float


@dataclass(frozen=True, slots=True)
class Yield:
    """The memory holds no more: another has taken its place, or (None) too few people are left who hold it."""

    memory_id: str
    to: str | None


@dataclass(frozen=True, slots=True)
class Return:
    """A memory that had been superseded holds again."""

    memory_id: str


Decision = Rise | Uphold | Yield | Return


@dataclass(frozen=True, slots=True)
class Likeness:
    """By what words are compared beside their letters: their vectors, and the cosine from which two are one."""

    vectors: Vectors = field(default_factory=dict)
    near: float = NEAR_WORDS


def decide(
    claims: Sequence[Claim],
    held: Sequence[Held],
    evidence: Evidence,
    likeness: Likeness,
    *,
    new_id: Callable[[], str],
) -> list[Decision]:
    """What these claims mean for one role, team or org that already holds `held`.

    The same claims against what their decisions wrote give nothing new. Of statements that exclude each other the one
    holds that more people hold, each person counted with what they said last; between equals, the later one.
    """
    left, upheld = _upheld(claims, held, likeness)
    stars = list(_stars(left, evidence, likeness))
    risen = [_rise(star, new_id()) for star in stars]
    views = [_View(each.memory_id, each.sense, (*each.support, *upheld[each.memory_id])) for each in held]
    known = {each.memory_id: each for each in held}
    decisions: list[Decision] = []
    for view in views:
        if upheld[view.memory_id]:
            decisions.append(Uphold(view.memory_id, upheld[view.memory_id], confidence_of(view.support)))
    corrects = {claim.memory_id for claim in claims if claim.corrects}
    views += [_View(each.memory_id, each.words.sense, each.support) for each in risen]
    rivals = [each for each in views if not (each.memory_id in known and known[each.memory_id].dropped)]
    settled = _settled(rivals, known, evidence, (likeness, corrects))
    lost = {each.memory_id for each in settled if isinstance(each, Yield)}
    decisions += [each for each in risen if each.memory_id not in lost]
    return decisions + [each for each in settled if each.memory_id in known]


def confidence_of(support: Iterable[Support]) -> float:
    """How sure a statement is that these people hold: each of them takes away half of the doubt, less where the words
    agree less. Three people in equal words: 0.88, ten: 0.99."""
    best: dict[str, float] = {}
    for each in support:
        for person in each.people:
            best[person] = max(each.agreement, best.get(person, 0.0))
    doubt = 1.0
    for agreed in best.values():
        doubt *= 1.0 - _PER_PERSON * agreed
    return min(MOST_CERTAIN, round(1.0 - doubt, 4))


@dataclass(frozen=True, slots=True)
class _Star:
    """Claims around one that all of them agree with; agreement per memory."""

    middle: Claim
    members: Sequence[tuple[Claim, float]]


@dataclass(frozen=True, slots=True)
class _View:
    """A statement and everybody who holds it, for comparison with its opposites."""

    memory_id: str
    sense: Sense
    support: Sequence[Support]

    def said_last(self) -> dict[str, datetime]:
        last: dict[str, datetime] = {}
        for each in self.support:
            for person in each.people:
                last[person] = max(each.observed_at, last.get(person, each.observed_at))
        return last


def _upheld(
    claims: Sequence[Claim], held: Sequence[Held], likeness: Likeness
) -> tuple[list[Claim], dict[str, list[Support]]]:
    """The claims that agree with nothing held so far, and new support for what is held."""
    upheld: dict[str, list[Support]] = {each.memory_id: [] for each in held}
    backing = {each.memory_id: {support.memory_id for support in each.support} for each in held}
    left = []
    for claim in claims:
        scored = [(_agree(claim.sense, each.sense, likeness), each.memory_id) for each in held]
        score, memory_id = max(scored, default=(0.0, ""))
        if score < AGREED:
            left.append(claim)
        elif claim.memory_id not in backing[memory_id]:
            backing[memory_id].add(claim.memory_id)
            upheld[memory_id].append(_support(claim, score))
    return left, upheld


def _stars(claims: Sequence[Claim], evidence: Evidence, likeness: Likeness) -> Iterator[_Star]:
    """Groups of agreeing claims with enough evidence, the one with the most people first; no claim is in two."""
    agreeing = _agreeing(claims, likeness)
    free = set(agreeing)
    while free:
        best = max(sorted(free), key=lambda at: _weight(at, agreeing, claims, free))
        if _weight(best, agreeing, claims, free)[0] < evidence.min_people:
            return
        members = [(claims[best], 1.0), *((claims[at], score) for at, score in agreeing[best].items() if at in free)]
        voices = _voices(members)
        if not evidence.suffices([claim.people for claim, _ in voices]):
            free.discard(best)
            continue
        yield _Star(claims[best], voices)
        gone = {claim.memory_id for claim, _ in members}
        free -= {at for at in free if claims[at].memory_id in gone}


def _weight(
    at: int, agreeing: Mapping[int, Mapping[int, float]], claims: Sequence[Claim], free: Collection[int]
) -> tuple[int, float]:
    near = [other for other in agreeing[at] if other in free]
    people = frozenset(claims[at].people).union(*(claims[other].people for other in near))
    return len(people), sum(agreeing[at][other] for other in near)


def _agreeing(claims: Sequence[Claim], likeness: Likeness) -> dict[int, dict[int, float]]:
    """Claim to the claims of other memories that agree with it; those with none are left out."""
    by_key: dict[str, list[int]] = defaultdict(list)
    for at, claim in enumerate(claims):
        for key in claim.sense.keys:
            by_key[key].append(at)
    found: dict[int, dict[int, float]] = defaultdict(dict)
    for at, claim in enumerate(claims):
        shared = Counter(other for key in claim.sense.keys for other in by_key[key] if other > at)
        for other, _ in shared.most_common(_COMPARED * 4):
            if claims[other].memory_id == claim.memory_id or claims[other].sense.fixed != claim.sense.fixed:
                continue
            score = _agree(claim.sense, claims[other].sense, likeness)
            if score >= AGREED:
                found[at][other] = found[other][at] = score
    return dict(found)


def _voices(members: Sequence[tuple[Claim, float]]) -> list[tuple[Claim, float]]:
    """One claim per memory, and one per utterance: what one named speaker said once, kept in the memories of several
    actors, is one person's word."""
    kept: dict[str, tuple[Claim, float]] = {}
    for claim, score in sorted(members, key=lambda each: (each[0].observed_at, each[0].memory_id)):
        key = claim.utterance or claim.memory_id
        if key not in kept and claim.memory_id not in {each.memory_id for each, _ in kept.values()}:
            kept[key] = (claim, score)
    return list(kept.values())


def _rise(star: _Star, memory_id: str) -> Rise:
    claims = [claim for claim, _ in star.members]
    # Words without a change of person first, then the wording in the middle, then the oldest.
    words = min(star.members, key=lambda each: (not each[0].neutral, -each[1], each[0].observed_at, each[0].memory_id))[
        0
    ]
    support = [
        Support(claim.memory_id, claim.people, claim.observed_at, round(score, 4)) for claim, score in star.members
    ]
    sorts = Counter((claim.kind, claim.type) for claim in claims)
    typed = Counter({sort: count for sort, count in sorts.items() if sort[1] != "fact"})
    kind, type_ = max(typed or sorts, key=lambda sort: (sorts[sort], sort[1]))
    return Rise(memory_id, words, support, kind, type_, confidence_of(support))


def _settled(
    views: Sequence[_View], known: Mapping[str, Held], evidence: Evidence, by: tuple[Likeness, Collection[str]]
) -> list[Decision]:
    """Which statements have to yield to an opposite, and which hold again."""
    yielding: dict[str, str | None] = {}
    for one, other in combinations(views, 2):
        for loser, winner in _losers(one, other, evidence, by):
            yielding[loser] = winner
    decisions: list[Decision] = []
    for view in views:
        standing = known[view.memory_id].standing if view.memory_id in known else True
        if view.memory_id in yielding and standing:
            decisions.append(Yield(view.memory_id, yielding[view.memory_id]))
        elif view.memory_id not in yielding and not standing:
            decisions.append(Return(view.memory_id))
    return decisions


def _losers(
    one: _View, other: _View, evidence: Evidence, by: tuple[Likeness, Collection[str]]
) -> list[tuple[str, str | None]]:
    likeness, corrects = by
    kind = opposition(one.sense, other.sense, likeness.vectors, likeness.near)
    if kind is None:
        return []
    # Two days may both be right ("closed on Mondays", "closed on Tuesdays"); of two numbers, one is.
    exclusive = kind is Opposition.DENIED or all(each[0].isdigit() for each in one.sense.fixed ^ other.sense.fixed)
    left, right = one.said_last(), other.said_last()
    both = left.keys() & right.keys()
    if not exclusive:
        moved = {support.memory_id for view in (one, other) for support in view.support} & set(corrects)
        both = both if moved else set()
    left = {person: at for person, at in left.items() if person not in both or at >= right[person]}
    right = {person: at for person, at in right.items() if person not in both or at > one.said_last()[person]}
    enough = [len(people) >= evidence.min_people for people in (left, right)]
    if all(enough):
        if not exclusive:
            return []
        mine, theirs = (len(left), max(left.values())), (len(right), max(right.values()))
        return [(one.memory_id, other.memory_id) if theirs > mine else (other.memory_id, one.memory_id)]
    losers: list[tuple[str, str | None]] = []
    if not enough[0]:
        losers.append((one.memory_id, other.memory_id if enough[1] else None))
    if not enough[1]:
        losers.append((other.memory_id, one.memory_id if enough[0] else None))
    return losers


def _support(claim: Claim, score: float) -> Support:
    return Support(claim.memory_id, claim.people, claim.observed_at, round(score, 4))


def _agree(one: Sense, other: Sense, likeness: Likeness) -> float:
    return agreement(one, other, likeness.vectors, likeness.near)
