"""One composition, and what it reads: of a memory in dictionaries."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sekisho import policy
from sekisho.memory import vitals
from sekisho.memory.reader import Reader
from sekisho.world import AccountRecord, GroupRecord, PolicyRecord, PrincipalRecord, Record, SessionFacts, Subject

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT, ANN, STAFF, BOUND = "111122223333", "AIDAANN", "AGPASTAFF", "ANPABOUND"
TEXT = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:B","Resource":"*"}}'


def attached(name: str) -> policy.Attached:
    """A policy."""
    return policy.Attached(policy.compiled(TEXT), name=name)


STORED: dict[str, Record] = {
    ACCOUNT: AccountRecord(ACCOUNT, "ACTIVE"),
    ANN: PrincipalRecord(
        ANN, ACCOUNT, "user", "ann", "arn:aws:iam::111122223333:user/ann", inline=(attached("a"), attached("b")), group_ids=(STAFF,)
    ),
    STAFF: GroupRecord(STAFF, (attached("c"),), ()),
    BOUND: PolicyRecord(BOUND, "arn:aws:iam::111122223333:policy/b", attached("d")),
}


class Kept:
    """A memory that has these records, and loads the others: `seen` is all that it was asked to do for them."""

    def __init__(self, *ids: str) -> None:
        self.records = {id_: STORED[id_] for id_ in ids}
        self.absent: set[str] = set()
        self.seen: list[Any] = []
        self.findings: dict[Hashable, Any] = {}
        self.kept: list[tuple[Any, ...]] = []
        self.session: Any = object()

    def cached_record(self, id_: str) -> Record | None:
        return self.records.get(id_)

    def is_absent(self, id_: str) -> bool:
        return id_ in self.absent

    @contextmanager
    def snapshot(self, *, wanted: str) -> Iterator[Session]:
        self.seen.append(("open", wanted))
        try:
            yield self.session
        except RuntimeError:
            self.seen.append("failed")
            raise
        finally:
            self.seen.append("close")

    def load_record(self, id_: str, session: Session) -> Record | None:
        assert session is self.session
        self.seen.append(id_)
        return STORED.get(id_)

    def get_finding(self, key: Hashable) -> Any:
        return self.findings.get(key)

    def keep_finding(self, key: Hashable, value: Any, owner: str, origins: Sequence[tuple[str, Record | None]], cost: int) -> None:
        self.findings[key] = value
        self.kept.append((key, value, owner, list(origins), cost))


def counted() -> tuple[float, float]:
    """Look-ups of records that memory has answered, and that it has not."""
    return vitals.RECORD_HITS.numbers[0], vitals.RECORD_MISSES.numbers[0]


def test_a_snapshot_is_opened_for_the_first_that_is_not_in_memory_and_closed_at_the_end() -> None:
    memory, (hits, misses) = Kept(ACCOUNT), counted()
    memory.absent = {"AIDANOBODY"}
    with Reader(memory) as reader:
        assert reader.get_record(ACCOUNT) is STORED[ACCOUNT]
        assert reader.get_record("AIDANOBODY") is None
        assert memory.seen == []
        assert reader.get_record(ANN) is STORED[ANN]
        assert reader.get_record("AIDAGONE") is None
        assert memory.seen == [("open", ANN), ANN, "AIDAGONE"]
        assert counted() == (hits, misses + 2)
    assert memory.seen[3:] == ["close"]
    assert counted() == (hits + 2, misses + 2)


def test_a_composition_that_fails_closes_its_snapshot_with_the_failure() -> None:
    memory = Kept()

    def compose() -> None:
        with Reader(memory) as reader:
            reader.get_record(ANN)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        compose()
    assert memory.seen == [("open", ANN), ANN, "failed", "close"]


def test_a_session_that_was_given_is_read_and_left_open() -> None:
    memory = Kept()
    with Reader(memory, memory.session) as reader:
        reader.get_record(ANN)
    assert memory.seen == [ANN]


def test_what_memory_answers_nothing_of_counts_no_hit() -> None:
    memory, before = Kept(), counted()
    with Reader(memory):
        pass
    assert counted() == before


def test_a_subject_is_composed_once_and_kept_with_its_records() -> None:
    memory, subject = Kept(*STORED), Subject(ANN, ACCOUNT, "AKIAANN")
    reader = Reader(memory)
    made = reader.acting(subject, NOW)
    assert [one.name for one in made.identity] == ["a", "b", "c"]
    ((key, value, owner, origins, cost),) = memory.kept
    assert (key, owner) == (("acting", ACCOUNT, ANN, "AKIAANN"), ACCOUNT)
    assert value is made
    assert origins == [(id_, STORED[id_]) for id_ in (ACCOUNT, ANN, STAFF)]
    assert cost == 1_536 + 3 * 128 + sum(len(key) + len(text) for key, text in made.keys.items())
    assert reader.acting(Subject(ANN, ACCOUNT, "AKIAANN"), NOW + timedelta(days=1)) is made
    assert reader.acting(Subject(ANN, ACCOUNT, "AKIAOTHER"), NOW) is not made
    assert len(memory.kept) == 2


def test_a_session_is_known_by_being_the_same_object() -> None:
    memory, session = Kept(*STORED), SessionFacts("session", "ann", policies=(attached("e"),), policy_ids=(BOUND,))
    reader, subject, twin = Reader(memory), Subject(ANN, ACCOUNT, "ASIA1", session), Subject(ANN, ACCOUNT, "ASIA1", session)
    made = reader.acting(subject, NOW)
    assert memory.kept[0][0] == ("acting", id(subject))
    assert reader.acting(subject, NOW) is made
    other = reader.acting(twin, NOW)
    assert other is not made
    memory.findings["acting", id(twin)] = made  # of one that had the place of this one
    assert reader.acting(twin, NOW) is not made
    assert made.session is not None
    own = 4_096 + 512 * session.policies[0].program.remembered
    assert memory.kept[0][4] == 1_536 + 128 * (3 + 2) + sum(len(key) + len(text) for key, text in made.keys.items()) + own


def test_a_boundary_is_charged_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    record = PrincipalRecord(ANN, ACCOUNT, "user", "ann", "arn:aws:iam::111122223333:user/ann", boundary_id=BOUND)
    monkeypatch.setitem(STORED, ANN, record)
    memory = Kept(*STORED)
    made = Reader(memory).acting(Subject(ANN, ACCOUNT), NOW)
    assert made.boundary is not None
    assert memory.kept[0][4] == 1_536 + 128 + sum(len(key) + len(text) for key, text in made.keys.items())


def test_a_session_with_mfa_is_composed_for_one_moment() -> None:
    """Its age is among its keys, so what was composed is good for one composition alone."""
    memory, session = Kept(*STORED), SessionFacts("session", "ann", mfa=True, mfa_at=NOW - timedelta(seconds=30))
    reader, subject = Reader(memory), Subject(ANN, ACCOUNT, "ASIA1", session)
    made = reader.acting(subject, NOW)
    assert made.keys["aws:multifactorauthage"] == "30"
    assert reader.acting(subject, NOW) is made
    twin = Subject(ANN, ACCOUNT, "ASIA1", session)
    assert reader.acting(twin, NOW) is not made
    assert (memory.kept, memory.findings) == ([], {})
    assert Reader(memory).acting(subject, NOW + timedelta(seconds=5)).keys["aws:multifactorauthage"] == "35"
