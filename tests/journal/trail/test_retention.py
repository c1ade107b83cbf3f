"""Retention: what is over goes, what somebody has to read stays, and the chain verifies whatever went."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from sekisho.journal.trail import checkpoints, cursors, evidence, retention, walk
from sekisho.journal.trail.checkpoints import Checkpoints
from sekisho.journal.trail.evidence import Wanted, Witness
from sekisho.journal.trail.retention import Retention
from sekisho.journal.trail.shipping import Shipping
from sekisho.store.tables import Account, AuditRecord, TrailAnchor, TrailCheckpoint, TrailResource, TrailRetention
from tests.journal.trail.records import NOW, ONE, TWO, Trail, made


def retain(trail: Trail, days: int = 90) -> None:
    """One look at all accounts."""
    step = Retention(trail.database, trail.ring, days=days, now=lambda: trail.now)
    while step.once():
        pass


def left(trail: Trail) -> list[str]:
    """The records that are there."""
    with trail.database.read() as session:
        assert session.scalar(select(func.count()).select_from(AuditRecord)) == len(walk.after(session, 0))
        return [record.id for _, record in walk.after(session, 0)]


def faults(trail: Trail, folder: Path | None = None) -> list[str]:
    return [str(fault) for fault in evidence.of_database(trail.database, Witness(trail.ring, folder), Wanted()).faults]


def test_what_is_over_goes_and_the_rest_verifies(trail: Trail, tmp_path: Path) -> None:
    mine = Checkpoints(trail.database, trail.ring, publish=[checkpoints.folder(tmp_path)], now=lambda: trail.now)
    arn = f"arn:aws:iam::{ONE}:user/ann"
    for day in range(10):
        trail.now = NOW + timedelta(days=day)
        named = f'[{{"ARN": "{arn}", "type": "AWS::IAM::User"}}]'
        record = made(f"d-{day}", (ONE, TWO)[day % 2], at=trail.now, resources=named)
        (trail.write if day % 3 else trail.spool)(record)
        trail.seal()
        mine.once()
        mine.publish()
    trail.now = NOW + timedelta(days=95)
    retain(trail)
    assert left(trail) == ["d-5", "d-6", "d-7", "d-8", "d-9"]
    assert faults(trail, tmp_path) == []
    with trail.database.read() as session:
        assert session.scalars(select(TrailResource.ordinal).where(TrailResource.name == arn).order_by(TrailResource.ordinal)).all() == [
            6, 7, 8, 9, 10,
        ]  # fmt: skip
        assert session.scalars(select(TrailCheckpoint.number).order_by(TrailCheckpoint.number)).all() == [6, 7, 8, 9, 10]
    trail.now = NOW + timedelta(days=1000)
    retain(trail)
    assert left(trail) == ["d-9"]  # from whose number the next one is counted
    assert faults(trail, tmp_path) == []
    trail.spool(made("new", at=trail.now))
    trail.write(made("newer", TWO, at=trail.now))
    trail.seal()
    mine.once()
    mine.publish()
    assert sorted(left(trail)) == ["d-9", "new", "newer"]
    assert faults(trail, tmp_path) == []


def test_checkpoints_go_a_few_at_a_time(trail: Trail, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = Checkpoints(trail.database, trail.ring, publish=[checkpoints.folder(tmp_path)], now=lambda: trail.now)
    for day in range(7):
        trail.now = NOW + timedelta(days=day)
        trail.write(made(f"d-{day}", at=trail.now))
        trail.seal()
        mine.once()
    mine.publish()
    trail.now = NOW + timedelta(days=95)
    monkeypatch.setattr(retention, "BATCH", 2)
    step = Retention(trail.database, trail.ring, days=90, now=lambda: trail.now)

    def kept() -> list[int]:
        with trail.database.read() as session:
            return list(session.scalars(select(TrailCheckpoint.number).order_by(TrailCheckpoint.number)))

    while left(trail) != ["d-5", "d-6"]:
        assert step.once()
    assert kept() == [1, 2, 3, 4, 5, 6, 7]
    seen = []
    while step.once():
        seen.append(kept())
    assert [numbers for numbers in seen if len(numbers) < 7] == [[3, 4, 5, 6, 7], [5, 6, 7]]
    assert kept() == [6, 7]


def test_newest_revisions_that_are_over_are_no_alarm(trail: Trail) -> None:
    trail.spool(made("kept", TWO, at=NOW + timedelta(days=100)))
    for number in range(3):
        trail.write(made(f"w-{number}"))
    trail.seal()
    trail.now = NOW + timedelta(days=100)
    retain(trail)
    assert left(trail) == ["kept"]
    assert faults(trail) == []


def test_an_account_says_its_own_days(trail: Trail) -> None:
    with trail.database.write(()) as session:
        session.add_all([Account(id=account, name=account, created_at=NOW) for account in (ONE, TWO)])
    with trail.database.write(()) as session:
        session.add(TrailRetention(account_id=ONE, days=10))
        session.add(TrailRetention(account_id=TWO, days=0))
    for number in range(4):
        trail.write(made(f"r-{number}", (ONE, TWO)[number % 2]))
    trail.write(made("other", "777788889999"))
    trail.seal()
    trail.now = NOW + timedelta(days=11)
    retain(trail)
    assert left(trail) == ["r-1", "r-3", "other"]
    trail.now = NOW + timedelta(days=100)
    retain(trail)
    assert left(trail) == ["r-1", "r-3"]
    assert faults(trail) == []


def test_nothing_goes_that_a_reader_has_not_come_to(trail: Trail) -> None:
    for number in range(6):
        trail.write(made(f"r-{number}"))
    trail.seal()
    with trail.database.write(()) as session:
        cursors.move(session, "sink", 0, 2)
    trail.now = NOW + timedelta(days=100)
    retain(trail)
    assert left(trail) == ["r-2", "r-3", "r-4", "r-5"]
    with trail.database.write(()) as session:
        cursors.move(session, "sink", 2, 6)
    retain(trail)
    assert left(trail) == []
    assert faults(trail) == []


def test_nothing_goes_while_a_sink_has_taken_nothing(trail: Trail) -> None:
    trail.write(made("a"))
    trail.seal()

    def fails(_events: object) -> None:
        raise OSError("the disk is full")

    ship = Shipping(trail.database, fails)
    with pytest.raises(OSError, match="full"):
        ship.once()
    ship.close()
    trail.now = NOW + timedelta(days=100)
    retain(trail)
    assert left(trail) == ["a"]


def test_zero_days_are_for_ever(trail: Trail) -> None:
    trail.write(made("a"))
    trail.seal()
    trail.now = NOW + timedelta(days=10_000)
    retain(trail, days=0)
    assert left(trail) == ["a"]


def test_more_days_than_a_clock_has_end_no_look_at_other_accounts(trail: Trail) -> None:
    with trail.database.write(()) as session:
        session.add(Account(id=ONE, name=ONE, created_at=NOW))
    with trail.database.write(()) as session:
        session.add(TrailRetention(account_id=ONE, days=2_000_000_000))
    trail.write(made("a"))
    trail.write(made("b", TWO))
    trail.seal()
    trail.now = NOW + timedelta(days=100)
    retain(trail)
    assert left(trail) == ["a"]


def test_who_moves_an_anchor_is_found(trail: Trail) -> None:
    for number in range(6):
        trail.write(made(f"r-{number}", at=NOW + timedelta(days=number)))
    trail.seal()
    trail.now = NOW + timedelta(days=92, hours=1)
    retain(trail)
    assert left(trail) == ["r-3", "r-4", "r-5"]
    with trail.database.write(()) as session:
        session.execute(update(TrailAnchor).values(sequence=4))
    assert faults(trail)[0].endswith("where the chain begins was not said by retention") or "place" in faults(trail)[0]
