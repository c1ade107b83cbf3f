"""The line before the polling thread: how many may wait, and for whom there is a place."""

from collections.abc import Mapping

import pytest

from sekisho.edges.grpc.lean.line import FEWEST, MOST, Line

SOME = 8
"""Places, in most of these tests."""
PARTS = [f"p{number}" for number in range(SOME)]


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line[int]:
    """A line of few places."""
    monkeypatch.setattr(Line, "most", SOME)
    return Line()


def come(line: Line[int], waiting: Mapping[tuple[str, str], int]) -> None:
    """Have so many calls of each account and part come in."""
    for (account, part), count in waiting.items():
        for _ in range(count):
            line.enter(account, part)


def parts_of(line: Line[int]) -> dict[str, dict[str, int]]:
    """The parts of accounts that have several, with how many calls each has."""
    return {account: dict(parts) for account, parts in line._parts.items()}


A, B, AP, AQ = ("a", ""), ("b", ""), ("a", "p"), ("a", "q")
REFUSED: dict[str, tuple[Mapping[tuple[str, str], int], tuple[str, str], bool]] = {
    "a free place": ({A: 7}, A, False),
    "none": ({A: 8}, A, True),
    "none beyond those there are": ({A: 9}, A, True),
    "another account has all": ({A: 8}, B, False),
    "less than a share": ({A: 5, B: 3}, B, False),
    "more than a share": ({A: 5, B: 3}, A, True),
    "a share": ({A: 4, B: 4}, B, True),
    "as many accounts as places": ({(str(number), ""): 1 for number in range(8)}, ("0", ""), True),
    "more accounts than places": ({(str(number), ""): 1 for number in range(9)}, ("0", ""), True),
    "one account more": ({(str(number), ""): 1 for number in range(9)}, A, False),
    "a part beside the account's own": ({A: 8}, AP, False),
    "a part of an account with less than a share": ({A: 1, AP: 2, B: 5}, AP, False),
    "a part with its share": ({A: 4, AP: 4}, AP, True),
    "a part with less than its share": ({A: 5, AP: 3}, AP, False),
    "its own part with its share": ({A: 4, AP: 4}, A, True),
    "its own part with less than its share": ({A: 3, AP: 5}, A, False),
    "its own part with one call": ({A: 1, AP: 7}, A, False),
    "one part more": ({A: 4, AP: 4}, AQ, False),
    "one part more than a share has places": ({("a", part): 1 for part in PARTS}, AP, True),
    "its own part beside as many as places": ({("a", part): 1 for part in PARTS}, A, False),
    "its own part among as many as places": ({A: 1} | {("a", part): 1 for part in PARTS}, A, True),
    "nearly twice the share": ({A: 8, AP: 4, AQ: 3}, ("a", "r"), False),
    "twice the share": ({A: 8, AP: 4, AQ: 4}, ("a", "r"), True),
    "its own part when others have twice the share": ({AP: 8, AQ: 8}, A, False),
}


@pytest.mark.parametrize("name", REFUSED)
def test_for_whom_there_is_no_place(line: Line[int], name: str) -> None:
    waiting, given, expected = REFUSED[name]
    come(line, waiting)
    assert line.refuses(*given) is expected
    if not given[1]:
        assert line.refuses(given[0]) is expected


def test_who_has_come_in_and_left_again(line: Line[int]) -> None:
    assert (line.waiting, line.ready) == (0, 0)
    come(line, {A: 2, B: 1})
    line.enter("b")
    assert (line.waiting, dict(line._of), parts_of(line)) == (4, {"a": 2, "b": 2}, {})
    for left in (3, 2):
        line.leave("b")
        assert line.waiting == left
    line.leave("a", "")
    assert (line.waiting, dict(line._of), parts_of(line)) == (1, {"a": 1}, {})


def test_parts_are_counted_as_long_as_there_are_several(line: Line[int]) -> None:
    line.enter("a", "p")
    assert parts_of(line) == {"a": {"p": 1}}
    line.enter("a")
    line.enter("a", "p")
    assert parts_of(line) == {"a": {"p": 2, "": 1}}
    line.leave("a", "p")
    assert parts_of(line) == {"a": {"p": 1, "": 1}}
    line.leave("a")
    assert parts_of(line) == {"a": {"p": 1}}
    line.leave("a", "p")
    assert (parts_of(line), dict(line._of), line.waiting) == ({}, {}, 0)


def test_the_account_s_own_calls_are_a_part_once_there_is_another(line: Line[int]) -> None:
    come(line, {A: 2, AP: 1, B: 1})
    assert parts_of(line) == {"a": {"": 2, "p": 1}}
    line.leave("a", "p")
    assert (parts_of(line), dict(line._of)) == ({}, {"a": 2, "b": 1})


def test_parts_that_stay_when_another_leaves(line: Line[int]) -> None:
    come(line, {AP: 1, AQ: 1})
    line.leave("a", "q")
    assert parts_of(line) == {"a": {"p": 1}}


def test_parts_are_answered_in_turn() -> None:
    line = Line[int]()
    line.put("a", 1, "")
    line.put("a", 2)
    line.put("a", 3, "p")
    assert line.ready == 3
    taken = [line.take() for _ in range(4)]
    assert [found and found[:2] for found in taken] == [("a", 1), ("a", 3), ("a", 2), None]
    assert line.ready == 0


def test_as_many_may_wait_as_take_a_moment() -> None:
    """By what calls have cost of late; few may however long they take."""
    line = Line[int]()
    assert line.most == MOST
    line.settle("a", expected=0.0, spent=0.008)  # a twentieth of which counts
    assert line.most == 80
    line.settle("a", expected=0.0, spent=0.1)
    assert line.most == FEWEST


def test_what_a_call_has_cost_is_charged_to_its_account() -> None:
    line = Line[int]()
    for call in (1, 2, 3):
        line.put("a", call)
        line.put("b", call)
    for spent in (0.5, 0.0):
        taken = line.take()
        assert taken is not None
        line.settle(taken[0], expected=taken[2], spent=spent)
    found = [line.take() for _ in range(4)]
    assert [one and one[:2] for one in found] == [("a", 2), ("b", 2), ("b", 3), ("a", 3)]  # its second stood there by its old time
    before = line._ready._accounts["a"].time
    line.settle("a", expected=0.0, spent=0.5)  # of one that was not in the queue
    assert line._ready._accounts["a"].time == before
