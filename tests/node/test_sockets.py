"""A process finds its own sockets on a port, and closes the door without sending anybody away."""

import socket

import pytest

from sekisho.node import listeners, sockets


def test_who_is_there_stays_and_nobody_comes() -> None:
    with listeners.shared("127.0.0.1:0") as ours:
        ours.listen()
        here = listeners.address(ours)
        host, port = listeners.split(here)
        assert sockets.connections(here) == 0
        with socket.create_connection((host, port), timeout=60) as client, ours.accept()[0] as accepted:
            assert sockets.connections(here) == 1
            sockets.refuse_connections(here)
            assert sockets.connections(here) == 1
            client.sendall(b"still here")
            assert accepted.recv(20) == b"still here"
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, port), timeout=60)
            with listeners.shared(here) as other:
                other.listen()
                with socket.create_connection((host, port), timeout=60), other.accept()[0]:
                    assert sockets.connections(here) == 2
        assert sockets.connections(here) == 0
