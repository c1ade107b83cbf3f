"""What a worker says once a second about itself: how much it holds, what waits, what it has cost. All else is counted as it happens."""

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import structlog

from sekisho import meters
from sekisho.calls.call import Node
from sekisho.edges.lanes import Lanes
from sekisho.memory import vitals

INTERVAL = 1.0
"""Seconds."""

SPOOL = meters.Gauge("sekisho_spool_entries", "Entries of the spool that the database does not have yet.")
WAITING = meters.Gauge("sekisho_lane_waiting", "Calls that wait for a thread, by lane.", ["lane"])
RUNNING = meters.Gauge("sekisho_lane_running", "Calls that have a thread, by lane.", ["lane"])
CPU = meters.Gauge("sekisho_worker_cpu_seconds", "Seconds of processor time since the worker was started.")
RESIDENT = meters.Gauge("sekisho_worker_resident_bytes", "Bytes of memory that the worker has.")
STARTED = meters.Age("sekisho_worker_uptime_seconds", "Seconds since the worker began to serve.")

_STATM = Path("/proc/self/statm")  # of Linux; elsewhere nothing is said of it

log = structlog.get_logger(__name__)


class Gauges:
    """The thread that says it, while it is entered."""

    def __init__(self, node: Node, edges: Iterable[Lanes]) -> None:
        self._node, self._lanes = node, [lane for lanes in edges for lane in lanes]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gauges", daemon=True)

    def __enter__(self) -> "Gauges":
        STARTED.mark()
        self.tell()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def tell(self) -> None:
        """Say it now."""
        entries, size = self._node.world.size
        vitals.ENTRIES.labels("records").set(entries)
        vitals.BYTES.labels("records").set(size)
        SPOOL.set(self._node.spool.depth)
        for lane in self._lanes:
            WAITING.labels(lane.name).set(lane.waiting)
            RUNNING.labels(lane.name).set(lane.running)
        CPU.set(time.process_time())
        if _STATM.exists():
            RESIDENT.set(int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            try:
                self.tell()
            except Exception as error:  # a gauge that stands still is worth a line, and never the worker
                log.error("gauges.failing", error=type(error).__name__)
