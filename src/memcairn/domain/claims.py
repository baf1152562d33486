"""Statements that may rise from one person's memory to others: what they must not be, and how they are made general.

A claim is one sentence of a memory that states something which does not pass, is not about the person who said it, and
names nobody. Everything else stays where it was said.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memcairn.domain.candidates import MESSAGE
from memcairn.domain.entities import PERSON, find_entities
from memcairn.domain.memories import Memory, MemoryKind
from memcairn.domain.promotion_table import PromotionTable, promotion_table
from memcairn.domain.rules import RuleBook, acknowledgements, rule_book
from memcairn.domain.sense import Sense, sense_of
from memcairn.domain.sensitive import carries_personal_data
from memcairn.domain.statements import is_acknowledgement, is_asserted, sentences

PRIVATE = "private"
"""As a tag or as a key of metadata with the value true: never leaves the scope of the person."""
MAX_CLAIMS = 24
"""Of one memory; a longer text is a document."""
GENERAL_SUBJECT = "People here"

RULE = "rule"
"""The key under which cue rules leave their name in a memory's metadata."""
_MIN_WORDS = 3
_MIN_KEYS = 2
_MAX_CHARS = 300
_WORD = re.compile(r"\w+(?:'\w+)?")
_CAPITALISED = re.compile(r"[^\W\d_][\w'’-]*")
_FIRST_PERSON = re.compile(r"\b(?:i|we|i'm|we're|i've|we've|i'd|we'd|i'll|we'll|us|our|ours|ourselves|me|my)\b", re.I)
_IMPERATIVE = re.compile(r"^(?:we|i)(?: must| should| will|'ll)? (always|never) (?=\w)", re.I)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of a memory, told by `people` (one, for a memory of an actor).

    `said` are the words themselves, `general` those that others may see.
    `neutral`: the sentence speaks of nobody, so that its words need no change of person. `corrects`: it says that
    something known before is wrong. `utterance` is equal for copies of one thing said by one named speaker.
    """

    memory_id: str
    people: frozenset[str]
    said: str
    general: str
    sense: Sense
    kind: MemoryKind
    type: str
    confidence: float
    observed_at: datetime
    neutral: bool
    corrects: bool = False
    utterance: str | None = None


def marked_private(tags: Collection[str], metadata: Mapping[str, Any]) -> bool:
    return metadata.get(PRIVATE) is True or any(tag.casefold() == PRIVATE for tag in tags)


def is_private(memory: Memory) -> bool:
    return marked_private(memory.tags, memory.metadata)


def claims_of(memory: Memory, stem: Callable[[str], str]) -> list[Claim]:
    """The claims of one actor's memory, without those in which a common given name stands (see `naming_nobody`).

    None for a memory that is private, nor for one that cue rules have read out of a message: the message itself says
    it in full. A memory typed by other means is taken as one sentence about its speaker.
    """
    typed = memory.type != MESSAGE
    if is_private(memory) or (typed and (RULE in memory.metadata or not _is_general(memory))):
        return []
    claims = []
    for sentence in _stated(_without_speaker(memory), rule_book(), typed=typed):
        bare = _bare(sentence)
        if not _may_rise(bare, typed=typed):
            continue
        sense = sense_of(bare, stem)
        if len(sense.keys) >= _MIN_KEYS:
            corrects = rule_book().corrections.search(sentence) is not None
            claims.append(_claim(memory, bare, sense, corrects=corrects))
    return claims[:MAX_CLAIMS]


def capitalised(text: str) -> set[str]:
    """The words with a capital, any of which may be the name of a person."""
    words = (word.removesuffix("'s").removesuffix("’s") for word in _CAPITALISED.findall(text))
    return {word for word in words if word[0].isupper()}


def naming_nobody(claims: Sequence[Claim], names: Collection[str]) -> list[Claim]:
    """Those in which none of these names stands, whole or in part; single words count with a capital only."""
    parts = {part.casefold() for name in names for part in (name, *name.split())}
    whole = [part for part in parts if " " in part]
    return [
        claim
        for claim in claims
        if parts.isdisjoint(word.casefold() for word in capitalised(claim.said))
        and not any(name in claim.said.casefold() for name in whole)
    ]


def risen_claim(memory: Memory, people: frozenset[str], stem: Callable[[str], str]) -> Claim:
    """What a role's or a team's memory says for the org: its words are general already."""
    return Claim(
        memory_id=memory.memory_id,
        people=people,
        said=memory.text,
        general=memory.text,
        sense=sense_of(memory.text, stem),
        kind=memory.kind,
        type=memory.type,
        confidence=memory.confidence,
        observed_at=memory.observed_at,
        neutral=not memory.text.startswith(GENERAL_SUBJECT),
    )


def generalised(sentence: str) -> str:
    """The sentence without first person: "we never deploy on a Friday" reads "Never deploy on a Friday."

    Where a person is the subject, it becomes GENERAL_SUBJECT, which takes the verb forms of "we".
    """
    text = _IMPERATIVE.sub(lambda match: match[1].capitalize() + " ", sentence)
    for pattern, into in _NEUTRAL:
        text = pattern.sub(into, text)
    text = _SPACES.sub(" ", text).strip(" ,;:-–—")
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "…")) else text + "."


def _claim(memory: Memory, bare: str, sense: Sense, *, corrects: bool) -> Claim:
    actor_id = memory.scope.actor_id or ""
    speaker = (memory.speaker or "").casefold()
    kind, type_ = _sort_of(bare, memory)
    named = speaker not in promotion_table().generic_speakers and speaker not in ("", actor_id.casefold())
    return Claim(
        memory_id=memory.memory_id,
        people=frozenset({actor_id}),
        said=bare,
        general=generalised(bare),
        sense=sense,
        kind=kind,
        type=type_,
        confidence=memory.confidence,
        observed_at=memory.observed_at,
        neutral=_FIRST_PERSON.search(bare) is None,
        corrects=corrects,
        utterance=f"{speaker}|{bare.casefold()}" if named else None,
    )


def _is_general(memory: Memory) -> bool:
    """Not an episode, and not about the identity, family, health or belongings of the person."""
    about_person = promotion_table().personal_tags & set(memory.tags)
    return memory.kind is not MemoryKind.EPISODIC and not about_person


def _sort_of(sentence: str, memory: Memory) -> tuple[MemoryKind, str]:
    """Kind and type: those of a typed memory; of a message, what the cue rules make of the sentence."""
    if memory.type != MESSAGE:
        return memory.kind, memory.type
    words = frozenset(_WORD.findall(sentence.casefold()))
    found = (rule.type for rule in rule_book().waking(words) if rule.pattern.search(sentence))
    type_ = next((type_ for type_ in found if type_ != "event"), "fact")
    return MemoryKind.PROCEDURAL if type_ == "procedure" else MemoryKind.SEMANTIC, type_


def _without_speaker(memory: Memory) -> str:
    """A typed memory names its speaker: "Ann: we …" or "Ann prefers …", which is what "I prefer …" says."""
    if memory.type == MESSAGE or not memory.speaker or not memory.text.startswith(memory.speaker):
        return memory.text
    rest = memory.text[len(memory.speaker) :]
    if rest.startswith(":"):
        return rest[1:].strip()
    if not rest.startswith(" "):
        return memory.text  # "Ann's sister …" is about Ann
    verb, _, objects = rest.strip().partition(" ")
    return f"We {_plural(verb)} {objects}"


def _plural(verb: str) -> str:
    known = {"is": "are", "has": "have", "was": "were", "doesn't": "don't", "isn't": "aren't", "does": "do"}
    if verb in known:
        return known[verb]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    if verb.endswith(("shes", "ches", "xes", "oes", "sses")):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def _stated(text: str, book: RuleBook, *, typed: bool) -> Iterator[str]:
    """The sentences that assert something, as written."""
    if typed:
        yield text
        return
    for sentence in sentences(text):
        whole = sentence.text
        if whole.rstrip().endswith("?") or _asks(whole, book) or _reports(whole, book):
            continue
        if is_asserted(whole, _first_word(whole), len(whole), book) and not _hypothetical(whole, book):
            yield whole


def _first_word(sentence: str) -> int:
    match = _WORD.search(sentence)
    return match.start() if match else 0


def _asks(sentence: str, book: RuleBook) -> bool:
    """A question without its mark; "don't …" and "any …" begin rules at least as often."""
    found = book.questions.match(sentence)
    return found is not None and not found[0].lower().endswith(("don't", "any", "do")) and "do not" not in found[0]


def _reports(sentence: str, book: RuleBook) -> bool:
    return any(match[0].casefold() not in _THINGS_SAID for match in book.reported.finditer(sentence))


def _hypothetical(sentence: str, book: RuleBook) -> bool:
    """Words that leave open whether it is so; "until", "unless" and "if you …" are part of rules."""
    return any(match[0].casefold() not in _PART_OF_RULES for match in book.hypothetical.finditer(sentence))


_THINGS_SAID = frozenset({"quote", "lyric", "lyrics", "character", "novel", "movie"})
_PART_OF_RULES = frozenset({"if", "until", "whether", "unless", "in case"})


def _may_rise(sentence: str, *, typed: bool) -> bool:
    table = promotion_table()
    if len(_WORD.findall(sentence)) < _MIN_WORDS or len(sentence) > _MAX_CHARS:
        return False
    if is_acknowledgement(sentence, acknowledgements()) or carries_personal_data(sentence):
        return False
    if any(pattern.search(sentence) for pattern in _not_general(table)):
        return False
    if not typed and _speaks_of_self(sentence) and not table.habitual.search(sentence):
        return False
    return not _names_somebody(sentence)


def _not_general(table: PromotionTable) -> tuple[re.Pattern[str], ...]:
    """What is personal or somebody's own, passes or has passed, points at something, or is talk between two people."""
    return table.personal, table.own, table.passing, table.past, table.pointing, table.talk, table.addressed


def _speaks_of_self(sentence: str) -> bool:
    return re.search(r"\bi(?:'\w+)?\b", sentence, re.IGNORECASE) is not None


def _names_somebody(sentence: str) -> bool:
    given_names = promotion_table().given_names
    if any(word.casefold() in given_names for word in capitalised(sentence)):
        return True
    # Two capitalised words may be a product as well as a person: the list of given names tells them apart.
    return any(each.type == PERSON and " " not in each.name for each in find_entities(sentence))


def _bare(sentence: str) -> str:
    leaders = promotion_table().leaders
    bare = sentence.strip()
    while (shorter := leaders.sub("", bare)) != bare:
        bare = shorter
    return bare


_NEUTRAL = tuple(
    (re.compile(pattern, re.IGNORECASE), into)
    for pattern, into in (
        (r"^(?:i|we) (?:really |personally |much |generally )*(?=\w)", f"{GENERAL_SUBJECT} "),
        (r"(?<=[,;] )(?:i|we)\b(?! are| am)", "people"),
        (r"\b(?:i'm|i am|we're)\b", "people are"),
        (r"\b(?:i've|we've)\b", "people have"),
        (r"\b(?:i'd|we'd)\b", "people would"),
        (r"\b(?:i'll|we'll)\b", "people will"),
        (r"\b(?:i|we)\b", "people"),
        (r"\b(?:our|my)\b", "the"),
        (r"\b(?:ours|mine)\b", "theirs"),
        (r"\b(?:us|me)\b", "them"),
        (r"\b(?:ourselves|myself)\b", "themselves"),
    )
)
