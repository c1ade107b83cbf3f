"""A thread is taken for a call when its message is there, not when its headers are.

grpcio hands a call to a pool at once and lets the pool's thread wait for the message, without limit: a handful of callers who never send
one, and who need no credentials for it, would hold every thread. Here the message is asked for first (`receives`), and the pool gets the
call when it has come. Calls whose message does not come in time are ended. It also saves the pool's thread a wait.

It reaches into grpcio (`_server`), which has no public way to do this; tests hold it against the pinned release. Where grpcio has changed
underneath, calls go to the pool directly, as they would without this module.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from grpc import _server
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled: no stubs

from sekisho.edges import budgets
from sekisho.edges.grpc import sizes
from sekisho.edges.grpc.receives import NEEDED, Receive, Receives, refuse
from sekisho.edges.lanes import Claim, Lane

SUPPORTED = all(hasattr(_server, name) for name in NEEDED)


class Arrivals(ThreadPoolExecutor):
    """What grpcio takes for its pool, which has to be of this class: waits for messages without a thread, then passes on to `lane`, as a
    call of whom `claimed` reads from its metadata; where calls claim nothing it is None, and those of one address share.
    """

    def __init__(self, lane: Lane, claimed: Callable[[Any], Claim] | None, receives: Receives) -> None:
        super().__init__(max_workers=1)  # grows a thread when it is given work, and never is
        self._lane, self._claimed, self._receives = lane, claimed, receives

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Called by grpcio's polling thread with (run, in_pool, event, state, behaviour, wait for the message, …)."""
        if not SUPPORTED or len(args) != 7 or kwargs:
            return self._lane.submit(fn, *args, **kwargs)
        event, state = args[1], args[2]
        try:
            sizes.check_metadata(event.invocation_metadata)
        except sizes.MetadataTooLarge as error:
            refuse(event, state, error)
            return _nothing()
        receive = self._receive(fn, *args)
        self._receives.ask(receive)
        return receive.ended

    def _receive(self, fn: Callable[..., Any], in_pool: Any, event: Any, state: Any, behaviour: Any, _wait: Any, *rest: Any) -> Receive:
        address = _address(event)

        def arrived() -> "Future[Any]":
            claim = self._claimed(event.invocation_metadata) if self._claimed is not None else Claim(address)
            return self._lane.submit_claimed(claim, address, fn, in_pool, event, state, behaviour, lambda: _message(event, state), *rest)

        return Receive(address, event, state, arrived, rest[0])


def _nothing() -> "Future[Any]":
    """The future of a call that was answered already."""
    ended: Future[Any] = Future()
    ended.set_result(None)
    return ended


def _address(event: Any) -> str:
    return budgets.holder(host(event.call.peer().decode()))


def host(peer: str) -> str:
    """The address of a peer: gRPC writes `ipv4:192.0.2.1:5000`, `ipv6:%5B::1%5D:5000` or `unix:`, for which it is empty."""
    kind, _, rest = peer.partition(":")
    return rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]") if kind in ("ipv4", "ipv6") else ""


def _message(event: Any, state: Any) -> Any:
    """The message that has come; None when the caller closed its side without one, which ends the call as grpcio itself ends it."""
    with state.condition:
        request, state.request = state.request, None
        if request is None and state.client is _server._CLOSED:
            method = event.call_details.method.decode(errors="replace")
            _server._abort(state, event.call, cygrpc.StatusCode.unimplemented, f'"{method}" requires exactly one request message.'.encode())
        return request
