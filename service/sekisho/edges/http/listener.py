"""The HTTP listener: `/healthz` (the process lives), `/readyz` (it can answer), `/metrics` (Prometheus); all else is the edges'.

An edge is an ASGI application that is made by whoever starts the server: this package knows none.
"""

import asyncio.constants
import json
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import uvicorn

from sekisho.calls.call import Node
from sekisho.edges import request_ids
from sekisho.edges.http.connections import PATIENCE, Connection, Crowd
from sekisho.edges.lanes import Lanes
from sekisho.meters import exposition

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Event, Receive, Send], Awaitable[None]]


class Served(Protocol):
    """An edge of a node."""

    def takes(self, scope: Event) -> bool:
        """Whether a request is this edge's, by its method, path and headers; the first edge that takes it answers it."""

    def __call__(self, scope: Event, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a request (ASGI)."""


Edge = Callable[[Node, Lanes, timedelta], Served]
"""Makes the edge of a node, whose calls run in these lanes; the time is how far a caller's clock may be off."""

PAGES = frozenset({b"/healthz", b"/readyz", b"/metrics"})
"""The pages that answer however many connections there are."""

STALE = 5.0
"""Seconds without a look at the database after which a worker says that it is not ready."""

Answer = tuple[int, str, bytes]
"""Status, content type, body."""


def health(node: Node) -> dict[str, Callable[[], Answer]]:
    """`/healthz` and `/readyz`."""

    def readyz() -> Answer:
        age = node.world.confirmed.age
        most = STALE if node.writes is not None else node.world.confirmed.most  # one that only reads goes on without its database
        ready = most is None or age < most
        return _json(200 if ready else 503, {"status": "ok" if age < STALE else "stale", "staleness_seconds": round(age, 3)})

    return {"/healthz": lambda: _json(200, {"status": "ok"}), "/readyz": readyz}


def metrics() -> dict[str, Callable[[], Answer]]:
    """`/metrics`: the numbers of all workers."""
    return {"/metrics": lambda: (200, exposition.CONTENT_TYPE, exposition.page())}


def _json(status: int, value: dict[str, Any]) -> Answer:
    return status, "application/json", json.dumps(value).encode()


def application(pages: dict[str, Callable[[], Answer]], edges: Sequence[Served] = ()) -> Application:
    """The pages, and everything else to the first edge that takes it; what none takes is not there."""

    async def answer(scope: Event, receive: Receive, send: Send) -> None:
        page = pages.get(scope["path"]) if scope["method"] in ("GET", "HEAD") else None
        edge = next((edge for edge in edges if edge.takes(scope)), None) if page is None else None
        if edge is not None:
            await edge(scope, receive, send)
            return
        status, kind, body = page() if page is not None else _json(404, {"status": "not found"})
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-amzn-requestid", request_ids.new().encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def encrypted(certificate: Path, key: Path, *, protocol: str = "http/1.1") -> ssl.SSLContext:
    """TLS from 1.2 on, with this certificate and its chain, for a protocol as ALPN names it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols([protocol])
    return context


class Listener:
    """uvicorn in a thread, on a socket that is bound already; with TLS if it is given."""

    def __init__(self, app: Application, bound: socket.socket, *, tls: ssl.SSLContext | None = None, patience: float = PATIENCE) -> None:
        if tls is not None:
            asyncio.constants.SSL_HANDSHAKE_TIMEOUT = patience  # a minute otherwise, and uvicorn does not ask
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            ssl_context_factory=(lambda _config, _default: tls) if tls is not None else None,
            http=type("Connection", (Connection,), {"patience": patience, "pages": PAGES, "crowd": Crowd()}),
            timeout_keep_alive=int(PATIENCE),
            timeout_graceful_shutdown=int(PATIENCE),
            server_header=False,
            date_header=True,
            proxy_headers=False,  # a header that any caller can write would choose aws:SourceIp
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [bound]}, name="http", daemon=True)

    def start(self) -> None:
        """Begin to listen; returns when connections are accepted."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)

    def stop(self) -> None:
        """Finish what is under way, then stop."""
        self._server.should_exit = True
        self._thread.join(timeout=PATIENCE + 5)
