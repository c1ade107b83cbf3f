"""What revisions touched, by account."""

from sekisho.memory.log import Log
from sekisho.store.changes import Entry

ONE, TWO = "111122223333", "444455556666"


def test_an_account_is_touched_by_revisions_above_a_number_only() -> None:
    log = Log(0, 5, [Entry(3, ONE, ("AIDAEXAMPLE",)), Entry(5, TWO, ("AROAEXAMPLE", ONE))])
    assert [log.touched([TWO], number) for number in (4, 5, 6)] == [True, False, False]
    assert [log.touched([ONE], number) for number in (3, 4, 5)] == [True, True, False]  # by who changed it from another account, too
    assert not log.touched([], 0)


def test_a_revision_of_nobody_in_particular_may_touch_anybody() -> None:
    log = Log(0, 7, [Entry(7, None, ("ANPAEXAMPLE",))])
    assert [log.touched([ONE], number) for number in (6, 7)] == [True, False]


def test_what_came_after_a_number_in_its_order() -> None:
    entries = [Entry(number, ONE, ()) for number in (3, 4, 6)]
    log = Log(2, 6, entries)
    assert log.get_after(1) is None
    assert [log.get_after(number) for number in (2, 3, 5, 6)] == [entries, entries[1:], entries[2:], []]
