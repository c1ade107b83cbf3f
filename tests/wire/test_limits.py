"""The listener under hands that hold: sizes, times, and requests that two readers could read in two ways. Over real sockets."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sekisho.edges.budgets import Budget
from sekisho.edges.http import connections, listener
from sekisho.edges.http.connections import MAX_HEADERS
from tests.certificates import Authority
from tests.wire.edge import Edge, query, signed

Address = tuple[str, int]

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
PATIENCE = 0.5
"""Seconds instead of ten, so that the tests need not wait."""


@pytest.fixture(scope="module")
def address(shared: Edge) -> Iterator[Address]:
    """A listener before the gateway, with little patience."""
    with listening(shared, PATIENCE) as made:
        yield made


@contextmanager
def listening(edge: Edge, patience: float, tls: ssl.SSLContext | None = None) -> Iterator[Address]:
    """A listener, while the block runs."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    pages = listener.health(edge.house.node) | listener.metrics()
    serving = listener.Listener(listener.application(pages, (edge.application,)), bound, patience=patience, tls=tls)
    serving.start()
    try:
        yield bound.getsockname()
    finally:
        serving.stop()


def talk(address: Address, *parts: bytes) -> bytes:
    """All that the server says until it closes the connection, which it must do within a minute."""
    with socket.create_connection(address, timeout=60) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except OSError:
            pass  # the server has said enough and closed
        said = b""
        try:
            while data := connection.recv(65536):
                said += data
        except ConnectionResetError:
            pass
        return said


def first_line(said: bytes) -> bytes:
    return said.partition(b"\r\n")[0]


SLOW = {
    "says_nothing": (),
    "half_a_line": (b"POST / HT",),
    "half_the_headers": (HEAD,),
    "half_the_body": (HEAD + b"Content-Length: 100\r\n\r\nAction=",),
    "half_a_chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nAct",),
}


@pytest.mark.parametrize("name", SLOW)
def test_slow_client_is_cut_off(name: str, address: Address) -> None:
    assert first_line(talk(address, *SLOW[name])) == b"HTTP/1.1 408 Request Timeout"


def test_a_byte_now_and_then_buys_no_time(address: Address) -> None:
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(HEAD)
        said = b""
        while not said:
            time.sleep(PATIENCE / 5)
            try:
                connection.sendall(b"X: y\r\n")
            except OSError:
                break
            connection.settimeout(0.01)
            try:
                said = connection.recv(65536)
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
        assert said[:12] in (b"HTTP/1.1 408", b"")


def test_slow_clients_hold_up_nobody(address: Address, shared: Edge) -> None:
    held = [socket.create_connection(address) for _ in range(200)]
    try:
        for connection in held:
            connection.sendall(HEAD)
        assert first_line(talk(address, wire(shared))) == b"HTTP/1.1 200 OK"
    finally:
        for connection in held:
            connection.close()


def wire(edge: Edge, extra: bytes = b"") -> bytes:
    """A good request as bytes."""
    request = signed(query("GetCallerIdentity"), edge.house.root, "sts")
    lines = b"".join(f"{name}: {value}\r\n".encode() for name, value in request.headers)
    return (
        b"POST / HTTP/1.1\r\nConnection: close\r\n" + lines + b"Content-Length: %d\r\n" % len(request.body) + extra + b"\r\n" + request.body
    )


TOO_LARGE = {
    "one_long_header": HEAD + b"X: " + b"y" * MAX_HEADERS + b"\r\n\r\n",
    "one_header_without_end": HEAD + b"X: " + b"y" * 10 * MAX_HEADERS,
    "many_headers": HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(2000)) + b"\r\n",
    "a_long_path": b"GET /" + b"a" * MAX_HEADERS + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a_long_query": b"GET /?" + b"a" * MAX_HEADERS + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_headers_have_a_limit(name: str, address: Address) -> None:
    assert first_line(talk(address, TOO_LARGE[name])) == b"HTTP/1.1 431 Request Header Fields Too Large"


def test_a_body_that_says_that_it_is_too_large_is_not_waited_for(address: Address) -> None:
    said = talk(address, HEAD + b"Content-Length: 1048577\r\n\r\n")
    assert first_line(said) == b"HTTP/1.1 413 Request Entity Too Large" or first_line(said) == b"HTTP/1.1 413 Content Too Large"
    assert b"RequestEntityTooLarge" in said


def test_a_chunked_body_has_the_same_limit(address: Address) -> None:
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    assert b"RequestEntityTooLarge" in talk(address, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 17)


AMBIGUOUS = {
    "length_and_chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
    "two_lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "a_length_with_a_sign": HEAD + b"Content-Length: +5\r\n\r\nabcde",
    "chunked_twice_spelt": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "space_before_the_colon": HEAD + b"Content-Length : 5\r\n\r\nabcde",
    "folded_header": HEAD + b"X: a\r\n b\r\n\r\n",
    "bare_line_feeds": b"POST / HTTP/1.1\nHost: x\n\n",
    "a_zero_byte": HEAD + b"X: a\x00b\r\n\r\n",
    "no_method": b"\r\n\r\n / HTTP/1.1\r\n\r\n",
    "two_hosts": HEAD + b"Host: other\r\nConnection: close\r\n\r\n",
    "no_host": b"POST / HTTP/1.1\r\nConnection: close\r\n\r\n",
    "old_version_without_host": b"GET / HTTP/1.0\r\n\r\n",
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_request_that_can_be_read_in_two_ways_is_refused(name: str, address: Address) -> None:
    said = talk(address, AMBIGUOUS[name])
    assert first_line(said) == b"HTTP/1.1 400 Bad Request", said
    assert said.count(b"HTTP/1.1 ") == 1
    assert b"x-amzn-requestid: " in said


def test_a_request_behind_a_body_is_a_request_of_its_own(address: Address, shared: Edge) -> None:
    """What stands behind the body's length does not become part of the call before it, and is answered for itself."""
    good = wire(shared).replace(b"Connection: close\r\n", b"")
    said = talk(address, good + b"GET /?Action=DeleteUser&Version=2010-05-08 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert said.count(b"HTTP/1.1 200 OK") == 1
    assert b"MissingAuthenticationToken" in said


def test_health_and_metrics(address: Address) -> None:
    for path in (b"/healthz", b"/readyz"):
        assert b'{"status": "ok"' in talk(address, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    said = talk(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"sekisho_http_refused_total" in said
    assert b"sekisho_gateway_answers_total" in said
    assert b"x-amzn-requestid: " in said


def test_health_answers_beside_idle_connections(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "OF_AN_ADDRESS", 20)
    held = [socket.create_connection(address) for _ in range(30)]
    try:
        assert b"200 OK" in first_line(talk(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
        assert b"503" in first_line(talk(address, HEAD + b"Content-Length: 0\r\n\r\n"))
    finally:
        for connection in held:
            connection.close()


def test_bodies_that_are_not_sent_whole_have_a_budget(shared: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(total=400_000, share=300_000)
    monkeypatch.setattr(shared.application, "_bodies", budget)
    start = HEAD + b"Content-Length: 200000\r\n\r\n"
    with listening(shared, 30.0) as address, socket.create_connection(address) as slow:
        slow.sendall(start + b"x" * 190_000)
        limit = time.monotonic() + 60
        while budget.taken < 190_000 and time.monotonic() < limit:
            time.sleep(0.01)
        assert b"Throttling" in talk(address, start + b"x" * 200_000)
        slow.close()
        while budget.taken and time.monotonic() < limit:
            time.sleep(0.01)
        assert first_line(talk(address, wire(shared))) == b"HTTP/1.1 200 OK"


def test_who_does_not_finish_the_handshake_is_cut_off(shared: Edge, tmp_path: Path) -> None:
    certificate, key = Authority().server().write(tmp_path, "server")
    with listening(shared, PATIENCE, listener.encrypted(certificate, key)) as address:
        began = time.monotonic()
        assert talk(address, b"\x16\x03\x01") == b""
        assert time.monotonic() - began < 30
        assert talk(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")[:1] != b"H"
