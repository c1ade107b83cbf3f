"""What wakes the thread that polls."""

import os
import threading
from contextlib import suppress


class Bell:
    """Any thread may ring it at any time, also after its end, when its number may be another file's."""

    def __init__(self) -> None:
        self.number = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()

    def ring(self) -> None:
        """Wake the thread, if it has not ended."""
        with self._lock:
            if self.number >= 0:
                with suppress(BlockingIOError):
                    os.eventfd_write(self.number, 1)

    def hear(self) -> None:
        """Have it rung no more."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.number)

    def close(self) -> None:
        """End it."""
        with self._lock:
            number, self.number = self.number, -1
            os.close(number)
