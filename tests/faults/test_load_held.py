"""Load that goes on: nothing grows but the data, nothing fails, and one org's flood is not felt by the others."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memcairn.cli.accounts import create_org
from tests.faults.load import Clients, Tally, Use, as_fast_as_it_goes, at_a_rate, chatter, use_of
from tests.faults.scale import NIGHTLY, times
from tests.faults.server_process import KEY, ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

HOLD_SECONDS = times(4, 600)
PEAK_SECONDS = times(1, 20)
QUIET_ORGS = 3
QUIET_RATE = 4.0
NOISY_TIMES = 50
AT_ONCE = 50
FLOOD_SECONDS = times(3, 60)
ROUNDS = times(1, 6)
"""Without the noise and beside it by turns: a machine is faster in one minute than in the next."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data", {"MEMCAIRN_CACHE_MB": "64"})
    process.start()
    yield process
    process.stop()


async def test_a_fixed_rate_is_held_without_errors_or_growth(server: ServerProcess, record_property: Any) -> None:
    clients = Clients(server.url, KEY)
    requests = chatter("busy")
    peak = await as_fast_as_it_goes(clients, requests, at_once=8, seconds=PEAK_SECONDS)
    rate = 0.7 * len(peak.seconds) / PEAK_SECONDS
    used: list[Use] = []

    tally = await at_a_rate(
        clients,
        requests,
        per_second=rate,
        seconds=HOLD_SECONDS,
        now_and_then=lambda: used.append(use_of(server.pid)),
    )
    await clients.close()

    first, last = _halves(tally)
    begin, end = used[len(used) // 2], used[-1]
    slope = (end.rss_mib - begin.rss_mib) / (HOLD_SECONDS / 2 / 60)
    times_ms = " | ".join(f"p{share:.4g}: {tally.quantile(share / 100) * 1e3:.0f} ms" for share in (50, 99, 99.9))
    figure = f"requests/s: {rate:.0f} for {HOLD_SECONDS} s | {times_ms} | errors: {tally.errors()}"
    record_property("figure", f"{figure} | memory: {slope:+.1f} MiB/min")
    assert tally.errors() == 0
    assert len(tally.statuses) == int(rate * HOLD_SECONDS)
    assert end.threads - begin.threads <= 2
    if NIGHTLY:
        assert end.descriptors - begin.descriptors <= 20
        assert end.rss_mib < 1.15 * begin.rss_mib + 16
        assert last.quantile(0.99) < 2 * first.quantile(0.99)


async def test_one_org_at_fifty_times_the_rate_of_others_does_not_slow_them_down(
    server: ServerProcess, record_property: Any
) -> None:
    alone, beside, noisy = await _beside_a_noisy_org(
        server,
        lambda clients, seconds: at_a_rate(
            clients, chatter("noisy"), per_second=NOISY_TIMES * QUIET_RATE, seconds=seconds
        ),
    )

    ratio = _told(record_property, f"{NOISY_TIMES} times the rate", alone, beside, noisy)
    if NIGHTLY:
        assert ratio < 1.5


async def test_one_org_that_floods_is_answered_and_the_others_do_not_wait_behind_it(
    server: ServerProcess, record_property: Any
) -> None:
    alone, beside, noisy = await _beside_a_noisy_org(
        server,
        lambda clients, seconds: as_fast_as_it_goes(clients, chatter("noisy"), at_once=AT_ONCE, seconds=seconds),
    )

    ratio = _told(record_property, f"as fast as {AT_ONCE} connections go", alone, beside, noisy)
    if NIGHTLY:
        assert ratio < 1.5


async def _beside_a_noisy_org(
    server: ServerProcess, noise: Callable[[Clients, float], Coroutine[Any, Any, Tally]]
) -> tuple[Tally, Tally, Tally]:
    """What quiet orgs felt without the noise and beside it, and the noise; nobody met an error or was left out."""
    keys = [await _org(server, f"quiet-{number}") for number in range(QUIET_ORGS)]
    noisy_key = await _org(server, "noisy")
    noisy = Clients(server.url, noisy_key)

    seconds = FLOOD_SECONDS / ROUNDS

    async def quiet() -> Tally:
        each = [Clients(server.url, key) for key in keys]
        tallies = await asyncio.gather(
            *(at_a_rate(clients, chatter("quiet"), per_second=QUIET_RATE, seconds=seconds) for clients in each)
        )
        for clients in each:
            await clients.close()
        return sum(tallies, Tally())

    alone, beside, flood = Tally(), Tally(), Tally()
    for _ in range(ROUNDS):
        await _until_nothing_waits(server.url, noisy_key)
        alone += await quiet()
        felt, made = await asyncio.gather(quiet(), noise(noisy, seconds))
        beside, flood = beside + felt, flood + made
    await noisy.close()
    assert (alone.errors(), beside.errors(), flood.errors()) == (0, 0, 0)
    assert len(beside.statuses) == len(alone.statuses) == ROUNDS * QUIET_ORGS * int(QUIET_RATE * seconds)
    return alone, beside, flood


async def _until_nothing_waits(url: str, key: str) -> None:
    """What the noise left to be done would be noise as well."""
    async with httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
        for _ in range(600):
            if not (await http.get("/v1/jobs", params={"limit": 1})).json()["items"]:
                return
            await asyncio.sleep(0.1)
    raise AssertionError("the worker did not come to an end")


def _told(record_property: Any, noise: str, alone: Tally, beside: Tally, flood: Tally) -> float:
    """How many times as long the slowest of a hundred requests of the quiet orgs took beside the noise."""
    ratio = beside.quantile(0.99) / alone.quantile(0.99)
    alone_ms, beside_ms = (f"{tally.quantile(0.99) * 1e3:.0f} ms" for tally in (alone, beside))
    figure = f"orgs: {QUIET_ORGS} at {QUIET_RATE:g}/s | one more, {noise}: {len(flood.seconds) / FLOOD_SECONDS:.0f}/s"
    figure += f" | p99 of the others: {alone_ms} alone, {beside_ms} beside it | ratio: {ratio:.1f}"
    record_property("figure", f"{figure} | errors: {beside.errors() + flood.errors()}")
    return ratio


def _halves(tally: Tally) -> tuple[Tally, Tally]:
    quarter = len(tally.seconds) // 4
    return Tally(tally.seconds[:quarter]), Tally(tally.seconds[-quarter:])


async def _org(server: ServerProcess, org_id: str) -> str:
    """A key of a new org, which the command line makes beside the server."""
    return (await asyncio.to_thread(create_org, server.data_dir, org_id, name=None)).raw_key
