"""The spool: on the disk before it is acknowledged, bounded, and nothing is issued without it."""

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from sekisho.errors import SekishoError, ServiceUnavailable
from sekisho.journal import room, spool_file
from sekisho.journal.spool import Entry, Spool
from tests import harness, scraped
from tests.journal.conditions import denial, dropped, until
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
    monkeypatch.setattr(room, "LIMIT", 3)
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
    before = dropped("disk")
    assert error_of(spool, denial(1, "ListUsers")) != ""
    assert dropped("disk") == before + 1  # nobody would write what is folded now


def test_what_a_broken_disk_does_not_take_is_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db")
    spool.path = tmp_path / "nowhere" / "s.db"
    before = dropped("disk")
    assert [error_of(spool, denial(number, "ListUsers")) != "" for number in range(3)] == [True] * 3
    assert dropped("disk") == before + 3
    spool.path = tmp_path / "s.db"
    spool.close()


def error_of(spool: Spool, entry: Entry) -> str:
    """The message with which a spool refuses an entry that does not wait; empty when it takes it."""
    error = spool.add(entry).exception(60)
    return str(error) if error is not None else ""


FULL = "The spool is full, because the database has not taken its entries for long."
SHARE = "The account has its share of the spool, because the database has not taken its entries for long."


def test_denials_leave_room_for_what_must_be_recorded_and_for_other_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 200: denials have 100 of that, an account 10 of these."""
    monkeypatch.setattr(room, "LIMIT", 200)
    before = dropped("share"), dropped("full")
    spool = Spool(tmp_path / "s.db")
    assert [error_of(spool, Entry("audit", "{}", account="one")) for _ in range(12)] == [""] * 10 + [SHARE] * 2
    assert [error_of(spool, Entry("audit", "{}", account=f"account {n // 10}")) for n in range(91)] == [""] * 90 + [FULL]
    spool.append(Entry("audit", "issued", account="other"), timeout=60)
    assert (dropped("share"), dropped("full")) == (before[0] + 2, before[1] + 1)
    spool.close()
    again = Spool(tmp_path / "s.db")  # knows whose entries wait
    again.delivered(5)
    assert [error_of(again, Entry("audit", "{}", account="account 0")) for _ in range(1)] == [SHARE]
    assert [error_of(again, Entry("audit", "{}", account="one")) for _ in range(5)] == [""] * 4 + [FULL]
    again.close()


def test_what_an_account_issues_leaves_others_half_of_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LIMIT", 100)
    spool = Spool(tmp_path / "s.db")
    taken = {}
    for account in ("one", "two", "three"):
        taken[account] = 0
        with suppress(ServiceUnavailable):
            while True:
                spool.append(Entry("audit", "{}", account=account), timeout=60)
                taken[account] += 1
    assert taken == {"one": 50, "two": 25, "three": 13}
    spool.close()


def test_the_record_of_a_call_is_its_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without any permission, whose denials fill the account's share, keeps nobody from credentials."""
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as house:
        ann, nobody = house.user("ann"), house.user("nobody")
        document = trust(f"arn:aws:iam::{house.account_id}:user/ann")
        role = house.call("CreateRole", role_name="r", assume_role_policy_document=document).role.arn
        spool = Spool(tmp_path / "undrained.db")
        object.__setattr__(house.node, "spool", spool)
        monkeypatch.setattr(room, "LIMIT", 100)
        for _ in range(200):
            with pytest.raises(SekishoError, match="not authorized"):
                house.call("ListUsers", _as=nobody)
        assert house.assume(role, _as=ann).access_key_id.startswith("ASIA")
        assert [entry.account for entry in spool.waiting()] == [house.account_id] * 6  # five denials and the session
        spool.close()


@pytest.mark.parametrize("damage", ["no database", "a page"])
def test_a_damaged_spool_is_set_aside_and_another_made(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_file, "log", structlog.get_logger())  # one that no test has used: its processors are those of now
    path = tmp_path / "s.db"
    spool = Spool(path)
    for number in range(200):
        spool.add(Entry("audit", f"{number} " + "x" * 500))
    spool.close()
    body = bytearray(path.read_bytes())
    if damage == "no database":
        body[:100] = b"\0" * 100
    else:
        body[8192:20480] = b"\xff" * 12288
    path.write_bytes(body)
    with structlog.testing.capture_logs() as logs:
        again = Spool(path)
    (said,) = logs
    aside = Path(said.pop("path"))
    assert said == {
        "event": "spool.set_aside",
        "log_level": "error",
        "reason": "the file is damaged; what it held and the database has not is only there",
    }
    assert aside.read_bytes() == body
    assert aside.name.startswith("s.db.damaged-")
    again.append(Entry("audit", "new"), timeout=60)
    assert [entry.body for entry in again.waiting()] == ["new"]
    again.close()


def test_a_spool_that_is_damaged_underneath_is_set_aside_with_the_next_entry(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    spool = Spool(path)
    spool.append(Entry("audit", "old"), timeout=60)
    for suffix in ("-wal", ""):
        file = Path(f"{path}{suffix}")
        with file.open("r+b") as opened:  # the same file, other bytes
            opened.write(b"\xff" * file.stat().st_size)
    with pytest.raises(sqlite3.DatabaseError):
        spool.waiting()
    spool.append(Entry("audit", "new"), timeout=60)
    assert [entry.body for entry in spool.waiting()] == ["new"]
    spool.close()


@pytest.mark.parametrize("kind", ["deleted", "replaced"])
def test_a_spool_that_goes_underneath_is_noticed_with_the_next_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(room, "LIMIT", 2)
    path = tmp_path / "s.db"
    spool = Spool(path)
    spool.append(Entry("audit", "old"), timeout=60)
    spool.append(Entry("audit", "old"), timeout=60)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()
    if kind == "replaced":
        Spool(path).close()
    spool.waiting()  # does not mind
    monkeypatch.setattr(room, "LIMIT", 3)
    spool.append(Entry("audit", "new"), timeout=60)
    assert [entry.body for entry in spool.waiting()] == ["new"]
    spool.append(Entry("audit", "newer"), timeout=60)  # what went takes no room
    spool.append(Entry("audit", "newest"), timeout=60)
    assert [entry.body for entry in spool.waiting()] == ["new", "newer", "newest"]
    spool.close()


def test_a_spool_of_the_release_before_is_read_and_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    insert = "INSERT INTO entries (kind, body) VALUES ('audit', 'old')"
    with sqlite3.connect(path) as before:
        before.execute("CREATE TABLE entries (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL)")
        before.execute(insert)
    spool = Spool(path)
    spool.append(Entry("audit", "new", account="one"), timeout=60)
    with before:
        before.execute(insert)
    before.close()
    assert [(entry.body, entry.account) for entry in spool.waiting()] == [("old", ""), ("new", "one"), ("old", "")]
    spool.close()


def test_what_a_kill_would_lose_is_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db")
    before = scraped.value("sekisho_spool_unwritten")
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    written = [spool.add(Entry("audit", "{}")) for _ in range(3)]
    assert scraped.value("sekisho_spool_unwritten") == before + 3
    other.execute("ROLLBACK")
    other.close()
    assert [future.exception(60) for future in written] == [None] * 3
    spool.close()
    assert scraped.value("sekisho_spool_unwritten") == before


def test_what_was_noted_is_on_the_disk_soon_and_with_whatever_is_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "s.db")
    for number in range(3):
        spool.note(Entry("audit", f"read {number}"))
    until(lambda: len(spool.waiting()) == 3)
    monkeypatch.setattr("sekisho.journal.spool.LINGER", 3600)  # nothing but an entry that somebody waits for ends this
    spool.note(Entry("audit", "read 3"))
    spool.append(Entry("audit", "issued"), timeout=60)
    assert sorted(entry.body for entry in spool.waiting()) == ["issued", "read 0", "read 1", "read 2", "read 3"]
    spool.note(Entry("audit", "read 4"))
    spool.close()
    assert spool.waiting()[-1].body == "read 4"


def test_many_threads_note_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sekisho.journal.spool.LINGER", 0.001)
    monkeypatch.setattr("sekisho.journal.spool.BATCH", 7)
    spool = Spool(tmp_path / "s.db")

    def note(thread: int) -> None:
        for number in range(200):
            spool.note(Entry("audit", f"{thread}-{number}"))

    threads = [threading.Thread(target=note, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.close()
    assert sorted(entry.body for entry in spool.waiting(2000)) == sorted(
        f"{thread}-{number}" for thread in range(8) for number in range(200)
    )
