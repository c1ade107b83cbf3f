"""The kinds of metrics, with the interface of prometheus_client as far as we use it.

In one run, an increment here took 0.6 µs and an observation 0.8; in what prometheus_client has for several processes 1.7 and 5.7
(docs/decisions/0012-meters-of-all-workers.md).
"""

import math
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sekisho.meters.sheet import SHEET, Key, Series

MOST = 4096
"""Series of one metric; what comes after is counted together, under `other`."""

OTHER = "other"

SECONDS = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The bounds of a histogram of times: from a decision to the longest that a call may take."""

S = TypeVar("S", bound=Series)

_lock = SHEET.lock


class Count(Series):
    """A number that grows."""

    __slots__ = ()

    def inc(self, amount: float = 1.0) -> None:
        """Count one more, or so many."""
        with _lock:
            self.numbers[0] += amount


class Level(Series):
    """A number of the present."""

    __slots__ = ()

    def set(self, value: float) -> None:
        """Say what it is."""
        with _lock:
            self.numbers[0] = value

    def inc(self, amount: float = 1.0) -> None:
        """Say that it is one more, or so many."""
        with _lock:
            self.numbers[0] = amount if math.isnan(self.numbers[0]) else self.numbers[0] + amount

    def dec(self, amount: float = 1.0) -> None:
        """Say that it is one less, or so many."""
        self.inc(-amount)


class Since(Series):
    """A moment on the monotonic clock, which all processes of a machine share."""

    __slots__ = ()

    def mark(self, *, ago: float = 0.0) -> None:
        """It happened now, or so many seconds ago."""
        with _lock:
            self.numbers[0] = time.monotonic() - ago


class Spread(Series):
    """The sum of what was observed, then how often it fell into each bucket, the last of which has no bound."""

    __slots__ = ("_bounds",)

    def __init__(self, key: Key, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        super().__init__(key, len(bounds) + 2, first=0.0, adds=True)

    def observe(self, value: float) -> None:
        """Count a value."""
        at = bisect_left(self._bounds, value) + 1
        with _lock:
            numbers = self.numbers
            numbers[0] += value
            numbers[at] += 1.0


class Family(Generic[S]):
    """A metric with its labels; FAMILIES has it by name. `made` makes the series of a key."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], made: Callable[[Key], S]) -> None:
        if name in FAMILIES:
            raise ValueError(f"there are two metrics `{name}`")
        self.name, self.documentation, self.label_names = name, documentation, tuple(labels)
        self._made = made
        self._series: dict[tuple[str, ...], S] = {}
        self._lock = threading.Lock()
        FAMILIES[name] = self
        if not self.label_names:
            self.labels()

    def labels(self, *values: object) -> S:
        """The series of these values; to be kept by whoever counts often."""
        wanted = tuple(map(str, values))
        found = self._series.get(wanted)
        if found is None:
            if len(wanted) != len(self.label_names):
                raise ValueError(f"`{self.name}` has the labels {', '.join(self.label_names)}")
            with self._lock:
                if len(self._series) >= MOST:
                    wanted = (OTHER,) * len(wanted)
                found = self._series.get(wanted)
                if found is None:
                    found = self._made((self.name, wanted))
                    SHEET.add(found)
                    self._series[wanted] = found
        return found


class Counter(Family[Count]):
    """What happened so often; its name, to which Prometheus adds `_total`, is a plural."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, documentation, labels, lambda key: Count(key, 1, first=0.0, adds=True))

    def inc(self, amount: float = 1.0) -> None:
        """Count one more of a metric without labels."""
        self.labels().inc(amount)


class Gauge(Family[Level]):
    """What is so much now, of each worker; of one that has not said it, nothing is shown."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, documentation, labels, lambda key: Level(key, 1, first=math.nan, adds=False))

    def set(self, value: float) -> None:
        """Say how much it is, of a metric without labels."""
        self.labels().set(value)

    def inc(self, amount: float = 1.0) -> None:
        """Say that it is so much more."""
        self.labels().inc(amount)

    def dec(self, amount: float = 1.0) -> None:
        """Say that it is so much less."""
        self.labels().dec(amount)


class Age(Family[Since]):
    """Seconds since something happened, of each worker: it grows also where the worker hangs. Before the first time, nothing is shown."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, documentation, labels, lambda key: Since(key, 1, first=math.nan, adds=False))

    def mark(self, *, ago: float = 0.0) -> None:
        """It happened now, or so many seconds ago."""
        self.labels().mark(ago=ago)


class Histogram(Family[Spread]):
    """How long something took, or how large it was."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = (), *, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = tuple(bounds)
        super().__init__(name, documentation, labels, lambda key: Spread(key, self.bounds))

    def observe(self, value: float) -> None:
        """Count a value, of a metric without labels."""
        self.labels().observe(value)


FAMILIES: dict[str, Family[Any]] = {}
"""Every metric, by its name."""
