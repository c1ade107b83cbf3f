"""What revisions touched, by account."""

import pytest

from sekisho.memory import log
from sekisho.memory.log import Log, accounts_of
from sekisho.store.changes import Entry

ONE, TWO = "111122223333", "444455556666"


def test_an_account_is_touched_by_revisions_above_a_number_only() -> None:
    made = Log(0, 5, [Entry(3, ONE, ("AIDAEXAMPLE",)), Entry(5, TWO, ("AROAEXAMPLE", ONE))])
    assert [made.touched([TWO], number) for number in (4, 5, 6)] == [True, False, False]
    assert [made.touched([ONE], number) for number in (3, 4, 5)] == [True, True, False]  # by who changed it from another account, too
    assert not made.touched([], 0)


def test_a_revision_of_nobody_in_particular_may_touch_anybody() -> None:
    made = Log(0, 7, [Entry(7, None, ("ANPAEXAMPLE",))])
    assert [made.touched([ONE], number) for number in (6, 7)] == [True, False]


def test_what_came_after_a_number_in_its_order() -> None:
    entries = [Entry(number, ONE, ()) for number in (3, 4, 6)]
    made = Log(2, 6, entries)
    assert made.get_after(1) is None
    assert [made.get_after(number) for number in (2, 3, 5, 6)] == [entries, entries[1:], entries[2:], []]


def test_only_the_latest_revisions_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MOST", 3)
    made = Log(0, 4, [Entry(number, ONE if number < 3 else TWO, ()) for number in range(1, 5)])
    assert made.begins == 1
    assert made.get_after(0) is None
    assert [entry.number for entry in made.get_after(1) or ()] == [2, 3, 4]
    assert made.touched([ONE], 1)
    made.extend(6, [Entry(6, None, ())])
    assert made.begins == 3
    assert [entry.number for entry in made.get_after(3) or ()] == [4, 6]
    assert [made.touched([ONE], number) for number in (1, 6)] == [True, False]  # the sixth may be anybody's
    made.extend(20, ())
    assert (made.begins, made.get_after(17), made.get_after(16)) == (17, [], None)


def test_only_so_many_ids_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MOST_IDS", 4)
    made = Log(0, 3, [Entry(1, ONE, ("a", "b")), Entry(2, TWO, ("c",)), Entry(3, TWO, ("d",))])
    assert made.begins == 0  # four, which is no more than may be
    made.extend(4, [Entry(4, TWO, ("e",))])
    assert made.begins == 1
    assert [entry.number for entry in made.get_after(1) or ()] == [2, 3, 4]
    made.extend(5, [Entry(5, TWO, ("f",))])
    assert made.begins == 1
    made.extend(6, [Entry(6, TWO, ("g",) * 5)])
    assert (made.begins, made.get_after(6), made.get_after(5)) == (6, [], None)
    made.extend(7, [Entry(7, TWO, ("h",) * 4)])
    assert [entry.number for entry in made.get_after(6) or ()] == [7]


def test_an_account_is_forgotten_with_its_last_revision_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MOST", 3)
    made = Log(0, 3, [Entry(1, ONE, ()), Entry(2, TWO, ()), Entry(3, ONE, ())])
    made.extend(4, [Entry(4, TWO, ())])
    assert (made.touched([ONE], 2), made.touched([ONE], 0)) == (True, True)
    made.extend(6, [Entry(5, TWO, ()), Entry(6, TWO, ())])
    assert not made.touched([ONE], 0)
    assert made.touched([TWO, ONE], 0)


def test_whose_a_revision_is() -> None:
    assert accounts_of(Entry(1, ONE, ("AIDAEXAMPLE", TWO))) == {ONE, TWO}
    assert accounts_of(Entry(1, None, ("AIDAEXAMPLE",))) == {""}


def test_a_log_of_nothing_begins_where_the_world_does() -> None:
    made = Log(7, 7)
    assert (made.begins, made.get_after(7), made.get_after(6)) == (7, [], None)
    assert not made.touched([ONE], 0)
