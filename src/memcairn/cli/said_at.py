"""Reading the time stamps chat exports and data sets write: several forms, tried in turn."""

import re
from datetime import UTC, datetime

from memcairn.domain.errors import Invalid

_WEEKDAY = re.compile(r"\(\w{2,9}\.?\)|\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b[.,]?", re.I)
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b", re.I)
_SPACES = re.compile(r"\s+")

_DATES = (
    "%d %B %Y",
    "%d %b %Y",
    "%B %d %Y",
    "%b %d %Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y-%m-%d",
    "%Y.%m.%d",
    "%B-%d-%Y",
    "%d-%B-%Y",
    # Month before day is how most exports with two slashes write it; 25/12/2024 is still read by the next one.
    "%m/%d/%Y",
    "%d/%m/%Y",
)
_TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%I %p")
_FORMS = (
    *_DATES,
    *(f"{date} {time}" for date in _DATES for time in _TIMES),
    *(f"{time} {date}" for date in _DATES for time in _TIMES),
)


class MomentReader:
    """Reads moments; a set writes them in one form, so the form that fitted last is tried first."""

    def __init__(self) -> None:
        self._form = _FORMS[0]

    def read(self, text: str) -> datetime:
        """The moment in UTC; one without a zone counts as UTC. Invalid when no form fits."""
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            moment = self._by_form(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def _by_form(self, text: str) -> datetime:
        plain = _ORDINAL.sub("", _WEEKDAY.sub(" ", text)).replace(",", " ")
        plain = re.sub(r"\b(?:on|at)\b", " ", plain, flags=re.I)
        plain = _SPACES.sub(" ", plain).strip()
        for form in (self._form, *_FORMS):
            try:
                moment = datetime.strptime(plain, form)  # noqa: DTZ007 -- the caller gives it its zone
            except ValueError:
                continue
            self._form = form
            return moment
        raise Invalid(
            f"The time {text[:60]!r} cannot be read. Write it in ISO 8601, such as 2024-05-08T13:56:00Z.",
            code="invalid_time",
        )
