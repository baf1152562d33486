"""A small HTTP endpoint in the test's own process, which answers by a schedule."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from memcairn.providers.fake import FakeEmbedder

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent; `wait` holds it back until that is set."""

    content: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: threading.Event | None = None


Step = Callable[[Body], Answer]


@dataclass(slots=True)
class Endpoint:
    """`steps` answer the first requests, one each; `then` answers all others."""

    then: Step
    steps: list[Step] = field(default_factory=list)
    asked: list[Body] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, body: Body) -> Answer:
        self.asked.append(body)
        step = self.steps.pop(0) if self.steps else self.then
        return step(body)


@contextlib.contextmanager
def serving(endpoint: Endpoint) -> Iterator[Endpoint]:
    """The endpoint on a free port of this machine, until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            endpoint.keys.append(self.headers.get("Authorization"))
            answer = endpoint.answer(body)
            if answer.wait is not None:
                answer.wait.wait(10)
            with contextlib.suppress(ConnectionError):  # whoever asked has hung up
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.content)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.content)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: a test prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def failing(status: int, **headers: str) -> Step:
    """An error of this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _body: Answer(b'{"error": {"message": "no"}}', status, named)


def saying(content: bytes) -> Step:
    return lambda _body: Answer(content)


def embeddings(rows: Sequence[Any], places: Sequence[int] | None = None) -> Answer:
    """An answer in the shape of OpenAI's, its rows at these places."""
    numbered = zip(range(len(rows)) if places is None else places, rows, strict=True)
    data = [{"object": "embedding", "index": place, "embedding": row} for place, row in numbered]
    return Answer(json.dumps({"object": "list", "model": "m", "data": data}).encode())


def embedded(body: Body) -> Answer:
    """The vectors of the fake embedder, in order."""
    return embeddings(rows_for(body))


def rows_for(body: Body, dimensions: int = 32) -> list[list[float]]:
    rows: list[list[float]] = FakeEmbedder(body.get("dimensions", dimensions)).embed(body["input"]).tolist()
    return rows
