"""Metrics of the lean listener, as a scrape has them."""

import time
from typing import Any

import pytest

from sekisho.edges.grpc.lean import counts
from sekisho.edges.grpc.lean.counts import ENDS, Counts


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The numbers that the metrics are told."""
    told: list[Any] = []

    class Metric:
        def __init__(self, name: str) -> None:
            self._name = name

        def inc(self, more: float) -> None:
            told.append((self._name, more))

        def mark(self) -> None:
            told.append(self._name)

    monkeypatch.setattr(counts, "CONNECTIONS", Metric("connections"))
    monkeypatch.setattr(counts, "TURNED", Metric("turned"))
    monkeypatch.setattr(counts, "_CALLS", {end: Metric(end) for end in ENDS})
    monkeypatch.setattr(counts, "_SHEDS", Metric("shed"))
    return told


def test_nothing_has_happened(shown: list[Any]) -> None:
    before = time.monotonic()
    made = Counts()
    between = time.monotonic()
    assert made.ends == dict.fromkeys(("inline", "passed", "refused", "connection"), 0)
    assert before <= made.turned <= between
    made.publish(0)
    assert between <= made.turned <= time.monotonic()
    assert shown == ["turned", ("connections", 0)]


def test_what_has_happened_is_told_once(shown: list[Any]) -> None:
    made = Counts()
    for number, end in enumerate(ENDS, 1):
        made.ends[end] += number
    made.publish(5)
    assert shown == ["turned", ("connections", 5), ("inline", 1), ("passed", 2), ("refused", 3), ("shed", 3), ("connection", 4)]
    shown.clear()
    made.ends["inline"] += 7
    made.publish(3)
    made.publish(3)
    assert shown == ["turned", ("connections", -2), ("inline", 7), "turned", ("connections", 0)]
