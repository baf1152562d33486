"""What reaches or identifies a person: mail addresses, phone and account numbers. What carries them stays private."""

import re
import unicodedata

_MAIL = re.compile(
    r"[\w.+%-]+\s?@\s?[\w-]+(?:\.[\w-]+)+"
    r"|\b[\w.+-]+ (?:at|\(at\)|\[at\]) [\w-]+ (?:dot|\(dot\)|\[dot\]) \w{2,}",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b\d{4}-\d{1,2}-\d{1,2}(?:[t ]\d{1,2}:\d{2}(?::\d{2})?)?\b|\b\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})\b", re.I
)
_GROUPED = re.compile(r"\b\d{1,3}(?:,\d{3})+(?:\.\d+)?\b|\b\d{1,3}(?:\.\d{3})+(?:,\d+)?\b(?!\.\d)")
_YEARS = re.compile(r"\b(?:19|20)\d{2}\s?(?:-|–|to|until)\s?(?:19|20)\d{2}\b")
_DIGITS = re.compile(r"[+(]?\d(?:[\s()./-]{0,2}\d)+")
_LONG_NUMBER_DIGITS = 7
"""Fewer digits are an amount, a year, a port or a room; phone numbers have seven and more (ITU-T E.164: up to 15)."""
_ACCOUNT = re.compile(
    r"\b(?:accounts?|acct|iban|bic|swift|routing|sort code|customer (?:no|number|id)|card|passport|social security|ssn|"
    r"tax id|insurance (?:no|number)|member(?:ship)? (?:no|number|id)|licen[cs]e|badge (?:no|number)|"
    r"employee (?:no|number|id)|phone|mobile|telephone|fax|call me|text me|extension|ext)\b\W{0,3}"
    r"(?:(?:number|no|id|code|is|on|at|under)\b\W{0,3}){0,3}(?=[\w-]*\d)[\w-]{3,}",
    re.I,
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z\d]{4}){2,7}\s?[A-Z\d]{0,4}\b", re.I)
_SECRET = re.compile(r"\b(?=[\w-]{16,})(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]+\b")
_NETWORK_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
_DIGIT_WORD = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple|\d)"
_SPELLED = re.compile(rf"\b(?:{_DIGIT_WORD}[\s,-]+){{6,}}{_DIGIT_WORD}\b", re.IGNORECASE)
_ALWAYS = (_MAIL, _ACCOUNT, _IBAN, _SECRET, _NETWORK_ADDRESS, _SPELLED)


def carries_personal_data(text: str) -> bool:
    """Whether a text holds a mail address, a phone, account or card number, a network address or a secret.

    Judged by shape alone, and rather too often than too seldom; dates, sums of money and short numbers are none.
    """
    plain = unicodedata.normalize("NFKC", text)
    if any(pattern.search(plain) for pattern in _ALWAYS):
        return True
    for harmless in (_DATE, _GROUPED, _YEARS):
        plain = harmless.sub(" # ", plain)
    return any(sum(char.isdigit() for char in found) >= _LONG_NUMBER_DIGITS for found in _DIGITS.findall(plain))
