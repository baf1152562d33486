"""What the words of a text look like, found once when it is indexed: a question, a time, a number, a list, a trifle."""

import re

from memcairn.domain.events import EventKind
from memcairn.domain.pool import Trait

SHORT_WORDS = 4
"""A text of fewer words than this seldom answers anything."""

_TIME_WORDS = frozenset(
    """
    yesterday today tonight tomorrow morning afternoon evening weekend ago recently lately soon
    day days week weeks month months year years summer winter autumn
    monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays
    sundays january february april june july august september october november december jan feb apr aug sep sept oct
    nov dec
    gestern heute morgen morgens abend abends tag tage tagen woche wochen monat monate monaten jahr jahre jahren
    sommer herbst frühling montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz mai juni
    juli oktober dezember
    hier aujourd demain jour jours semaine semaines mois an ans année années été hiver automne printemps
    lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars avril juin juillet août septembre octobre
    novembre décembre
    ayer hoy mañana día días semana semanas mes meses año años verano invierno otoño primavera
    lunes martes miércoles jueves viernes sábado domingo enero febrero marzo abril mayo junio julio agosto septiembre
    octubre noviembre diciembre
    """.split()
)
_NUMBER_WORDS = frozenset(
    """
    two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand once twice
    both several couple dozen zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig hundert tausend
    deux trois quatre cinq sept huit neuf dix onze douze vingt cent mille
    dos tres cuatro cinco seis siete ocho nueve diez once doce veinte cien mil
    """.split()
)
_STANDING = re.compile(
    r"\b(?:always|never|whenever|every time|from now on|in (?:the )?future|rather than|instead of|"
    r"i(?:'d| would|’d)? (?:\w+ly )?(?:prefer\w*|rather)|my preferences?|my favou?rites?|"
    r"i(?:['’]ve| have)? (?:decided|chose\w*)|i (?:like to|don['’]?t (?:like|want))|"
    r"please (?:don['’]?t|do not|remember|keep|make sure)|make sure (?:to|you|that)|"
    r"immer|niemals?|ab jetzt|künftig|ich bevorzuge|mir ist lieber|lieber|bitte (?:nie|keine?)|"
    r"toujours|jamais|désormais|dorénavant|je préfère|plutôt que|"
    r"siempre|nunca|a partir de ahora|prefiero|en vez de|en lugar de)\b|"
    r"总是|从不|以后|我更喜欢|偏好|いつも|必ず|の方が好き",
    re.IGNORECASE,
)
_FIRST_PERSON = frozenset(
    """
    i me my mine myself we us our ours ich mich mir mein meine meinem meinen meiner meines wir uns unser unsere unseren
    je j moi me mon ma mes mien nous notre nos yo mí mi mis mío mía nosotros nuestra nuestro nuestras nuestros
    """.split()
)
_SECOND_PERSON = frozenset(
    """
    you your yours yourself u ur du dich dir dein deine deinem deinen deiner ihr euch euer eure
    tu toi te ton ta tes vous votre vos tú ti tus usted ustedes vosotros
    """.split()
)
_FIRST_PERSON_UNSPACED = re.compile(r"[我咱私僕俺]")
_SECOND_PERSON_UNSPACED = re.compile(r"[你您]|あなた")
_WORD = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"\d")
_TIME_IN_DIGITS = re.compile(
    r"\b(?:1[89]|20)\d\d\b|\d[:.]\d\d\b|\d\s?[ap]\.?m\b|\d[-./]\d{1,2}[-./]\d|\d\s?[年月日]", re.IGNORECASE
)
_TIME_UNSPACED = re.compile(r"[昨今明][日天年]|[上下][周週个個月]|[先来][週月年]|[去前]年|星期|曜日")
_NUMBER_UNSPACED = re.compile(r"[二两三四五六七八九十百千]")
_LIST_LINE = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+\S", re.MULTILINE)
_LIST_END = re.compile(r",\s?(?:[^,.;?!]{1,60},\s?)?(?:and|or|und|oder|et|ou|y|o)\s|、[^、。]+、")
_ENDS_ASKING = re.compile(r"[?？]\W*$")


def traits_of(text: str, kind: EventKind | None = None) -> Trait:
    """The traits that can be read off a text; TYPED, OUTDATED and PENDING are for the caller to add."""
    words = _WORD.findall(text.casefold())
    has_digit = _DIGIT.search(text) is not None
    plain = text.isascii()
    traits = Trait.BY_ASSISTANT if kind is EventKind.ASSISTANT_MESSAGE else Trait(0)
    if _ENDS_ASKING.search(text[-24:]):
        traits |= Trait.QUESTION
    if _has_time(text, words, has_digit=has_digit):
        traits |= Trait.HAS_TIME
    if has_digit or not _NUMBER_WORDS.isdisjoint(words) or (not plain and _NUMBER_UNSPACED.search(text)):
        traits |= Trait.HAS_NUMBER
    if not _FIRST_PERSON.isdisjoint(words) or (not plain and _FIRST_PERSON_UNSPACED.search(text)):
        traits |= Trait.PERSONAL
    elif not _SECOND_PERSON.isdisjoint(words) or (not plain and _SECOND_PERSON_UNSPACED.search(text)):
        traits |= Trait.REMARK
    if _STANDING.search(text):
        traits |= Trait.STANDING
    if _has_list(text):
        traits |= Trait.HAS_LIST
    # A word of a script without spaces is a whole phrase: two characters count as one word there.
    if sum(1 if plain or word.isascii() else (len(word) + 1) // 2 for word in words) < SHORT_WORDS and not has_digit:
        traits |= Trait.SHORT
    return traits


def _has_time(text: str, words: list[str], *, has_digit: bool) -> bool:
    if not _TIME_WORDS.isdisjoint(words):
        return True
    if has_digit and _TIME_IN_DIGITS.search(text):
        return True
    return not text.isascii() and _TIME_UNSPACED.search(text) is not None


def _has_list(text: str) -> bool:
    if ("," in text or "、" in text) and _LIST_END.search(text):
        return True
    return "\n" in text and len(_LIST_LINE.findall(text)) > 1
