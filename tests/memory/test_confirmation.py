"""When memory was last confirmed, and what that permits."""

import time
from types import SimpleNamespace

import pytest

from sekisho.memory import confirmation
from sekisho.memory.confirmation import Confirmation, Stale


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The monotonic clock, which stands at `now`: a power of two, so that sums are exact."""
    made = SimpleNamespace(now=1024.0)
    monkeypatch.setattr(confirmation, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def test_a_confirmation_is_as_old_as_its_moment(clock: SimpleNamespace) -> None:
    made = Confirmation(None)
    assert (made.at, made.lag, made.age) == (1024.0, 0.0, 0.0)
    clock.now += 100
    made.confirm(clock.now - 60)
    assert made.age == 60.0
    made.confirm(clock.now - 80)  # an older look, which came late
    assert made.age == 60.0


def test_what_a_database_that_lags_confirms_is_as_old_as_it_lags(clock: SimpleNamespace) -> None:
    made = Confirmation(None)
    made.lag = 300.0
    clock.now += 500
    made.confirm(clock.now)
    assert made.age == 300.0


def test_a_moment_that_is_still_to_come_is_now(clock: SimpleNamespace) -> None:
    made = Confirmation(None)
    made.confirm(clock.now + 1000)
    assert made.age == 0.0


@pytest.mark.parametrize(
    ("most", "ago", "is_stale"),
    [(60.0, 30, False), (60.0, 60, False), (60.0, 61, True), (None, 1e9, False), (0.0, 0, False), (0.0, 1, True)],
)
def test_only_what_is_older_than_may_be_is_refused(clock: SimpleNamespace, most: float | None, ago: float, is_stale: bool) -> None:
    made = Confirmation(most)
    clock.now += ago
    if not is_stale:
        made.refuse_stale()
        return
    with pytest.raises(Stale) as caught:
        made.refuse_stale()
    assert caught.value.message == "This node has not heard from its database for longer than it may answer without."


def test_the_clock_is_the_monotonic_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmation, "time", time)
    before = time.monotonic()
    assert before <= Confirmation(None).at <= time.monotonic()
