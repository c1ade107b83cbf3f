"""The threads that calls run in: a lane for each class of calls, and a queue before it that does not grow for ever."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from sekisho.errors import ResourceExhausted
from sekisho.operations import Operation
from sekisho.operations.annotations import Access

STREAMS = 64
"""Streams that a worker serves at once; each takes a thread."""
REFUSING = 2
"""Threads beside those of the streams, which tell further callers that there is no place."""


class Throttling(ResourceExhausted):
    """The worker has as many calls of this class as it can answer in time; nothing was done."""

    http = 400  # AWS's status; its SDKs look at the code


class Lane(ThreadPoolExecutor):
    """The threads of one class of calls. When more than `waiting` calls queue for them, the oldest are refused at once:
    their callers have waited the longest, and will not wait for the answer."""

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        super().__init__(max_workers=threads, thread_name_prefix=name)
        self._places = threading.BoundedSemaphore(max(1, threads - REFUSING))
        self._most = waiting
        self._waiting = 0
        self._count = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Queue a call; grpcio and asyncio call this."""
        with self._count:
            self._waiting += 1
        return super().submit(self._begin, fn, args, kwargs)

    def _begin(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # Counted here and not in `enter`: a call whose message never comes or is too large reaches no handler.
        with self._count:
            self._waiting -= 1
        return fn(*args, **kwargs)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A thread for as long as a stream takes; Throttling, at once, when there is none: streams end when their callers want."""
        if not self._places.acquire(blocking=False):
            raise Throttling("Rate exceeded")
        try:
            yield
        finally:
            self._places.release()

    def enter(self) -> None:
        """A call has left the queue; Throttling when too many are behind it."""
        if self._waiting > self._most:
            raise Throttling("Rate exceeded")


class Lanes:
    """Decisions have threads of their own: neither a slow write nor a stream, which lasts, ever stands before one."""

    def __init__(self, edge: str, *, decide: int, control: int, streams: int = STREAMS) -> None:
        self.decide = Lane(f"{edge}-decide", threads=decide, waiting=2000)
        self.control = Lane(f"{edge}-control", threads=control, waiting=500)
        self.streams = Lane(f"{edge}-streams", threads=streams + REFUSING, waiting=500)

    def __iter__(self) -> Iterator[Lane]:
        return iter((self.decide, self.control, self.streams))

    def of(self, operation: Operation) -> Lane:
        """The lane of an operation."""
        if operation.streams:
            return self.streams
        return self.decide if operation.access.level == Access.DECIDE else self.control

    def close(self) -> None:
        """Let the threads end."""
        for lane in self:
            lane.shutdown(wait=False, cancel_futures=True)
