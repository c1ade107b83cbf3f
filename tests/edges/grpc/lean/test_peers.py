"""A client's socket: what waits to be sent, which goes as the client takes it."""

import socket
from types import SimpleNamespace
from typing import Any, cast

from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.peers import Peer


class Sips:
    """A socket that takes so many bytes at a time."""

    def __init__(self, sip: int) -> None:
        self._sip, self.took, self.given = sip, bytearray(), list[Any]()

    def fileno(self) -> int:
        return 3

    def send(self, data: Any) -> int:
        self.given.append(data)
        self.took += data[: self._sip]
        return min(self._sip, len(data))


def test_what_is_taken_in_sips_is_not_copied_for_each() -> None:
    """Nor is more kept than twice what is left, which is what is counted of an address."""
    sips, answers = Sips(100), [bytes([at % 251]) * 1000 for at in range(10)]
    peer = Peer(cast(socket.socket, sips), ("192.0.2.1", 5000), "192.0.2.1", 0.0, 600.0)
    peer.connection = cast(Connection, SimpleNamespace(out=list(answers)))
    peer.send(0.0)
    copies = {id(peer.unsent.obj): peer.unsent.obj}
    while peer.unsent:
        peer.send(1.0)
        copies[id(peer.unsent.obj)] = peer.unsent.obj
        assert len(cast(bytes, peer.unsent.obj)) <= 2 * len(peer.unsent)
    assert (bytes(sips.took), peer.stuck, len(sips.given)) == (b"".join(answers), 0.0, 100)
    assert len(copies) < 10  # one for each half that is left


def test_what_is_added_stands_behind_what_waits() -> None:
    sips = Sips(3)
    peer = Peer(cast(socket.socket, sips), ("192.0.2.1", 5000), "192.0.2.1", 0.0, 600.0)
    out = [b"abcde"]
    peer.connection = cast(Connection, SimpleNamespace(out=out))
    peer.send(5.0)
    assert (bytes(peer.unsent), peer.stuck) == (b"de", 5.0)
    out += [b"fgh", b"i"]
    for _ in range(3):
        peer.send(6.0)
    assert (bytes(sips.took), len(peer.unsent), peer.stuck, out) == (b"abcdefghi", 0, 0.0, [])
