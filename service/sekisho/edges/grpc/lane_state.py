"""What a scrape learns of the polling lane: the state it is in, and what became of its calls."""

from sekisho import meters
from sekisho.edges.answers import SHEDS

STATE = meters.Gauge("sekisho_lane_state", "Whether the polling lane of a worker is in this state now.", ["state"])
CALLS = meters.Counter("sekisho_lane_calls", "Calls that came to a polling lane, by what became of them.", ["end"])

STATES = ("off", "unsupported", "polling", "retired")
"""Off: told so. Unsupported: this release of grpcio is not tested, or the self-test failed. Retired: something went wrong later."""
ENDS = ("inline", "passed", "refused", "empty")
"""Answered by the polling thread; passed on to the pool; too many; without a message."""

_CALLS = {end: CALLS.labels(end) for end in ENDS}
_SHEDS = SHEDS.labels("grpc-lane", "queue")


class Shown:
    """The state of one lane, as it is shown; nothing before the first, and after `hide`."""

    def __init__(self) -> None:
        self.state = ""

    def show(self, state: str) -> None:
        """Be in this state from now on."""
        self.hide()
        STATE.labels(state).inc()
        self.state = state

    def hide(self) -> None:
        """Be in none."""
        if self.state:
            STATE.labels(self.state).dec()
            self.state = ""


class Counts:
    """What became of calls: plain numbers, added to the counters now and then, for a counter takes a lock each time."""

    def __init__(self) -> None:
        self.ends = dict.fromkeys(ENDS, 0)
        self._shown = dict.fromkeys(ENDS, 0)

    def publish(self) -> None:
        """Bring the counters up to date."""
        for end, count in self.ends.items():
            if count != self._shown[end]:
                _CALLS[end].inc(count - self._shown[end])
                if end == "refused":
                    _SHEDS.inc(count - self._shown[end])
                self._shown[end] = count
