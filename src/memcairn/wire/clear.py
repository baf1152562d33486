"""Clearing a conversation."""

from typing import Annotated

from pydantic import Field

from memcairn.wire.base import Response


class Cleared(Response):
    """How many events were hidden."""

    deleted: Annotated[int, Field(ge=0)]
