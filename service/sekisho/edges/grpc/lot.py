"""Where streams wait that have nothing to say: one thread for all of them, however many they are.

It lets them go on in slices, taking turns by account, so that a change that concerns a thousand of them does not take the interpreter from
those who decide: a slice takes a few milliseconds, and there are `1 / PAUSE` of them a second at most.
"""

import heapq
import itertools
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

from sekisho.calls.waits import Wait
from sekisho.memory.cache import World

SLICE = 32
"""Streams that go on at once."""
PAUSE = 0.02
"""Seconds between two slices."""


class Waiting(Protocol):
    """A stream, as the lot sees it."""

    account: str

    def resume(self) -> None:
        """Go on, on a thread of its own lane; returns at once."""

    def end(self) -> None:
        """The server stops."""


class Lot:
    """Streams that wait. No lock of a stream is taken while the lot's own is held."""

    def __init__(self, world: World) -> None:
        self._lock = threading.Lock()
        self._waits: dict[Waiting, Wait] = {}
        self._by_account: dict[str, dict[Waiting, None]] = {}  # "": those who wait for changes of any account
        self._timers: list[tuple[float, int, Waiting, Wait]] = []
        self._ready: OrderedDict[str, deque[Waiting]] = OrderedDict()  # the account whose turn it is comes first
        self._moved: deque[frozenset[str] | None] = deque()
        self._numbers = itertools.count()
        self._wake = threading.Event()
        self._closed = False
        self._deaf = world.hear(self._hear)
        threading.Thread(target=self._run, name="lot", daemon=True).start()

    def park(self, stream: Waiting, wait: Wait) -> None:
        """Let a stream wait. It may go on before this returns."""
        with self._lock:
            closed = self._closed
            if not closed:
                self._waits[stream] = wait
                for account in wait.accounts or ("",):
                    self._by_account.setdefault(account, {})[stream] = None
                heapq.heappush(self._timers, (wait.until, next(self._numbers), stream, wait))
                sooner = self._timers[0][2] is stream
        if closed:
            stream.end()
        elif _is_due(wait):
            with self._lock:
                self._let_go(stream)
            self._wake.set()
        elif sooner:
            self._wake.set()

    def forget(self, stream: Waiting) -> None:
        """A stream is over."""
        with self._lock:
            self._drop(stream)

    def close(self) -> None:
        """End every stream that waits, those whose turn to go on has not come, and those that are about to wait."""
        with self._lock:
            self._closed = True
            left = [*self._waits, *itertools.chain.from_iterable(self._ready.values())]
            self._waits.clear()
            self._by_account.clear()
            self._ready.clear()
        self._deaf()
        self._wake.set()
        for stream in left:
            stream.end()

    @property
    def size(self) -> int:
        """How many streams wait."""
        return len(self._waits)

    def _hear(self, accounts: frozenset[str] | None) -> None:
        """Called under the world's lock: only notes it."""
        self._moved.append(accounts)
        self._wake.set()

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(self._patience())
            self._wake.clear()
            while self._moved:
                self._ask(self._moved.popleft())
            self._ring()
            while self._slice() and not self._closed:
                time.sleep(PAUSE)
                while self._moved:
                    self._ask(self._moved.popleft())
                self._ring()

    def _patience(self) -> float | None:
        with self._lock:
            return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _ask(self, accounts: frozenset[str] | None) -> None:
        """Ask those who wait for changes of these accounts whether they are due."""
        with self._lock:
            names = self._by_account if accounts is None else [name for name in (*accounts, "") if name in self._by_account]
            asked = {stream: self._waits[stream] for name in names for stream in self._by_account[name]}
        due = [stream for stream, wait in asked.items() if _is_due(wait)]
        with self._lock:
            for stream in due:
                self._let_go(stream)

    def _ring(self) -> None:
        """Let those go on whose time has come, and drop the times of those who have gone before."""
        now = time.monotonic()
        with self._lock:
            while self._timers and (self._timers[0][0] <= now or self._waits.get(self._timers[0][2]) is not self._timers[0][3]):
                _, _, stream, wait = heapq.heappop(self._timers)
                if self._waits.get(stream) is wait:
                    self._let_go(stream)
            if len(self._timers) > 2 * len(self._waits) + 64:
                self._timers = [entry for entry in self._timers if self._waits.get(entry[2]) is entry[3]]
                heapq.heapify(self._timers)

    def _slice(self) -> int:
        """Let the next ones go on; how many they were."""
        going: list[Callable[[], None]] = []
        with self._lock:
            while self._ready and len(going) < SLICE:
                account, streams = next(iter(self._ready.items()))
                going.append(streams.popleft().resume)
                if streams:
                    self._ready.move_to_end(account)
                else:
                    del self._ready[account]
        for resume in going:
            resume()
        return len(going)

    def _let_go(self, stream: Waiting) -> None:
        if self._drop(stream):
            self._ready.setdefault(stream.account, deque()).append(stream)

    def _drop(self, stream: Waiting) -> bool:
        wait = self._waits.pop(stream, None)
        if wait is None:
            return False
        for account in wait.accounts or ("",):
            streams = self._by_account[account]
            del streams[stream]
            if not streams:
                del self._by_account[account]
        return True


def _is_due(wait: Wait) -> bool:
    """True when the wait is over, or cannot say so: its stream, which goes on then, ends by what is wrong and takes no other with it."""
    try:
        return wait.due()
    except Exception:
        return True
