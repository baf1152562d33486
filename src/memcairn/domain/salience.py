"""How much a sentence tells about a conversation, judged by its words alone.

Most of it is shape, which every language shares: numbers, names, the words the conversation keeps coming back to. The
cue rules and a few words of promise and agreement add what is known about particular languages.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from memcairn.domain.dates import find_dates
from memcairn.domain.entities import find_entities
from memcairn.domain.rules import acknowledgements, rule_book
from memcairn.domain.statements import is_acknowledgement, is_asserted

NUMBER_WORTH = 0.35
NAME_WORTH = 0.25
MAX_NAMES = 2
LASTING_WORTH = 0.6
"""Times the confidence of the best cue rule that finds something lasting: a preference, a decision, a fact."""
PROMISE_WORTH = 0.4
QUESTION_PART = 0.5
BRIEF_PART = 0.6
TRIFLE_PART = 0.3
CODE_PART = 0.1
NOTHING_PART = 0.05

MAX_READ_CHARS = 4_000
"""Of one text: what stands behind is a paste, and what it says is said at its beginning."""

_BORDER = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])|\s*[\n\r\u2028\u2029]+\s*")
_ABBREVIATED = re.compile(r"(?:^|\s)(?:[^\W\d_]|dr|mr|mrs|ms|prof|st|vs|etc|no|nr|bzw|ca|e\.g|i\.e|z\.b|sra?)\.$", re.I)
_WORD = re.compile(r"[^\W_]+")
_CUE_WORD = re.compile(r"\w+(?:'\w+)?")
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_DIGIT = re.compile(r"\d")
_ASKS = re.compile(r"[?？]\W*$")
_PROMISED = (
    *("i'll", "i will", "i promise", "i plan to", "i have to", "i need to", "we'll", "we will", "we agreed"),
    *("we decided", "we have to", "we need to", "let's", "deal", "agreed", "remember", "remind me", "don't forget"),
    *("deadline", "due", *(f"by {day}day" for day in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun"))),
    *("ich werde", "wir werden", "ich muss", "wir müssen", "abgemacht", "vereinbart", "versprochen", "spätestens"),
    *("je vais", "nous allons", "je dois", "on a décidé", "d'accord pour", "promis"),
    *("voy a", "vamos a", "tengo que", "tenemos que", "acordamos", "prometo", "quedamos en"),
)
_PROMISED_UNSPACED = ("约定", "决定", "答应", "必须", "約束", "決め")
_PROMISING = (*_PROMISED, *_PROMISED_UNSPACED)
_PROMISES = re.compile(rf"\b(?:{'|'.join(_PROMISED)})\b|{'|'.join(_PROMISED_UNSPACED)}")
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_MARKUP = re.compile(r"^(?:[#>*+-]+\s+)+|\*\*|__")
_CODE_SIGNS = frozenset("=(){}[]<>;_@\\|`")

_LEAST_LETTERS = 0.5
_MOST_CODE_SIGNS = 0.06
_MIN_WORDS, _BRIEF_WORDS = 3, 5
_MIN_UNSPACED_CHARS = 6
_FULL_WEIGHT_CHARS = 5


def split(text: str) -> Iterator[str]:
    """The sentences of a text in reading order, white space collapsed; none only if there is nothing but that.

    Fenced code is left out where there is anything else, and so are the signs of headings, lists and emphasis.
    """
    prose = _FENCED.sub("\n", text)
    held = ""
    for piece in _BORDER.split((prose if prose.strip() else text)[:MAX_READ_CHARS]):
        plain = _MARKUP.sub("", piece)
        sentence = " ".join(f"{held} {plain if plain.strip() else piece}".split())
        held = sentence if _ABBREVIATED.search(sentence) else ""
        if sentence and not held:
            yield sentence
    if held:
        yield held


def words_of(text: str) -> list[str]:
    """Words in any case; scripts without spaces by pairs of neighbours."""
    found: list[str] = []
    for run in _WORD.findall(text.casefold()):
        if _UNSPACED.search(run):
            found += [run[at : at + 2] for at in range(max(1, len(run) - 1))]
        else:
            found.append(run)
    return found


def topic_weights(sentences: Iterable[Collection[str]]) -> Mapping[str, float]:
    """How much each word tells what these sentences, given as their words, are about.

    Words that return count more, words that stand nearly everywhere count for nothing (tf-idf over sentences), and
    short words, which in most languages carry grammar, count less.
    """
    total, counts = 0, Counter[str]()
    for words in sentences:
        total += 1
        counts.update(set(words))
    return {word: math.log1p(df) * math.log((total + 1) / df) * _length_part(word) for word, df in counts.items()}


def _length_part(word: str) -> float:
    return 1.0 if _UNSPACED.match(word) else min(1.0, len(word) / _FULL_WEIGHT_CHARS)


def substance(sentence: str, *, said_at: datetime, known_names: Collection[str] = ()) -> float:
    """What a sentence brings besides its topic words: 0 to about 2. `known_names` (of the speakers) are no news."""
    plain = sentence.replace("’", "'")
    worth = NUMBER_WORTH * (_DIGIT.search(plain) is not None or bool(find_dates(plain, said_at)))
    names = {entity.name.casefold() for entity in find_entities(plain)} - {name.casefold() for name in known_names}
    worth += NAME_WORTH * min(MAX_NAMES, len(names))
    worth += LASTING_WORTH * _lasting(plain)
    worth += PROMISE_WORTH * _promises(plain.lower())
    return worth


def _promises(low: str) -> bool:
    # The expression is slow to find that there is nothing, as in most sentences.
    return any(phrase in low for phrase in _PROMISING) and _PROMISES.search(low) is not None


def discount(sentence: str) -> float:
    """The part of its worth that is left when a sentence asks, is a trifle, or consists of signs."""
    if is_acknowledgement(sentence, acknowledgements()):
        return NOTHING_PART
    letters = sum(map(str.isalpha, sentence))
    filled = len(sentence) - sum(map(str.isspace, sentence))
    signs = sum(map(_CODE_SIGNS.__contains__, sentence))
    if signs > filled * _MOST_CODE_SIGNS:
        return CODE_PART
    if letters < filled * _LEAST_LETTERS:
        return TRIFLE_PART
    return (QUESTION_PART if _ASKS.search(sentence) else 1.0) * _length_share(sentence)


def _length_share(sentence: str) -> float:
    if _UNSPACED.search(sentence):
        return 1.0 if len(sentence) >= _MIN_UNSPACED_CHARS else TRIFLE_PART
    words = len(_WORD.findall(sentence))
    if words >= _BRIEF_WORDS or _DIGIT.search(sentence):
        return 1.0
    return BRIEF_PART if words >= _MIN_WORDS else TRIFLE_PART


def _lasting(sentence: str) -> float:
    """The confidence of the surest cue rule that finds a statement here; 0 without one."""
    book = rule_book()
    rules = book.waking(frozenset(_CUE_WORD.findall(sentence.lower())))
    found = ((rule.confidence, rule.pattern.search(sentence)) for rule in rules)
    return max(
        (confidence for confidence, match in found if match and is_asserted(sentence, *match.span(), book)),
        default=0.0,
    )
