"""Names in text by their shape: capitals, endings and the words before them. No dictionary of the world, no model."""

import re
from dataclasses import dataclass

from memcairn.domain.date_words import MONTHS, WEEKDAYS
from memcairn.domain.memories import Entity

MAX_ENTITIES = 16
PERSON, ORG, PLACE, CONCEPT = "PERSON", "ORG", "PLACE", "CONCEPT"

_MAX_NAME_CHARS = 80
_MAX_SCANNED_CHARS = 8_000  # names at the end of a very long paste are not worth the time of the short ones

_CAPITALS = "".join(re.escape(char) for code in range(0x530) if (char := chr(code)).isupper())
_LETTERS = r"[^\W\d_]"
_NAME_WORD = rf"[{_CAPITALS}](?:{_LETTERS}|\d|[&.+-](?=\w))*(?:['’](?:[{_CAPITALS}]{_LETTERS}{{1,20}}))?"
_INNER = r"(?:of|the|de|del|della|di|da|dos|la|le|van|von|der|den|&)"
_RUN = re.compile(
    rf"(?<![\w@.])(?P<name>(?:(?:Mr|Mrs|Ms|Dr|Prof|St)\.[ ])?{_NAME_WORD}"
    rf"(?:[ ]{_NAME_WORD}|[ ]{_INNER}(?:[ ]{_INNER})?[ ]{_NAME_WORD}){{0,4}})(?P<of>['’]s\b)?"
)
_HANDLE = re.compile(r"(?<![\w.])@[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,38}[A-Za-z0-9_])?(?![\w(])")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;…\n\"“”(\[*•-]|[^\w\s,'’&])\s{0,3}$")

_ORG_WORDS = frozenset(
    "inc corp ltd llc gmbh ag plc co company university college school institute academy bank hospital clinic "
    "foundation association agency department ministry committee council union society group studio studios labs "
    "technologies systems partners church airlines records press times".split()
)
_PLACE_WORDS = frozenset(
    "street st avenue ave road rd park lake beach city river mountain mountains mount island islands bridge "
    "airport station square valley bay county village canyon falls museum library cafe café restaurant hotel "
    "garden gardens forest".split()
)
_KNOWN_PLACES = frozenset("usa uk us eu uae nyc la sf dc america europe asia africa".split())
_LANGUAGES = frozenset(
    "english german french spanish italian portuguese chinese japanese korean arabic russian hindi dutch polish "
    "turkish swedish python java javascript rust".split()
)
_TITLES = frozenset("mr mrs ms miss dr prof professor sir aunt uncle grandma grandpa coach captain".split())
_NOT_NAMES = frozenset(
    # What starts sentences or is shouted: function words, greetings, reactions, adverbs, verbs of chat.
    "i i'm a an the this that these those it its he she they we you my your his her our their mine who what when "
    "where why how which whose there here and but or nor so yet if then else because since although though while "
    "until unless as at by for from in into of off on onto out over to under up with without about after before "
    "during between not no yes yeah yep yup nope nah ok okay oh ah aw aww wow hey hi hello hiya bye thanks thank "
    "thx please sorry congrats congratulations cool great good nice awesome amazing lovely sweet perfect exactly "
    "absolutely definitely totally really very well sure maybe perhaps probably actually honestly basically also "
    "just even still only too again always never sometimes often usually today tomorrow yesterday tonight now "
    "later soon once first second third finally next last all any both each every some many most much few several "
    "one two three four five is am are was were be been being do does did done have has had can could will would "
    "shall should may might must let let's lets get got go going gonna come take make see look know think feel "
    "hope wish want need like love enjoy hate tell say said ask try keep give put call wait stop start check haha "
    "hahaha lol lmao omg btw idk imo fyi tbh wtf asap ps pm am pst est utc gmt tv ai id url api faq diy ceo cto "
    "i've i'd i'll it's that's there's what's you're they're we're don't didn't doesn't isn't can't won't image "
    "photo video user assistant note step example mom mum dad mother father".split()
)
_PERSON_BEFORE = re.compile(
    r"\b(?:with|met|meet|named|called|hey|hi|hello|thanks|thank you|dear|by|told|asked|invited|date|married|"
    r"(?:sister|brother|friend|wife|husband|son|daughter|cousin|boss|colleague|coworker|boyfriend|girlfriend|partner|uncle|aunt|neighbou?r|dog|"
    r"cat|name is|name's|i'm|i am)),?\s$",
    re.IGNORECASE,
)
_PLACE_BEFORE = re.compile(
    r"\b(?:in|near|around|across|visit|visited|visiting|from|from\s[\w ]{2,24}\sto|"
    r"(?:moved?|moving|went|go|going|gone|trip|travel(?:l?ed|l?ing)?|flew|fly|flying|drove|drive|driving|"
    r"relocat(?:ed|ing)|been|back|flight|returned|headed|heading) to)\s(?:the\s)?$",
    re.IGNORECASE,
)
_ORG_BEFORE = re.compile(
    r"\b(?:work(?:s|ed|ing)? (?:at|for)|joined|join|employed by|hired by|job at|"
    r"intern(?:ed|ing|ship)? at|founded|stud(?:y|ied|ying) at|graduated from|enrolled at)\s(?:the\s)?$",
    re.IGNORECASE,
)
_SPEAKS = re.compile(r",? (?:said|says|told|asked|thinks|is my|was my)\b")
_ADDRESS_ENDS = re.compile(r"[!?.]|$")
_THING_BEFORE = re.compile(r"\b(?:a|an|the|this|some|new|my|our)\s$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Name:
    start: int
    text: str
    kind: str
    opens_sentence: bool
    """Its capital may be the sentence's and not its own."""


def find_entities(text: str) -> list[Entity]:
    """Names as written, each once, in reading order, at most MAX_ENTITIES.

    A single capitalised word that opens a sentence counts only if something else speaks for it: it stands inside a
    sentence too, or owns something, or is addressed. Dates, greetings and function words never count. The kind is a
    guess from the neighbouring words; CONCEPT where they say nothing.
    """
    scanned = text[:_MAX_SCANNED_CHARS]
    names = [_Name(match.start(), match[0], PERSON, opens_sentence=False) for match in _HANDLE.finditer(scanned)]
    names += [] if _is_shouted(scanned) else _capitalised(scanned)
    certain = {word for name in names if not name.opens_sentence for word in (name.text, *name.text.split())}
    kept: dict[str, Entity] = {}
    for name in sorted(names, key=lambda each: each.start):
        key = name.text.casefold()
        if name.opens_sentence and name.kind == CONCEPT and name.text not in certain:
            continue
        if key not in kept or kept[key].type == CONCEPT:
            kept[key] = Entity(kept[key].name if key in kept else name.text, name.kind)
        if len(kept) == MAX_ENTITIES:
            break
    return list(kept.values())


def _capitalised(text: str) -> list[_Name]:
    names = []
    for match in _RUN.finditer(text):
        whole = match["name"].replace("’", "'")
        name = _trimmed(whole)
        if not name or len(name) > _MAX_NAME_CHARS:
            continue
        at = match.start() + whole.index(name)
        before = text[max(0, at - 32) : at]
        opens = " " not in name and _SENTENCE_START.search(before) is not None
        names.append(_Name(at, name, _kind(name, before, match), opens))
    unexplained = sum(name.kind == CONCEPT and not name.opens_sentence for name in names)
    if unexplained > MAX_ENTITIES // 4 and unexplained > len(text.split()) // 5:
        # Every noun has a capital (German) or every word has (a heading): capitals say nothing here.
        return [name for name in names if name.kind != CONCEPT]
    return names


def _is_shouted(text: str) -> bool:
    return len(text) > 12 and text.isupper()


def _trimmed(run: str) -> str:
    """The run without the words at its ends that only look like part of a name."""
    words = run.split(" ")
    while words and _is_no_name(words[0]):
        words.pop(0)
    while words and _is_no_name(words[-1]):
        words.pop()
    return " ".join(words).rstrip(".-&+") if words else ""


def _is_no_name(word: str) -> bool:
    low = word.rstrip(".").lower()
    return len(low) == 1 or low in _NOT_NAMES or low in MONTHS or low in WEEKDAYS


def _kind(name: str, before: str, match: re.Match[str]) -> str:
    words = name.lower().split()
    last = words[-1].rstrip(".")
    if last in _ORG_WORDS or words[0] == "university" or _ORG_BEFORE.search(before):
        return ORG
    if last in _PLACE_WORDS or name.rstrip(".").lower() in _KNOWN_PLACES or words[0] in ("lake", "mount"):
        return PLACE
    if last in _LANGUAGES:
        return CONCEPT
    if _PLACE_BEFORE.search(before):
        return CONCEPT if name.isupper() else PLACE
    speaks_or_is_addressed = _SPEAKS.match(match.string, match.end()) or (
        before.endswith(", ") and _ADDRESS_ENDS.match(match.string, match.end())
    )
    owns = match["of"] is not None
    if (
        words[0].rstrip(".") in _TITLES
        or _PERSON_BEFORE.search(before)
        or ((owns or speaks_or_is_addressed) and not name.isupper())
    ):
        return PERSON
    two_plain_words = (
        len(words) == 2
        and not _SENTENCE_START.search(before)
        and name.replace(" ", "").isalpha()
        and not name.isupper()
    )
    return PERSON if two_plain_words and not _THING_BEFORE.search(before) else CONCEPT
