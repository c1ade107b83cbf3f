"""Credentials for each call: those that last, and those that are renewed before they end."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf

from sekisho.sigv4 import Credentials

Source = Credentials | Callable[[], Credentials]
"""Credentials, or what gives them for each call: a source that renews temporary ones before they end."""

EARLY = timedelta(minutes=5)
"""How long before their end temporary credentials are renewed, of short ones when a third of their time is left; up to twice as early."""

PAUSE = timedelta(seconds=10)
"""How long after a failure the next try comes while the old credentials are good, up to twice as late."""

REST = timedelta(seconds=1)
"""How long a failure is the answer for all, where there are no credentials that are good: a server in trouble is asked once."""


class NoCredentialsError(Exception):
    """There are no credentials where they were looked for; says where."""


@dataclass(frozen=True, slots=True)
class Temporary:
    """Credentials and their end; None for those that do not end, or do not say when."""

    credentials: Credentials
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A source of credentials; where it is, for the sentence that says who asks; and `names`, what it is made from, without secrets."""

    source: Source
    place: str
    names: tuple[str, ...] = ()

    def credentials(self) -> Credentials:
        """The credentials of this moment."""
        return self.source if isinstance(self.source, Credentials) else self.source()

    def temporary(self) -> Temporary:
        """The credentials of this moment, with their end where the source knows it."""
        return self.source.temporary() if isinstance(self.source, Refreshing) else Temporary(self.credentials())


class Refreshing:
    """Credentials that are loaded when the first call needs them, and again before they end. Threads may share it.

    One thread renews them, and the others go on with those that there are; when that fails, all do until the old ones end.
    """

    def __init__(
        self,
        load: Callable[[], Temporary],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._load, self._now, self._chance = load, now, chance
        self._lock = threading.Lock()
        self._held: Temporary | None = None
        self._renew_at: datetime | None = None
        self._failed: tuple[datetime, NoCredentialsError] | None = None

    def __call__(self) -> Credentials:
        return self.temporary().credentials

    def cached_fresh(self) -> Credentials | None:
        """The credentials, if they need not be renewed yet: an answer that waits for nothing."""
        held = self._held
        return held.credentials if held is not None and self._is_fresh(self._now()) else None

    def lasts(self) -> float:
        """Seconds for which a stream can go on with the credentials of now: until they are due, or, if they are, until they end."""
        held, now = self._held, self._now()
        ends = self._renew_at if self._is_fresh(now) else held.ends if held is not None else None
        return (ends - now).total_seconds() if ends is not None else inf

    def temporary(self) -> Temporary:
        """The credentials and their end."""
        held, now = self._held, self._now()
        if held is not None and self._is_fresh(now):
            return held
        # Whoever has credentials that are good does not wait for the thread that renews them.
        if not self._lock.acquire(blocking=held is None or self._is_over(held, now)):
            assert held is not None
            return held
        try:
            return self._renewed()
        finally:
            self._lock.release()

    def _renewed(self) -> Temporary:
        """New credentials, unless another thread was faster; the old ones where there are no new ones and they are good."""
        held, now = self._held, self._now()
        if held is not None and self._is_fresh(now):
            return held
        if self._failed is not None and abs(now - self._failed[0]) < REST:
            raise self._failed[1]
        try:
            found = self._load()
        except NoCredentialsError as error:
            now = self._now()
            if held is None or self._is_over(held, now):
                self._failed = now, error
                raise
            self._renew_at = now + PAUSE * (1 + self._chance())
            return held
        now = self._now()
        # The moment first: a thread without the lock that sees the new credentials must not find them due for renewal.
        self._renew_at = renewal(found.ends, now, EARLY, self._chance())
        self._held, self._failed = found, None
        return found

    def _is_fresh(self, now: datetime) -> bool:
        return self._renew_at is None or now < self._renew_at

    @staticmethod
    def _is_over(held: Temporary, now: datetime) -> bool:
        return held.ends is not None and now >= held.ends


def renewal(ends: datetime | None, now: datetime, early: timedelta, chance: float) -> datetime | None:
    """The moment at which credentials that were had now are renewed; callers that began together do not all come back at once."""
    return None if ends is None else ends - min(early, (ends - now) / 3) * (1 + chance)
