"""Streams, each of which takes a thread only while it makes a message: not while it waits, and not while its reader is slow.

grpcio's own streams hold a thread of the pool from the first message to the last, and block in it until the reader has taken what was sent.
Here a thread makes one message, hands it to grpcore and leaves; the next is made when the reader has taken this one, so that a stream holds
one message however slow its reader is. One with nothing to say waits in the lot.

Like `arrivals`, it reaches into grpcio (`_server`), which has no public way to send without waiting; tests hold it to the pinned release.
Where grpcio has changed underneath, streams take a thread each (`handlers`).
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from grpc import _common, _server
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled: no stubs

from sekisho.calls.waits import Wait
from sekisho.edges.grpc import status
from sekisho.edges.grpc.lot import Lot
from sekisho.edges.lanes import Lane
from sekisho.errors import SekishoError, ServiceFailure, ServiceUnavailable, Throttling

MOST = 4000
"""Streams that a worker has at once."""
SHARE = 2000
"""Streams of one account."""

_NEEDED = ("_status", "_abort", "_is_rpc_state_active", "_send_message", "_get_initial_metadata_operation", "_SEND_MESSAGE_TOKEN")
SUPPORTED = all(hasattr(_server, name) for name in _NEEDED)

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


class Stream:
    """One stream: at any time it is made on a thread, or sent, or waits; never two of these. `ended` is called once, with
    the code that it ended with.
    """

    def __init__(
        self, context: Any, items: Items, account: str, lane: Lane, lot: Lot, request_id: str, ended: Callable[[str], None]
    ) -> None:
        self.account = account
        self._event, self._state = context._rpc_event, context._state
        self._items, self._lane, self._lot, self._request_id, self._ended = items, lane, lot, request_id, ended
        self._lock = threading.Lock()
        self._making = self._over = False
        if not context.add_callback(self._gone):
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
                self._send(item)

    def _made(self) -> bool:
        """The thread leaves the generator; True when the stream is over and the generator is still to be closed."""
        with self._lock:
            self._making = False
            return self._over

    def _send(self, message: bytes) -> None:
        state = self._state
        with state.condition:
            if not _server._is_rpc_state_active(state):
                return  # `_gone` is called, or will be
            operations = [cygrpc.SendMessageOperation(message, 0)]
            if state.initial_metadata_allowed:
                operations.insert(0, _server._get_initial_metadata_operation(state, None))
                state.initial_metadata_allowed = False
            sent = _server._send_message(state, _server._SEND_MESSAGE_TOKEN)
            state.due.add(_server._SEND_MESSAGE_TOKEN)

            def went(event: Any) -> Any:
                """Called by grpcio's polling thread: the reader has taken the message, or never will."""
                finished = sent(event)
                self.resume()
                return finished

            self._event.call.start_server_batch(operations, went)

    def _finish(self) -> None:
        with self._state.condition:
            active = _server._is_rpc_state_active(self._state)
            if active:
                self._state.trailing_metadata = ((status.REQUEST_ID, self._request_id),)
        if active:
            _server._status(self._event, self._state, None)
        self._gone("OK")

    def _abort(self, error: SekishoError) -> None:
        said: Any = status.of(error, self._request_id)
        state = self._state
        with state.condition:
            if _server._is_rpc_state_active(state):
                state.trailing_metadata = said.trailing_metadata
                code = _common.STATUS_CODE_TO_CYGRPC_STATUS_CODE[said.code]
                _server._abort(state, self._event.call, code, said.details.encode())
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
