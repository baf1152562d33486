"""`python -m tests.vendor.zep.run URL KEY`: every scenario in both colours against a server; prints what was seen."""

import asyncio
import inspect
import json
import sys
import traceback
import warnings
from typing import Any

from zep_python import ZepClient  # type: ignore[import-not-found]  # lives in the client's own environment
from zep_python.document.client import DocumentClient  # type: ignore[import-not-found]  # as above
from zep_python.document.collections import DocumentCollection  # type: ignore[import-not-found]  # as above
from zep_python.memory.client import MemoryClient  # type: ignore[import-not-found]  # as above
from zep_python.message.client import MessageClient  # type: ignore[import-not-found]  # as above
from zep_python.user.client import UserClient  # type: ignore[import-not-found]  # as above

from tests.vendor.zep import conversations, documents, surroundings, users
from tests.vendor.zep.caller import Caller

SCENARIOS = [
    *surroundings.SCENARIOS,
    *conversations.SCENARIOS,
    *users.SCENARIOS,
    *documents.SCENARIOS,
]
CLASSES = (ZepClient, MemoryClient, MessageClient, UserClient, DocumentClient, DocumentCollection)
WITHOUT_REQUESTS = {"close", "aclose", "status"}


def main(url: str, key: str) -> None:
    report: dict[str, Any] = {}
    called: set[str] = set()
    for colour, awaited in (("plain", False), ("awaited", True)):
        seen, used = asyncio.run(_carry_out(url, key, awaited=awaited))
        report[colour] = seen
        called |= used
    report["never_called"] = sorted(_public_methods() - called)
    sys.stdout.write(json.dumps(report))


async def _carry_out(url: str, key: str, *, awaited: bool) -> tuple[dict[str, Any], set[str]]:
    do = Caller(ZepClient(f"{url}/zep", key), url=url, key=key, awaited=awaited)
    seen: dict[str, Any] = {}
    for scenario in SCENARIOS:
        try:
            seen[scenario.__name__] = await scenario(do)
        except Exception:  # noqa: BLE001 -- whatever it is, it is what the scenario found, and the others go on
            seen[scenario.__name__] = {"crashed": traceback.format_exc()}
    do.client.close()
    await do.client.aclose()
    return seen, do.called


def _public_methods() -> set[str]:
    """What the client offers that talks to a server, as `Class.method`."""
    return {
        f"{kind.__name__}.{name}"
        for kind in CLASSES
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and not name.startswith("_") and name not in WITHOUT_REQUESTS
    }


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # the package calls itself old on import
    main(*sys.argv[1:])
