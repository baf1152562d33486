"""`python -m tests.vendor.memsy.run PLACES`: every scenario in both colours against servers; prints what was seen."""

import asyncio
import importlib
import inspect
import json
import pkgutil
import sys
import traceback
from typing import Any

import memsy  # type: ignore[import-not-found]  # lives in the client's own environment

from tests.vendor.memsy import memories, organisation
from tests.vendor.memsy.caller import Caller

SCENARIOS = [*memories.SCENARIOS, *organisation.SCENARIOS]
WITHOUT_REQUESTS = {"close"}
HINTS_SECONDS = 2.5
"""After this the server has written what the scenarios recalled, and no answer changes by itself any more."""

TRIES = 3


def main(places: str) -> None:
    report: dict[str, Any] = {}
    called: set[str] = set()
    for colour, awaited in (("plain", False), ("awaited", True)):
        seen, used = asyncio.run(_carry_out(json.loads(places), awaited=awaited))
        report[colour] = seen
        called |= used
    report["never_called"] = sorted(_public_methods() - called)
    report["equal"] = asyncio.run(_compared(json.loads(places)))
    sys.stdout.write(json.dumps(report, default=sorted))


async def _carry_out(places: dict[str, str], *, awaited: bool) -> tuple[dict[str, Any], set[str]]:
    do = Caller(places, awaited=awaited)
    seen: dict[str, Any] = {}
    for scenario in SCENARIOS:
        try:
            seen[scenario.__name__] = await scenario(do)
        except Exception:  # noqa: BLE001 -- whatever it is, it is what the scenario found, and the others go on
            seen[scenario.__name__] = {"crashed": traceback.format_exc()}
    await do.close()
    return seen, do.called


async def _compared(places: dict[str, str]) -> dict[str, bool]:
    """Whether both colours get the same answers to the same questions."""
    plain, awaited = Caller(places, awaited=False), Caller(places, awaited=True)
    await asyncio.sleep(HINTS_SECONDS)
    same = {}
    for plane, resource, method, options in (
        ("data", "memories", "list", {"limit": 200}),
        ("data", "memories", "stats", {}),
        ("data", "roles", "list", {"org_id": places["org"]}),
        ("control", "events", "list", {"limit": 200}),
        ("control", "keys", "list", {}),
        ("control", "", "me", {}),
    ):
        question = f"{plane}.{resource}.{method}"
        # What the server notes each second, such as when a key was last used, may come between the two once.
        for _ in range(TRIES):
            answers = []
            for do in (plain, awaited):
                client = getattr(do, plane)
                answers.append(await do(getattr(client, resource) if resource else client, method, **options))
            same[question] = answers[0] == answers[1]
            if same[question]:
                break
    found = [await do(do.data, "search", "Who moved to Lisbon?") for do in (plain, awaited)]
    shown = [[(each.id, each.content) for each in response.results] for response in found]
    same["search"] = shown[0] == shown[1] != []
    await plain.close()
    await awaited.close()
    return same


def _public_methods() -> set[str]:
    """What the clients offer that talks to a server, as `Class.method`."""
    modules = [importlib.import_module(each.name) for each in pkgutil.walk_packages(memsy.__path__, "memsy.")]
    kinds = {
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__.startswith("memsy.") and kind.__name__.endswith(("Client", "Resource"))
    }
    return {
        f"{kind.__name__}.{name}"
        for kind in kinds
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and not name.startswith("_") and name not in WITHOUT_REQUESTS
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
