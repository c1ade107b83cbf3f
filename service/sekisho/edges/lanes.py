"""The threads that calls run in: a lane for each class of calls, shared fairly by the accounts that call.

An account is charged the processor time that its calls take; while others wait, none gets more than its share, whatever it sends. Whose a
call is, an edge knows by the key id that the call claims, before anything is verified: only accounts that the worker has in memory have a
share of their own, all other claims have one together (`Shares`), so that made-up accounts win nothing. Of an account that was claimed in
vain from an address, what claims it from there has a part of the share for itself (`doubts`).
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog

from sekisho import policy
from sekisho.calls import rests
from sekisho.edges import doubts
from sekisho.edges.answers import SHEDS
from sekisho.edges.fair import FairQueue
from sekisho.errors import Throttling
from sekisho.operations import Operation
from sekisho.operations.annotations import Access

STREAMS = 6
"""Threads in which streams make their messages (`grpc.streams`)."""
UNSIGNED = 8
"""Threads of calls that nobody signs: more than wait at once for an identity provider (`credentials.oidc.key_sets`)."""
STRANGERS = 2
"""Threads of calls whose key has to be looked up, one of which no caller has."""
PACE = 0.02
"""Seconds that such a thread rests after a key that was nobody's: so many are made up that their look-ups would be all that is done."""
REFUSING = 2
"""Threads beside those, which tell further callers that there is no place, where each stream takes a thread."""

log = structlog.get_logger(__name__)


class Claim(NamedTuple):
    """Whose a call says it is: an account, `""` for none that is known here; a stranger's is one whose key has to be looked up."""

    account: str = ""
    stranger: bool = False

    def share(self, address: str) -> tuple[str, str]:
        """Whose share a call from an address is of, and which part of that. Strangers share with whoever claims the same account there."""
        if self.stranger:
            return f"{self.account} {address}", ""
        return self.account, doubts.here.part(self.account, address) if self.account else ""


@dataclass(slots=True)
class _Work:
    run: Callable[[], Any]
    future: "Future[Any]"
    claimed: tuple[str, str] = ("", "")  # the account, and whence


_refused = threading.local()


class Lane(Executor):
    """The threads of one class of calls. When more than `waiting` calls queue for them, those who have more than their share of that are
    refused, the oldest first. No account has more threads at once than those beyond the `reserved`: a call that runs cannot be interrupted,
    and whoever comes next would wait for the end of one.
    """

    def __init__(self, name: str, *, threads: int, waiting: int, reserved: int = 0, pace: float = 0.0) -> None:
        """After a call whose caller could not be authenticated a thread rests for the seconds of the `pace`."""
        self.name, self._threads, self._most, self._pace = name, threads, waiting, pace
        self._shed_queue, self._shed_streams = SHEDS.labels(name, "queue"), SHEDS.labels(name, "streams")
        self._places = threading.BoundedSemaphore(max(1, threads - REFUSING))
        self._queue: FairQueue[_Work] = FairQueue()
        self._over: list[_Work] = []
        self._most_running = max(1, threads - reserved)
        self._running: Counter[str] = Counter()
        self._full: set[str] = set()  # accounts that have as many threads as they get
        self._passed = 0  # calls that woke a thread in vain, because their account was full: its own threads take them
        self._lock = threading.Lock()
        self._calls: queue.SimpleQueue[bool] = queue.SimpleQueue()  # wakes a thread for each call; False: the lane is closed
        self._started = self._idle = 0
        self._closed = False
        self.strangers: Lane | None = None
        """Where the calls of strangers go instead."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Queue a call of nobody in particular."""
        return self.submit_for("", fn, *args, **kwargs)

    def submit_claimed(self, claim: Claim, address: str, fn: Callable[..., Any], /, *args: Any) -> "Future[Any]":
        """Queue a call of whom it claims. Of strangers each address has a share for each account that it claims: whoever is behind the
        address of one who makes keys up does not wait for all of these, nor does the account that they pretend to be of.
        """
        account, part = claim.share(address)
        lane = self.strangers if claim.stranger and self.strangers is not None else self
        return lane._submit(account, part, _Work(lambda: fn(*args), Future(), (claim.account, address)))

    def submit_for(self, account: str, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Queue a call of an account; RuntimeError once the lane is closed."""
        return self._submit(account, "", _Work(lambda: fn(*args, **kwargs), Future()))

    def _submit(self, account: str, part: str, work: _Work) -> "Future[Any]":
        with self._lock:
            if self._closed:
                raise RuntimeError("the lane is closed")
            if (over := self._queue.put(account, work, self._most, part)) is not None:
                self._over.append(over)
            lacking = len(self._queue) + len(self._over) > self._idle and self._started < self._threads
            if lacking:
                self._started += 1
        if lacking:
            self._grow()
        self._calls.put(True)
        return work.future

    def _grow(self) -> None:
        """Start one more thread, which was counted already. Where the system gives none, the next call tries again."""
        try:
            threading.Thread(target=self._serve, name=f"{self.name}_{self._started}", daemon=True).start()
        except RuntimeError:
            with self._lock:
                self._started -= 1
            log.error("lane.no_thread", lane=self.name)

    def _serve(self) -> None:
        with policy.stepping(rests.Rests().step):
            self._answer_all()

    def _answer_all(self) -> None:
        while (taken := self._taken()) is not None:
            account, work, expected, refused = taken
            began = time.thread_time()
            _refused.by = self if refused else None
            if work.future.set_running_or_notify_cancel():
                try:
                    work.future.set_result(work.run())
                except BaseException as error:  # whatever it is, it is the caller's to hear of
                    work.future.set_exception(error)
            if not refused:
                spent = time.thread_time() - began
                if rests.settle():
                    doubts.here.note(*work.claimed)
                    if self._pace:  # before it leaves: no other thread of the lane goes on with the account
                        time.sleep(self._pace)
                with self._lock:
                    self._queue.settle(account, expected=expected, spent=spent)
                    self._leave(account)
            del work, taken

    def _taken(self) -> tuple[str, _Work, float, bool] | None:
        """The next call, and whether it is to be refused; None when the lane is closed and empty."""
        with self._lock:
            if self._passed and (found := self._queue.take(self._full)) is not None:
                self._passed -= 1
                self._enter(found[0])
                return *found, False
            self._idle += 1
        while self._calls.get():
            with self._lock:
                self._idle -= 1
                if self._over:
                    return "", self._over.pop(), 0.0, True
                if (found := self._queue.take(self._full)) is not None:
                    self._enter(found[0])
                    return *found, False
                self._idle += 1
                self._passed += len(self._queue) > 0  # otherwise, what woke this thread was cancelled
        self._calls.put(False)  # for the next thread
        return None

    def _enter(self, account: str) -> None:
        self._running[account] += 1
        if self._running[account] >= self._most_running:
            self._full.add(account)

    def _leave(self, account: str) -> None:
        self._running[account] -= 1
        self._full.discard(account)
        if not self._running[account]:
            del self._running[account]

    @contextmanager
    def place(self) -> Iterator[None]:
        """A thread for as long as a stream takes; Throttling, at once, when there is none: streams end when their callers want."""
        if not self._places.acquire(blocking=False):
            self._shed_streams.inc()
            raise Throttling("Rate exceeded")
        try:
            yield
        finally:
            self._places.release()

    def enter(self) -> None:
        """A call has left the queue; Throttling when it is one of those that are too many."""
        by: Lane | None = getattr(_refused, "by", None)
        if by is not None:
            by._shed_queue.inc()
            raise Throttling("Rate exceeded")

    @property
    def waiting(self) -> int:
        """Calls that wait for a thread now."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Calls that have a thread now."""
        return self._running.total()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls and let the threads end; those that wait are answered, or with `cancel_futures` cancelled."""
        with self._lock:
            self._closed = True
            while cancel_futures and (found := self._queue.take()) is not None:
                found[1].future.cancel()
        self._calls.put(False)


class Lanes:
    """Decisions have threads of their own: neither a slow write nor a batch nor a stream, which lasts, ever stands before one. So have
    calls that nobody signs, since whoever makes them up is to have no thread of others, and some wait for an identity provider; and calls
    with keys that are to be looked up, which share by account and address: known keys wait for none of them.
    """

    def __init__(self, edge: str, *, decide: int, control: int, streams: int = STREAMS) -> None:
        self.decide = Lane(f"{edge}-decide", threads=decide, waiting=2000, reserved=decide // 3)
        self.batches = Lane(f"{edge}-batches", threads=max(2, decide // 2), waiting=500, reserved=1)
        self.control = Lane(f"{edge}-control", threads=control, waiting=500, reserved=control // 3)
        self.unsigned = Lane(f"{edge}-unsigned", threads=UNSIGNED, waiting=250, reserved=1)
        self.strangers = Lane(f"{edge}-strangers", threads=STRANGERS, waiting=250, reserved=STRANGERS - 1, pace=PACE)
        for lane in (self.decide, self.batches, self.control):
            lane.strangers = self.strangers
        self.pages = Lane(f"{edge}-pages", threads=2, waiting=64, reserved=1)  # what anybody may read
        self.streams = Lane(f"{edge}-streams", threads=streams + REFUSING, waiting=4000, reserved=streams // 3)

    def __iter__(self) -> Iterator[Lane]:
        return iter((self.decide, self.batches, self.control, self.unsigned, self.strangers, self.pages, self.streams))

    def of(self, operation: Operation) -> Lane:
        """The lane of an operation."""
        if operation.streams:
            return self.streams
        if not operation.signed:
            return self.unsigned
        if operation.level != Access.DECIDE:
            return self.control
        return self.batches if operation.access.batch else self.decide

    def close(self) -> None:
        """Let the threads end."""
        for lane in self:
            lane.shutdown(cancel_futures=True)
