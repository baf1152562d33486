"""What a question asks for, read from its words alone: whom it is about, which time, what shape the answer has.

Every finding is a hint for ranking. Nothing found here ever hides a row.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import SequenceMatcher
from enum import IntFlag

from memcairn.domain.dates import find_dates

MAX_READ_CHARS = 2_000
"""A question is understood by its first characters; what follows is pasted material."""

_MIN_SPELLING_CHARS = 6
_SAME_SPELLING = 0.75
"""Names of at least six letters that agree in three quarters of them (difflib's ratio) are spellings of one name."""

_MIN_NICKNAME_CHARS = 3
_MAX_NAMES_COMPARED = 200


class Shape(IntFlag):
    """What kind of answer the question wants; several may hold."""

    WHEN = 1
    HOW_MANY = 2
    LIST = 4
    LATEST = 8
    """How things stand now: later rows count a little more."""
    TOLD = 16
    """What the assistant said earlier."""
    WHO = 32
    WHERE = 64
    OWN = 128
    """About the person asking: "my", "I"."""
    REQUEST = 256
    """Help is wanted, so standing wishes and rules apply: "could you", "how should I", "suggest"."""
    SUMMARY = 512
    """Everything about a thing, whoever said it."""
    PAST = 1024
    """How things stood before: "previously", "used to", "former"."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time in Unix seconds, `start` inclusive, `end` exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Understanding:
    """What was found in a question.

    `speakers` are known names as the caller spelled them; `name_words` are the words of the question that named them,
    `time_words` those that say no more than now or then, in small letters (leave both out of the lexical query);
    `spoken` is the question from the speakers' side, for the embedder.
    """

    speakers: tuple[str, ...] = ()
    name_words: tuple[str, ...] = ()
    time_words: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    shape: Shape = field(default=Shape(0))
    spoken: str = ""


def understand(text: str, *, speakers: Sequence[str], asked_at: datetime) -> Understanding:
    """Read a question asked at `asked_at` among people called `speakers`; any text at all is a legal question."""
    text = text[:MAX_READ_CHARS]
    if asked_at.tzinfo is None:
        asked_at = asked_at.replace(tzinfo=UTC)
    mentions = _mentions(text, speakers)
    named = tuple(dict.fromkeys(name for mention in mentions for name in mention.names))
    windows = _windows(text, asked_at)
    shape = shape_of(text)
    if windows and all(window.end <= asked_at.timestamp() for window in windows):
        shape |= Shape.PAST
    return Understanding(
        speakers=named,
        name_words=tuple(dict.fromkeys(mention.word for mention in mentions)),
        time_words=_words_of_time(text),
        windows=windows,
        shape=shape,
        spoken=_from_the_speakers_side(text, mentions, several=_several(mentions)),
    )


def _words_of_time(text: str) -> tuple[str, ...]:
    """The words that say no more than now or then, in small letters."""
    return tuple(dict.fromkeys(word for phrase in _NOW_OR_THEN.findall(text.lower()) for word in phrase.split()))


def shape_of(text: str) -> Shape:
    """The kinds of answer a question asks for (cues in English, German, French, Spanish, Chinese, Japanese)."""
    lowered = text.lower()
    return Shape(sum(shape for shape, pattern in _SHAPES.items() if pattern.search(lowered)))


def _shape_pattern(words: str, unspaced: str = "") -> re.Pattern[str]:
    """For text in small letters: patterns that look for both kinds take over twice as long."""
    alternatives = "|".join(line.strip() for line in words.strip().splitlines())
    return re.compile(rf"\b(?:{alternatives})\b" + (f"|{unspaced}" if unspaced else ""))


_SHAPES = {
    Shape.WHEN: _shape_pattern(
        """
        when|what (?:day|date|time|month|year|season)|which (?:day|date|month|year|season|week)
        how (?:long|soon|recently)|in (?:what|which) (?:month|year)
        how many (?:days|weeks|months|years)|wann|seit wann|welche[nmrs]? (?:tag|monat|jahr|datum)|wie lange
        quand|quel(?:le)? (?:jour|date|mois|année|heure)|combien de temps
        cuándo|cuando|qué (?:día|fecha|mes|año|hora)|cuánto tiempo
        """,
        "什么时候|何时|哪天|几号|多久|いつ|何[日月年時]",
    ),
    Shape.HOW_MANY: _shape_pattern(
        """
        how (?:many|much|often|old|far|tall|big|large)|what (?:number|amount|percentage|percent|score|price|total)
        wie (?:viele?|oft|alt|hoch|groß|weit)|combien|quel âge|cuánt[oa]s?|cuantos|qué edad
        """,
        "多少|几[个次岁只本]|いくつ|いくら|何[人回歳匹冊個]",
    ),
    Shape.LIST: _shape_pattern(
        """
        which (?:\\w+ ){0,3}(?:and|or)|what (?:are|were)|what (?:kinds?|types?|sorts?) of|what all|list|name (?:all|the)
        (?:what|which) (?:\\w+ ){0,2}\\w+s (?:has|have|did|does|do|are|were)|what (?:has|have|does|do) .{0,40} in common
        welche|quels|quelles|cuáles
        """,
        "哪些|どんな",
    ),
    Shape.LATEST: _shape_pattern(
        """
        now|currently|current|latest|newest|most recent|most recently|recently|these days|nowadays|at the moment
        so far|up to date|still|last time|present
        jetzt|derzeit|zurzeit|momentan|aktuell\\w*|neueste\\w*|zuletzt|inzwischen|immer noch
        maintenant|actuellement|actuel\\w*|dernière fois|récemment|toujours
        ahora|actualmente|actual\\w*|última vez|últimamente|recientemente|todavía
        """,
        "现在|目前|最近|最新|今は|現在",
    ),
    Shape.TOLD: _shape_pattern(
        """
        did you (?:\\w+ )?(?:say|tell|suggest|recommend|mention|give|provide|explain|advise|propose|describe|list|write)
        you (?:\\w+ )?(?:said|told|suggested|recommended|mentioned|gave|given|provided|explained|advised|proposed)
        you (?:\\w+ )?(?:described|listed|wrote|written|showed|shown|answered|helped)
        your (?:\\w+ )?(?:suggestions?|recommendations?|advice|answer|explanation|response|list|example)
        du (?:mir )?(?:gesagt|empfohlen|vorgeschlagen|geraten)|deine? (?:empfehlung|rat|antwort|vorschlag)
        tu m'as (?:dit|recommandé|conseillé|suggéré)|vous m'avez (?:dit|recommandé|conseillé)
        me (?:dijiste|recomendaste|sugeriste)|tu (?:recomendación|consejo|respuesta)
        """,
        "你(?:说过|告诉|建议|推荐)",
    ),
    Shape.WHO: _shape_pattern("who|whom|whose|wer|wen|wem|wessen|qui|quién|quiénes", "谁|誰|だれ"),
    Shape.WHERE: _shape_pattern(
        """
        where|what (?:city|country|place|town|state|address)|which (?:city|country|place|town|state)
        wo|wohin|woher|où|dónde|adónde
        """,
        "哪里|在哪|どこ",
    ),
    Shape.OWN: _shape_pattern(
        """
        i|me|my|mine|myself|ich|mich|mir|mein\\w*|je|moi|mon|ma|mes|yo|mi|mis|mí
        """,
        "我|私|僕",
    ),
    Shape.REQUEST: _shape_pattern(
        """
        (?:can|could|would|will) you|how (?:should|can|could|do|would) (?:i|we)|(?:what|where|when|which) should
        should (?:i|we)|suggest\\w*|recommend\\w*|advise|advice|ideas|tips|explain
        (?:show|help|give|tell|walk) me
        what (?:are|is) (?:some|the|a good|the best)|which .{0,30} (?:should|would)|what (?:do|would) (?:i|you)
        (?:kannst|könntest|würdest) du|wie (?:soll|kann|könnte) ich|soll ich|empfiehl\\w*|schlag\\w*|zeig mir|hilf mir
        (?:peux|pourrais)-tu|pouvez-vous|comment (?:puis-je|faire)|conseille\\w*|suggère\\w*|aide-moi
        (?:puedes|podrías)|cómo (?:puedo|debo|debería)|recomiénda\\w*|sugiere\\w*|ayúdame
        """,
        "推荐|建议|怎么|如何|教えて|おすすめ|どうすれば",
    ),
    Shape.SUMMARY: _shape_pattern(
        "summar\\w*|overview|recap|zusammenfass\\w*|fasse?|überblick|résum\\w*|résumé|aperçu|resum\\w*",
        "总结|概括|まとめ|要約",
    ),
    Shape.PAST: _shape_pattern(
        """
        before|previous|previously|former|formerly|earlier|originally
        used? to|in the past|back then|until then|no longer
        früher\\w*|vorher\\w*|zuvor|damals|ehemalig\\w*|ursprünglich\\w*
        avant|auparavant|autrefois|ancien\\w*|précédent\\w*|à l'époque
        antes|anterior\\w*|antigu[oa]s?|previamente|en el pasado|solía\\w*
        """,
        "以前|之前|过去|曾经|昔|かつて",
    ),
}
# An answer seldom repeats them: "I moved to Oslo" tells where one lives now.
_NOW_OR_THEN = _shape_pattern(
    """
    now|currently|nowadays|presently|at the moment|these days|previously|formerly
    jetzt|derzeit|zurzeit|momentan|aktuell|heutzutage|früher|vorher|zuvor|damals
    maintenant|actuellement|en ce moment|auparavant|autrefois
    ahora|actualmente|en este momento|antes|previamente|anteriormente
    """
)


@dataclass(frozen=True, slots=True)
class _Mention:
    """A word of the question that names somebody; `names` are all the speakers it may stand for."""

    word: str
    names: tuple[str, ...]
    start: int
    end: int
    possessive: bool


_WORD = re.compile(r"[^\W\d_][^\W_]*(?:-[^\W_]+)*")
_POSSESSIVE = re.compile(r"['’](?:s\b)?", re.IGNORECASE)
_ROLE_NAMES = frozenset({"user", "assistant", "tool", "app", "system", "human", "ai", "bot", "agent", "session"})
# Given names that are everyday words too: written small, or at the head of a sentence, they name nobody.
_NAMES_THAT_ARE_WORDS = frozenset(
    """
    art april august bill bob can chance charity chase christian cliff crystal dawn daisy don drew earnest faith frank
    grace grant guy hope hunter iris ivy jack jade joy june lance lily mark may melody mercy miles nick pat patience
    pearl penny pierce ray rich rob robin rose ruby rusty sandy skip sky star sue summer terry victor violet wade
    ward will winter die an so do wo la el le de des du da van von
    """.split()
)


def _mentions(text: str, speakers: Sequence[str]) -> list[_Mention]:
    """Where the question names a speaker, as a whole word, a part of the name, a short form or another spelling."""
    by_part = _name_parts(speakers)
    if not by_part:
        return []
    found = []
    for match in _WORD.finditer(text):
        word, before = match.group(), text[: match.start()].rstrip(" \"'“¿¡(")
        possessive = _POSSESSIVE.match(text, match.end())
        at_head = not before or before[-1] in ".!?:"
        certain = word[0].isupper() and (possessive is not None or not at_head)
        names = _names_for(_folded(word), by_part, certain=certain)
        if names:
            end = possessive.end() if possessive else match.end()
            found.append(_Mention(word, names, match.start(), end, possessive is not None))
    return found


def _name_parts(speakers: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Each word of each name, folded, to the names that hold it; names of roles are nobody's."""
    parts: dict[str, tuple[str, ...]] = {}
    for name in speakers:
        for part in _WORD.findall(name):
            folded = _folded(part)
            if len(folded) > 1 and folded not in _ROLE_NAMES:
                parts[folded] = (*parts.get(folded, ()), name)
    return parts


def _names_for(word: str, by_part: dict[str, tuple[str, ...]], *, certain: bool) -> tuple[str, ...]:
    """The names a folded word stands for; `certain` if the way it is written leaves no doubt that it is a name."""
    exact = by_part.get(word) or by_part.get(word.removesuffix("s") if len(word) > _MIN_NICKNAME_CHARS else word)
    if exact:
        return exact if certain or word not in _NAMES_THAT_ARE_WORDS else ()
    if not certain or len(by_part) > _MAX_NAMES_COMPARED or len(word) < _MIN_NICKNAME_CHARS:
        return ()
    alike = [part for part in by_part if _short_form(word, part) or _other_spelling(word, part)]
    return by_part[alike[0]] if len(alike) == 1 else ()


def _short_form(word: str, part: str) -> bool:
    short, long = sorted((word, part), key=len)
    return _MIN_NICKNAME_CHARS <= len(short) <= len(long) - 2 and long.startswith(short)


def _other_spelling(word: str, part: str) -> bool:
    if min(len(word), len(part)) < _MIN_SPELLING_CHARS or word[0] != part[0]:
        return False
    return SequenceMatcher(None, word, part, autojunk=False).ratio() >= _SAME_SPELLING


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    bare = "".join(char for char in unicodedata.normalize("NFKD", word) if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", bare).casefold()


def _windows(text: str, asked_at: datetime) -> tuple[Window, ...]:
    found = (Window(int(date.start.timestamp()), int(date.end.timestamp())) for date in find_dates(text, asked_at))
    return tuple(dict.fromkeys(window for window in found if window.start < window.end))


def _several(mentions: Iterable[_Mention]) -> bool:
    return len({mention.names for mention in mentions}) > 1


_PRONOUNS = {
    "german": ("ich", "mein", "wir", "unser"),
    "french": ("je", "mon", "nous", "notre"),
    "spanish": ("yo", "mi", "nosotros", "nuestro"),
}
_ENGLISH_PRONOUNS = ("I", "my", "we", "our")
_LANGUAGE_CUES = {
    "german": re.compile(r"\b(?:wer|wie|wann|wo|welche\w*|warum|ist|hat|der|das|und|von|mit)\b", re.IGNORECASE),
    "french": re.compile(r"\b(?:qui|que|quel\w*|quand|où|pourquoi|comment|est|les|et|du|des)\b", re.IGNORECASE),
    "spanish": re.compile(r"\b(?:quién|qué|cuál\w*|cuándo|dónde|cómo|es|los|las|y|del|ha)\b", re.IGNORECASE),
}
_ANY_PRONOUN = "|".join(pronoun for pronouns in (_ENGLISH_PRONOUNS, *_PRONOUNS.values()) for pronoun in pronouns)
# "Ann Lee" is one person named by two words, "Ann and Ben" are one "we".
_REPEATED = re.compile(rf"\b({_ANY_PRONOUN})(?:[,\s]+(?:(?:and|or|und|et|y)\s+)?\1\b)+")


def _from_the_speakers_side(text: str, mentions: Sequence[_Mention], *, several: bool) -> str:
    """The question with names replaced by pronouns: people do not say their own names when they tell something."""
    if not mentions:
        return text
    pronouns = _ENGLISH_PRONOUNS
    for language, cue in _LANGUAGE_CUES.items():
        if len(cue.findall(text)) > 1:
            pronouns = _PRONOUNS[language]
    pieces, at = [], 0
    for mention in mentions:
        pieces += [text[at : mention.start], pronouns[2 * several + mention.possessive]]
        at = mention.end
    return _REPEATED.sub(r"\1", "".join([*pieces, text[at:]]))
