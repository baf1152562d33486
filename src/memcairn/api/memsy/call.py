"""One request at this door: who asks, and what path, query and body say, as the vendor's clients write them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from memcairn.api import paths
from memcairn.api.memsy.errors import invalid, of_another_org
from memcairn.api.routing import StrictRequest
from memcairn.core.deps import Deps
from memcairn.core.services import Services
from memcairn.domain.events import MAX_CONTENT_CHARS
from memcairn.domain.keys import Principal

MAX_OFFSET = 2**53
_SHOWN_ERRORS = 3
_NUMBER = re.compile(r"[+-]?[0-9]{1,16}")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a deployment decides about this door; `plan` is what it calls itself to clients that ask for their tier."""

    plan: str = "self-hosted"
    content_chars: int = 8_000

    def __post_init__(self) -> None:
        if not 1 <= self.content_chars <= MAX_CONTENT_CHARS:
            raise ValueError(f"contents hold 1 to {MAX_CONTENT_CHARS} characters, not {self.content_chars}")

    @property
    def refuses_org_id(self) -> bool:
        """Memsy's free plan takes no `org_id` with events and searches, not even the right one."""
        return self.plan == "free"


class Call:
    """An authenticated request; `deps` and `principal` are what every use-case asks for."""

    def __init__(self, request: Request, services: Services, principal: Principal, terms: Terms) -> None:
        self._request = request
        self.services = services
        self.deps: Deps = services.deps
        self.principal = principal
        self.terms = terms

    def path(self, name: str) -> str:
        """An id from the path as the client meant it, slashes and all."""
        value: str = paths.unmarked(self._request.path_params)[name]
        return value

    def text(self, name: str) -> str | None:
        """A text from the query; absent and empty mean unset."""
        return self._request.query_params.get(name) or None

    def choice(self, name: str, allowed: Iterable[str], default: str | None = None) -> str | None:
        """One of a few words from the query; any other is refused."""
        word, words = self.text(name), list(allowed)
        if word is not None and word not in words:
            raise invalid(f"The query parameter {name!r} must be one of {', '.join(words)}.")
        return word or default

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        """A whole number from the query; one outside the bounds is refused."""
        text = (self.text(name) or str(default)).strip()
        if _NUMBER.fullmatch(text) is None or not low <= int(text) <= high:
            raise invalid(f"The query parameter {name!r} must be a whole number from {low} to {high}.")
        return int(text)

    def offset(self) -> int:
        return self.number("offset", 0, low=0, high=MAX_OFFSET)

    def check_org(self, org_id: str | None) -> None:
        """Refuse an org that is not the key's own."""
        if org_id is not None and org_id != self.principal.org_id:
            raise of_another_org()

    def check_org_in_query(self) -> None:
        self.check_org(self.text("org_id"))

    async def object(self) -> dict[str, Any]:
        """The JSON body, which must be an object, whatever its content type says."""
        request = StrictRequest(self._request.scope, self._request.receive)
        value = await request.json()
        if not isinstance(value, dict):
            raise invalid("The body must be a JSON object.")
        return value

    async def body(self, model: type[Model]) -> Model:
        """The JSON body as `model`; every broken rule is named by its place."""
        return fitting(model, await self.object())


def fitting(model: type[Model], value: object) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [f"{'.'.join(map(str, each['loc'])) or 'body'}: {_plain(each['msg'])}" for each in found[:_SHOWN_ERRORS]]
    more = f"; and {len(found) - _SHOWN_ERRORS} more" if len(found) > _SHOWN_ERRORS else ""
    raise invalid(f"The body does not fit this call: {'; '.join(shown)}{more}.")


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")
