"""What descriptions of roles, teams and orgs have in common."""

from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints

from memcairn.wire.base import Request, Response, Told

MAX_NAME_CHARS = 256
MAX_FOCUS_CHARS = 2_000
MAX_PROMPT_CHARS = 20_000


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must hold more than white space")
    return value


Name = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=MAX_NAME_CHARS), AfterValidator(_not_blank)
]
Focus = Annotated[str, StringConstraints(strict=True, max_length=MAX_FOCUS_CHARS)]
PromptText = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=MAX_PROMPT_CHARS), AfterValidator(_not_blank)
]


class DescriptionUpdate(Request):
    """What may change; fields left out stay as they are.

    A `promotion_prompt` given here stays until it is regenerated; another name or focus alone does not rewrite it.
    """

    name: Name | None = None
    focus: Focus | None = None
    promotion_prompt: PromptText | None = None


class Description(Response):
    """`promotion_prompt` says what is general enough to be shared; `prompt_meta` where it came from.

    `{"source": "template"}` was written from name and focus, `{"source": "manual"}` by hand.
    """

    org_id: str
    name: str
    focus: str
    promotion_prompt: str
    prompt_meta: dict[str, Any]
    created_at: Told
    updated_at: Told
