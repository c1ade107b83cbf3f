"""The messages that a server has asked its callers for and that have not come whole, bounded in all and for each address.

grpcore keeps little of a message that nobody has asked for, and all of one that somebody has, before anybody knows who sends it. So a
message is asked for only when the budget has room for the largest that there can be; until then its call waits, in turns by address. What
has come counts with its own size until its call is over. When all room is taken, whoever holds more of it than the one who waits gives up
the oldest.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from grpc import _server
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled: no stubs

from sekisho.edges import request_ids
from sekisho.edges.answers import SHEDS
from sekisho.edges.budgets import Budget
from sekisho.edges.grpc import status
from sekisho.edges.grpc.sizes import MAX_MESSAGE
from sekisho.errors import SekishoError, Throttling

PATIENCE = 10.0
"""Seconds in which the message of a call has to come, the wait for room included."""
WAITING = 1000
"""Calls of one address that wait for room; further ones are refused at once."""
ALL_WAITING = 5000
"""Calls of all addresses that wait for room."""
OLD = 1.0
"""Seconds after which an unfinished message gives way to another address that has fewer, be it by one."""

_SHED = SHEDS.labels("grpc-messages", "memory")

NEEDED = ("_receive_message", "_RECEIVE_MESSAGE_TOKEN", "_CLOSED", "_abort", "_is_rpc_state_active")


@dataclass(slots=True, eq=False)
class Receive:
    """The message of one call; `then` is called when it has come, and gives the future of the call's answer."""

    address: str
    event: Any
    state: Any
    then: "Callable[[], Future[Any]]"
    deserializer: Callable[[bytes], Any] | None = None
    ended: "Future[Any]" = field(default_factory=Future)
    began: float = field(default_factory=time.monotonic)
    refused: bool = False


class Receives:
    """Asks for messages. Its lock is never held while that of a call is taken."""

    def __init__(self, budget: Budget, *, patience: float = PATIENCE) -> None:
        self._budget, self._patience = budget, patience
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, deque[Receive]] = OrderedDict()  # the address whose turn it is comes first
        self._unfinished: dict[str, dict[Receive, None]] = {}  # of each address the oldest comes first
        self._stop = threading.Event()
        threading.Thread(target=self._end_the_late, name="receives", daemon=True).start()

    def ask(self, receive: Receive) -> None:
        """Ask for a message when there is room for it."""
        with self._lock:
            queue = self._waiting.get(receive.address)
            mine = len(queue) if queue is not None else 0
            too_many = mine >= WAITING or (mine > 0 and sum(map(len, self._waiting.values())) >= ALL_WAITING)
            if not too_many:
                self._waiting.setdefault(receive.address, deque()).append(receive)
        if too_many:
            _refuse(receive)
            receive.ended.set_result(None)
        self._next()

    def close(self) -> None:
        """Look for late messages no more."""
        self._stop.set()

    def _next(self) -> None:
        """Ask for as many messages as there is room for."""
        while self._waiting and (found := self._pick()) is not None:
            receive, fits = found
            if not fits:
                _refuse(receive)  # its bytes come back when grpcore has dropped them; then it is the next one's turn
                return
            self._start(receive)

    def _pick(self) -> tuple[Receive, bool] | None:
        """The message to ask for, for which bytes are taken; or one to give up for another's sake, which is False; or neither."""
        with self._lock:
            for address, queue in self._waiting.items():
                if self._budget.take(address, MAX_MESSAGE):
                    receive = queue.popleft()
                    self._waiting.move_to_end(address)
                    if not queue:
                        del self._waiting[address]
                    self._unfinished.setdefault(address, {})[receive] = None
                    return receive, True
                if self._budget.full(address, MAX_MESSAGE):
                    return self._too_much(address)
            return None

    def _too_much(self, address: str) -> tuple[Receive, bool] | None:
        if not self._unfinished:
            return None
        greatest = max(self._unfinished.values(), key=len)
        mine, oldest = len(self._unfinished.get(address, ())), next(iter(greatest))
        if len(greatest) > mine + 1 or (len(greatest) > mine and time.monotonic() - oldest.began > OLD):
            self._forget(oldest)
            oldest.refused = True
            return oldest, False
        return None

    def _start(self, receive: Receive) -> None:
        state, call = receive.state, receive.event.call
        keep = _server._receive_message(state, call, receive.deserializer)
        with state.condition:
            if _server._is_rpc_state_active(state):
                call.start_server_batch((cygrpc.ReceiveMessageOperation(0),), partial(self._arrived, receive, keep))
                state.due.add(_server._RECEIVE_MESSAGE_TOKEN)
                return
        self._over(receive, MAX_MESSAGE)

    def _arrived(self, receive: Receive, keep: Callable[[Any], Any], received: Any) -> Any:
        """Called by grpcio's polling thread: the message is there, or never will be."""
        finished = keep(received)
        message = receive.state.request
        size = len(message) if isinstance(message, bytes) else 0
        self._budget.give(receive.address, MAX_MESSAGE - size)
        try:
            if receive.refused:
                self._over(receive, size)
            else:
                receive.then().add_done_callback(lambda _: self._answered(receive, size))
        except RuntimeError:  # the lane was shut down: grpcio cancels the call when the server has stopped
            self._over(receive, size)
        with self._lock:
            self._forget(receive)
        self._next()
        return finished

    def _answered(self, receive: Receive, size: int) -> None:
        self._over(receive, size)
        self._next()

    def _over(self, receive: Receive, size: int) -> None:
        with self._lock:
            self._forget(receive)
        self._budget.give(receive.address, size)
        receive.ended.set_result(None)

    def _forget(self, receive: Receive) -> None:
        mine = self._unfinished.get(receive.address)
        if mine is not None:
            mine.pop(receive, None)
            if not mine:
                del self._unfinished[receive.address]

    def _end_the_late(self) -> None:
        while not self._stop.wait(min(1.0, self._patience)):
            limit = time.monotonic() - self._patience
            with self._lock:
                late = [receive for mine in self._unfinished.values() for receive in mine if receive.began < limit]
                waited = []
                for address, queue in list(self._waiting.items()):
                    while queue and queue[0].began < limit:
                        waited.append(queue.popleft())
                    if not queue:
                        del self._waiting[address]
            for receive in late:
                receive.event.call.cancel()
            for receive in waited:
                _refuse(receive)
                receive.ended.set_result(None)
            self._next()


def _refuse(receive: Receive) -> None:
    """Answer a call for which there is no room, without its message."""
    refuse(receive.event, receive.state, Throttling("Rate exceeded"))


def refuse(event: Any, state: Any, error: SekishoError) -> None:
    """Answer a call whose message nobody has asked for."""
    said: Any = status.of(error, request_ids.new())
    with state.condition:
        if _server._is_rpc_state_active(state):
            _SHED.inc()
            state.trailing_metadata = said.trailing_metadata
            _server._abort(state, event.call, cygrpc.StatusCode.resource_exhausted, said.details.encode())
