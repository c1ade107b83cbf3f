"""Who asked for which action when: from the worker that saw it, through the spool, into the database."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sekisho.journal import accesses
from sekisho.journal.accesses import KIND, Accesses
from sekisho.journal.spool import Entry, Spool
from sekisho.node import drain
from sekisho.store.tables import Access
from tests import harness

NOW = datetime(2026, 5, 4, 3, 2, 1, 987654, UTC)
ACCOUNT = "111122223333"


def waiting(spool: Spool, noted: Accesses) -> list[list[str]]:
    """What a flush hands over."""
    noted.flush()
    spool.append(Entry("mark", "{}"), timeout=20.0)
    return [row for entry in spool.waiting() if entry.kind == KIND for row in json.loads(entry.body)]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool.db")


def test_the_last_of_each_principal_and_action_is_handed_over_once(spool: Spool) -> None:
    noted = Accesses(spool)
    noted.note("AIDA1", "s3:GetObject", (NOW, "", ACCOUNT))
    noted.note("AIDA1", "s3:GetObject", (NOW + timedelta(seconds=1), "eu-central-1", ACCOUNT))
    noted.note("AROA1", "s3:GetObject", (NOW, "", ACCOUNT))
    assert sorted(waiting(spool, noted)) == [
        ["AIDA1", ACCOUNT, "s3:GetObject", "2026-05-04T03:02:02.987654+00:00", "eu-central-1"],
        ["AROA1", ACCOUNT, "s3:GetObject", "2026-05-04T03:02:01.987654+00:00", ""],
    ]
    assert len(waiting(spool, noted)) == 2
    spool.close()


def test_what_no_database_can_keep_is_left_out(spool: Spool) -> None:
    noted = Accesses(spool)
    noted.note("AIDA1", "s3:Get\0Object", (NOW, "", ACCOUNT))
    noted.note("AIDA1", "s3:PutObject", (NOW, "eu\0", ACCOUNT))
    assert waiting(spool, noted) == []
    spool.close()


def test_a_region_that_nobody_has_takes_no_room(spool: Spool) -> None:
    """It comes from the context of a question, which has room for much more."""
    noted = Accesses(spool)
    noted.note("AIDA1", "s3:GetObject", (NOW, "r" * 65, ACCOUNT))
    noted.note("AIDA2", "s3:GetObject", (NOW, "r" * 64, ACCOUNT))
    assert {row[0]: row[4] for row in waiting(spool, noted)} == {"AIDA1": "", "AIDA2": "r" * 64}
    spool.close()


@pytest.mark.parametrize(
    ("bound", "kept"),
    [
        ("_OF_PRINCIPAL", {"AIDA1": 10, "AIDA2": 10, "AIDA3": 10, "AIDA4": 1}),
        ("_OF_ACCOUNT", {"AIDA1": 10, "AIDA4": 1}),
        ("_MOST", {"AIDA1": 10}),
    ],
)
def test_a_flood_of_names_is_bounded(spool: Spool, monkeypatch: pytest.MonkeyPatch, bound: str, kept: dict[str, int]) -> None:
    monkeypatch.setattr(accesses, bound, 10)
    noted = Accesses(spool)
    for principal in ("AIDA1", "AIDA2", "AIDA3"):
        for number in range(50):
            noted.note(principal, f"s3:Action{number}", (NOW, "", ACCOUNT))
    noted.note("AIDA4", "s3:GetObject", (NOW, "", "444455556666"))
    noted.note("AIDA1", "s3:Action0", (NOW + timedelta(seconds=1), "", ACCOUNT))  # no new name, but a new time
    rows = waiting(spool, noted)
    assert Counter(row[0] for row in rows) == kept
    assert [row[3] for row in rows if row[2] == "s3:Action0" and row[0] == "AIDA1"] == ["2026-05-04T03:02:02.987654+00:00"]
    noted.note("AIDA1", "s3:Action49", (NOW, "", ACCOUNT))  # after a flush there is room again
    assert len(waiting(spool, noted)) == sum(kept.values()) + 1
    spool.close()


def deliver(house: harness.House, *rows: tuple[str, str, datetime, str]) -> None:
    body = [[principal, ACCOUNT, action, at.isoformat(), region] for principal, action, at, region in rows]
    with house.node.database.write(()) as session:
        drain.deliver(session, [Entry(KIND, json.dumps(body))])


def kept(house: harness.House, principal: str) -> dict[tuple[str, str], tuple[datetime, str]]:
    with house.node.database.read() as session:
        return {(row.service, row.action): (row.at, row.region) for row in session.query(Access).where(Access.principal_id == principal)}


def test_the_newest_stays_in_whatever_order_they_arrive(database_url: str, tmp_path: Path) -> None:
    with harness.house(database_url, tmp_path) as house:
        deliver(house, ("AIDA1", "s3:GetObject", NOW, "new"), ("AIDA1", "S3:PutObject", NOW, ""))
        deliver(house, ("AIDA1", "s3:GetObject", NOW - timedelta(days=1), "old"))
        assert kept(house, "AIDA1") == {("s3", "GetObject"): (NOW, "new"), ("s3", "PutObject"): (NOW, "")}
        deliver(house, ("AIDA1", "s3:GetObject", NOW + timedelta(days=1), "newer"))
        assert kept(house, "AIDA1")["s3", "GetObject"] == (NOW + timedelta(days=1), "newer")


def test_a_principal_has_so_many_actions_and_no_more(database_url: str, tmp_path: Path) -> None:
    with harness.house(database_url, tmp_path) as house:
        deliver(house, *(("AIDA1", f"s3:Action{number}", NOW, "") for number in range(drain.MOST_ACTIONS)))
        later = NOW + timedelta(seconds=1)
        deliver(house, ("AIDA1", "s3:More", later, ""), ("AIDA1", "s3:Action7", later, ""), ("AIDA2", "s3:More", later, ""))
        found = kept(house, "AIDA1")
        assert (len(found), found["s3", "Action7"], ("s3", "More") in found) == (drain.MOST_ACTIONS, (later, ""), False)
        assert kept(house, "AIDA2") == {("s3", "More"): (later, "")}
