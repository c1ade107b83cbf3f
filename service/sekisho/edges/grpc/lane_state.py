"""What a scrape learns of the polling lane: the state it is in, and what became of its calls."""

from prometheus_client import Counter, Gauge

STATE = Gauge("sekisho_lane_state", "Polling lanes that are in this state now.", ["state"], multiprocess_mode="livesum")
CALLS = Counter("sekisho_lane_calls", "Calls that came to a polling lane, by what became of them.", ["end"])

STATES = ("off", "unsupported", "polling", "retired")
"""Off: told so. Unsupported: this release of grpcio is not tested, or the self-test failed. Retired: something went wrong later."""
ENDS = ("inline", "passed", "refused", "empty")
"""Answered by the polling thread; passed on to the pool; too many; without a message."""

for _state in STATES:
    STATE.labels(_state)
for _end in ENDS:
    CALLS.labels(_end)


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
                CALLS.labels(end).inc(count - self._shown[end])
                self._shown[end] = count
