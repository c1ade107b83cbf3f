"""Connections of HTTP on a loop that stands still: what is refused before the application hears of it, and when patience ends."""

import re
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from sekisho.edges.http import connections
from sekisho.edges.http.connections import CONNECTIONS, MAX_HEADERS, MOST_CONNECTIONS, OF_AN_ADDRESS, REFUSED, Connection, Crowd

PATIENCE = 7.0


class Timer:
    """Timers by their seconds."""

    def __init__(self, seconds: float, then: Callable[[], None]) -> None:
        self.seconds, self.then, self.is_cancelled = seconds, then, False

    def cancel(self) -> None:
        self.is_cancelled = True


class Transport:
    """Keeps what is written to it."""

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        self.said = b""
        self.closed = self.aborted = False
        self.unsent = 0

    def get_extra_info(self, name: str) -> Any:
        return self.facts.get(name)

    def write(self, data: bytes) -> None:
        self.said += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        """Nothing is read but what the test gives."""

    resume_reading = pause_reading


async def silent(_scope: Any, _receive: Any, _send: Any) -> None:
    """An application."""


class Line:
    """A connection; `reached` are the requests that reached the application, `timers` all that were set."""

    def __init__(
        self, *, crowd: Crowd | None = None, address: str = "192.0.2.7", pages: frozenset[bytes] = frozenset(), **facts: Any
    ) -> None:
        self.timers: list[Timer] = []
        self.reached: list[Any] = []
        self.crowd = crowd or Crowd()
        self.transport: Any = Transport(peername=(address, 5000), **facts)
        kind = type("Kind", (Connection,), {"patience": PATIENCE, "pages": pages, "crowd": self.crowd})
        config = uvicorn.Config(silent, log_config=None, lifespan="off", ws="none")
        self.connection = kind(config, ServerState(), {}, _loop=self)
        self.connection.connection_made(self.transport)

    def call_later(self, seconds: float, then: Callable[[], None]) -> Timer:
        """Of the loop."""
        self.timers.append(Timer(seconds, then))
        return self.timers[-1]

    def create_task(self, running: Any, **_: Any) -> Any:
        """Of the loop: a request has reached the application, which does not answer."""
        running.close()
        self.reached.append(self.connection.scope)
        return Future()

    @property
    def waits(self) -> list[Timer]:
        """The timers that still count."""
        return [timer for timer in self.timers if not timer.is_cancelled]

    @property
    def status(self) -> int | None:
        """That of the answer, None where there is none."""
        found = re.match(rb"HTTP/1.1 (\d+) ", self.transport.said)
        return int(found[1]) if found else None


def head(path: str = "/", more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: h\r\n{more}\r\n".encode()


def refused(status: int) -> float:
    return float(next(iter(REFUSED.labels(status).numbers)))


def test_a_crowd_knows_its_number_without_counting() -> None:
    crowd = Crowd()
    assert crowd.total == 0
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
        crowd.enter(address)
    assert (crowd.total, crowd.of("192.0.2.1"), crowd.of("192.0.2.2"), crowd.of("192.0.2.3")) == (3, 2, 1, 0)
    crowd.leave("192.0.2.1")
    crowd.leave("192.0.2.2")
    assert (crowd.total, crowd.of("192.0.2.1"), crowd.of("192.0.2.2")) == (1, 1, 0)
    crowd.leave("192.0.2.1")
    assert (crowd.total, crowd._of) == (0, {})  # and nothing is kept of who is gone


def test_a_request_reaches_the_application_and_is_waited_for_no_longer() -> None:
    line = Line()
    assert [timer.seconds for timer in line.waits] == [PATIENCE]
    line.connection.data_received(head("/a?b=c")[:20])
    assert (len(line.waits), len(line.timers), line.reached) == (1, 1, [])
    line.connection.data_received(head("/a?b=c")[20:])
    assert (line.waits, line.status) == ([], None)
    assert [(scope["path"], scope["query_string"], scope["tls"]) for scope in line.reached] == [("/a", b"b=c", None)]


def test_a_body_is_waited_for_and_each_further_request() -> None:
    line = Line()
    line.connection.data_received(head(more="content-length: 4\r\n"))
    assert (len(line.reached), len(line.waits), len(line.timers)) == (1, 1, 1)
    line.connection.data_received(b"abcd")
    assert line.waits == []
    line.connection.data_received(b"GET /")
    assert (len(line.waits), len(line.timers)) == (1, 2)
    assert line.waits[0].seconds == PATIENCE
    line.connection.data_received(b"next")
    assert (len(line.waits), len(line.timers)) == (1, 2)  # the time does not begin anew


def test_an_empty_line_is_no_request() -> None:
    """Whoever sends nothing else has no more time than one who sends nothing, whether there was a request before or not."""
    line = Line()
    line.connection.data_received(b"\r\n")
    line.connection.data_received(b"\r\n" * MAX_HEADERS)
    assert (len(line.waits), len(line.timers), line.status) == (1, 1, None)
    line.connection.data_received(head())
    line.connection.data_received(b"\r\n")
    assert line.waits == []  # it is the application that is waited for
    line.connection.cycle.response_complete = True
    line.connection.data_received(b"\r\n")
    assert (len(line.waits), len(line.reached)) == (1, 1)
    line.waits[0].then()
    assert line.status == 408


def test_who_does_not_send_a_whole_request_is_told_so_and_cut_off() -> None:
    line, before = Line(), refused(408)
    line.timers[0].then()
    assert line.transport.said.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert (line.transport.closed, line.transport.aborted, refused(408)) == (True, False, before + 1)
    assert [timer.seconds for timer in line.waits] == [PATIENCE] * 2
    line.timers[1].then()
    assert line.transport.aborted


def test_a_connection_that_closes_is_not_told_that_its_time_is_over() -> None:
    line = Line()
    line.transport.closed = True
    line.timers[0].then()
    assert (line.transport.said, len(line.timers), line.connection._cut) == (b"", 1, None)


def test_a_refusal_is_a_whole_answer() -> None:
    line = Line()
    line.connection.data_received(b"nonsense\r\n\r\n")
    head_, _, body = line.transport.said.partition(b"\r\n\r\n")
    lines = head_.decode().split("\r\n")
    assert re.fullmatch(r"x-amzn-requestid: [0-9a-f-]{36}", lines.pop(3))
    assert lines == ["HTTP/1.1 400 Bad Request", "content-type: text/plain; charset=utf-8", "content-length: 11", "connection: close"]
    assert body == b"Bad Request"
    assert line.transport.closed
    assert line.waits == []


def sized(total: int, path: str = "/") -> bytes:
    """A head whose path and headers have so many bytes, as they are counted: four beside each name and value."""
    return head(path, f"x: {'y' * (total - len(path) - len('hosth') - len('x') - 8)}\r\n")


@pytest.mark.parametrize("path", ["/", "/" + "p" * 8000])
def test_headers_of_more_than_their_most_bytes_are_refused(path: str) -> None:
    fits, exceeds = Line(), Line()
    fits.connection.data_received(sized(MAX_HEADERS, path))
    exceeds.connection.data_received(sized(MAX_HEADERS + 1, path))
    assert (fits.status, len(fits.reached)) == (None, 1)
    assert (exceeds.status, exceeds.reached, exceeds.transport.closed) == (431, [], True)


def test_a_header_without_an_end_is_refused() -> None:
    """In parts, of which each is counted; those of the request before are not."""
    line = Line()
    for _ in range(2):
        line.connection.data_received(head(more="x: " + "y" * 9000 + "\r\n"))
    begun = b"GET / HTTP/1.1\r\nx: "
    line.connection.data_received(begun + b"y" * (MAX_HEADERS - len(begun)))
    assert (line.status, len(line.waits)) == (None, 1)
    line.connection.data_received(b"y")
    assert (line.status, line.waits) == (431, [])
    before = line.transport.said
    line.connection.data_received(b"y")
    assert line.transport.said == before


def test_a_body_is_no_header() -> None:
    line = Line()
    line.connection.data_received(head(more=f"content-length: {2 * MAX_HEADERS}\r\n"))
    line.connection.data_received(b"x" * (2 * MAX_HEADERS))
    assert (line.status, line.waits) == (None, [])


@pytest.mark.parametrize(
    ("others", "of_the_address", "path", "status"),
    [
        (CONNECTIONS - 1, 0, "/", None),
        (CONNECTIONS, 0, "/", 503),
        (CONNECTIONS, 0, "/healthz?x", None),
        (CONNECTIONS, 0, "/healthz/x", 503),
        (0, OF_AN_ADDRESS - 1, "/", None),
        (0, OF_AN_ADDRESS, "/", 503),
        (0, OF_AN_ADDRESS, "/healthz", None),
    ],
)
def test_a_crowd_is_answered_by_its_pages_alone(others: int, of_the_address: int, path: str, status: int | None) -> None:
    crowd = Crowd()
    for _ in range(others):
        crowd.enter("198.51.100.1")
    for _ in range(of_the_address):
        crowd.enter("2001:db8::/64")
    line = Line(crowd=crowd, address="2001:db8::7", pages=frozenset({b"/healthz"}))
    line.connection.data_received(head(path))
    assert (line.status, len(line.reached)) == (status, int(status is None))


@pytest.mark.parametrize(("others", "status"), [(MOST_CONNECTIONS - 1, None), (MOST_CONNECTIONS, 503)])
def test_of_too_many_connections_not_even_a_request_is_read(others: int, status: int | None) -> None:
    crowd = Crowd()
    for _ in range(others):
        crowd.enter("198.51.100.1")
    line = Line(crowd=crowd)
    assert (line.status, line.transport.closed, len(line.waits)) == (status, status is not None, int(status is None))
    assert crowd.of("192.0.2.7") == 1


@pytest.mark.parametrize(("peer", "holder"), [(("::1", 5), "::/64"), (("192.0.2.7", 5), "192.0.2.7"), (None, "")])
def test_a_connection_is_one_of_the_crowd_until_it_is_lost(peer: Any, holder: str) -> None:
    line = Line(crowd=Crowd())
    line.connection.connection_lost(None)
    assert (line.crowd.total, line.waits) == (0, [])
    line.transport.facts["peername"] = peer
    line.connection.connection_made(line.transport)
    assert dict(line.crowd._of) == {holder: 1}
    assert line.connection in line.connection.connections
    line.connection.connection_lost(ConnectionResetError())
    assert (line.crowd._of, line.waits) == ({}, [])
    assert line.connection not in line.connection.connections


def secured(version: str | None, suite: Any) -> Any:
    return SimpleNamespace(version=lambda: version, cipher=lambda: suite)


@pytest.mark.parametrize(
    ("found", "tls"),
    [
        (secured("TLSv1.3", ("TLS_AES_128_GCM_SHA256", "TLSv1.3", 128)), ("TLSv1.3", "TLS_AES_128_GCM_SHA256")),
        (secured(None, ("SUITE", "x", 1)), ("", "SUITE")),
        (secured("TLSv1.3", None), None),
        (None, None),
    ],
)
def test_an_application_hears_what_was_negotiated(found: Any, tls: Any) -> None:
    line = Line(ssl_object=found)
    line.connection.data_received(head())
    assert line.reached[0]["tls"] == tls


def test_an_idle_connection_whose_answer_is_not_taken_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stock: list[Any] = []
    monkeypatch.setattr(HttpToolsProtocol, "timeout_keep_alive_handler", lambda line: stock.append(line))
    line = Line()
    line.connection.timeout_keep_alive_handler()
    assert (stock, line.transport.aborted) == ([line.connection], False)
    line.transport.unsent = 1
    line.connection.timeout_keep_alive_handler()
    assert (stock, line.transport.aborted) == ([line.connection], True)


def test_what_a_listener_of_its_own_has() -> None:
    assert (Connection.patience, Connection.pages) == (connections.PATIENCE, frozenset())
