"""The socket of a server."""

import socket

import pytest

from memcairn.cli.listening import bound_socket, is_loopback, url_of
from memcairn.domain.errors import Invalid, Unavailable


def test_port_zero_takes_a_free_one_and_the_address_shows_it() -> None:
    with bound_socket("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]

        assert port > 0
        assert url_of("127.0.0.1", sock) == f"http://127.0.0.1:{port}"
        assert url_of("::1", sock) == f"http://[::1]:{port}"
        assert url_of("0.0.0.0", sock) == f"http://127.0.0.1:{port}"


def test_a_taken_port_is_named_with_one_that_is_free() -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(Unavailable, match=rf"The port {port} of 127.0.0.1 is in use") as refused:
            bound_socket("127.0.0.1", port)

        suggested = int(refused.value.message.rstrip(".").rsplit(" ", 1)[1])
        assert suggested > port
        bound_socket("127.0.0.1", suggested).close()


@pytest.mark.parametrize("host", ["nosuchhost.invalid", "a" * 300])
def test_a_host_that_does_not_exist_is_refused(host: str) -> None:
    with pytest.raises(Invalid, match="not an address of this machine"):
        bound_socket(host, 0)


def test_an_address_of_another_machine_is_refused() -> None:
    # 192.0.2.0/24 is set aside for documentation (RFC 5737)
    with pytest.raises(Invalid, match="--host"):
        bound_socket("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("127.1.2.3", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_only_loopback_is_out_of_reach_for_other_machines(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_loopback_of_the_newer_protocol_counts_too() -> None:
    assert is_loopback("::1")
    assert not is_loopback("::")
