"""Reading candidates out of an event by cue rules: the words as said, and the sentences that say something that lasts.

Everything here is deterministic and needs no model. Text is data: nothing in it can change what the rules do.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from memcairn.domain.candidates import (
    MESSAGE,
    NEGATED,
    Candidate,
    message_digest,
    normalised_value,
    statement_digest,
)
from memcairn.domain.dates import DateMention, find_dates
from memcairn.domain.entities import find_entities
from memcairn.domain.events import Event, EventKind
from memcairn.domain.memories import Entity, MemoryKind
from memcairn.domain.rules import CueRule, RuleBook, acknowledgements, rule_book, topics
from memcairn.domain.statements import Sentence, is_acknowledgement, is_asserted, sentences

MAX_TYPED = 24
"""Typed candidates of one event; a longer list is a document, and its words are kept by the message itself."""
MAX_TAGS = 6
MAX_STATED_DATES = 16
"""Dates kept in a memory's metadata."""

_KINDS = {"procedure": MemoryKind.PROCEDURAL, "event": MemoryKind.EPISODIC}
_MAX_SLOT_WORDS = 4
_WORD = re.compile(r"[^\W\d_]+")
_FIRST_PERSON = re.compile(r"\b(?:i|we|i'm|i've|i'd|i'll|we're|we've)\b", re.IGNORECASE)
_THIRD_PERSON = {
    "my": "their",
    "our": "their",
    "me": "them",
    "us": "them",
    "mine": "theirs",
    "ours": "theirs",
    "myself": "themselves",
    "ourselves": "themselves",
}
_POSSESSIVES = re.compile(r"\b(?:my|our|me|mine|ours|myself|ourselves)\b|\bus\b", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_NEXT_CLAUSE = re.compile(
    r",?\s+(?:and|but|so|because|while|though|although|since|which)\s+(?:i|we)\b.*", re.IGNORECASE
)
"""Where the speaker begins to say something else: what a pattern caught beyond it belongs to that."""


@dataclass(frozen=True, slots=True)
class _Source:
    """An event with what was found in its text once, for all its candidates."""

    event: Event
    text: str
    dates: Sequence[DateMention]
    entities: Sequence[Entity]


def extract(event: Event) -> list[Candidate]:
    """Nothing for a bare acknowledgement; else the message as said first, then typed candidates in reading order.

    Questions, conditions and quoted words become no typed candidate. Assistants, tools and applications are heard only
    where they state a decision or a norm outright. The same event always gives the same candidates.
    """
    text = event.content.replace("\x00", "")
    if is_acknowledgement(text, acknowledgements()):
        return []
    source = _Source(event, text, find_dates(text, event.occurred_at), find_entities(text))
    return [_message(source), *_typed(source)]


def _message(source: _Source) -> Candidate:
    event = source.event
    digest = message_digest(source.text, event.speaker, event.session_id, event.occurred_at.date())
    return Candidate(
        event_id=event.event_id,
        session_id=event.session_id,
        position=event.position,
        kind=MemoryKind.EPISODIC,
        type=MESSAGE,
        text=source.text,
        speaker=event.speaker,
        confidence=1.0,
        observed_at=event.occurred_at,
        digest=digest,
        tags=_topics(source.text),
        entities=source.entities,
        metadata=_dated(source.dates),
        trust=event.trust,
    )


def _topics(text: str) -> tuple[str, ...]:
    by_word = topics()
    found = dict.fromkeys(topic for word in _WORD.findall(text.lower()) if word in by_word for topic in by_word[word])
    return tuple(found)[:MAX_TAGS]


def _dated(mentions: Sequence[DateMention]) -> dict[str, Any]:
    if not mentions:
        return {}
    dates = [
        {"phrase": each.phrase, "start": each.start.isoformat(), "end": each.end.isoformat()}
        for each in mentions[:MAX_STATED_DATES]
    ]
    return {"dates": dates}


def _typed(source: _Source) -> list[Candidate]:
    book = rule_book()
    only_strong = source.event.kind is not EventKind.USER_MESSAGE
    found: dict[str, Candidate] = {}
    for sentence in sentences(source.text):
        for candidate in _from_sentence(sentence, source, book, only_strong=only_strong):
            found.setdefault(candidate.digest, candidate)
        if len(found) >= MAX_TYPED:
            break
    return list(found.values())[:MAX_TYPED]


def _from_sentence(sentence: Sentence, source: _Source, book: RuleBook, *, only_strong: bool) -> Iterator[Candidate]:
    rules = [rule for rule in book.waking(sentence.words) if rule.strong or not only_strong]
    if not rules:
        return
    text, contrasts = book.contrast.subn("", sentence.text)
    corrects = contrasts > 0 or book.corrections.search(text) is not None
    taken: list[tuple[CueRule, re.Match[str]]] = []
    for rule in rules:
        match = rule.pattern.search(text)
        if match is None or not is_asserted(text, *match.span(), book):
            continue
        if any(_says_the_same(rule, match, *other) for other in taken):
            continue
        candidate = _candidate(_Finding(rule, match, sentence, corrects or rule.corrects), source, book)
        if candidate is not None:
            taken.append((rule, match))
            yield candidate


def _says_the_same(rule: CueRule, match: re.Match[str], earlier: CueRule, found: re.Match[str]) -> bool:
    """Two rules of one type and slot that fit the same words are one finding."""
    overlaps = match.start() < found.end() and found.start() < match.end()
    return overlaps and rule.type == earlier.type and rule.slot == earlier.slot


@dataclass(frozen=True, slots=True)
class _Finding:
    rule: CueRule
    match: re.Match[str]
    sentence: Sentence
    corrects: bool


def _candidate(finding: _Finding, source: _Source, book: RuleBook) -> Candidate | None:
    rule, sentence, event = finding.rule, finding.sentence, source.event
    fields = _fields(finding, event.speaker)
    mentions = [each for each in source.dates if sentence.start <= each.span[0] < sentence.start + len(sentence.text)]
    if book.vague_objects.match(fields.get("object", "")) or (rule.needs_date and not mentions):
        return None
    text = _third_person_text(rule, fields) or f"{event.speaker}: {_SPACES.sub(' ', sentence.text)}"
    slot = _slot(rule, fields, book)
    kind = _KINDS.get(rule.type, MemoryKind.SEMANTIC)
    return Candidate(
        event_id=event.event_id,
        session_id=event.session_id,
        position=event.position,
        kind=kind,
        type=rule.type,
        text=text,
        speaker=event.speaker,
        confidence=rule.confidence,
        observed_at=event.occurred_at,
        digest=statement_digest(text, event.speaker, kind, rule.type, event.occurred_at.date()),
        slot=slot,
        value=_value(rule, fields) if slot else None,
        title=_title(rule, slot),
        tags=rule.tags,
        entities=[entity for entity in source.entities if entity.name in sentence.text],
        valid_from=event.occurred_at if slot else None,
        corrects=finding.corrects,
        metadata=_metadata(rule, fields, mentions),
        trust=event.trust,
    )


def _fields(finding: _Finding, speaker: str) -> dict[str, str]:
    """What the templates of a rule may name: the groups of its pattern, and words made from them."""
    fields = {
        name: _SPACES.sub(" ", _NEXT_CLAUSE.sub("", text)).strip(" -–—,;:.&'")
        for name, text in finding.match.groupdict().items()
        if text
    }
    fields["speaker"] = speaker
    if "verb" in fields:
        fields["verbs"] = _third_person_verb(fields["verb"].lower())
    if "relation" in fields:
        fields["relation"] = fields["relation"].lower()
        fields["kin"] = " ".join(fields[name] for name in ("relation", "kin_name") if name in fields)
    for name in ("thing", "pet", "phrase"):
        if name in fields:
            fields[name] = fields[name].lower()
    return fields


def _third_person_verb(verb: str) -> str:
    if verb.endswith(("s", "sh", "ch", "x", "o")):
        return verb + "es"
    return verb[:-1] + "ies" if verb.endswith("y") and verb[-2] not in "aeiou" else verb + "s"


def _third_person_text(rule: CueRule, fields: dict[str, str]) -> str | None:
    """None where the sentence reads better as a quotation: no template, or the speaker goes on about themselves."""
    said = fields.get("object") or fields.get("value", "")
    if rule.text is None or _FIRST_PERSON.search(said):
        return None
    turned = {
        name: _POSSESSIVES.sub(lambda match: _turned(match[0]), text) if name in ("object", "value") else text
        for name, text in fields.items()
    }
    return rule.text.format_map(turned)


def _turned(word: str) -> str:
    return word if word.isupper() else _THIRD_PERSON[word.lower()]


def _slot(rule: CueRule, fields: dict[str, str], book: RuleBook) -> str | None:
    if rule.slot is None:
        return None
    if fields.get("relation", "").split(" ")[-1] in book.multiple_kin and "kin_name" not in fields:
        return None
    plain = {name: normalised_value(text) for name, text in fields.items()}
    if len(plain.get("object", "").split()) > _MAX_SLOT_WORDS:
        return None
    plain |= {name: book.spellings.get(plain[name], plain[name]) for name in ("thing", "kin") if name in plain}
    return rule.slot.format_map(plain).replace(" ", "_")


def _value(rule: CueRule, fields: dict[str, str]) -> str:
    value = rule.value or normalised_value(fields["value"])
    return NEGATED + value if rule.negates else value


def _title(rule: CueRule, slot: str | None) -> str:
    if slot is None or ":" in slot:
        return rule.type.capitalize()
    return slot.replace("_", " ").replace(".", "'s ").capitalize()


def _metadata(rule: CueRule, fields: dict[str, str], mentions: Sequence[DateMention]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"rule": rule.name, **_dated(mentions)}
    if rule.polarity:
        metadata["polarity"] = rule.polarity
    return metadata
