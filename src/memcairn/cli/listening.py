"""The socket a server listens on, and the sentences for when it cannot be had."""

import errno
import ipaddress
import socket
from typing import Any

from memcairn.domain.errors import Invalid, Unavailable

_NEXT_PORTS = 50
"""How many ports above a taken one are tried for a suggestion."""

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- only to recognise it; `--host` is what asks for it
"""Addresses that stand for every network of the machine, and where the machine itself finds them."""


def bound_socket(host: str, port: int) -> socket.socket:
    """A bound socket that accepts nothing yet; a taken port is Unavailable and names the next free one."""
    family, address = _resolved(host, port)
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(address)
        # Two sockets may share an address that nobody listens on; asking to listen is what settles whose it is.
        sock.listen(0)
    except OSError as error:
        sock.close()
        raise _refused(error, host, port) from error
    return sock


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach the address."""
    _family, address = _resolved(host, 0)
    return ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback


def url_of(host: str, sock: socket.socket) -> str:
    """An address clients on this machine can use, with the real port where 0 was asked for."""
    reachable = _EVERYWHERE.get(host, host)
    shown = f"[{reachable}]" if ":" in reachable else reachable
    return f"http://{shown}:{sock.getsockname()[1]}"


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise Invalid(
            f"The host {host!r} is not an address of this machine. Use 127.0.0.1, or 0.0.0.0 for every network.",
            code="invalid_host",
        ) from None
    family, _kind, _protocol, _name, address = found[0]
    return family, address


def _refused(error: OSError, host: str, port: int) -> Invalid | Unavailable:
    if error.errno == errno.EADDRINUSE:
        free = _next_free(host, port)
        hint = "Choose another with --port." if free is None else f"Stop what uses it, or start with --port {free}."
        return Unavailable(f"The port {port} of {host} is in use. {hint}", code="port_in_use")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Invalid(
            f"The port {port} needs rights this user does not have. Choose one from 1024 on with --port.",
            code="port_forbidden",
        )
    return Invalid(
        f"The server cannot listen on {host}:{port}: {error.strerror}. Choose an address of this machine with --host.",
        code="invalid_host",
    )


def _next_free(host: str, port: int) -> int | None:
    for candidate in range(port + 1, min(port + _NEXT_PORTS, 65_535) + 1):
        family, address = _resolved(host, candidate)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
                probe.listen(0)
            except OSError:
                continue
            return candidate
    return None
