"""A lock between processes: a file beside what it guards, taken with flock, fair and with a deadline."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sekisho.errors import RequestTimeout, ServiceUnavailable


class FileLock:
    """One writer at a time over all processes that name the same file; `of` says in errors what it guards.

    The kernel queues those who wait for a flock, so nobody starves. A thread that blocks in flock cannot be woken at a deadline;
    therefore, when the lock is not free at once, a helper thread waits in its place and gives the lock back if it comes too late.
    """

    def __init__(self, path: Path, *, of: str = "the database") -> None:
        self.path, self._of = path, of
        self._mine = threading.Lock()

    @contextmanager
    def held(self, deadline: float) -> Iterator[None]:
        """Hold the lock; RequestTimeout when it is not free by the deadline (monotonic seconds)."""
        if not self._mine.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise RequestTimeout("The deadline of the call passed while another write was under way; nothing was written.")
        try:
            handle = self._take(deadline)
            try:
                yield
            finally:
                os.close(handle)
        finally:
            self._mine.release()

    def _take(self, deadline: float) -> int:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ServiceUnavailable(f"The lock file of {self._of} cannot be opened: {error.strerror}. Nothing was written.") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _Waiter(handle).result(deadline)
        return handle


class _Waiter:
    """Waits for a flock in a thread of its own."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._state = threading.Lock()
        self._done = threading.Event()
        self._abandoned = False
        threading.Thread(target=self._wait, name="file-lock", daemon=True).start()

    def _wait(self) -> None:
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        with self._state:
            if self._abandoned:
                os.close(self._handle)
            self._done.set()

    def result(self, deadline: float) -> int:
        if not self._done.wait(max(0.0, deadline - time.monotonic())):
            with self._state:
                if not self._done.is_set():
                    self._abandoned = True
                    raise RequestTimeout("The deadline of the call passed while another process was writing; nothing was written.")
        return self._handle
