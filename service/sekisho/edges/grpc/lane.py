"""The polling lane: a unary method on a completion queue of its own, answered by the one thread that polls it.

grpcio hands each call from its polling thread to a pool and back, which costs more than to decide. Here the thread that finds the message
answers it. It must not wait: what would have to is `Cold` before it has an effect, and is passed on to the method's pool, where grpcio's
own code goes on with it. So is whatever is unusual: a large message, one that does not come at once, one of an address that has its share.

    a call comes → there is a place for its account → its message is asked for → it is its account's turn → answered → over

This file alone knows names of grpcio that are not public, for the lane. It is used on the releases that it is tested on, after a self-test;
whatever goes wrong later retires it, and the stock path serves: docs/decisions/0020-a-polling-lane.md
"""

import contextvars
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import grpc
import structlog
from grpc import _server as _untyped
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled: no stubs

from sekisho.edges import budgets, request_ids
from sekisho.edges.fair import FairQueue
from sekisho.edges.grpc import sizes, status
from sekisho.edges.grpc.arrivals import Arrivals, host
from sekisho.edges.grpc.lane_state import Counts, Shown
from sekisho.edges.grpc.line import ANY, MOST, Line
from sekisho.edges.grpc.receives import Receives
from sekisho.edges.grpc.sizes import MAX_MESSAGE
from sekisho.errors import Throttling
from sekisho.memory import cold

TESTED = ((1, 85), (1, 85))
"""The first and the last minor release of grpcio that the lane's tests run on; pyproject.toml bounds the server's by it."""
AHEAD = 8
"""Calls that core is asked for, for each that may wait: those that stay in core's own line could not be refused."""
INLINE = 16 * 1024
"""Bytes of a message that the polling thread answers: a larger one takes long for its size alone."""
SOON = 0.25
"""Seconds in which a message has to come; then it is waited for like that of any call."""
APART = 0.05
"""Seconds after which a call whose message has not come has no place in the line."""
LONG = 0.5
"""Seconds that a call waits for room, while there are others of its address whose message comes soon."""
TRIES = 4
"""Calls that are looked at for one that there is room for."""
EVENTS = 16
"""Events that are taken before calls are answered, while there are more: so a call is seen, and refused, soon."""
SHARE = 1.0
"""How many times as long as events took calls are answered then: when more come than there is time to refuse, half of it is for answers."""
TICK = 0.25
"""Seconds between two looks at whether the thread still moves."""
STUCK = 12
"""Looks, one after the other, that find the thread in the same step: then it hangs."""

_server: Any = _untyped
log = structlog.get_logger(__name__)


class AbortedError(Exception):
    """The handler has ended its call with a status."""


class Method:
    """A method of the lane: its path, grpcio's handler for it, and the same for a thread that must not wait."""

    def __init__(self, path: str, handler: Any, answer: Callable[[bytes, Any], bytes]) -> None:
        self.path, self.handler, self.answer = path, handler, answer
        self.behaviour = handler.unary_unary
        self.pool: Arrivals = self.behaviour.experimental_thread_pool


class Polled:
    """One call: the tag of its batches, and the context of its handler, with as much of grpcio's as handlers here use."""

    __slots__ = (
        "account", "address", "adopted", "asked", "body", "came", "core", "details", "done", "entered", "event", "method", "status",
        "trailing",
    )  # fmt: skip

    def __init__(self, method: Method, event: Any) -> None:
        self.method, self.event, self.core = method, event, event.call
        self.came = self.asked = time.monotonic()
        self.account = self.address = ""
        self.body: bytes | None = None  # the message, once it has come
        self.adopted: Callable[[Any], Any] | None = None  # takes the message, where that is waited for elsewhere
        self.entered = False  # stands in the line
        self.done = False  # was answered, or is grpcio's own by now
        self.status, self.details = 0, b""
        self.trailing: Any = ()

    def invocation_metadata(self) -> Any:
        return self.event.invocation_metadata

    def time_remaining(self) -> float:
        left: float = self.event.call_details.deadline - time.time()
        return max(left, 0)

    def peer(self) -> str:
        name: str = self.core.peer().decode()
        return name

    def auth_context(self) -> dict[str, list[bytes]]:
        return {key.decode(): value for key, value in (cygrpc.auth_context(self.core) or {}).items()}

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.trailing = metadata

    def abort_with_status(self, given: grpc.Status) -> None:
        self.said(given)
        raise AbortedError

    def said(self, given: Any) -> None:
        """Be ended with a status."""
        self.status, self.details, self.trailing = given.code.value[0], given.details.encode(), given.trailing_metadata


class PollingLane:
    """The queue and its thread, of a server that has not started. `claimed` reads from metadata whose a call says it is."""

    def __init__(self, server: Any, methods: Sequence[Method], claimed: Callable[[Any], str], receives: Receives) -> None:
        self._server, self._state, self._core = server, server._state, server._state.server
        self._methods, self._claimed, self._receives, self._budget = methods, claimed, receives, receives.budget
        self._queue = cygrpc.CompletionQueue()
        self._core.register_completion_queue(self._queue)
        for method in methods:
            self._core.register_method(method.path)
        self._lock = threading.Lock()
        self._stopping = self._retired = False
        self._asked = 0  # calls that core was asked for
        self._open = 0  # calls that are not over
        self._line: Line[Polled] = Line()
        self._silent: dict[Polled, None] = {}  # whose message was asked for, the oldest first
        self._of_address: Counter[str] = Counter()  # how many of these
        self._roomless: FairQueue[Polled] = FairQueue()  # for whose message there is no room yet
        self._answered = 0.0  # when calls were last answered
        self._seen = 0.0  # messages that were there when they were asked for before this have been seen: the queue is in order
        self._current: Polled | None = None  # what the thread is at
        self._steps, self._busy, self._thread = 0, False, 0
        self._over = threading.Event()
        self._shown, self.counts = Shown(), Counts()

    # From outside.

    @property
    def retired(self) -> bool:
        """Whether the stock path serves."""
        return self._retired

    def start(self, *, shown: bool = True) -> None:
        """Begin, once the server has; `shown` in the metrics."""
        for method in self._methods:
            for _ in range(AHEAD * MOST):
                self._request(method)
        if shown:
            self._shown.show("polling")
        self._begin()
        threading.Thread(target=self._watch, name="grpc-lane-watch", daemon=True).start()

    def stop(self, grace: float) -> threading.Event:
        """Stop the server, whose own event this is: no call is asked for while core shuts down."""
        with self._lock:
            self._stopping = True
            event: threading.Event = self._server.stop(grace)
            return event

    def join(self, timeout: float) -> bool:
        """Wait for the thread's end, after the stop; whether all calls have ended."""
        ended = self._over.wait(timeout)
        if self._shown.state:
            self.counts.publish()
            self._shown.hide()
        return ended

    def retire(self, reason: str) -> None:
        """Have the stock path serve. Calls that core was asked for come here still, and are passed on from the beginning."""
        with self._lock, self._state.lock:
            if self._retired:
                return
            self._retired = True
            if not self._stopping and self._state.stage is _server._ServerStage.STARTED:
                for method in self._methods:
                    self._state.registered_method_handlers[method.path] = method.handler
                    _server._request_registered_call(self._state, method.path)
        if self._shown.state:
            self._shown.show("retired")
        log.error("lane.retired", reason=reason)

    # The thread, and who looks after it.

    def _begin(self) -> None:
        self._thread += 1
        threading.Thread(target=self._run, args=(self._thread,), name="grpc-lane", daemon=True).start()

    def _watch(self) -> None:
        """Replace a thread that hangs or is gone by one that passes everything on."""
        last, same = -1, 0
        while not self._over.wait(TICK):
            same = same + 1 if self._busy and self._steps == last else 0
            last = self._steps
            if same >= STUCK:
                same = 0
                self.retire("the thread hangs")
                self._begin()

    def _run(self, mine: int) -> None:
        with cold.unwaiting():
            while mine == self._thread and (self._asked or self._open or not self._stopping):
                self._step()
        if mine != self._thread:
            return
        self._busy = False
        self._queue.shutdown()
        while self._queue.poll().completion_type != cygrpc.CompletionType.queue_shutdown:
            pass
        self._over.set()

    def _step(self) -> None:
        """Wait for an event and act on it, or answer who is ready."""
        self._busy = False
        event = self._queue.poll(0.0 if self._line.ready else time.time() + (SOON if self._silent or len(self._roomless) else TICK))
        self._busy, self._steps = True, self._steps + 1
        self._current = None
        try:
            if event.tag is not None:
                self._take(event)
            else:
                self._seen = time.monotonic()
            if event.tag is None:
                self._answer_some(0.0)
            elif self._steps % EVENTS == 0:
                self._answer_some(SHARE * (time.perf_counter() - self._answered))
            if event.tag is None or self._steps % 64 == 0:
                self._look_around()
        except BaseException as error:  # the lane's own: those of handlers end their calls
            log.critical("lane.fault", error=type(error).__name__, exc_info=True)
            self.retire("a fault")
            self._rescue(event)

    def _take(self, event: Any) -> None:
        tag = event.tag
        if tag is _REFUSED:
            self._open -= 1
        elif tag.__class__ is Polled:
            if tag.done:
                self._open -= 1
            elif tag.adopted is not None:
                self._tell(tag.adopted(event))
            else:
                self._current = tag
                self._arrived(tag, event.batch_operations[0].message())
        elif tag.__class__ is Method:
            self._asked -= 1
            if event.success:
                self._open += 1
                self._request(tag)
                self._came(tag, event)
            else:  # core gives it back, for somebody has stopped the server
                self._stopping = True
        else:
            self._tell(tag(event))

    def _tell(self, ended: tuple[Any, Sequence[Callable[[], None]]]) -> None:
        """A batch of grpcio's own is over, and with it the call, or not."""
        self._open -= ended[0] is not None
        for callback in ended[1]:
            callback()

    def _set_apart(self) -> None:
        """Let those leave the line who have sent nothing: they wait, but nothing is to be done for them."""
        for call in self._silent:
            if call.asked > self._seen - APART:
                break
            if call.entered:
                self._leave(call)
                self._of_address[call.address] -= 1
        for _ in range(len(self._roomless)):
            if (taken := self._roomless.take()) is not None:
                account, call, _ = taken
                if self._of_address[call.address] > 0:
                    self._roomless.put(account, call, ANY)
                else:
                    self._pass_new(call)

    def _look_around(self) -> None:
        """Pass on what did not come soon."""
        self._set_apart()
        while self._silent and (call := next(iter(self._silent))).asked < self._seen - SOON:
            self._adopt(call)
        before = time.monotonic() - LONG
        for _ in range(len(self._roomless)):
            if (taken := self._roomless.take()) is not None:
                account, call, _ = taken
                if self._retired or not self._of_address[call.address] or call.came < before:
                    self._pass_new(call)
                else:
                    self._roomless.put(account, call, ANY)
        self.counts.publish()

    def _rescue(self, event: Any) -> None:
        """See to the call that the thread was at when it failed: where nobody has answered it, the stock path does."""
        call, tag = self._current, event.tag
        try:
            if tag.__class__ is Method and event.success and call is None:
                self._pass_new(Polled(tag, event))
            elif call is not None and not call.done:
                if call.body is None and call is tag:
                    call.body = event.batch_operations[0].message()
                    self._budget.give(call.address, MAX_MESSAGE - len(call.body or b""))
                if call in self._silent:
                    self._forget(call)
                if call.body is not None:
                    self._pass_on(call, call.body)
                elif tag.__class__ is Method:
                    self._pass_new(call)
                else:
                    call.core.cancel()
        except BaseException:
            log.critical("lane.lost", exc_info=True)
            event.call.cancel()

    # A call, from its coming to its end.

    def _request(self, method: Method) -> None:
        with self._lock:
            if self._stopping or self._retired:
                return
            try:
                self._core.request_registered_call(self._queue, self._queue, method.path, method)
                self._asked += 1
            except ValueError:  # the server was stopped past us
                self._stopping = True

    def _came(self, method: Method, event: Any) -> None:
        if self._retired:
            self._pass_new(Polled(method, event))
            return
        try:
            sizes.check_metadata(event.invocation_metadata)
        except sizes.MetadataTooLarge:
            self._pass_new(Polled(method, event))
            return
        address = _holder(event.call.peer().decode())
        # Who claims no account has the share of an address. Who comes alone waits for nobody, whoever it is.
        account = (self._claimed(event.invocation_metadata) or address) if self._line.waiting else address
        if self._line.waiting >= self._line.most:
            self._set_apart()
        if not self._line.enter(account):
            self._refuse(event)
            return
        call = self._current = Polled(method, event)
        call.account, call.address, call.entered = account, address, True
        if self._budget.take(call.address, MAX_MESSAGE):
            self._ask(call)
        elif self._of_address[call.address]:
            self._roomless.put(account, call, ANY)  # those will have come in a moment, and leave their room
        else:
            self._pass_new(call)

    def _ask(self, call: Polled) -> None:
        _start(call.core, (cygrpc.ReceiveMessageOperation(0),), call)
        call.asked = time.monotonic()
        self._silent[call] = None
        self._of_address[call.address] += 1

    def _fill(self) -> None:
        """Ask for the message that is next, for which there may be room now."""
        for _ in range(min(len(self._roomless), TRIES)):
            if (taken := self._roomless.take()) is not None:
                account, call, _ = taken
                if self._budget.take(call.address, MAX_MESSAGE):
                    self._ask(call)
                    return
                self._roomless.put(account, call, ANY)

    def _arrived(self, call: Polled, body: bytes | None) -> None:
        self._forget(call)
        self._seen = max(self._seen, call.asked)
        call.body = body
        self._budget.give(call.address, MAX_MESSAGE - len(body or b""))
        self._fill()
        if body is None:  # the caller is gone, has sent too much, which core has answered, or has sent none
            self.counts.ends["empty"] += 1
            call.status, call.details = _UNIMPLEMENTED, b'"%s" requires exactly one request message.' % call.method.path.encode()
            self._finish(call)
        elif len(body) > INLINE or self._retired:
            self._pass_on(call, body)
        elif self._line.waiting == 1:
            self._answer(call, body)
        else:
            self._line.put(call.account, call)

    def _answer_some(self, seconds: float) -> None:
        """Answer who is next, and further ones for so long."""
        until = time.perf_counter() + seconds
        while (taken := self._line.take()) is not None:
            _, call, expected = taken
            self._current = call
            self._answer(call, call.body or b"", expected)
            if time.perf_counter() >= until:
                break
        self._answered = time.perf_counter()

    def _answer(self, call: Polled, body: bytes, expected: float = 0.0) -> None:
        if self._retired:
            self._pass_on(call, body)
            return
        if call.event.call_details.deadline <= time.time():  # nobody hears the answer: it is for others that there is time
            call.status, call.details = _LATE, b"Deadline Exceeded"
            self._finish(call)
            return
        began = time.thread_time()
        message: tuple[Any, ...] = ()
        try:
            message = (cygrpc.SendMessageOperation(contextvars.Context().run(call.method.answer, body, call), 0),)
        except cold.Cold:
            self._pass_on(call, body)
            return
        except AbortedError:
            pass
        except Exception as error:  # as grpcio says it
            log.exception("lane.handler")
            call.status, call.details, call.trailing = _UNKNOWN, f"Exception calling application: {error}".encode(), ()
        spent = time.thread_time() - began
        self._line.settle(call.account, expected=expected, spent=spent)
        self.counts.ends["inline"] += 1
        self._finish(call, message)

    def _refuse(self, event: Any) -> None:
        """Answer a call that is too many, for as little as can be: four of five may be."""
        self.counts.ends["refused"] += 1
        id_ = request_ids.new()
        trailing = tuple(
            (name, value.replace(_ID, id_) if isinstance(value, str) else value.replace(_ID_BYTES, id_.encode()))
            for name, value in _TOO_MANY
        )
        said = cygrpc.SendStatusFromServerOperation(trailing, _EXHAUSTED, _RATE, 0)
        _start(event.call, (cygrpc.SendInitialMetadataOperation(None, 0), said, cygrpc.ReceiveCloseOnServerOperation(0)), _REFUSED)

    def _finish(self, call: Polled, message: tuple[Any, ...] = ()) -> None:
        """Send all of an answer in one batch, whose end is the call's."""
        call.done = True
        self._leave(call)
        if call.body:
            self._budget.give(call.address, len(call.body))
        initial, close = cygrpc.SendInitialMetadataOperation(None, 0), cygrpc.ReceiveCloseOnServerOperation(0)
        try:
            said = cygrpc.SendStatusFromServerOperation(call.trailing, call.status, call.details, 0)
            _start(call.core, (initial, *message, said, close), call)
        except Exception:
            log.exception("lane.unsaid")  # metadata that HTTP/2 cannot carry; up to 1.80 core minds what a refused batch began with
            try:
                said = cygrpc.SendStatusFromServerOperation(None, _INTERNAL, b"Failed to send response!", 0)
                _start(call.core, (said, initial, close), call)
            except Exception:
                call.core.cancel()
                self._open -= 1  # no batch is under way that could tell its end
                raise

    # What becomes grpcio's own.

    def _pass_new(self, call: Polled) -> None:
        """Give a call whose message was not asked for to the stock path, from the beginning."""
        self._leave(call)
        self.counts.ends["passed"] += 1
        call.done = True
        _server._handle_with_method_handler(call.event, _server._RPCState(), call.method.handler, self._state.thread_pool)

    def _pass_on(self, call: Polled, body: bytes) -> None:
        """Give a call with its message to the pool."""
        self._leave(call)
        self.counts.ends["passed"] += 1
        call.done = True
        state, method, budget = self._stock_state(call), call.method, self._budget
        address, size = call.address, len(body)
        work = (_server._unary_response_in_pool, call.event, state, method.behaviour, lambda: body, None, None)
        try:
            future = method.pool.submit_arrived(call.event, state.context.run, *work)
        except RuntimeError:  # the pool was shut down: core cancels the call when the server has stopped
            budget.give(address, size)
        else:
            future.add_done_callback(lambda _: budget.give(address, size))

    def _adopt(self, call: Polled) -> None:
        """Have the message, which is asked for already, waited for where those of other calls are."""
        self._forget(call)
        self._leave(call)
        self.counts.ends["passed"] += 1
        state = self._stock_state(call)
        work = (_server._unary_response_in_pool, call.event, state, call.method.behaviour, None, None, None)
        call.adopted = call.method.pool.adopt(call.address, call.came, state.context.run, *work)

    def _stock_state(self, call: Polled) -> Any:
        """grpcio's state of a call that begins in the middle."""
        state = _server._RPCState()
        with state.condition:
            tag = _server._receive_close_on_server(state)
            _start(call.core, (cygrpc.ReceiveCloseOnServerOperation(0),), tag)
            state.due.add(_server._RECEIVE_CLOSE_ON_SERVER_TOKEN)
        return state

    def _forget(self, call: Polled) -> None:
        del self._silent[call]
        if call.entered:
            self._of_address[call.address] -= 1
        if self._of_address[call.address] <= 0:
            del self._of_address[call.address]

    def _leave(self, call: Polled) -> None:
        if call.entered:
            call.entered = False
            self._line.leave(call.account)


_REFUSED = object()
_ID = "0" * len(request_ids.new())
_ID_BYTES, _RATE, _EXHAUSTED = _ID.encode(), b"Rate exceeded", grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
_TOO_MANY: Any = status.of(Throttling(_RATE.decode()), _ID).trailing_metadata  # with a place for the id
_UNKNOWN, _UNIMPLEMENTED, _INTERNAL, _LATE = (
    getattr(grpc.StatusCode, name).value[0] for name in ("UNKNOWN", "UNIMPLEMENTED", "INTERNAL", "DEADLINE_EXCEEDED")
)


@lru_cache(maxsize=4096)
def _holder(peer: str) -> str:
    """Who is charged for the bytes of a peer, which has a port of its own for each connection."""
    return budgets.holder(host(peer))


def _start(core: Any, operations: tuple[Any, ...], tag: Any) -> None:
    """Hand a batch to core; RuntimeError, and no event, for one that core refuses."""
    if error := core.start_server_batch(operations, tag):
        raise RuntimeError(f"core refuses a batch: {error}")


def attach(
    server: Any, answers: Mapping[str, Callable[[bytes, Any], bytes]], claimed: Callable[[Any], str], receives: Receives
) -> PollingLane | None:
    """A lane for these methods, by path, of a server that has their handlers and has not started; None, and a line in the log, where
    grpcio is not one that this is known of.
    """
    try:
        release = tuple(map(int, grpc.__version__.split(".")[:2]))
        if not TESTED[0] <= release <= TESTED[1]:
            raise RuntimeError("this release is not tested")
        if server._state.interceptor_pipeline is not None:
            raise RuntimeError("the server has interceptors, which the lane would go past")
        methods = []
        for path, answer in answers.items():
            details = _server._HandlerCallDetails(path, ())
            found = [handler for generic in server._state.generic_handlers if (handler := generic.service(details)) is not None]
            methods.append(Method(path, found[0], answer))
        return PollingLane(server, methods, claimed, receives)
    except Exception as error:
        log.warning("lane.unsupported", grpcio=grpc.__version__, error=f"{type(error).__name__}: {error}")
        return None
