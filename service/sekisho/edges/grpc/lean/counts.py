"""What a scrape learns of the lean listener: its connections, and what became of its calls."""

import time

from sekisho import meters
from sekisho.edges.answers import SHEDS

CONNECTIONS = meters.Gauge("sekisho_lean_connections", "Connections to the lean listener.")
TURNED = meters.Age("sekisho_lean_turn_age_seconds", "Since the thread of the lean listener last looked around, which it does each second.")
CALLS = meters.Counter("sekisho_lean_calls", "Calls that came to the lean listener, by what became of them.", ["end"])

ENDS = ("inline", "passed", "refused", "connection")
"""Answered by the polling thread; by a thread of its class of calls; too many; came with a connection that was too many."""

_CALLS = {end: CALLS.labels(end) for end in ENDS}
_SHEDS = SHEDS.labels("grpc-lean", "queue")


class Counts:
    """Plain numbers, added to the counters now and then, for a counter takes a lock each time."""

    def __init__(self) -> None:
        self.ends = dict.fromkeys(ENDS, 0)
        self._shown = dict.fromkeys(ENDS, 0)
        self._connections = 0
        self.turned = time.monotonic()
        """When the thread last looked around."""

    def publish(self, connections: int) -> None:
        """Bring the metrics up to date, of a thread that turns."""
        self.turned = time.monotonic()
        TURNED.mark()
        CONNECTIONS.inc(connections - self._connections)
        self._connections = connections
        for end, count in self.ends.items():
            if more := count - self._shown[end]:
                _CALLS[end].inc(more)
                if end == "refused":
                    _SHEDS.inc(more)
                self._shown[end] = count
