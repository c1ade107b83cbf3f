"""A thread is taken for a call when its message is there, not when its headers are.

grpcio hands a call to a pool at once and lets the pool's thread wait for the message, without limit: a handful of callers who never send
one, and who need no credentials for it, would hold every thread. Here the message is asked for first, by grpcio's own polling thread; the
pool gets the call when it has come. Calls whose message does not come in time are ended. It also saves the pool's thread a wait.

It reaches into grpcio (`_server`), which has no public way to do this; tests hold it against the pinned release. Where grpcio has changed
underneath, calls go to the pool directly, as they would without this module.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from grpc import _server
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled: no stubs

from sekisho.edges.lanes import Lane

PATIENCE = 10.0
"""Seconds in which the message of a call has to come."""

_NEEDED = ("_receive_message", "_RECEIVE_MESSAGE_TOKEN", "_CLOSED", "_abort", "_is_rpc_state_active")
SUPPORTED = all(hasattr(_server, name) for name in _NEEDED)


class Arrivals(ThreadPoolExecutor):
    """What grpcio takes for its pool, which has to be of this class: waits for messages without a thread, then passes on to `lane`, as a
    call of the account that `claimed` reads from its metadata.
    """

    def __init__(self, lane: Lane, claimed: Callable[[Any], str], *, patience: float = PATIENCE) -> None:
        super().__init__(max_workers=1)  # grows a thread when it is given work, and never is
        self._lane, self._claimed = lane, claimed
        self._patience = patience
        self._waiting: dict[int, tuple[float, Any]] = {}
        self._stop = threading.Event()
        if SUPPORTED:
            threading.Thread(target=self._end_the_late, name="arrivals", daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Called by grpcio's polling thread with (run, in_pool, event, state, behaviour, wait for the message, …)."""
        if not SUPPORTED or len(args) != 7 or kwargs:
            return self._lane.submit(fn, *args, **kwargs)
        in_pool, event, state, behaviour, _wait, *rest = args
        ended: Future[Any] = Future()
        keep = _server._receive_message(state, event.call, None)

        def arrived(received: Any) -> Any:
            self._waiting.pop(id(event), None)
            finished = keep(received)
            try:
                account = self._claimed(event.invocation_metadata)
                answered = self._lane.submit_for(account, fn, in_pool, event, state, behaviour, lambda: _message(event, state), *rest)
                answered.add_done_callback(lambda _: ended.set_result(None))
            except RuntimeError:  # the lane was shut down: grpcio cancels the call when the server has stopped
                ended.set_result(None)
            return finished

        with state.condition:
            if not _server._is_rpc_state_active(state):
                ended.set_result(None)
                return ended
            self._waiting[id(event)] = (time.monotonic() + self._patience, event)
            event.call.start_server_batch((cygrpc.ReceiveMessageOperation(0),), arrived)
            state.due.add(_server._RECEIVE_MESSAGE_TOKEN)
        return ended

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop looking for late calls; the lane is closed by whoever made it."""
        self._stop.set()
        super().shutdown(wait=wait, cancel_futures=cancel_futures)

    def _end_the_late(self) -> None:
        while not self._stop.wait(min(1.0, self._patience)):
            now = time.monotonic()
            for key, (limit, event) in list(self._waiting.items()):
                if limit < now and self._waiting.pop(key, None) is not None:
                    event.call.cancel()


def _message(event: Any, state: Any) -> Any:
    """The message that has come; None when the caller closed its side without one, which ends the call as grpcio itself ends it."""
    with state.condition:
        request, state.request = state.request, None
        if request is None and state.client is _server._CLOSED:
            method = event.call_details.method.decode(errors="replace")
            _server._abort(state, event.call, cygrpc.StatusCode.unimplemented, f'"{method}" requires exactly one request message.'.encode())
        return request
