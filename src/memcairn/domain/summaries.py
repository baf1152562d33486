"""What a session was about so far, in few words: summaries, and one way to make them that only chooses sentences.

A summary made here is lines of `2026-03-15 Ann: what she said.`; the next one reads them back and weighs them anew
beside what has been said since.
"""

import functools
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from memcairn.domain.events import ANONYMOUS, Event, EventKind
from memcairn.domain.salience import discount, split, substance, topic_weights, words_of

WINDOW = 12
"""Unsummarised events at which a summary is made, unless a setting says otherwise."""

MAX_SUMMARY_CHARS = 1_200
MAX_SENTENCE_CHARS = 240
FRESH_PART = 0.7
"""Of what has been said since the last summary, at most this part of its characters goes into the next."""

_KEPT_SHARE = 1 / 3  # of the room, for what the last summary held and for what is new, each
_TWICE_TOLD = 0.3  # what a topic word is still worth when a chosen sentence holds it
_CARRIED_WORTH = 0.1  # it was worth telling once
_UTTERANCES_AT_ONCE = 200
_MAX_CONSIDERED = 80  # the best sentences by themselves; redundancy is weighed among these only
_TRIFLE = 0.2  # of what the best sentence is worth
_MAX_MISSES = 6  # sentences in a row that do not fit before the room counts as full
_MAX_SPEAKER_CHARS = 60
_REMEMBERED_SENTENCES = 2_000
_NAMELESS = "user"
_SHORT_CHARS = 80
_HEARD_FROM = {EventKind.USER_MESSAGE: 1.0, EventKind.ASSISTANT_MESSAGE: 0.7}
_HEARD_FROM_MACHINES = 0.4
_LINE = re.compile(r"(?:(?P<day>\d{4}-\d\d-\d\d) )?(?:(?P<speaker>[^:]{1,60}): )?(?P<text>.+)")


@dataclass(frozen=True, slots=True)
class Summary:
    """A stored summary. It covers its session up to and including the event at `up_to_position`."""

    org_id: str
    summary_id: str
    session_id: str
    content: str
    token_count: int
    metadata: Mapping[str, Any]
    up_to_position: int
    up_to_event_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Utterance:
    """One thing said, as summarisers see it."""

    speaker: str
    text: str
    said_at: datetime
    kind: EventKind


def utterance_of(event: Event) -> Utterance:
    return Utterance(speaker_shown(event), event.content, event.occurred_at, event.kind)


def speaker_shown(event: Event) -> str:
    """Who said it, for people to read: an actor that only stands for its session is called by the role."""
    nameless = event.kind is EventKind.USER_MESSAGE and not event.name and event.actor_id.startswith(ANONYMOUS)
    return name_shown(event.role or _NAMELESS if nameless else event.speaker)


def name_shown(speaker: str) -> str:
    """A speaker's name on one line and without colons; that of an actor that only stands for its session is none."""
    name = _NAMELESS if speaker.startswith(ANONYMOUS) else speaker
    return " ".join(name.replace(":", " ").split())[:_MAX_SPEAKER_CHARS] or _NAMELESS


def summarise(previous: str | None, said: Sequence[Utterance]) -> str:
    """The sentences of the last summary and of what was said since that carry the conversation, in their order.

    At most MAX_SUMMARY_CHARS. Empty only if everything is blank; if more than one sentence is new, at least one of
    them is left out. The same input always gives the same text.
    """
    content = previous or ""
    for start in range(0, len(said), _UTTERANCES_AT_ONCE):
        content = _folded(content, said[start : start + _UTTERANCES_AT_ONCE])
    return content


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning up to a word border with "…", in at most `limit` characters."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    space = cut.rfind(" ", limit // 2)
    return (cut[:space] if space > 0 else cut).rstrip(" ,;:-") + "…"


@dataclass(frozen=True, slots=True)
class _Sentence:
    """`order` counts in reading order; `words` are its topic words, each once and sorted: sums of floats depend on the
    order. `worth` is what it brings besides them, 0 to about 2.
    """

    order: int
    day: str
    speaker: str
    text: str
    carried: bool
    words: tuple[str, ...]
    worth: float
    part: float

    @property
    def voice(self) -> tuple[str, str]:
        return self.day, self.speaker

    def value(self, weight: float, top: float, news: float = 1.0) -> float:
        """`weight` of its words, with the greatest that one word has; `news` is the part no chosen sentence tells."""
        topic = weight / (len(self.words) + 4) / top
        return self.part * (self.worth * news + topic)


def _folded(previous: str, said: Sequence[Utterance]) -> str:
    sentences = _carried(previous)
    names = {each.speaker for each in said}
    for utterance in said:
        sentences += _fresh(utterance, names, start=len(sentences))
    fresh = [each for each in sentences if not each.carried]
    if not fresh:
        return previous
    room = min(MAX_SUMMARY_CHARS, len(previous) + int(len(_rendered(fresh)) * FRESH_PART))
    return _rendered(_chosen(sentences, room)) or shortened(fresh[0].text, MAX_SENTENCE_CHARS)


def _carried(previous: str) -> list[_Sentence]:
    found: list[_Sentence] = []
    for line in previous.splitlines():
        match = _LINE.match(line.strip())
        if match is None:
            continue
        day, speaker = match["day"] or "", match["speaker"] or ""
        for text in split(match["text"]):
            words, worth, part = _weighed_before(text, day, speaker)
            shown = shortened(text, MAX_SENTENCE_CHARS)
            found.append(_Sentence(len(found), day, speaker, shown, carried=True, words=words, worth=worth, part=part))
    return found


@functools.lru_cache(_REMEMBERED_SENTENCES)
def _weighed_before(text: str, day: str, speaker: str) -> tuple[tuple[str, ...], float, float]:
    """Words, worth and part of a sentence of the last summary: most of them stood in the one before as well."""
    worth = substance(text, said_at=_moment(day), known_names=[speaker]) + _CARRIED_WORTH
    return _topics(text), worth, discount(text)


def _topics(text: str) -> tuple[str, ...]:
    return tuple(sorted(set(words_of(text))))


def _moment(day: str) -> datetime:
    try:
        return datetime.fromisoformat(day).replace(tzinfo=UTC)
    except ValueError:
        return datetime(2000, 1, 1, tzinfo=UTC)


def _fresh(said: Utterance, names: Collection[str], *, start: int) -> list[_Sentence]:
    heard_from = _HEARD_FROM.get(said.kind, _HEARD_FROM_MACHINES)
    return [
        _Sentence(
            order,
            said.said_at.date().isoformat(),
            said.speaker,
            shortened(text, MAX_SENTENCE_CHARS),
            carried=False,
            words=_topics(text),
            worth=substance(text, said_at=said.said_at, known_names=names),
            part=heard_from * discount(text),
        )
        for order, text in enumerate(split(said.text), start)
    ]


def _chosen(sentences: Sequence[_Sentence], room: int) -> list[_Sentence]:
    """The best sentences that fit into `room` characters, those that repeat others last; old and new keep a share."""
    fresh = [each for each in sentences if not each.carried]
    picking = _Picking(sentences)
    sentences = picking.best(_MAX_CONSIDERED)
    for carried, share in ((False, _KEPT_SHARE), (True, _KEPT_SHARE)):
        picking.pick([each for each in sentences if each.carried is carried], int(room * share))
    picking.pick(sentences, room, whole=True)
    chosen = picking.chosen
    while len(chosen) > 1 and len(_rendered(chosen)) > room:
        chosen.remove(min(chosen, key=lambda each: (picking.values[each.order], -each.order)))
    if len(fresh) > 1 and all(each in chosen for each in fresh):
        chosen.remove(min(fresh, key=lambda each: (picking.values[each.order], -each.order)))
    elif len(sentences) == 1 and len(chosen[0].text) > _SHORT_CHARS:
        return [replace(chosen[0], text=shortened(chosen[0].text, int(len(chosen[0].text) * FRESH_PART)))]
    return chosen


class _Picking:
    """Takes the best sentence, lowers what its words are worth in others, and goes on."""

    def __init__(self, sentences: Sequence[_Sentence]) -> None:
        self._weights = dict(topic_weights([each.words for each in sentences]))
        self._at_first = {each.order: self._weight(each) or 1.0 for each in sentences}
        self._top = max(self._weights.values(), default=1.0) or 1.0
        self.values = {each.order: each.value(self._weight(each), self._top) for each in sentences}
        self.chosen: list[_Sentence] = []
        self._sentences = list(sentences)
        self._holding: dict[str, list[_Sentence]] = defaultdict(list)
        for sentence in sentences:
            for word in sentence.words:
                self._holding[word].append(sentence)
        self._now = {each.order: self._value_now(each) for each in sentences}

    def best(self, limit: int) -> list[_Sentence]:
        """The sentences worth most, without trifles that only fill the room, in reading order."""
        least = max(self.values.values()) * _TRIFLE
        worth_it = [each for each in self._sentences if self.values[each.order] >= least]
        found = sorted(worth_it, key=lambda each: (-self.values[each.order], each.order))[:limit]
        return sorted(found, key=lambda each: each.order)

    def pick(self, among: Sequence[_Sentence], room: int, *, whole: bool = False) -> None:
        """Choose from `among` while its own part of the text (`whole`: the whole text) stays within `room`."""
        orders = {each.order for each in among}
        taken_before = {each.order for each in self.chosen}
        left = {each.order: each for each in among if each.order not in taken_before}
        misses = 0
        while left and misses < _MAX_MISSES:
            best = left.pop(max(left, key=lambda order: (self._now[order], -order)))
            taken = [each for each in self.chosen if whole or each.order in orders]
            if self.chosen and len(_rendered([*taken, best])) > room:
                misses += 1
            else:
                misses = 0
                self._take(best)

    def _weight(self, sentence: _Sentence) -> float:
        return sum(map(self._weights.__getitem__, sentence.words))

    def _value_now(self, sentence: _Sentence) -> float:
        weight = self._weight(sentence)
        return sentence.value(weight, self._top, weight / self._at_first[sentence.order])

    def _take(self, sentence: _Sentence) -> None:
        self.chosen.append(sentence)
        touched: dict[int, _Sentence] = {}
        for word in sentence.words:
            self._weights[word] *= _TWICE_TOLD
            touched |= {each.order: each for each in self._holding[word]}
        self._now |= {order: self._value_now(each) for order, each in touched.items()}


def _rendered(sentences: Sequence[_Sentence]) -> str:
    in_order = sorted(sentences, key=lambda each: each.order)
    return "\n".join(
        f"{_heading(*voice)}{' '.join(_ended(each.text) for each in its)}"
        for voice, its in groupby(in_order, key=lambda each: each.voice)
    )


def _heading(day: str, speaker: str) -> str:
    return f"{day} " * bool(day) + f"{speaker}: " * bool(speaker)


def _ended(text: str) -> str:
    """With a full stop, if it ends in the middle of nothing: the next sentence may follow on the same line."""
    return f"{text}." if text[-1].isalnum() else text
