"""A real server and its worker in processes of their own, to be killed."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

START_SECONDS = 30.0
KEY = "a key for tests, whatever its shape"


class ServerProcess:
    """`memcairn serve` on a free port and the given data folder, or on the Postgres database of that address; `url` is
    known once it listens."""

    def __init__(
        self,
        data_dir: Path,
        settings: Mapping[str, str] | None = None,
        *,
        postgres_url: str | None = None,
        arguments: Sequence[str] = (),
        log: Path | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.database_url = postgres_url or f"sqlite:///{data_dir}/memory.db"
        """What another process reaches the same data by."""
        place = [] if postgres_url is not None else ["--data-dir", str(data_dir)]
        self._log = log or Path(os.devnull)
        self._arguments = [*place, *arguments]
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        """Start it and wait until it listens; the banner is one line of JSON on standard output."""
        command = [sys.executable, "-m", "memcairn", "serve", "--port", "0", "--json", *self._arguments]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MEMCAIRN_")}
        environ |= {"MEMCAIRN_API_KEY": KEY, "DATABASE_URL": self.database_url} | self._settings
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env=environ, text=True, start_new_session=True
            )
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._forward, args=(lines,), daemon=True).start()
        self.url = json.loads(lines.get(timeout=START_SECONDS))["url"]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def pause(self) -> None:
        """Stop server and worker where they stand, until `resume`; they cannot tell, nor do anything about it."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End server and worker as a power cut ends them: without a chance to do anything."""
        with contextlib.suppress(ProcessLookupError):  # both have ended already
            os.killpg(self.pid, signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """Ask the server to end, and wait; returns its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._wait()

    def _wait(self) -> int:
        assert self._process is not None
        return self._process.wait(timeout=20)

    def _forward(self, lines: "queue.Queue[str]") -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                lines.put(line)
