"""Used signatures are forgotten minute by minute, when both clocks say that they verify no longer, and then there is room again."""

from datetime import timedelta

import pytest

from tests.calls.test_replays import ENDS, Kept


@pytest.mark.parametrize(("wall", "steady"), [(1e6, 300.0), (360.0, 1e6), (299.0, 1e6), (-1e6, 1e6)])
def test_a_minute_is_over_by_both_clocks(wall: float, steady: float) -> None:
    kept = Kept()
    kept.use(1)
    kept.wall, kept.steady = wall, steady
    kept.use(2, ends=ENDS + timedelta(days=100))
    assert kept.replays.size == 2
    assert kept.use(1) == "RequestReplayed"
    kept.wall, kept.steady = max(wall, 360.5), max(steady + 1, 300.5)
    kept.use(3, ends=ENDS + timedelta(days=100))
    assert kept.replays.size == 2


def test_what_has_ended_is_looked_for_once_a_second() -> None:
    kept = Kept()
    kept.use(1)
    late = ENDS + timedelta(days=1)
    kept.wall, kept.steady = 0.0, 299.5
    kept.use(2, ends=late)
    kept.wall, kept.steady = 400.0, 300.4
    kept.use(3, ends=late)
    assert kept.replays.size == 3
    kept.steady = 300.5
    kept.use(4, ends=late)
    assert kept.replays.size == 3


def test_an_account_whose_signatures_are_forgotten_has_its_room_again() -> None:
    kept = Kept(most=4)
    assert [kept.use(number, "a") for number in range(2)] == ["ok", "ok"]
    assert kept.use(0, "b", ends=ENDS + timedelta(minutes=10)) == "ok"
    assert kept.use(2, "a") == kept.use(1, "b") == "Throttling"
    kept.wall = kept.steady = 400.0
    later = ENDS + timedelta(minutes=10)
    assert [kept.use(number, "a", ends=later) for number in range(3)] == ["ok", "ok", "Throttling"]
    assert kept.replays.size == 3
    assert kept.replays._held == {"a": 2, "b": 1}
