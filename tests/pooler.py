"""A transaction pooler as small as can be: each transaction of a client goes to another connection of the server.

It is asked for by tests alone. What a session would have kept (a prepared statement, a setting, a lock) is not there in
the next transaction, as behind PgBouncer.
"""

import itertools
import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

_BEFORE_STARTUP = (80_877_103, 80_877_104)
"""A client that asks for TLS or GSSAPI first."""


class Pooler:
    """Listens on a free port of the loopback, with `connections` to the server that `connect` reaches."""

    def __init__(self, connect: Callable[[], socket.socket], *, connections: int) -> None:
        self._connect = connect
        self._free: list[socket.socket] = []
        self._greeting = b""
        self._connections = connections
        self._lock = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.transactions = itertools.count()

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()
        for server in self._free:
            server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, EOFError):
            self._greet(client)
            while True:
                select.select([client], [], [])
                server = self._taken()
                try:
                    self._one_transaction(client, server)
                finally:
                    self._give_back(server)

    def _greet(self, client: socket.socket) -> None:
        """Speak to a new client as the server would; the first one brings the connections about."""
        while True:
            (length,) = struct.unpack("!I", _exactly(client, 4))
            body = _exactly(client, length - 4)
            if struct.unpack("!I", body[:4])[0] not in _BEFORE_STARTUP:
                break
            client.sendall(b"N")
        with self._lock:
            for _ in range(0 if self._greeting else self._connections):
                server = self._connect()
                server.sendall(struct.pack("!I", length) + body)
                self._greeting = _until_ready(server)
                self._free.append(server)
        client.sendall(self._greeting)

    def _taken(self) -> socket.socket:
        """The connection that was used the longest ago."""
        with self._lock:
            while not self._free:
                self._lock.wait()
            return self._free.pop(0)

    def _give_back(self, server: socket.socket) -> None:
        with self._lock:
            self._free.append(server)
            self._lock.notify()

    def _one_transaction(self, client: socket.socket, server: socket.socket) -> None:
        next(self.transactions)
        while True:
            readable, _, _ = select.select([client, server], [], [])
            if client in readable:
                kind, message = _message(client)
                if kind == b"X":
                    raise EOFError
                server.sendall(message)
            if server in readable:
                kind, message = _message(server)
                client.sendall(message)
                if kind == b"Z" and message[-1:] == b"I":
                    return


def _until_ready(server: socket.socket) -> bytes:
    said = b""
    while True:
        kind, message = _message(server)
        said += message
        if kind == b"Z":
            return said


def _message(peer: socket.socket) -> tuple[bytes, bytes]:
    """The kind of one message, and all its bytes."""
    head = _exactly(peer, 5)
    (length,) = struct.unpack("!I", head[1:])
    return head[:1], head + _exactly(peer, length - 4)


def _exactly(peer: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = peer.recv(count - len(got))
        if not part:
            raise EOFError
        got += part
    return got
