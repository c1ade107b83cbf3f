"""The polling lane: a unary method on a completion queue of its own, answered by the one thread that polls it.

grpcio hands each call from its polling thread to a pool and back, which costs more than to decide. Here the thread that finds the message
answers it. It must not wait: what would have to is `Cold` before it has an effect, and is passed on to the method's pool, where grpcio's
own code goes on with it. So is whatever is unusual: a large message, one that does not come at once, one of an address that has its share.

    a call comes → there is a place for its account → its message is asked for → it is its account's turn → answered → over

Names of grpcio that are not public are known, for the lane, here, in `lane_calls`, `lane_passing` and `lane_attach`:
docs/decisions/0020-a-polling-lane.md
"""

import contextvars
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from grpc import _server as _untyped
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled: no stubs

from sekisho.edges.fair import FairQueue
from sekisho.edges.grpc import lane_calls, lane_passing, lane_watch, sizes
from sekisho.edges.grpc.lane_calls import Method, Polled
from sekisho.edges.grpc.lane_state import Counts, Shown
from sekisho.edges.grpc.line import ANY, INLINE, MOST, Line
from sekisho.edges.grpc.receives import Receives
from sekisho.memory import cold

AHEAD = 4
"""Calls that core is asked for, for each that may wait: those that stay in core's own line are refused by core, whosever they are."""
REFUSED = 8
"""Calls that are answered for each that is refused, while more come than can be: beyond that core refuses, which costs less."""
EVENTS = 16
"""Events that are taken before calls are answered, while there are more: so a call is seen, and refused, soon."""
SHARE = 1.0
"""How many times as long as events took calls are answered then: when more come than there is time to refuse, half of it is for answers."""

_server: Any = _untyped
log = structlog.get_logger(__name__)


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
        self._owed: deque[Method] = deque()  # to ask core for, once there is time: those that were refused
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
        looked_after = (self._over, lambda: self._steps if self._busy else None, self._hangs)
        threading.Thread(target=lane_watch.watch, args=looked_after, name="grpc-lane-watch", daemon=True).start()

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

    def _begin(self) -> None:
        self._thread += 1
        threading.Thread(target=self._run, args=(self._thread,), name="grpc-lane", daemon=True).start()

    def _hangs(self) -> None:  # the one that replaces it passes everything on
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
        event = self._queue.poll(0.0 if self._line.ready else time.time() + lane_calls.SOON)
        self._busy, self._steps = True, self._steps + 1
        self._current = None
        try:
            if event.tag is not None:
                self._take(event)
            else:
                self._seen = time.monotonic()
            if event.tag is None:
                while self._owed and not self._line.ready:
                    self._request(self._owed.popleft())
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
        if tag is lane_calls.REFUSED:
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
                if self._came(tag, event):
                    self._request(tag)
                else:
                    self._owed.append(tag)
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
            if call.asked > self._seen - lane_calls.APART:
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
        while self._silent and (call := next(iter(self._silent))).asked < self._seen - lane_calls.SOON:
            self._adopt(call)
        before = time.monotonic() - lane_calls.LONG
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
                    call.keep(event.batch_operations[0].message(), self._budget)
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
            (event.call if call is None else call.core).cancel()

    def _request(self, method: Method) -> None:
        with self._lock:
            if self._stopping or self._retired:
                return
            try:
                self._core.request_registered_call(self._queue, self._queue, method.path, method)
                self._asked += 1
            except ValueError:  # the server was stopped past us
                self._stopping = True

    def _came(self, method: Method, event: Any) -> bool:
        """Take in a call; False when it was refused, for which there is no end of time while more come than can be answered."""
        stock = self._retired
        try:
            sizes.check_metadata(event.invocation_metadata)
        except sizes.MetadataTooLarge:
            stock = True
        if stock:
            self._pass_new(Polled(method, event))
            return True
        address = lane_calls.holder(event.call.peer().decode())
        # Who claims no account has the share of an address. Who comes alone waits for nobody, whoever it is.
        account = (self._claimed(event.invocation_metadata) or address) if self._line.waiting else address
        if self._line.waiting >= self._line.most:
            self._set_apart()
        if not self._line.enter(account):
            self._refuse(event)
            return False
        call = self._current = Polled(method, event)
        call.account, call.address, call.entered = account, address, True
        if call.take_room(self._budget):
            self._ask(call)
        elif self._of_address[call.address]:
            self._roomless.put(account, call, ANY)  # those will have come in a moment, and leave their room
        else:
            self._pass_new(call)
        return True

    def _ask(self, call: Polled) -> None:
        lane_calls.start(call.core, (cygrpc.ReceiveMessageOperation(0),), call)
        call.asked = time.monotonic()
        self._silent[call] = None
        self._of_address[call.address] += 1

    def _fill(self) -> None:
        """Ask for the message that is next, for which there may be room now."""
        for _ in range(min(len(self._roomless), lane_calls.TRIES)):
            if (taken := self._roomless.take()) is not None:
                account, call, _ = taken
                try:
                    if call.take_room(self._budget):
                        self._ask(call)
                        return
                except BaseException:
                    self._roomless.put(account, call, ANY)  # whence it is passed on
                    raise
                self._roomless.put(account, call, ANY)

    def _arrived(self, call: Polled, body: bytes | None) -> None:
        self._forget(call)
        self._seen = max(self._seen, call.asked)
        call.keep(body, self._budget)
        self._fill()
        if body is None:  # the caller is gone, has sent too much, which core has answered, or has sent none
            self.counts.ends["empty"] += 1
            call.status, call.details = lane_calls.UNIMPLEMENTED, b'"%s" requires exactly one request message.' % call.method.path.encode()
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
            call.status, call.details = lane_calls.LATE, b"Deadline Exceeded"
            self._finish(call)
            return
        began = time.thread_time()
        message: tuple[Any, ...] = ()
        try:
            message = (cygrpc.SendMessageOperation(contextvars.Context().run(call.method.answer, body, call), 0),)
        except cold.Cold:
            self._pass_on(call, body)
            return
        except lane_calls.AbortedError:
            pass
        except Exception as error:  # as grpcio says it
            log.exception("lane.handler")
            call.status, call.details, call.trailing = lane_calls.UNKNOWN, f"Exception calling application: {error}".encode(), ()
        self._line.settle(call.account, expected=expected, spent=time.thread_time() - began)
        self.counts.ends["inline"] += 1
        if self._owed and not self.counts.ends["inline"] % REFUSED:
            self._request(self._owed.popleft())
        self._finish(call, message)

    def _refuse(self, event: Any) -> None:
        self.counts.ends["refused"] += 1
        lane_calls.refuse(event)

    def _finish(self, call: Polled, message: tuple[Any, ...] = ()) -> None:
        """Send all of an answer in one batch, whose end is the call's."""
        call.done = True
        self._leave(call)
        call.give_back(self._budget)
        try:
            lane_calls.finish(call, message)
        except Exception:
            self._open -= 1  # no batch is under way that could tell its end
            raise

    def _pass_new(self, call: Polled) -> None:
        """Give a call whose message was not asked for to the stock path."""
        self._leave(call)
        call.give_back(self._budget)
        self.counts.ends["passed"] += 1
        lane_passing.whole(self._state, call)

    def _pass_on(self, call: Polled, body: bytes) -> None:
        """Give a call with its message to the pool."""
        self._leave(call)
        self.counts.ends["passed"] += 1
        lane_passing.with_message(self._budget, call, body)

    def _adopt(self, call: Polled) -> None:
        """Have the message waited for where those of other calls are."""
        self._forget(call)
        self._leave(call)
        self.counts.ends["passed"] += 1
        lane_passing.without_message(call)

    def _forget(self, call: Polled) -> None:
        del self._silent[call]
        self._of_address[call.address] -= call.entered
        if self._of_address[call.address] <= 0:
            del self._of_address[call.address]

    def _leave(self, call: Polled) -> None:
        if call.entered:
            call.entered = False
            self._line.leave(call.account)
