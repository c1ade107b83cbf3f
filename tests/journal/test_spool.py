"""The spool: on the disk before it is acknowledged, bounded, and nothing is issued without it."""

import sqlite3
import threading
from pathlib import Path

import pytest

from sekisho.errors import SekishoError, ServiceUnavailable
from sekisho.journal import spool as spool_module
from sekisho.journal.spool import Entry, Spool
from tests import harness
from tests.services.iam.documents import trust


def test_entries_come_back_in_their_order_and_go_when_they_are_delivered(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db")
    for number in range(5):
        spool.append(Entry("audit", f"body {number}"), timeout=60)
    assert [(entry.kind, entry.body) for entry in spool.waiting(3)] == [("audit", "body 0"), ("audit", "body 1"), ("audit", "body 2")]
    spool.delivered(spool.waiting(2)[-1].number)
    spool.close()
    again = Spool(tmp_path / "s.db")  # after a restart
    assert [entry.body for entry in again.waiting()] == ["body 2", "body 3", "body 4"]
    again.delivered(again.waiting()[-1].number)
    again.append(Entry("audit", "body 5"), timeout=60)
    assert [entry.number for entry in again.waiting()] == [6]  # a number is never given twice: `delivered` would forget too much
    again.close()


def test_many_threads_append_at_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db")

    def append(thread: int) -> None:
        for number in range(20):
            spool.append(Entry("audit", f"{thread}-{number}"), timeout=60)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bodies = [entry.body for entry in spool.waiting(1000)]
    assert sorted(bodies) == sorted(f"{thread}-{number}" for thread in range(8) for number in range(20))
    for one in range(8):
        assert [body for body in bodies if body.startswith(f"{one}-")] == [f"{one}-{number}" for number in range(20)]
    spool.close()


def test_what_is_acknowledged_is_on_the_disk_whoever_else_looks(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db")
    spool.append(Entry("audit", "body"), timeout=60)
    other = sqlite3.connect(tmp_path / "s.db")
    assert other.execute("SELECT body FROM entries").fetchall() == [("body",)]
    other.close()
    spool.close()


def test_a_spool_that_is_full_takes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "LIMIT", 3)
    spool = Spool(tmp_path / "s.db")
    for number in range(3):
        spool.append(Entry("audit", str(number)), timeout=60)
    with pytest.raises(ServiceUnavailable, match="The spool is full"):
        spool.append(Entry("audit", "3"), timeout=60)
    spool.close()
    again = Spool(tmp_path / "s.db")
    with pytest.raises(ServiceUnavailable, match="The spool is full"):
        again.append(Entry("audit", "3"), timeout=60)
    again.delivered(1)
    again.append(Entry("audit", "3"), timeout=60)
    assert [entry.body for entry in again.waiting()] == ["1", "2", "3"]
    again.close()


def test_a_disk_that_does_not_take_it_in_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db")
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ServiceUnavailable, match="nothing was issued"):
        spool.append(Entry("audit", "late"), timeout=0.2)
    other.execute("ROLLBACK")
    other.close()
    spool.append(Entry("audit", "in time"), timeout=60)
    spool.close()


def test_a_spool_that_cannot_be_written_issues_nothing_and_recovers(tmp_path: Path) -> None:
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as house:
        ann = house.user("ann")
        document = trust(f"arn:aws:iam::{house.account_id}:user/ann")
        role = house.call("CreateRole", role_name="r", assume_role_policy_document=document).role.arn
        spool = Spool(tmp_path / "broken.db")
        good, spool.path = spool.path, tmp_path / "nowhere" / "s.db"
        object.__setattr__(house.node, "spool", spool)
        with pytest.raises(SekishoError) as caught:
            house.assume(role, _as=ann)
        assert (caught.value.code, caught.value.grpc) == ("ServiceUnavailable", "UNAVAILABLE")
        assert caught.value.message == "The spool cannot be written, so nothing was issued or recorded."
        assert str(tmp_path) not in caught.value.message
        house.call("CreateUser", user_name="bob")  # a write has its record in its own transaction
        spool.path = good
        assert house.assume(role, _as=ann).access_key_id.startswith("ASIA")
        spool.close()


def test_a_spool_whose_thread_has_ended_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db")
    spool.close()
    with pytest.raises(ServiceUnavailable):
        spool.append(Entry("audit", "body"), timeout=60)
