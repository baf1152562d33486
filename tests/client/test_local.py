"""The same clients on a server inside the process, which here is a small one of the tests' own."""

import asyncio
import json
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memcairn import AsyncMemcairnClient, MemcairnClient
from memcairn.client import ConnectionFailed, ServerError, ServerNotInstalled, TimedOut
from memcairn.client._local import AsgiApp, LocalTransport, installed_server
from memcairn.wire.health import Health

from .scripted import memory

HEALTHY = {"status": "ok", "version": "1"}


class SmallServer:
    """Answers the few paths below, and keeps a record of what happened to it."""

    def __init__(self) -> None:
        self.record: list[str] = []
        self.headers: dict[str, str] = {}
        self.entered = threading.Event()
        self.cancelled = threading.Event()
        self.tasks: set[Any] = set()

    @asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[tuple[AsgiApp, str]]:
        self.record.append(f"opened {path.name}")
        self.tasks.add(asyncio.current_task())
        async with asyncio.TaskGroup() as group:
            worker = group.create_task(asyncio.Event().wait())
            yield self.app, "local-key"
            worker.cancel()
        self.tasks.add(asyncio.current_task())
        self.record.append("closed")

    async def app(self, scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        path = scope["path"]
        answer: dict[str, Any]
        if path.endswith("/never"):
            await self._never()
        if path.endswith("/fault"):
            raise RuntimeError("a fault of the app")
        if path == "/v1/events/status":
            sent = (await receive())["body"]
            answer = {"events": [{"event_id": i, "status": "pending"} for i in json.loads(sent)["event_ids"]]}
        else:
            answer = HEALTHY if path == "/healthz" else memory(path.rsplit("/", 1)[-1])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        whole = json.dumps(answer).encode()
        await send({"type": "http.response.body", "body": whole[:9], "more_body": True})
        await send({"type": "http.response.body", "body": whole[9:]})

    async def _never(self) -> None:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[tuple[AsgiApp, str]]:
    if path.name == "data":
        raise PermissionError(f"{path.name} cannot be written")
    yield SmallServer().app, "key"


@asynccontextmanager
async def stumbling(path: Path) -> AsyncIterator[tuple[AsgiApp, str]]:
    yield SmallServer().app, "key"
    raise OSError(f"{path.name} could not be closed")


def background_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "memcairn-local"]


def test_it_answers_with_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMCAIRN_API_KEY", "of-some-other-server")
    server = SmallServer()

    with MemcairnClient.local("data", open_server=server.open) as client:
        assert client.health().status == "ok"
        assert client.memories.get("m-1").memory_id == "m-1"
        assert [state.event_id for state in client.status(["a", "é"]).events] == ["a", "é"]

    assert server.headers["authorization"] == "Bearer local-key"
    assert server.record == ["opened data", "closed"]
    assert background_threads() == []


def test_it_answers_when_awaited() -> None:
    server = SmallServer()

    async def use() -> None:
        async with AsyncMemcairnClient.local(Path("some") / "data", open_server=server.open) as client:
            assert (await client.health()).status == "ok"
            answers = await asyncio.gather(*[client.memories.get(f"m-{number}") for number in range(20)])
            assert [answer.memory_id for answer in answers] == [f"m-{number}" for number in range(20)]

    asyncio.run(use())

    assert server.headers["authorization"] == "Bearer local-key"
    assert server.record == ["opened data", "closed"]


def test_without_a_block_the_first_call_starts_it_and_close_stops_it() -> None:
    server = SmallServer()
    client = MemcairnClient.local("data", open_server=server.open)
    assert server.record == []

    client.health()
    client.health()
    client.close()
    client.close()

    assert server.record == ["opened data", "closed"]
    assert background_threads() == []


def test_awaited_calls_from_several_tasks_start_it_once_and_any_task_may_close_it() -> None:
    server = SmallServer()

    async def use() -> None:
        client = AsyncMemcairnClient.local("data", open_server=server.open)
        await asyncio.gather(*[asyncio.create_task(client.health()) for _ in range(5)])
        await asyncio.create_task(client.close())

    asyncio.run(use())

    assert server.record == ["opened data", "closed"]
    assert len(server.tasks) == 1


def test_many_threads_share_one_server() -> None:
    server = SmallServer()
    got: list[str] = []

    with MemcairnClient.local("data", open_server=server.open) as client:

        def ask(name: str) -> None:
            got.append(client.memories.get(name).memory_id)

        threads = [threading.Thread(target=ask, args=(f"m-{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(got) == [f"m-{number}" for number in range(8)]
    assert server.record == ["opened data", "closed"]


def test_it_works_inside_a_running_event_loop() -> None:
    server = SmallServer()

    async def notebook_cell() -> str:
        with MemcairnClient.local("data", open_server=server.open) as client:
            return client.health().status

    assert asyncio.run(notebook_cell()) == "ok"


def test_closing_a_client_nobody_used_starts_nothing() -> None:
    server = SmallServer()

    MemcairnClient.local("data", open_server=server.open).close()
    asyncio.run(AsyncMemcairnClient.local("data", open_server=server.open).close())

    assert server.record == []


def test_a_transport_that_was_closed_starts_no_second_server() -> None:
    server = SmallServer()
    transport = LocalTransport("data", server.open)
    transport.close()

    with pytest.raises(ConnectionFailed, match="closed"):
        transport.handle_request(httpx2.Request("GET", "http://localhost/healthz"))

    assert server.record == []
    assert background_threads() == []


def test_a_call_of_a_closed_client_starts_no_second_server() -> None:
    server = SmallServer()
    client = MemcairnClient.local("data", open_server=server.open)
    client.health()
    client.close()

    with pytest.raises(RuntimeError, match="closed"):
        client.health()

    async def use() -> None:
        awaited = AsyncMemcairnClient.local("data", open_server=server.open)
        await awaited.health()
        await awaited.close()
        with pytest.raises(RuntimeError, match="closed"):
            await awaited.health()

    asyncio.run(use())
    assert server.record == ["opened data", "closed"] * 2


def test_what_it_sends_says_as_much_as_over_the_network() -> None:
    server = SmallServer()

    with MemcairnClient.local("data", open_server=server.open) as client:
        client.status(["a"])

    assert server.headers["user-agent"].startswith("memcairn-python/")
    assert server.headers["accept"] == server.headers["content-type"] == "application/json"
    assert server.headers["content-length"] == str(len(b'{"event_ids":["a"]}'))
    assert server.headers["host"] == "localhost"


def test_closing_during_the_start_ends_both_the_start_and_the_call() -> None:
    server = SmallServer()

    async def use() -> None:
        client = AsyncMemcairnClient.local("data", open_server=server.open, max_retries=0)
        call = asyncio.create_task(client.health())
        await asyncio.sleep(0)
        await client.close()
        (outcome,) = await asyncio.gather(call, return_exceptions=True)
        assert isinstance(outcome, Health | ConnectionFailed)

    asyncio.run(use())

    assert server.record == ["opened data", "closed"]


def test_a_fault_of_the_app_is_a_server_error_and_not_the_end() -> None:
    server = SmallServer()

    with MemcairnClient.local("data", open_server=server.open) as client:
        with pytest.raises(ServerError) as caught:
            client.memories.get("fault")
        assert client.health().status == "ok"

    assert caught.value.status == 500


def test_a_fault_of_the_app_is_a_server_error_when_awaited() -> None:
    server = SmallServer()

    async def use() -> None:
        async with AsyncMemcairnClient.local("data", open_server=server.open) as client:
            with pytest.raises(ServerError):
                await client.memories.get("fault")

    asyncio.run(use())

    assert server.record[-1] == "closed"


def test_the_timeout_holds_without_a_network_too() -> None:
    server = SmallServer()

    with (
        MemcairnClient.local("data", open_server=server.open, timeout=0.01, max_retries=0) as client,
        pytest.raises(TimedOut),
    ):
        client.memories.get("never")

    assert server.cancelled.is_set()


def test_cancelling_a_call_ends_it_in_the_server_and_nothing_else() -> None:
    server = SmallServer()

    async def use() -> None:
        async with AsyncMemcairnClient.local("data", open_server=server.open) as client:
            call = asyncio.create_task(client.memories.get("never"))
            await asyncio.to_thread(server.entered.wait)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert server.cancelled.is_set()
            assert (await client.health()).status == "ok"

    asyncio.run(use())


def test_an_interrupt_ends_the_call_in_the_server_too() -> None:
    server = SmallServer()

    def interrupt() -> None:
        server.entered.wait()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with MemcairnClient.local("data", open_server=server.open) as client:
        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        with pytest.raises(KeyboardInterrupt):
            client.memories.get("never")
        interrupting.join()
        assert server.cancelled.wait(timeout=10)
        assert client.health().status == "ok"


def test_closing_gives_up_calls_of_other_threads() -> None:
    server = SmallServer()
    client = MemcairnClient.local("data", open_server=server.open)
    caught: list[ConnectionFailed] = []

    def ask() -> None:
        with pytest.raises(ConnectionFailed, match="closed during the call") as error:
            client.memories.get("never")
        caught.append(error.value)

    asking = threading.Thread(target=ask)
    asking.start()
    server.entered.wait()

    client.close()
    asking.join()

    assert len(caught) == 1
    assert server.cancelled.is_set()
    assert server.record == ["opened data", "closed"]
    assert background_threads() == []


def test_a_server_that_cannot_start_says_why_and_leaves_no_thread() -> None:
    with (
        pytest.raises(PermissionError, match="data cannot be written"),
        MemcairnClient.local("data", open_server=locked),
    ):
        pass

    assert background_threads() == []


def test_a_server_that_cannot_start_says_why_at_the_first_call_too() -> None:
    client = MemcairnClient.local("data", open_server=locked)

    with pytest.raises(PermissionError):
        client.health()
    client.close()

    assert background_threads() == []


def test_a_server_that_cannot_start_says_why_when_awaited() -> None:
    async def use() -> set[Any]:
        with pytest.raises(PermissionError, match="data cannot be written"):
            async with AsyncMemcairnClient.local("data", open_server=locked):
                pass
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(use()) == set()


def test_a_start_that_is_cancelled_leaves_no_server_behind() -> None:
    server = SmallServer()

    async def use() -> set[Any]:
        async def enter() -> None:
            async with AsyncMemcairnClient.local("data", open_server=server.open):
                await asyncio.Event().wait()

        entering = asyncio.create_task(enter())
        await asyncio.sleep(0)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(use()) == set()
    assert server.record in ([], ["opened data", "closed"])


def test_what_goes_wrong_while_stopping_is_raised_by_close() -> None:
    client = MemcairnClient.local("data", open_server=stumbling)
    client.health()

    with pytest.raises(OSError, match="data could not be closed"):
        client.close()

    assert background_threads() == []


def test_an_error_in_the_block_is_the_one_that_comes_out() -> None:
    server = SmallServer()

    with pytest.raises(KeyError), MemcairnClient.local("data", open_server=server.open):
        raise KeyError

    assert server.record == ["opened data", "closed"]


@pytest.mark.parametrize(
    "offers",
    [[], [EntryPoint(name="server", group="memcairn.local", value="no_such_module:app")]],
    ids=["nothing offered", "its libraries missing"],
)
def test_without_the_server_extra_the_way_to_it_is_named(offers: list[EntryPoint]) -> None:
    with pytest.raises(ServerNotInstalled, match=r"pip install 'memcairn\[server\]'"):
        installed_server(offers)


def test_an_installed_server_is_found_by_what_it_offers() -> None:
    offer = EntryPoint(name="server", group="memcairn.local", value="asyncio:timeout")

    found: object = installed_server([offer])

    assert found is asyncio.timeout
