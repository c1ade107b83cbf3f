"""Calls that leave the polling lane and become grpcio's own: it makes grpcio's state for them, and grpcio's functions go on with them.

What ends with them comes to the lane's queue still, as tags that are called with their event. It knows private names, as `lane` does.
"""

from typing import Any

from grpc import _server as _untyped
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled: no stubs

from sekisho.edges.budgets import Budget
from sekisho.edges.grpc.lane_calls import Polled, start

_server: Any = _untyped


def whole(server: Any, call: Polled) -> None:
    """Begin a call anew, of which nothing was asked yet; `server` is the state of grpcio's server."""
    call.done = True
    _server._handle_with_method_handler(call.event, _server._RPCState(), call.method.handler, server.thread_pool)


def with_message(budget: Budget, call: Polled, body: bytes) -> None:
    """Have the pool answer a call whose message has come, which takes bytes of the budget until then."""
    call.done = True
    state, method = _state(call), call.method
    work = (_server._unary_response_in_pool, call.event, state, method.behaviour, lambda: body, None, None)
    try:
        future = method.pool.submit_arrived(call.event, state.context.run, *work)
    except RuntimeError:  # the pool was shut down: core cancels the call when the server has stopped
        budget.give(call.address, len(body))
    else:
        future.add_done_callback(lambda _: budget.give(call.address, len(body)))


def without_message(call: Polled) -> None:
    """Have the message of a call, which is asked for already, waited for where those of other calls are."""
    state = _state(call)
    work = (_server._unary_response_in_pool, call.event, state, call.method.behaviour, None, None, None)
    call.adopted = call.method.pool.adopt(call.address, call.came, state.context.run, *work)


def _state(call: Polled) -> Any:
    """grpcio's state of a call that begins in the middle."""
    state = _server._RPCState()
    with state.condition:
        tag = _server._receive_close_on_server(state)
        start(call.core, (cygrpc.ReceiveCloseOnServerOperation(0),), tag)
        state.due.add(_server._RECEIVE_CLOSE_ON_SERVER_TOKEN)
    return state
