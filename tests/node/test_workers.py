"""When a dead worker is replaced, and what the supervisor does when one does not come up."""

import pytest

from sekisho.node import workers


@pytest.mark.parametrize(
    ("deaths", "served", "seconds"),
    [
        (0, True, 0.0), (1, True, 0.1), (2, True, 0.2), (3, True, 0.4), (4, True, 0.5), (1000, True, 0.5),
        (1, False, 0.1), (4, False, 0.8), (6, False, 3.2), (7, False, 5.0), (10_000, False, 5.0),
    ],
)  # fmt: skip
def test_the_pause_before_a_worker_is_replaced_doubles_and_is_bounded(deaths: int, served: bool, seconds: float) -> None:
    assert workers.pause(deaths, served=served) == pytest.approx(seconds)


def test_long_service_makes_up_for_earlier_deaths() -> None:
    place = workers._Place(0)
    for now in (1.0, 2.0, 3.0):
        place.serving = now - 0.5
        place.vacate(now)
    assert (place.deaths, place.due) == (3, 3.4)
    place.serving = 4.0
    place.vacate(4.0 + workers.STEADY)
    assert (place.deaths, place.due) == (0, 4.0 + workers.STEADY)
