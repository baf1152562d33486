"""Statements that may rise from one person's memory to others: what they must not be, and how they are made general.

A claim is one sentence of a memory that states something which does not pass, is not about the person who said it, and
names nobody. Everything else stays where it was said.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from memcairn.domain.candidates import MESSAGE
from memcairn.domain.entities import PERSON, find_entities
from memcairn.domain.memories import Memory, MemoryKind
from memcairn.domain.promotion_table import promotion_table
from memcairn.domain.rules import RuleBook, acknowledgements, rule_book
from memcairn.domain.sense import Sense, sense_of
from memcairn.domain.sensitive import carries_personal_data
from memcairn.domain.statements import is_acknowledgement, is_asserted, sentences

PRIVATE = "private"
"""As a tag or as a key of metadata with the value true: never leaves the scope of the person."""
MAX_CLAIMS = 24
"""Of one memory; a longer text is a document."""
GENERAL_SUBJECT = "People here"

_MIN_WORDS = 3
_MAX_CHARS = 300
_WORD = re.compile(r"\w+(?:'\w+)?")
_CAPITALISED = re.compile(r"[^\W\d_][\w'’-]*")
_FIRST_PERSON = re.compile(r"\b(?:i|we|i'm|we're|i've|we've|i'd|we'd|i'll|we'll|us|our|ours|ourselves|me|my)\b", re.I)
_IMPERATIVE = re.compile(r"^(?:we|i)(?: must| should| will|'ll)? (always|never) (?=\w)", re.I)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of a memory, told by `people` (one, for a memory of an actor). `general`: the words others may see.

    `neutral`: the sentence speaks of nobody, so that its words need no change of person. `corrects`: it says that
    something known before is wrong. `utterance` is equal for copies of one thing said by one named speaker.
    """

    memory_id: str
    people: frozenset[str]
    general: str
    sense: Sense
    kind: MemoryKind
    type: str
    confidence: float
    observed_at: datetime
    neutral: bool
    corrects: bool = False
    utterance: str | None = None


def is_private(memory: Memory) -> bool:
    marked = memory.metadata.get(PRIVATE)
    return marked is True or any(tag.casefold() == PRIVATE for tag in memory.tags)


def claims_of(memory: Memory, stem: Callable[[str], str], known_names: Collection[str] = ()) -> list[Claim]:
    """The claims of one actor's memory; `known_names` are names of people, whole or in part, in any case.

    None for a memory that is private, or typed as something about the person (identity, family, health, belongings).
    """
    table = promotion_table()
    if is_private(memory) or table.personal_tags & _about_person(memory) or _is_typed_episode(memory):
        return []
    names = {part.casefold() for name in known_names for part in (name, *name.split())}
    said = _without_speaker(memory)
    claims = []
    for sentence in _stated(said, rule_book(), typed=memory.type != MESSAGE):
        if not _may_rise(sentence, names, typed=memory.type != MESSAGE):
            continue
        bare = _bare(sentence)
        sense = sense_of(bare, stem)
        if len(sense.keys) >= 2:
            claims.append(_claim(memory, bare, sense))
    return claims[:MAX_CLAIMS]


def risen_claim(memory: Memory, people: frozenset[str], stem: Callable[[str], str]) -> Claim:
    """What a role's or a team's memory says for the org: its words are general already."""
    return Claim(
        memory_id=memory.memory_id,
        people=people,
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


def _claim(memory: Memory, bare: str, sense: Sense) -> Claim:
    actor_id = memory.scope.actor_id or ""
    speaker = (memory.speaker or "").casefold()
    named = speaker not in promotion_table().generic_speakers and speaker not in ("", actor_id.casefold())
    return Claim(
        memory_id=memory.memory_id,
        people=frozenset({actor_id}),
        general=generalised(bare),
        sense=sense,
        kind=MemoryKind.SEMANTIC if memory.type == MESSAGE else memory.kind,
        type="fact" if memory.type == MESSAGE else memory.type,
        confidence=memory.confidence,
        observed_at=memory.observed_at,
        neutral=_FIRST_PERSON.search(bare) is None,
        corrects=rule_book().corrections.search(bare) is not None,
        utterance=f"{speaker}|{bare.casefold()}" if named else None,
    )


def _is_typed_episode(memory: Memory) -> bool:
    return memory.kind is MemoryKind.EPISODIC and memory.type != MESSAGE


def _about_person(memory: Memory) -> set[str]:
    """The tags of a message are topics of its words; those of a typed memory say what it is about."""
    return set() if memory.type == MESSAGE else set(memory.tags)


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


def _may_rise(sentence: str, names: Collection[str], *, typed: bool) -> bool:
    table = promotion_table()
    if len(_WORD.findall(sentence)) < _MIN_WORDS or len(sentence) > _MAX_CHARS:
        return False
    if is_acknowledgement(sentence, acknowledgements()) or carries_personal_data(sentence):
        return False
    if table.personal.search(sentence) or table.passing.search(sentence) or table.pointing.search(sentence):
        return False
    if not typed and _speaks_of_self(sentence) and not table.habitual.search(sentence):
        return False
    return not table.own.search(sentence) and not _names_somebody(sentence, names)


def _speaks_of_self(sentence: str) -> bool:
    return re.search(r"\bi(?:'\w+)?\b", sentence, re.IGNORECASE) is not None


def _names_somebody(sentence: str, names: Collection[str]) -> bool:
    words = _CAPITALISED.findall(sentence)
    capitals = [word.removesuffix("'s").removesuffix("’s") for word in words if word[0].isupper()]
    given_names = promotion_table().given_names
    if any(word.casefold() in names or word.casefold() in given_names for word in capitals):
        return True
    lowered = sentence.casefold()
    if any(
        len(name) > 3 and re.search(rf"\b{re.escape(name)}\b", lowered) for name in names if " " in name or "@" in name
    ):
        return True
    # Two capitalised words may be a product as well as a person: the lists above tell them apart.
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
