"""Streams, each of which takes a thread only while it makes a message: not while it waits, and not while its reader is slow.

A thread makes one message, hands it to the listener and leaves; the next is made when the reader has taken this one, so that a stream holds
one message however slow its reader is. One with nothing to say waits in the lot.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import structlog

from sekisho.calls.waits import Wait
from sekisho.edges.grpc import status
from sekisho.edges.grpc.lot import Lot
from sekisho.edges.lanes import Lane
from sekisho.errors import SekishoError, ServiceFailure, ServiceUnavailable, Throttling

MOST = 4000
"""Streams that a worker has at once."""
SHARE = 2000
"""Streams of one account."""

log = structlog.get_logger(__name__)

Items = Iterator[bytes | Wait]


class Places:
    """How many streams there are, by account; no account has so many that others have none."""

    def __init__(self, most: int | None = None, share: int | None = None) -> None:
        self._most, self._share = MOST if most is None else most, SHARE if share is None else share
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        self._sum = 0

    def take(self, account: str) -> None:
        """Take a place, or Throttling."""
        with self._lock:
            if self._sum >= self._most or self._taken[account] >= self._share:
                raise Throttling("Rate exceeded")
            self._sum += 1
            self._taken[account] += 1

    def give(self, account: str) -> None:
        """Give a place back."""
        with self._lock:
            self._sum -= 1
            self._taken[account] -= 1
            if not self._taken[account]:
                del self._taken[account]

    @property
    def taken(self) -> int:
        """The streams there are."""
        return self._sum


class Wire(Protocol):
    """What a listener has for a stream to be said on. Any thread may call; what is said after the end of the call is dropped."""

    def watch(self, gone: Callable[[], None]) -> bool:
        """Have `gone` called when the call has ended otherwise than by `finish` and `abort`; False, and it is not called, where it has."""

    def send(self, message: bytes, then: Callable[[], None]) -> None:
        """Send a message; `then` is called when the reader has taken it, if it ever does."""

    def finish(self, trailing: tuple[tuple[str, str], ...]) -> None:
        """End the call well."""

    def abort(self, given: Any) -> None:
        """End the call with a status."""


class Stream:
    """One stream: at any time it is made on a thread, or sent, or waits; never two of these. `ended` is called once, with
    the code that it ended with.
    """

    def __init__(self, wire: Wire, items: Items, account: str, lane: Lane, lot: Lot, request_id: str, ended: Callable[[str], None]) -> None:
        self.account = account
        self._wire = wire
        self._items, self._lane, self._lot, self._request_id, self._ended = items, lane, lot, request_id, ended
        self._lock = threading.Lock()
        self._making = self._over = False
        if not wire.watch(self._gone):
            self._gone()

    def start(self) -> None:
        """Make the first message, on this thread."""
        self._make()

    def resume(self) -> None:
        """Make the next message, on a thread of the lane."""
        try:
            self._lane.submit_for(self.account, self._make)
        except RuntimeError:  # the lane was shut down
            self.end()

    def end(self) -> None:
        """Tell the caller that the server stops: another one answers."""
        self._abort(ServiceUnavailable("The server stops. Go on with another one."))

    def _make(self) -> None:
        with self._lock:
            if self._over:
                return
            self._making = True
        try:
            try:
                item = next(self._items)
            finally:
                if self._made():
                    self._close()
        except StopIteration:
            self._finish()
        except SekishoError as error:
            self._abort(error)
        except Exception:  # the pipeline has said all there is; this is a defect of the edge
            log.exception("stream.failure", request_id=self._request_id)
            self._abort(ServiceFailure(f"The request could not be processed because of an unknown error. Request id: {self._request_id}"))
        else:
            if isinstance(item, Wait):
                self._lot.park(self, item)
                if self._over:  # since it was made, when it was not in the lot yet
                    self._lot.forget(self)
            else:
                self._wire.send(item, self.resume)

    def _made(self) -> bool:
        """The thread leaves the generator; True when the stream is over and the generator is still to be closed."""
        with self._lock:
            self._making = False
            return self._over

    def _finish(self) -> None:
        self._wire.finish(((status.REQUEST_ID, self._request_id),))
        self._gone("OK")

    def _abort(self, error: SekishoError) -> None:
        self._wire.abort(status.of(error, self._request_id))
        self._gone(error.grpc)

    def _gone(self, code: str = "CANCELLED") -> None:
        """The stream is over, whoever ended it."""
        with self._lock:
            if self._over:
                return
            self._over = True
            making = self._making
        self._lot.forget(self)
        if not making:
            self._close()
        self._ended(code)

    def _close(self) -> None:
        """Leave the generator where it stands, so that what it holds is given back."""
        close = getattr(self._items, "close", None)
        if close is not None:
            close()
