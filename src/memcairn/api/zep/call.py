"""One request at this door: who asks, and what path, query and body say, read as Zep's own server reads them."""

import re
from typing import TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from memcairn.api.routing import StrictRequest
from memcairn.core.deps import Deps
from memcairn.core.services import Services
from memcairn.domain.errors import Invalid, TooLarge
from memcairn.domain.keys import Principal

MAX_BODY_BYTES = 5 * 2**20
MAX_NUMBER = 2**53
"""Beyond what any list can count to, and small enough to be multiplied by a page size without harm."""
_SHOWN_ERRORS = 3
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}")

Model = TypeVar("Model", bound=BaseModel)


class Call:
    """An authenticated request; `deps` and `principal` are what every use-case asks for."""

    def __init__(self, request: Request, services: Services, principal: Principal) -> None:
        self._request = request
        self.deps: Deps = services.deps
        self.principal = principal

    def path(self, name: str) -> str:
        """An id from the path, percent signs taken out; NUL, which no database takes, becomes U+FFFD."""
        return unquote(self._request.path_params[name]).replace("\0", "\ufffd")

    def number(self, name: str) -> int | None:
        """A whole number from the query; absent and empty mean unset, anything else that is none is Invalid."""
        text = self._request.query_params.get(name, "").strip()
        if not text:
            return None
        if _NUMBER.fullmatch(text) is None or abs(int(text)) > MAX_NUMBER:
            raise Invalid(f"The query parameter {name!r} must be a whole number.")
        return int(text)

    def count(self, name: str = "limit") -> int | None:
        """How many, from the query: 0 counts as unset, a negative number is Invalid."""
        count = self.number(name)
        if count is not None and count < 0:
            raise Invalid(f"The query parameter {name!r} must not be negative.")
        return count or None

    async def body(self, model: type[Model]) -> Model:
        """The JSON body as `model`, whatever its content type says; TooLarge over MAX_BODY_BYTES."""
        request = StrictRequest(self._request.scope, self._request.receive)
        if len(await request.body()) > MAX_BODY_BYTES:
            size = MAX_BODY_BYTES / 2**20
            raise TooLarge(f"The body is larger than {size:g} MiB; send it in several requests.")
        try:
            return model.model_validate(await request.json(), strict=True)
        except ValidationError as error:
            raise _refusal(error) from None


def _refusal(error: ValidationError) -> Invalid:
    found = error.errors(include_url=False, include_input=False)
    places = [f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in found[:_SHOWN_ERRORS]]
    more = f"; and {len(found) - _SHOWN_ERRORS} more" if len(found) > _SHOWN_ERRORS else ""
    return Invalid(f"The body does not fit this call: {'; '.join(places)}{more}.")
