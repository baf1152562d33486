"""The kinds of answer this door gives besides refusals."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import anyio.to_thread
from starlette.responses import JSONResponse, PlainTextResponse, Response

MANY = 200
"""Lists without a limit can be as long as the database: from here on they are put together on a thread, where no other
request waits for them."""

T = TypeVar("T")


def as_json(value: Any, status: int = 200) -> Response:
    return JSONResponse(value, status)


async def as_json_list(
    items: Sequence[T], view: Callable[[T], Any], *, within: Callable[[list[Any]], Any] = lambda shown: shown
) -> Response:
    """Every item as `view` shows it; `within` says what the list stands in, by default nothing."""

    def put_together() -> Response:
        return JSONResponse(within([view(item) for item in items]))

    return put_together() if len(items) < MANY else await anyio.to_thread.run_sync(put_together)


def ok() -> Response:
    """What Zep says where there is nothing to show."""
    return PlainTextResponse("OK")
