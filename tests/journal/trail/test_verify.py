"""Verifying: nothing is wrong with what nobody touched, and whatever was touched is named."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text, update

from sekisho.credentials.key_ring import KeyRing
from sekisho.journal.trail import chain, checkpoints, evidence, keys, statements
from sekisho.journal.trail.checkpoints import Checkpoints
from sekisho.journal.trail.evidence import Wanted, Witness
from sekisho.journal.trail.faults import Report
from sekisho.store.tables import AuditRecord, TrailCheckpoint, TrailLink
from tests.journal.trail import campaign, tampering
from tests.journal.trail.campaign import Dump
from tests.journal.trail.records import NOW, ONE, TWO, Trail, made

ARM = "444455556666"


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    """A dump of 45 records in 3 accounts, with 5 checkpoints, all published."""
    return campaign.settled(campaign.dump(tmp_path_factory.mktemp("dump"), 45))


def changed(dump: Dump, tmp_path: Path, *commands: str) -> Report:
    """The report on a copy in which this was done."""
    copy = tmp_path / "copy.db"
    shutil.copyfile(dump.file, copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        for command in commands:
            connection.execute(command)
    return dump.verified(copy)


def first(report: Report) -> tuple[str, int, str, str]:
    """Account, sequence, record and fault that are named first."""
    fault = report.faults[0]
    return fault.account, fault.sequence, fault.record, fault.wrong


def test_nothing_is_wrong_with_an_untouched_one(dump: Dump) -> None:
    report = dump.verified()
    assert report == Report(links=45, accounts=3, checkpoints=5, ordinal=45, attested=45, unsealed=0, proven=True, notes=[], faults=[])


def test_an_edit_names_the_record(dump: Dump, tmp_path: Path) -> None:
    report = changed(dump, tmp_path, "UPDATE audit_records SET event_name = 'GetUser' WHERE id = 'r-1-4'")
    assert first(report) == (ARM, 5, "r-1-4", "the record, its place or the link before it was changed")
    assert len(report.faults) == 1


def test_a_deletion_names_the_place(dump: Dump, tmp_path: Path) -> None:
    report = changed(dump, tmp_path, "DELETE FROM audit_records WHERE id = 'r-1-4'")
    assert first(report) == (ARM, 5, "r-1-4", "the record is gone")
    gone = "DELETE FROM audit_records WHERE id = 'r-1-4'", "DELETE FROM trail_links WHERE record_id = 'r-1-4'"
    report = changed(dump, tmp_path, *gone)
    assert (ARM, 5, "", "the link is missing, and its record with it") in [
        (fault.account, fault.sequence, fault.record, fault.wrong) for fault in report.faults
    ]


def test_a_record_that_was_brought_in_is_named(dump: Dump, tmp_path: Path) -> None:
    names = ", ".join(column for column in tampering.EVIDENCE["audit_records"] if column not in ("id", "revision", "spooled"))
    forged = f"INSERT INTO audit_records (id, revision, {names}) SELECT 'forged', 3, {names} FROM audit_records WHERE id = 'r-1-4'"
    assert first(changed(dump, tmp_path, forged)) == (ARM, 0, "forged", "the record has no link, although later ones do")


def test_the_end_that_was_cut_off_is_known_by_checkpoints(dump: Dump, tmp_path: Path) -> None:
    cut = (
        "DELETE FROM audit_records WHERE id IN (SELECT record_id FROM trail_links WHERE ordinal > 40)",
        "DELETE FROM trail_links WHERE ordinal > 40",
        "DELETE FROM trail_resources WHERE ordinal > 40",
        "DELETE FROM trail_checkpoints WHERE ordinal > 40",
        "DELETE FROM revisions WHERE number > (SELECT max(revision) FROM audit_records)",
        "UPDATE trail_cursors SET position = 40 WHERE name = 'sealer'",
    )
    report = changed(dump, tmp_path, *cut)
    assert [fault.wrong for fault in report.faults] == [
        "checkpoint 5 has seen this link, and the chain ends at 14",
        "checkpoint 5 has seen this link, and the chain ends at 13",
        "checkpoint 5 has seen this link, and the chain ends at 13",
        "checkpoints up to 5 were published, and the database has them up to 4: it was set back",
    ]


def test_without_the_ring_checkpoints_still_bind(dump: Dump, tmp_path: Path) -> None:
    """The public key alone: what a checkpoint names cannot be changed unseen; what is between two of them can."""
    public = Dump(dump.file, replace(dump.witness, ring=None))
    report = public.verified()
    assert (report.whole, report.proven) == (True, False)
    assert report.notes == ["no key ring: links are compared with checkpoints, and not computed anew"]
    heads = "UPDATE trail_links SET hash = 'x' WHERE ordinal = 45"
    assert first(changed(public, tmp_path, heads))[3] == "the link is not the one that checkpoint 5 says"


def test_another_ring_proves_nothing(dump: Dump, tmp_path: Path) -> None:
    other = Dump(dump.file, replace(dump.witness, ring=KeyRing.create(tmp_path / "other.json")))
    assert "the link cannot be proven: the key ring holds no key" in other.verified().faults[0].wrong


def test_checkpoints_of_somebody_else_are_not_believed(dump: Dump, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    theirs = campaign.dump(other, 15)
    assert theirs.witness.folder is not None
    pinned = dict(map(statements.public, theirs.witness.folder.glob("*.der")))
    report = Dump(dump.file, replace(dump.witness, public_keys=pinned)).verified()
    assert "checkpoint 1 is signed with a key that is not known" in report.faults[0].wrong


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("missing", "checkpoint 3 is missing"),
        ("edited", "the signature of checkpoint 3 is not that of its content"),
        ("rubbish", "000000000003.json is not a checkpoint"),
    ],
)
def test_a_directory_that_was_changed(dump: Dump, tmp_path: Path, change: str, wrong: str) -> None:
    folder = tmp_path / "published"
    assert dump.witness.folder is not None
    shutil.copytree(dump.witness.folder, folder)
    third = folder / "000000000003.json"
    if change == "missing":
        third.unlink()
    else:
        third.write_text("rubbish" if change == "rubbish" else third.read_text().replace('\\"parts\\":1', '\\"parts\\":2'))
    report = Dump(dump.file, replace(dump.witness, folder=folder)).verified()
    assert wrong in [fault.wrong for fault in report.faults]


def test_a_checkpoint_under_another_number(dump: Dump, tmp_path: Path) -> None:
    """As one from before those that are published, which may have been put away."""
    report = changed(dump, tmp_path, "UPDATE trail_checkpoints SET number = 0 WHERE number = 1")
    assert [fault.wrong for fault in report.faults] == ["checkpoint 0 says that it is another one: `1`"]


def test_a_later_checkpoint_takes_back_nothing(trail: Trail, tmp_path: Path) -> None:
    """Somebody with the database and the key ring makes the chain anew, and a checkpoint in the database that agrees with it."""
    mine = Checkpoints(trail.database, trail.ring, publish=[checkpoints.folder(tmp_path)], now=lambda: NOW)
    trail.write(made("a"))
    trail.seal()
    mine.once()
    mine.publish()
    name, private = keys.current(trail.database, trail.ring, NOW)
    with trail.database.write(()) as session:
        first = session.scalars(select(TrailCheckpoint)).one()
        record = session.scalars(select(AuditRecord)).one()
        record.event_name = "GetUser"
        anew = chain.link(trail.ring.current("trail"), chain.BEGINNING, ONE, 1, 1, chain.plain(record))
        session.execute(update(TrailLink).values(hash=anew))
        said = {"number": 2, "heads": [[ONE, 1, anew]], "before": checkpoints.hashed(first.content), "key": name}
        content = json.dumps(json.loads(first.content) | said)
        session.add(TrailCheckpoint(number=2, at=NOW, ordinal=1, content=content, signature=keys.sign(private, content.encode())))
    report = evidence.of_database(trail.database, Witness(trail.ring, tmp_path), Wanted())
    assert [fault.wrong for fault in report.faults] == ["the link is not the one that checkpoint 1 says"]


def test_a_checkpoint_that_is_none_is_a_fault(dump: Dump, tmp_path: Path) -> None:
    """In the database, not published yet."""
    report = changed(dump, tmp_path, "UPDATE trail_checkpoints SET content = 'rubbish', published_at = NULL WHERE number = 5")
    assert [fault.wrong for fault in report.faults] == ["checkpoint 5 is not what was published"]


def test_both_databases_and_records_that_are_not_linked_yet(trail: Trail) -> None:
    trail.fill(9)
    trail.seal()
    trail.write(made("new"))
    trail.spool(made("newer", TWO))
    report = evidence.of_database(trail.database, Witness(trail.ring), Wanted())
    assert (report.faults, report.links, report.accounts, report.unsealed) == ([], 9, 2, 2)
    assert report.notes == ["no checkpoints from outside the database: what is here proves nothing against those who have the key ring"]


def test_an_account_that_is_gone_is_missed_without_checkpoints(trail: Trail) -> None:
    """The chains together are as long as the newest ordinal is high: nothing else in the database says that there was another one."""
    for number in range(6):
        trail.spool(made(f"r-{number}", (ONE, TWO)[number % 2]))
    trail.spool(made("last"))
    trail.seal()
    with trail.database.write(()) as session:
        for table in ("audit_records", "trail_links"):
            session.execute(text(f"DELETE FROM {table} WHERE account_id = '{TWO}'"))
    report = evidence.of_database(trail.database, Witness(trail.ring), Wanted())
    assert [fault.wrong for fault in report.faults] == ["the chains have 4 links together, and the newest ordinal is 7"]


def test_a_revision_without_a_record(trail: Trail) -> None:
    for name in "abc":
        trail.write(made(name))
    with trail.database.write(()) as session:
        session.execute(delete(AuditRecord).where(AuditRecord.id == "b"))
    report = evidence.of_database(trail.database, Witness(trail.ring), Wanted())
    assert [fault.wrong for fault in report.faults] == ["revision 2 has no record"]
    trail.seal()  # the chain remembers it
    report = evidence.of_database(trail.database, Witness(trail.ring), Wanted())
    assert [(fault.record, fault.wrong) for fault in report.faults] == [("c", "its revision is 3, and 1 is before it")]


def test_a_revision_with_two_records(trail: Trail) -> None:
    trail.write(made("a"))
    trail.old(made("b") | {"revision": 1})
    report = evidence.of_database(trail.database, Witness(trail.ring), Wanted())
    assert [fault.wrong for fault in report.faults] == ["revision 1 has more than one record"]
    trail.seal()
    report = evidence.of_database(trail.database, Witness(trail.ring), Wanted())
    assert [fault.wrong for fault in report.faults] == ["its revision is 1, and 1 is before it"]


def test_a_revision_that_two_accounts_have_a_record_of(trail: Trail) -> None:
    trail.write(made("a", shared_id="a"), made("b", TWO, shared_id="a"))
    assert evidence.of_database(trail.database, Witness(trail.ring), Wanted()).faults == []
    trail.seal()
    assert evidence.of_database(trail.database, Witness(trail.ring), Wanted()).faults == []


@pytest.mark.parametrize(
    ("wanted", "links"),
    [
        (Wanted(ONE), 10),
        (Wanted(begins=NOW + timedelta(seconds=8)), 12),
        (Wanted(ends=NOW + timedelta(seconds=8)), 9),
        (Wanted(begins=NOW + timedelta(seconds=8), ends=NOW + timedelta(seconds=11)), 4),
        (Wanted(TWO, NOW + timedelta(seconds=8), NOW + timedelta(seconds=11)), 2),
        (Wanted(begins=NOW + timedelta(days=1)), 0),
    ],
    ids=["account", "begins", "ends", "between", "account between", "nothing"],
)
def test_a_range(trail: Trail, wanted: Wanted, links: int) -> None:
    trail.fill(20)
    trail.seal()
    progress = [(0, 0)]
    report = evidence.of_database(trail.database, Witness(trail.ring), wanted, lambda *told: progress.append(told))
    assert (report.faults, report.links, progress[-1]) == ([], links, (links, links))
    with trail.database.write(()) as session:
        session.execute(text("UPDATE audit_records SET source_ip = '192.0.2.9' WHERE id IN ('r-0', 'r-8', 'r-9', 'r-19')"))
    report = evidence.of_database(trail.database, Witness(trail.ring), wanted)
    touched = {
        name
        for name, account, second in (("r-0", ONE, 0), ("r-8", ONE, 8), ("r-9", TWO, 9), ("r-19", TWO, 19))
        if wanted.account in ("", account)
        and (wanted.begins or NOW) <= NOW + timedelta(seconds=second) <= (wanted.ends or datetime.max.replace(tzinfo=NOW.tzinfo))
    }
    assert {fault.record for fault in report.faults} == touched


def test_no_change_at_random_goes_unseen(dump: Dump, tmp_path: Path) -> None:
    """10,000 in `make campaign`."""
    found, done = campaign.missed(dump, 80, 3, tmp_path / "copy.db")
    assert found == []
    assert (sum(done.values()), set(done)) == (80, set(tampering.WAYS))
