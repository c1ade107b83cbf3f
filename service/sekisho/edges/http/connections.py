"""Connections of HTTP that cannot hold the server up: bounded headers, bounded time.

uvicorn bounds neither with httptools. What is refused here never reached the application; the answer is a short text with a request id.
"""

from asyncio import TimerHandle, Transport
from collections import Counter
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sekisho import meters
from sekisho.edges import budgets, request_ids

MAX_HEADERS = 16 * 1024
"""Bytes of the request line and all headers together."""
PATIENCE = 10.0
"""Seconds that a client has to send a whole request, and to take a whole answer."""
CONNECTIONS = 1000
"""Connections of a listener beyond which it answers 503, but for its pages: health must answer however many are idle."""
OF_AN_ADDRESS = 500
"""Connections of one address beyond which it is answered likewise; a proxy or a load balancer is one address."""
MOST_CONNECTIONS = 2000
"""Connections beyond which not even a request is read, so that files are left."""

REFUSED = meters.Counter("sekisho_http_refused", "Requests that did not reach the application, by HTTP status.", ["status"])


Negotiated = tuple[str, str] | None
"""The version of TLS and the cipher suite, as OpenSSL calls them; None without TLS."""


def _negotiated(transport: Transport) -> Negotiated:
    """What the two sides of a connection have agreed on; it stays so."""
    secured = transport.get_extra_info("ssl_object")
    suite = secured.cipher() if secured is not None else None
    return (secured.version() or "", suite[0]) if suite is not None else None


class RefusedError(Exception):
    """Leaves httptools' callback, and with it the request."""


class Crowd:
    """The connections of a listener by address, counted in the thread of its loop alone; `total` is how many there are."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()
        self.total = 0

    def enter(self, address: str) -> None:
        """One more of an address."""
        self._of[address] += 1
        self.total += 1

    def leave(self, address: str) -> None:
        """One less."""
        self.total -= 1
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]

    def of(self, address: str) -> int:
        """Those of an address."""
        return self._of[address]


class Connection(HttpToolsProtocol):
    """One connection; `patience` in seconds."""

    patience = PATIENCE
    pages: frozenset[bytes] = frozenset()
    crowd: ClassVar[Crowd] = Crowd()  # of the listener

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cut: TimerHandle | None = None
        self._in_headers = False
        self._in_request = False
        self._size = 0
        self._refused = HTTPStatus.BAD_REQUEST
        self._address = ""
        self._tls: Negotiated = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """From the first moment on there is not for ever time to send a request."""
        super().connection_made(transport)
        self._tls = _negotiated(transport)
        self._address = budgets.holder(self.client[0] if self.client else "")
        self.crowd.enter(self._address)
        if self.crowd.total > MOST_CONNECTIONS:
            self.refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Some of a request, or of several."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_headers:
            # A header without an end has not been counted yet: httptools collects it before it tells.
            self._size += len(data)
            if self._size > MAX_HEADERS:
                self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
        answers = self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]  # None before the first request
        if answers and not self._in_request:
            self._wait_no_longer()
        elif self._cut is None:  # also for what begins no request: an empty line is to keep nobody here
            self._wait()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["tls"] = self._tls  # type: ignore[typeddict-unknown-key]  # of our own: ASGI's extension has numbers
        self._in_headers = self._in_request = True
        self._size = 0

    def on_headers_complete(self) -> None:
        """The headers are there; the application starts."""
        self._in_headers = False
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEADERS:
            self._refused = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise RefusedError
        crowded = self.crowd.total > CONNECTIONS or self.crowd.of(self._address) > OF_AN_ADDRESS
        if crowded and self.url.partition(b"?")[0] not in self.pages:
            self._refused = HTTPStatus.SERVICE_UNAVAILABLE
            raise RefusedError
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there."""
        self._in_request = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when httptools could not parse the request or a callback raised."""
        self.refuse(self._refused)

    def refuse(self, status: HTTPStatus) -> None:
        """Answer and close."""
        REFUSED.labels(status.value).inc()
        self._wait_no_longer()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            "content-type: text/plain; charset=utf-8",
            f"content-length: {len(status.phrase)}",
            f"x-amzn-requestid: {request_ids.new()}",
            "connection: close",
        )
        self.transport.write("\r\n".join((*head, "", status.phrase)).encode())
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._wait_no_longer()
        self.crowd.leave(self._address)
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """An idle connection ends; one whose client does not take its answer ends at once, for closing would wait for the client."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _wait(self) -> None:
        self._cut = self.loop.call_later(self.patience, self._out_of_patience)

    def _wait_no_longer(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None

    def _out_of_patience(self) -> None:
        self._cut = None
        if not self.transport.is_closing():
            self.refuse(HTTPStatus.REQUEST_TIMEOUT)
            self.loop.call_later(self.patience, self.transport.abort)
