"""Entries that the spool has no room for are folded: how, how many, and that they arrive."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from sekisho.errors import SekishoError
from sekisho.journal import folds, room
from sekisho.journal.spool import FOLDED, Entry, Spool
from sekisho.node import drain
from sekisho.store.tables import AuditRecord
from tests import harness
from tests.journal.conditions import denial, dropped, until


def folded(spool: Spool) -> list[tuple[str, str, int]]:
    """Entries that wait and stand for several: whose it is, the first of them, and their number."""
    records = [(entry.account, json.loads(entry.body)) for entry in spool.waiting() if entry.kind == FOLDED]
    assert all(record["at"] <= record["last_at"] for _, record in records)
    return [(account, record["id"], record["count"]) for account, record in records]


def test_denials_beyond_the_share_are_folded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 200: denials have 100 of that, an account 10 of these."""
    monkeypatch.setattr(room, "LIMIT", 200)
    before = dropped("share")
    spool = Spool(tmp_path / "s.db")
    for number in range(30):
        spool.add(denial(number, ("ListUsers", "GetUser")[number % 2]))
    spool.flush()
    spool.append(Entry("mark", "{}"), timeout=60)
    assert folded(spool) == []  # there is no room for them either
    spool.delivered(spool.waiting()[-1].number)
    spool.flush()
    spool.flush()  # they are written once
    spool.append(Entry("mark", "{}"), timeout=60)
    assert folded(spool) == [("one", "call 10", 10), ("one", "call 11", 10)]
    assert json.loads(spool.waiting()[0].body)["request"] == '{"omitted": "one of several calls"}'
    assert dropped("share") == before
    spool.close()


def test_what_was_folded_is_written_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LIMIT", 20)
    spool = Spool(tmp_path / "s.db")
    for number in range(5):
        spool.add(denial(number, "ListUsers"))
    spool.close()
    again = Spool(tmp_path / "s.db")
    assert folded(again) == [("one", "call 1", 4)]
    again.close()


def test_folds_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LIMIT", 20)
    monkeypatch.setattr(folds, "OF_ACCOUNT", 3)
    monkeypatch.setattr(folds, "MOST", 5)
    spool = Spool(tmp_path / "s.db")
    for account in ("one", "two"):
        for number in range(9):
            spool.add(denial(number, f"name {number}", account))
    before = dropped("share")
    spool.add(denial(9, "name 9", "three"))  # which has a share
    spool.add(denial(10, "name 10", "three"))
    assert dropped("share") == before + 1
    monkeypatch.setattr(room, "LIMIT", 2000)
    spool.close()
    again = Spool(tmp_path / "s.db")
    assert folded(again) == [
        ("one", "call 1", 1),
        ("one", "call 2", 1),
        ("one", "call 3", 1),
        ("one", "call 4", 5),
        ("two", "call 1", 1),
    ]
    again.close()


def test_folded_denials_are_one_record_with_their_number(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with harness.house(database_url, tmp_path) as house:
        nobody = house.user("nobody")
        spool = Spool(tmp_path / "undrained.db")
        object.__setattr__(house.node, "spool", spool)
        monkeypatch.setattr(room, "LIMIT", 20)
        for _ in range(5):
            with pytest.raises(SekishoError, match="not authorized"):
                house.call("ListUsers", _as=nobody)
        spool.close()
        again = Spool(tmp_path / "undrained.db")
        with house.node.primary.write(()) as session:
            drain.deliver(session, again.waiting())
        again.close()
        query = select(AuditRecord).where(AuditRecord.event_name == "ListUsers").order_by(AuditRecord.at)
        with house.node.database.read() as session:
            rows = session.scalars(query).all()
            found = [(row.error_code, row.count, row.last_at is not None and row.last_at >= row.at) for row in rows]
        assert found == [("AccessDenied", 1, False), ("AccessDenied", 4, True)]


def test_reads_leave_room_for_denials_and_are_folded_beyond_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LIMIT", 200)  # ten denials an account, of which eight may be reads
    spool = Spool(tmp_path / "s.db")
    body = json.dumps({"id": "r", "request": "{}"})
    noted = [spool.note(Entry("audit", body, account="a", alike=("ann", "iam", "GetUser", ""))) for _ in range(11)]
    assert noted == [True] * 8 + [False] * 3
    for _ in range(2):
        spool.add(Entry("audit", "denial", account="a")).result(timeout=60)
    spool.delivered(1_000)
    spool.flush()
    until(lambda: len(spool.waiting()) == 1)
    (folded,) = spool.waiting()
    assert (folded.kind, json.loads(folded.body)["count"]) == (FOLDED, 3)
    spool.close()
