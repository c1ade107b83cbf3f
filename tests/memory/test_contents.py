"""What memory holds, and hands over to the disk and back."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sekisho.errors import SekishoError
from sekisho.memory import cold
from sekisho.memory.contents import Contents
from sekisho.memory.folded import NOTHING, Folded
from sekisho.memory.names import Name
from sekisho.memory.snapshot import Snapshot
from sekisho.store.changes import ORIGIN, Entry, Point
from sekisho.world import AccountRecord, Record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN, ABSENT = ("111122223333", "user", "ann"), ("111122223333", "user", "bob")
POINTS = [Point(6, "6" * 16), Point(7, "7" * 16)]
NAME = Name("AIDA1", "/", "Ann")


def opened(line: bytes) -> Record:
    """The account of a line; `lost` cannot be opened."""
    if line == b"lost":
        raise SekishoError("its key was forgotten")
    return AccountRecord(line.decode(), "ACTIVE")


def restored(open_: Callable[[bytes], Record] = opened, *, ago: float = 100.0) -> Contents:
    """Memory that began from a snapshot of so many seconds ago."""
    made = Contents(1 << 20, None)
    records: dict[str, Any] = {"a": b"a", "b": b"b", "lost": b"lost", "open": AccountRecord("open", "ACTIVE")}
    taken = Snapshot(POINTS[1], NOW - timedelta(seconds=ago), POINTS, records, ["none"], {ANN: NAME}, [ABSENT])
    made.restore(taken, NOW, open_, lambda _: None)
    return made


def test_memory_that_has_not_begun() -> None:
    made = Contents(1 << 20, 60.0)
    assert (made.point, made.size, made.confirmed.most, made._turn) == (ORIGIN, (0, 0), 60.0, 0)
    assert made._check is None
    assert not made._folded
    assert (made._log.get_after(0), made._log.get_after(-1)) == ([], None)
    assert made.confirmed.age < 30


def test_memory_begins_from_a_snapshot() -> None:
    made = restored()
    assert made.point == POINTS[1]
    assert [made.cached_point(number) for number in (5, 6, 7, 8)] == [None, *POINTS, None]
    assert [made.has_record(id_) for id_ in ("a", "b", "lost", "open", "none")] == [True, True, True, False, False]
    assert (made.is_absent("none"), made.is_absent("a")) == (True, False)
    assert (made._names.get_name(ANN), made._names.is_absent(ABSENT)) == (NAME, True)
    assert 100 <= made.confirmed.age < 130
    assert made.size[0] == 0, "nothing is opened"
    assert made._check is not None
    assert (made._log.get_after(7), made._log.get_after(6)) == ([], None)
    made._log.extend(8, [Entry(8, "", ())])
    assert made._log.touched(["111122223333"], 7)


def test_a_snapshot_that_is_still_to_come_is_confirmed_now() -> None:
    assert restored(ago=-100.0).confirmed.age < 30


def test_memory_that_has_begun_takes_no_snapshot() -> None:
    made = restored()
    with pytest.raises(ValueError, match=r"^the world has begun already$"):
        made.restore(made.taken(NOW), NOW, opened, lambda _: None)


def test_a_record_is_opened_when_somebody_asks_for_it_and_once() -> None:
    lines: list[bytes] = []

    def counted(line: bytes) -> Record:
        lines.append(line)
        return opened(line)

    made = restored(counted)
    for _ in range(2):
        assert made.cached_record("a") == AccountRecord("a", "ACTIVE")
        assert made.cached_record("lost") is None
        assert made.cached_record("nobody") is None
    assert lines == [b"a", b"lost"]
    assert made.size[0] == 1
    assert not made.has_record("lost")
    with cold.unwaiting():
        assert made.cached_record("a") is not None
        with pytest.raises(cold.Cold) as caught:
            made.cached_record("b")
    assert caught.value.wanted == "b"


def test_what_was_touched_while_it_was_opened_is_not_kept() -> None:
    made: Contents
    kept: AccountRecord | None = None

    def overtaken(line: bytes) -> Record:
        made._folded.evict(line.decode())
        if kept is not None:
            made._records.keep(line.decode(), kept)
        return opened(line)

    made = restored(overtaken)
    assert made.cached_record("a") is None
    assert made.size[0] == 0
    kept = AccountRecord("b", "SUSPENDED")
    assert made.cached_record("b") is kept, "another thread has opened it"


def test_what_another_thread_has_opened_meanwhile_is_found() -> None:
    made, kept = restored(), AccountRecord("c", "ACTIVE")
    made._records.keep("c", kept)
    assert made._unfolded("c") is kept
    assert made._unfolded("nobody") is None


def test_what_is_taken_for_the_disk() -> None:
    made = restored(ago=0.0)
    made.cached_record("b")
    made._records.keep_absent("too")
    made.confirmed.at = time.monotonic() - 50
    taken = made.taken(NOW)
    assert (taken.point, list(taken.points)) == (POINTS[1], POINTS)
    assert taken.records == {"a": b"a", "lost": b"lost", "b": AccountRecord("b", "ACTIVE")}
    assert (list(taken.absent), dict(taken.names), list(taken.absent_names)) == (["none", "too"], {ANN: NAME}, [ABSENT])
    assert timedelta(seconds=50) <= NOW - taken.confirmed_at < timedelta(seconds=80)


def test_a_finding_holds_while_its_records_are_the_very_same() -> None:
    made, record = Contents(1 << 20, None), AccountRecord("a", "ACTIVE")
    made._records.keep("a", record)
    made.keep_finding("key", "value", "owner", [("a", record)], 1)
    assert made.get_finding("key") == "value"
    found = made.findings.get("key")
    assert found is not None
    assert (found.turn, found.used) == (0, True)
    made._records.keep("a", AccountRecord("a", "ACTIVE"))
    assert made.get_finding("key") == "value", "of this turn it is known to hold"
    made._turn += 1
    assert made.get_finding("key") is None, "an equal record is another"
    made._records.keep("a", record)
    assert made.get_finding("key") == "value"
    assert found.turn == 1
    assert made._holds(found)
    assert made.get_finding("other") is None
    assert (made.findings.hits, made.findings.misses) == (3, 2)


def test_lines_by_id() -> None:
    folded = Folded({"a": b"a", "b": b"b", "c": AccountRecord("c", "ACTIVE")}, opened)
    assert folded
    assert (folded.get_line("a"), folded.get_line("c")) == (b"a", None)
    assert folded.all() == {"a": b"a", "b": b"b"}
    folded.evict("a")
    folded.evict("nobody")
    assert folded.all() == {"b": b"b"}
    folded.clear()
    assert not folded
    assert not NOTHING
    assert NOTHING.opened(b"a") is None
