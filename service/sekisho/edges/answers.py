"""What is counted of calls as they leave an edge: how they ended, how long they took, and which were turned away before they began."""

import time

from sekisho import meters
from sekisho.operations import Operation

CALLS = meters.Counter(
    "sekisho_calls",
    "Calls that were answered, by edge, service, rpc and code: that of gRPC, over HTTP the status.",
    ["edge", "service", "rpc", "code"],
)
SECONDS = meters.Histogram(
    "sekisho_call_seconds", "Seconds from a thread's taking a call to its answer, by edge, service and rpc.", ["edge", "service", "rpc"]
)
SHEDS = meters.Counter(
    "sekisho_sheds",
    "Calls that were refused because there was no room for them, by lane and by what there was too much of.",
    ["lane", "reason"],
)


class Answers:
    """Of one operation over one edge. What has been counted once is found again without its labels: this is on the way of every call."""

    __slots__ = ("_codes", "_labels", "_seconds")

    def __init__(self, edge: str, operation: Operation) -> None:
        self._labels = (edge, operation.service.package, operation.name)
        self._codes: dict[str, meters.Count] = {}
        self._seconds: meters.Spread | None = None

    def count(self, code: str, began: float) -> None:
        """A call that began then (time.perf_counter) was answered with this code."""
        counted = self._codes.get(code)
        if counted is None:
            counted = self._codes[code] = CALLS.labels(*self._labels, code)
        counted.inc()
        if self._seconds is None:
            self._seconds = SECONDS.labels(*self._labels)
        self._seconds.observe(time.perf_counter() - began)
