"""A client's socket: what waits to be sent, which goes as the client takes it."""

import socket
import ssl
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sekisho.edges.grpc.lean.connection import Connection
from sekisho.edges.grpc.lean.peers import INSECURE, READ, Gone, Peer


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


WHERE = ("192.0.2.1", 5000)
LATER = [BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError]


def of(connected: Any, *, where: tuple[Any, ...] = WHERE, out: Any = ()) -> Peer:
    """A client with this socket, to which this is to be sent."""
    peer = Peer(cast(socket.socket, connected), where, where[0], 1.0, 600.0)
    peer.connection = cast(Connection, SimpleNamespace(out=list(out)))
    return peer


class Answers(Sips):
    """A socket that does what it is told: to give, to raise."""

    def __init__(self, *answers: bytes | type[Exception]) -> None:
        super().__init__(0)
        self._answers, self.sizes = list(answers), list[int]()

    def _next(self) -> Any:
        answer = self._answers.pop(0)
        if isinstance(answer, type):
            raise answer
        return answer

    def recv(self, size: int) -> bytes:
        self.sizes.append(size)
        return cast(bytes, self._next())

    def send(self, data: Any) -> int:
        self.given.append(bytes(data))
        return len(self._next())

    def close(self) -> None:
        self._next()


class Tls(ssl.SSLSocket):
    """A socket of TLS, whose handshakes end as it is told."""

    def __init__(self, *shakes: type[Exception] | None, alpn: str | None = "h2", certificate: bytes | None = None, opened: int = 0) -> None:
        self._shakes, self._alpn, self._certificate, self._opened = list(shakes), alpn, certificate, opened

    def fileno(self) -> int:
        return 3

    def do_handshake(self, block: bool = False) -> None:
        if self._shakes and (error := self._shakes.pop(0)) is not None:
            raise error

    def selected_alpn_protocol(self) -> str | None:
        return self._alpn

    def getpeercert(self, binary_form: bool = False) -> Any:
        return self._certificate if binary_form else {"subject": ()}

    def pending(self) -> int:
        return self._opened

    def recv(self, size: int = 0, flags: int = 0) -> bytes:
        return b"opened"


@pytest.mark.parametrize(
    ("where", "name"),
    [(WHERE, "ipv4:192.0.2.1:5000"), (("2001:db8::1", 5000, 0, 0), "ipv6:%5B2001:db8::1%5D:5000")],
    ids=["IPv4", "IPv6"],
)
def test_whence_a_client_comes(where: tuple[Any, ...], name: str) -> None:
    peer = of(Sips(1), where=where)
    assert (peer.name, peer.number, peer.address, peer.began, peer.ends) == (name, 3, where[0], 1.0, 600.0)
    assert (peer.mask, peer.held, peer.taken, peer.parted, peer.asked) == (0, 0, [], 0.0, 0.0)
    assert (peer.shaking, peer.auth) == (False, {"transport_security_type": [b"insecure"]})


@pytest.mark.parametrize("error", LATER)
def test_a_client_that_has_sent_nothing(error: type[Exception]) -> None:
    sips = Answers(error, b"hello")
    peer = of(sips)
    assert (peer.read(), peer.read(), sips.sizes) == (b"", b"hello", [READ, READ])


@pytest.mark.parametrize("answer", [b"", ConnectionResetError, ssl.SSLError], ids=["closed", "reset", "no TLS"])
def test_a_client_that_has_gone(answer: Any) -> None:
    with pytest.raises(Gone):
        of(Answers(answer)).read()


@pytest.mark.parametrize("error", [None, ssl.SSLWantReadError, ssl.SSLWantWriteError])
def test_a_handshake(error: type[Exception] | None) -> None:
    peer = of(Tls(error))
    if error is not None:
        peer.shake()
        assert peer.shaking
        assert peer.auth is INSECURE
    peer.shake()
    assert (peer.shaking, peer.auth) == (False, {"transport_security_type": [b"ssl"]})


def test_a_handshake_with_a_certificate() -> None:
    """It is given as gRPC's context gives it, in PEM."""
    peer = of(Tls(certificate=b"certificate"))
    peer.shake()
    assert peer.auth["x509_pem_cert"] == [b"-----BEGIN CERTIFICATE-----\nY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"]


@pytest.mark.parametrize("error", [ConnectionResetError, ssl.SSLError, ValueError])
def test_a_handshake_that_fails(error: type[Exception]) -> None:
    with pytest.raises(Gone):
        of(Tls(error)).shake()


@pytest.mark.parametrize("alpn", [None, "http/1.1"])
def test_a_handshake_for_another_protocol(alpn: str | None) -> None:
    peer = of(Tls(alpn=alpn))
    with pytest.raises(Gone):
        peer.shake()
    assert peer.shaking


def test_bytes_that_no_poll_tells_of() -> None:
    assert [of(Tls(opened=opened)).has_more for opened in (0, 1, 2)] == [False, True, True]
    assert of(Sips(1)).has_more is False


@pytest.mark.parametrize("error", LATER)
def test_what_cannot_be_sent_waits(error: type[Exception]) -> None:
    """It is stuck since then, however often it is tried, until some of it goes."""
    sips = Answers(error, error, b"12", error, b"345")
    peer = of(sips, out=[b"12345"])
    stuck = []
    for now in (5.0, 6.0, 7.0, 8.0, 9.0, 10.0):
        peer.send(now)
        stuck.append((bytes(peer.unsent), peer.stuck))
    assert stuck == [(b"12345", 5.0), (b"12345", 5.0), (b"345", 7.0), (b"345", 7.0), (b"", 0.0), (b"", 0.0)]
    assert sips.given == [b"12345"] * 3 + [b"345"] * 2


def test_nothing_is_sent_where_there_is_nothing() -> None:
    sips = Answers()
    peer = of(sips)
    peer.send(5.0)
    assert (sips.given, peer.stuck) == ([], 0.0)


def test_several_answers_are_sent_at_once() -> None:
    sips = Answers(b"abc", b"d")
    peer = of(sips, out=[b"a", b"bc"])
    peer.send(5.0)
    assert (sips.given, peer.connection.out) == ([b"abc"], [])
    peer.connection.out.append(b"d")
    peer.send(5.0)
    assert (sips.given, peer.connection.out) == ([b"abc", b"d"], [])


def test_one_answer_stands_behind_what_waits() -> None:
    sips = Answers(b"ab", b"cde")
    peer = of(sips, out=[b"abc"])
    peer.send(5.0)
    peer.connection.out.append(b"de")
    peer.send(6.0)
    assert sips.given == [b"abc", b"cde"]


def test_one_answer_is_sent_as_it_is() -> None:
    sips, answer = Sips(9), b"an answer"
    of(sips, out=[answer]).send(5.0)
    assert sips.given[0] is answer


@pytest.mark.parametrize("error", [ConnectionResetError, ssl.SSLError, BrokenPipeError])
def test_who_has_gone_is_sent_nothing(error: type[Exception]) -> None:
    with pytest.raises(Gone):
        of(Answers(error), out=[b"hello"]).send(5.0)


@pytest.mark.parametrize(("sent", "copied"), [(0, False), (4, False), (5, False), (6, True), (9, True)])
def test_what_is_left_is_copied_once_half_has_gone(sent: int, copied: bool) -> None:
    answer = b"0123456789"
    peer = of(Sips(sent), out=[answer])
    peer.send(5.0)
    assert bytes(peer.unsent) == answer[sent:]
    assert (peer.unsent.obj is not answer) is copied


def test_a_client_is_told_that_nothing_more_comes() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(10)
        peer = of(ours)
        peer.part(7.0)
        assert (peer.parted, theirs.recv(1)) == (7.0, b"")
        theirs.send(b"still")
        assert peer.read() == b"still"
        peer.close()
        assert ours.fileno() == -1
        with pytest.raises(Gone):
            peer.part(8.0)
        assert peer.parted == 7.0


def test_an_end_that_fails_is_one() -> None:
    of(Answers(ConnectionResetError)).close()
