"""The sealer: a place and a link for each record, whoever seals, and whatever ends it."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from sekisho.credentials.key_ring import KeyRing
from sekisho.journal.trail import chain, cursors, evidence, sealer, walk
from sekisho.journal.trail.evidence import Wanted, Witness
from sekisho.journal.trail.sealer import Sealer
from sekisho.store import db
from sekisho.store.tables import AuditRecord, TrailCursor, TrailLink, TrailResource
from tests.journal.trail.records import NOW, ONE, TWO, Trail, made


def proven(trail: Trail) -> int:
    """The number of links, each of which is the hash that it has to be."""
    heads: dict[str, chain.Head] = {}
    with trail.database.read() as session:
        for link, record in walk.links_after(session, 0, limit=10_000):
            assert record is not None
            before = heads.get(link.account_id, chain.NOTHING)
            key = trail.ring.key("trail", chain.key_id(link.hash))
            assert link.sequence == before.sequence + 1
            assert link.hash == chain.link(key, before.hash, link.account_id, link.sequence, link.ordinal, chain.plain(record))
            heads[link.account_id] = chain.Head(link.sequence, link.hash)
    return sum(head.sequence for head in heads.values())


def test_writes_and_what_the_spool_brings_are_linked_in_time(trail: Trail) -> None:
    trail.write(made("a", at=NOW))
    trail.spool(made("c", at=NOW + timedelta(seconds=2)), made("d", TWO, at=NOW + timedelta(seconds=1)))
    trail.write(made("b", at=NOW + timedelta(seconds=1)))
    trail.seal()
    assert trail.links() == [(1, ONE, 1, "a"), (2, ONE, 2, "b"), (3, ONE, 3, "c"), (4, TWO, 1, "d")]
    trail.write(made("e", at=NOW - timedelta(days=1)))  # of a clock that is behind
    trail.seal()
    assert trail.links()[4:] == [(5, ONE, 4, "e")]
    assert proven(trail) == 5


def test_many_records_take_several_batches(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "BATCH", 7)
    trail.fill(40)
    trail.seal()
    assert [ordinal for ordinal, *_ in trail.links()] == list(range(1, 41))
    assert {record for *_, record in trail.links()} == {f"r-{number}" for number in range(40)}
    assert proven(trail) == 40


def test_records_of_one_revision_are_sealed_together(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that three accounts have a record of: no batch ends in the middle of it."""
    monkeypatch.setattr(sealer, "BATCH", 2)
    trail.write(made("a"))
    trail.write(*(made(f"b-{number}", f"{number:012}", shared_id="b") for number in range(3)))
    trail.spool(made("c"))
    trail.write(made("d"))
    trail.seal()
    assert sorted(record for *_, record in trail.links()) == ["a", "b-0", "b-1", "b-2", "c", "d"]
    assert proven(trail) == 6
    assert evidence.of_database(trail.database, Witness(trail.ring), Wanted()).faults == []


def test_what_an_older_release_spools_is_adopted(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "BATCH", 2)
    trail.spool(made("a"))
    for number in range(5):
        trail.old(made(f"old-{number}", at=NOW - timedelta(seconds=number)))
    trail.seal()
    with trail.database.read() as session:
        placed = {row.id: row.spooled for row in session.execute(select(AuditRecord.id, AuditRecord.spooled))}
    assert placed == {"a": 1, "old-4": 2, "old-3": 3, "old-2": 4, "old-1": 5, "old-0": 6}
    assert proven(trail) == 6
    trail.spool(made("b"))
    trail.old(made("late"))
    trail.seal()
    assert [record for *_, record in trail.links()][6:] == ["b", "late"]


def test_several_who_seal_at_once_link_each_record_once(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "BATCH", 5)
    trail.fill(60)
    sealers = [Sealer(trail.database, trail.ring, now=lambda: NOW) for _ in range(4)]

    def seal(one: Sealer) -> None:
        for _ in range(40):
            one.once()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(seal, sealers))
    trail.seal()
    assert [ordinal for ordinal, *_ in trail.links()] == list(range(1, 61))
    assert proven(trail) == 60


def test_one_who_was_overtaken_writes_nothing(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    trail.fill(3)
    slow = Sealer(trail.database, trail.ring)
    write = slow._write

    def late(*arguments: Any) -> bool:
        trail.seal()
        return write(*arguments)

    monkeypatch.setattr(slow, "_write", late)
    assert slow.once() is False
    assert proven(trail) == 3


@pytest.mark.parametrize("dies_at", ["move", "put", "commit"])
def test_killed_anywhere_it_goes_on(trail: Trail, monkeypatch: pytest.MonkeyPatch, dies_at: str) -> None:
    trail.fill(6)
    functions: dict[str, Callable[..., Any]] = {"move": cursors.move, "put": cursors.put}

    def dies(*arguments: Any) -> None:
        if dies_at in functions:
            functions[dies_at](*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(db if dies_at == "commit" else cursors, "_commit" if dies_at == "commit" else dies_at, dies)
        with pytest.raises(KeyboardInterrupt):
            trail.seal()
    assert trail.links() == []
    trail.seal()
    assert proven(trail) == 6


def test_links_of_before_a_rotation_stay_as_they_are(trail: Trail) -> None:
    trail.fill(2)
    trail.seal()
    before = trail.ring.current("trail").id
    trail.ring.rotate("trail")
    trail.write(made("after"))
    trail.seal()
    with trail.database.read() as session:
        used = [chain.key_id(link.hash) for link, _ in walk.links_after(session, 0)]
    assert used == [before, before, trail.ring.current("trail").id]
    assert proven(trail) == 3


def test_resources_are_found_by_their_name(trail: Trail) -> None:
    arn = f"arn:aws:iam::{ONE}:user/ann"
    named = f'[{{"ARN": "{arn}", "accountId": "{ONE}", "type": "AWS::IAM::User"}}, {{"ARN": "{arn}"}}, {{"ARN": "other"}}]'
    trail.write(made("a", resources=named))
    trail.write(made("b", resources="[]"))
    trail.write(made("c", resources="not JSON"))
    trail.write(made("d", resources="[3]"))
    trail.seal()
    with trail.database.read() as session:
        rows = session.execute(select(TrailResource.account_id, TrailResource.name, TrailResource.ordinal, TrailResource.type))
        assert sorted(tuple(row) for row in rows) == [
            (ONE, "ann", 1, "AWS::IAM::User"),
            (ONE, arn, 1, "AWS::IAM::User"),
            (ONE, "other", 1, ""),
        ]
    assert proven(trail) == 4


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ('[{"ARN": "nul\\u0000"}, {"ARN": "x"}]', ["x"]),
        ('[{"ARN": "half\\ud800"}, {"ARN": "x"}]', ["x"]),
        (f'[{{"ARN": "{random.Random(1).randbytes(4000).hex()}"}}, {{"ARN": "x"}}]', ["x"]),
        ('[{"ARN": "x", "type": "\\u0000"}]', ["x"]),
        ("[" * 100_000, []),
    ],
    ids=["nul", "half a character", "long", "type", "deep"],
)
def test_what_no_index_takes_keeps_nothing_from_being_sealed(trail: Trail, named: str, found: list[str]) -> None:
    trail.write(made("a", resources=named))
    trail.write(made("b"))
    trail.seal()
    assert proven(trail) == 2
    with trail.database.read() as session:
        assert session.scalars(select(TrailResource.name)).all() == found
    assert evidence.of_database(trail.database, Witness(trail.ring), Wanted()).faults == []


def test_cursors_that_were_set_back_make_no_second_link(trail: Trail) -> None:
    trail.fill(6)
    trail.seal()
    with trail.database.write(()) as session:
        session.execute(delete(TrailCursor))
    trail.write(made("new"))
    trail.seal()
    assert [ordinal for ordinal, *_ in trail.links()] == list(range(1, 8))
    assert proven(trail) == 7


def test_a_number_without_a_record_is_counted(trail: Trail) -> None:
    before = sealer.MISSING.labels().numbers[0]
    for name in "abcd":
        trail.write(made(name))
    with trail.database.write(()) as session:
        session.execute(delete(AuditRecord).where(AuditRecord.id.in_(["b", "c"])))
    trail.seal()
    assert [record for *_, record in trail.links()] == ["a", "d"]
    assert sealer.MISSING.labels().numbers[0] - before == 2


def test_how_far_it_is_behind_is_said(trail: Trail) -> None:
    trail.fill(4)
    trail.old(made("old"))
    one = Sealer(trail.database, trail.ring, now=lambda: NOW + timedelta(seconds=60))
    one.once()
    assert (sealer.UNSEALED.labels().numbers[0], sealer.BEHIND.labels().numbers[0]) == (4.0, 60.0)
    while one.once():
        pass
    one.once()
    assert (sealer.UNSEALED.labels().numbers[0], sealer.BEHIND.labels().numbers[0]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [(None, [3, 4, 5, 6]), ([ONE], [3, 5]), ([TWO], [4, 6]), ([ONE, TWO, "999"], [3, 4, 5, 6]), (["999"], [])],
)
def test_the_walk_is_in_order_and_of_the_accounts_that_are_asked_for(trail: Trail, accounts: list[str] | None, expected: list[int]) -> None:
    trail.fill(7)
    with trail.database.read() as session:
        assert walk.after(session, 0) == []
    trail.seal()

    def ordinals(session: Session, after: int, limit: int) -> list[int]:
        return [ordinal for ordinal, _ in walk.after(session, after, accounts=accounts, limit=limit)]

    with trail.database.read() as session:
        assert [number for number in ordinals(session, 2, 100) if number < 7] == expected
        assert ordinals(session, 2, 2) == expected[:2]
        assert walk.newest(session) == 7


def test_every_column_is_in_the_link(database: db.Database, ring: KeyRing) -> None:
    """A column that is not hashed could be changed by anybody."""
    assert set(chain.COLUMNS) == {column.key for column in AuditRecord.__table__.columns}
    trail = Trail(database, ring)
    trail.write(made("a"))
    trail.seal()
    with database.read() as session:
        ((link, record),) = walk.links_after(session, 0)
        assert record is not None
        plain = chain.plain(record)
    assert chain.is_link(lambda id_: ring.key("trail", id_), link.hash, "", ONE, 1, 1, plain)
    for name in chain.COLUMNS:
        other = plain | {name: "other"}
        assert not chain.is_link(lambda id_: ring.key("trail", id_), link.hash, "", ONE, 1, 1, other), name
    for place in (("x", ONE, 1, 1), ("", TWO, 1, 1), ("", ONE, 2, 1), ("", ONE, 1, 2)):
        assert not chain.is_link(lambda id_: ring.key("trail", id_), link.hash, *place, plain), place


def test_the_form_of_a_link_stays(ring: KeyRing) -> None:
    """Form 1 for ever: what an earlier release has linked, a later one verifies."""
    from sekisho.credentials.envelopes import Key

    record = dict.fromkeys(chain.COLUMNS) | {"id": "é", "at": "2026-05-04T03:02:01.987654+00:00", "count": 1, "read_only": True}
    found = chain.link(Key.derived("0a1b2c3d", bytes(32)), "", ONE, 1, 1, record)
    assert found == "1.0a1b2c3d.f67e62caa865e4e4fc0e2aa106ec1647593899926f76fef105617306c6e6cb45"
    for text in ("", "2.0a1b2c3d." + "0" * 64, "1.0a1b2c3d", "1..", "1.0a1b2c3d.00"):
        with pytest.raises(chain.UnknownFormError):
            chain.key_id(text)


def test_a_link_says_the_instant_whatever_the_zone(trail: Trail) -> None:
    trail.write(made("a"))
    with trail.database.write(()) as session:
        session.execute(update(TrailLink).values(hash="x"))
        row = session.scalars(select(AuditRecord)).one()
    assert chain.plain(row)["at"] == "2026-05-04T03:02:01.987654+00:00"
