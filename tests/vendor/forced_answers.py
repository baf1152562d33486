"""A small server that gives refusals a real one cannot be brought to give, word for word as a door would give them."""

import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from starlette.responses import Response


class ForcedAnswers:
    """Answers everything below `/<name>/` with the response of that name, and counts how often it was asked for."""

    def __init__(self, answers: Mapping[str, Response]) -> None:
        self.asked: Counter[str] = Counter()
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.split("/")[1]
                asked[name] += 1
                answer = answers[name]
                self.send_response(answer.status_code)
                for header, value in answer.headers.items():
                    self.send_header(header, value)
                self.end_headers()
                self.wfile.write(bytes(answer.body))

            def log_message(self, *_: object) -> None:
                """Says nothing: the tests read what the client saw."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
