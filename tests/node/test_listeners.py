"""Ports: shared by the workers of one server, refused to everybody else."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from sekisho.errors import SekishoError
from sekisho.node import listeners

HOSTS = ["127.0.0.1:0", "[::1]:0"]


@pytest.fixture(params=HOSTS)
def reserved(request: pytest.FixtureRequest) -> Iterator[str]:
    """A port that a server has taken."""
    with closing(listeners.reserve(request.param)) as bound:
        yield listeners.address(bound)


def refused(listener: str) -> str:
    with pytest.raises(SekishoError) as caught:
        listeners.reserve(listener).close()
    assert caught.value.code == "PortInUse"
    return caught.value.message


def test_workers_share_a_port_and_another_server_does_not_get_it(reserved: str) -> None:
    assert refused(reserved) == f"cannot listen on {reserved}: another program does already"
    with ExitStack() as stack:
        for _ in range(3):
            worker = stack.enter_context(closing(listeners.shared(reserved)))
            assert refused(reserved)
            worker.listen()
            assert refused(reserved)


def test_a_port_of_another_program_is_refused() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        assert refused(listeners.address(other))


def test_the_next_server_gets_the_port_although_connections_are_not_forgotten_yet() -> None:
    with closing(listeners.reserve("127.0.0.1:0")) as bound:
        address = listeners.address(bound)
        with closing(listeners.shared(address)) as worker:
            worker.listen()
            with closing(socket.create_connection(listeners.split(address))) as client:
                accepted, _ = worker.accept()
                accepted.close()  # first, so that it is this end which waits
                assert client.recv(1) == b""
    with closing(socket.socket()) as strict, pytest.raises(OSError, match="in use"):
        strict.bind(listeners.split(address))
    with closing(listeners.reserve(address)) as bound:
        assert refused(address)
        with closing(listeners.shared(address)) as worker:
            worker.listen()


def test_a_host_that_is_not_ours_is_named() -> None:
    with pytest.raises(SekishoError, match=r"cannot listen on 192\.0\.2\.1:0: Cannot assign requested address"):
        listeners.reserve("192.0.2.1:0")


@pytest.mark.parametrize(
    ("listener", "index", "expected"),
    [("", 3, ""), ("127.0.0.1:9100", 2, "127.0.0.1:9102"), ("[::1]:9100", 1, "[::1]:9101"), ("127.0.0.1:0", 5, "127.0.0.1:0")],
)
def test_metrics_of_workers_stand_side_by_side(listener: str, index: int, expected: str) -> None:
    assert listeners.beside(listener, index) == expected
