"""The HTTP listener without a server: its pages, who answers what, and what uvicorn is told."""

import asyncio
import json
import re
import socket
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.edges.http import listener
from sekisho.edges.http.connections import PATIENCE, Connection, Crowd
from sekisho.edges.http.listener import Listener
from sekisho.meters import exposition
from tests.certificates import Authority


def node(age: float, most: float | None = None, *, writes: bool = True) -> Any:
    return SimpleNamespace(world=SimpleNamespace(confirmed=SimpleNamespace(age=age, most=most)), writes=object() if writes else None)


@pytest.mark.parametrize(
    ("made", "status", "said"),
    [
        (node(0.12345), 200, {"status": "ok", "staleness_seconds": 0.123}),
        (node(4.999), 200, {"status": "ok", "staleness_seconds": 4.999}),
        (node(5.0, 60.0), 503, {"status": "stale", "staleness_seconds": 5.0}),
        (node(5.0, 60.0, writes=False), 200, {"status": "stale", "staleness_seconds": 5.0}),
        (node(60.0, 60.0, writes=False), 503, {"status": "stale", "staleness_seconds": 60.0}),
        (node(1e6, writes=False), 200, {"status": "stale", "staleness_seconds": 1e6}),
        (node(2.0, 1.0, writes=False), 503, {"status": "ok", "staleness_seconds": 2.0}),
    ],
)
def test_a_worker_is_ready_while_it_has_looked_at_its_database(made: Any, status: int, said: dict[str, Any]) -> None:
    pages = listener.health(made)
    found = pages["/readyz"]()
    assert (found[0], found[1], json.loads(found[2])) == (status, "application/json", said)
    assert pages["/healthz"]() == (200, "application/json", b'{"status": "ok"}')
    assert len(pages) == 2


def test_the_page_of_metrics() -> None:
    pages = listener.metrics()
    status, kind, body = pages["/metrics"]()
    assert (list(pages), status, kind) == (["/metrics"], 200, exposition.CONTENT_TYPE)
    assert b"sekisho_http_refused" in body
    assert {path.encode() for path in (*pages, *listener.health(node(0.0)))} == listener.PAGES


class Edge:
    """Takes what begins with its name, and says it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def takes(self, scope: Any) -> bool:
        return str(scope["path"]).startswith(self.name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send((self.name, scope, await receive()))


def asked(method: str, path: str) -> list[Any]:
    """The events of an answer, of three edges and a page that one of them takes, too."""
    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def receive() -> str:
        return "received"

    pages = {"/a/page": lambda: (201, "text/plain", b"page")}
    made = listener.application(pages, (Edge("/a"), Edge("/ab"), Edge("/b")))
    asyncio.run(made({"method": method, "path": path}, receive, send))  # type: ignore[arg-type]
    return sent


@pytest.mark.parametrize(("method", "path", "edge"), [("GET", "/abc", "/a"), ("GET", "/b", "/b"), ("POST", "/a/page", "/a")])
def test_the_first_edge_that_takes_a_request_answers_it(method: str, path: str, edge: str) -> None:
    assert asked(method, path) == [(edge, {"method": method, "path": path}, "received")]


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "body"),
    [
        ("GET", "/a/page", 201, b"text/plain", b"page"),
        ("HEAD", "/a/page", 201, b"text/plain", b"page"),
        ("GET", "/elsewhere", 404, b"application/json", b'{"status": "not found"}'),
        ("POST", "/elsewhere", 404, b"application/json", b'{"status": "not found"}'),
    ],
)
def test_pages_are_answered_and_what_nobody_takes_is_not_there(method: str, path: str, status: int, kind: bytes, body: bytes) -> None:
    start, end = asked(method, path)
    headers = start["headers"]
    assert (start["type"], start["status"], end) == ("http.response.start", status, {"type": "http.response.body", "body": body})
    assert headers[:2] == [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    assert headers[2][0] == b"x-amzn-requestid"
    assert re.fullmatch(rb"[0-9a-f-]{36}", headers[2][1])
    assert len(headers) == 3


def test_without_edges_there_are_pages_alone() -> None:
    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)

    asyncio.run(listener.application({})({"method": "GET", "path": "/"}, None, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 404


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_tls_is_of_the_certificate_and_for_the_protocol(tmp_path: Path, protocol: str) -> None:
    authority = Authority()
    given: Any = {"protocol": protocol} if protocol != "http/1.1" else {}
    serving = listener.encrypted(*authority.server().write(tmp_path, "server"), **given)
    asking = ssl.create_default_context(cadata=authority.certificate.decode())
    asking.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the certificates of tests are plain
    asking.set_alpn_protocols(["spdy", "h2", "http/1.1"])
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(back, there, server_hostname="127.0.0.1")
    server = serving.wrap_bio(there, back, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.selected_alpn_protocol() == server.selected_alpn_protocol() == protocol
    assert serving.verify_mode is ssl.CERT_NONE


async def nothing(*_: Any) -> None:
    """An application."""


def test_what_uvicorn_is_told() -> None:
    with socket.socket() as bound:
        made = Listener(nothing, bound, patience=3.0)
        other = Listener(nothing, bound)
    config = made._server.config
    assert (config.app, config.log_config, config.access_log, config.lifespan, config.ws) == (nothing, None, False, "off", "none")
    assert (config.timeout_keep_alive, config.timeout_graceful_shutdown) == (10, 10)
    assert (config.server_header, config.date_header, config.proxy_headers, config.ssl_context_factory) == (False, True, False, None)
    kind: Any = config.http
    assert issubclass(kind, Connection)
    assert (kind.__name__, kind.patience, kind.pages) == ("Connection", 3.0, listener.PAGES)
    assert isinstance(kind.crowd, Crowd)
    assert kind.crowd is not other._server.config.http.crowd  # type: ignore[union-attr]
    assert other._server.config.http.patience == PATIENCE  # type: ignore[union-attr]


def test_a_handshake_has_as_much_time_as_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.constants, "SSL_HANDSHAKE_TIMEOUT", 60.0)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with socket.socket() as bound:
        Listener(nothing, bound, patience=3.0)
        assert asyncio.constants.SSL_HANDSHAKE_TIMEOUT == 60.0
        made = Listener(nothing, bound, tls=tls, patience=3.0)
    assert asyncio.constants.SSL_HANDSHAKE_TIMEOUT == 3.0
    factory: Any = made._server.config.ssl_context_factory
    assert factory(made._server.config, None) is tls


class Server:
    """Starts when it has been asked for that a few times, and serves until it is told to end."""

    def __init__(self, asks: int, *, fails: bool = False) -> None:
        self.asks, self.fails = asks, fails
        self.should_exit = False
        self.ran: list[Any] = []

    @property
    def started(self) -> bool:
        self.asks -= 1
        return self.asks < 0 and not self.fails


class Thread:
    """Lives for as long as a server is asked whether it has started."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.did: list[Any] = []

    def start(self) -> None:
        self.did.append("start")

    def is_alive(self) -> bool:
        return not self.server.fails or self.server.asks > 0

    def join(self, timeout: float) -> None:
        self.did.append(("join", timeout, self.server.should_exit))


@pytest.mark.parametrize("fails", [False, True])
def test_a_listener_has_started_when_it_accepts_connections_or_never_will(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    slept: list[float] = []
    monkeypatch.setattr(listener, "time", SimpleNamespace(sleep=slept.append))
    with socket.socket() as bound:
        made = Listener(nothing, bound)
        thread = made._thread
        assert (thread.name, thread.daemon) == ("http", True)
        assert (thread._target, thread._kwargs) == (made._server.run, {"sockets": [bound]})  # type: ignore[attr-defined]
    server = Server(3, fails=fails)
    made._server, made._thread = server, Thread(server)  # type: ignore[assignment]
    made.start()
    assert (made._thread.did, len(slept)) == (["start"], 2 if fails else 3)  # type: ignore[attr-defined]
    assert all(0 < seconds < 0.1 for seconds in slept)
    made.stop()
    assert made._thread.did[1:] == [("join", 15.0, True)]  # type: ignore[attr-defined]
