"""Spans of time in which a trail logs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from sekisho.journal.trail import spans
from tests.journal.trail.records import NOW


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def logged(*of: tuple[int, int | None]) -> Any:
    made = [spans.begun("t-1", at(begin)) for begin, _ in of]
    for span, (_, end) in zip(made, of, strict=True):
        span.ended_at = at(end) if end is not None else None
    return made


@pytest.mark.parametrize(
    ("of", "covered"),
    [
        ((), []),
        (((2, 4),), [2, 3, 4]),
        (((2, 3), (5, None)), [2, 3, 5, 6, 7]),
        (((1, 6), (3, 4)), [1, 2, 3, 4, 5, 6]),
        (((1, None), (3, 4)), [1, 2, 3, 4, 5, 6, 7]),
        (((1, 2), (1, 1), (4, 4)), [1, 2, 4]),
    ],
)
def test_spans_have_their_ends_and_may_overlap(of: tuple[tuple[int, int | None], ...], covered: list[int]) -> None:
    is_covered = spans.covering(logged(*of))
    assert [second for second in range(8) if is_covered(at(second))] == covered
    assert is_covered(at(8)) is (covered[-1:] == [7])


def test_an_event_is_not_compared_with_each_span() -> None:
    read = []

    @dataclass
    class Span:
        number: int

        @property
        def began_at(self) -> datetime:
            read.append(self.number)
            return at(2 * self.number)

        @property
        def ended_at(self) -> datetime:
            read.append(self.number)
            return at(2 * self.number + 1)

    many: Any = [Span(number) for number in range(100)]
    is_covered = spans.covering(many)
    found = [is_covered(at(half / 2)) for half in range(402)]
    assert found == [half % 4 in (0, 1, 2) if half < 399 else False for half in range(402)]
    assert len(read) == 200
