"""When a failed call is tried again: seldom, later each time, and not at all while most calls fail."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sekisho.client.errors import Error, Unavailable


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and after how many seconds: before the n-th repetition a random time from a half of `first * 2 ** (n - 1)` to all of it,
    at most `longest`. Sooner, all could be over before the connection is tried again, for which gRPC takes a tenth of a second.
    """

    attempts: int = 4
    first: float = 0.1
    longest: float = 2.0

    def wait(self, repetition: int, random: Callable[[], float]) -> float:
        """Seconds to wait before a repetition, counted from 1; jitter, so that callers do not come back all at once.

        Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
        """
        return (1.0 + random()) / 2.0 * min(self.longest, self.first * 2.0 ** (repetition - 1))


NEVER = Retries(attempts=1)


class Budget:
    """Ten repetitions, and a tenth of one back for each answered call.

    A server in trouble gets a few calls more, not four times as many.
    """

    def __init__(self, tokens: float = 10.0, *, refund: float = 0.1) -> None:
        self._most = self._tokens = tokens
        self._refund = refund
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether there is a repetition left, which then is used."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    def give_back(self) -> None:
        """A call was answered."""
        with self._lock:
            self._tokens = min(self._most, self._tokens + self._refund)


def worth_repeating(error: Error, *, repeatable: bool) -> bool:
    """Whether a second try may succeed and cannot do harm: a write only when the server itself says that nothing was written."""
    return isinstance(error, Unavailable) and (repeatable or error.answered)
