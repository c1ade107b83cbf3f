"""When memory was last confirmed, and what that permits."""

import time

import pytest

from sekisho.memory.confirmation import Confirmation, Stale


def test_a_confirmation_is_as_old_as_its_moment() -> None:
    before = time.monotonic()
    made = Confirmation(None)
    assert before <= made.at <= time.monotonic()
    assert made.lag == 0.0
    made.at = time.monotonic() - 100
    made.confirm(made.at + 40)
    assert 60 <= made.age < 90
    made.confirm(made.at - 20)  # an older look, which came late
    assert 60 <= made.age < 90


def test_what_a_database_that_lags_confirms_is_as_old_as_it_lags() -> None:
    made = Confirmation(None)
    made.at, made.lag = time.monotonic() - 500, 300.0
    made.confirm(time.monotonic())
    assert 300 <= made.age < 330


def test_a_moment_that_is_still_to_come_is_now() -> None:
    made = Confirmation(None)
    made.confirm(time.monotonic() + 1000)
    assert made.age == 0.0


@pytest.mark.parametrize(("most", "ago", "is_stale"), [(60.0, 30, False), (60.0, 90, True), (None, 1e9, False), (0.0, 1, True)])
def test_only_what_is_older_than_may_be_is_refused(most: float | None, ago: float, is_stale: bool) -> None:
    made = Confirmation(most)
    made.at = time.monotonic() - ago
    if not is_stale:
        made.refuse_stale()
        return
    with pytest.raises(Stale) as caught:
        made.refuse_stale()
    assert caught.value.message == "This node has not heard from its database for longer than it may answer without."


def test_as_old_as_may_be_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Confirmation(60.0)
    monkeypatch.setattr(time, "monotonic", lambda: made.at + 60.0)
    made.refuse_stale()
