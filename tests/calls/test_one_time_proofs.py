"""Codes and assertions as proofs: taken once, and wrong ones counted, in a database of their tables alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho.calls import backing_off, one_time_proofs
from sekisho.calls.call import Call
from sekisho.credentials import one_time
from sekisho.credentials.key_ring import KeyRing
from sekisho.store import used
from sekisho.store.tables import Authenticator, Entity, MfaDevice, ProofFailure
from tests.calls.fakes import ACCOUNT, NEVER, NOW, USER, FakeNode

TABLES = (Entity, MfaDevice, Authenticator, ProofFailure)
SERIAL, SEED = "GAHT1", b"a seed of twenty byt"
STEP = one_time.step(NOW)
RIGHT, WRONG = one_time.code(SEED, STEP), one_time.code(SEED, STEP + 1000)


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing.create(Path(tmp_path_factory.mktemp("ring")) / "keyring.json")


class Writing:
    """A session that is the transaction of each write, and what the writes were begun with."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.begun: list[Any] = []

    @contextmanager
    def write(self, accounts: Any, *, deadline: float) -> Iterator[Session]:
        self.begun.append((accounts, deadline))
        yield self.session
        self.session.flush()


@pytest.fixture
def call(session: Session, ring: KeyRing) -> Call:
    return FakeNode(primary=Writing(session), ring=ring).call("GetSessionToken")


def device(call: Call, kind: str = "hardware", **more: Any) -> Authenticator:
    given: dict[str, Any] = {"owner_id": USER, "failures": 0, "drift": 0, "sign_count": 0} | more
    id_ = "one"
    row = Authenticator(
        id=id_, account_id=ACCOUNT, kind=kind, serial=SERIAL, created_at=NOW,
        seed=one_time.seal(id_, SEED, call.node.ring, table="authenticators"), **given,
    )  # fmt: skip
    session_of(call).add(row)
    session_of(call).flush()
    return row


def session_of(call: Call) -> Session:
    primary: Any = call.node.primary
    made: Session = primary.session
    return made


def owners(call: Call) -> ProofFailure | None:
    """The wrong codes of the caller, whatever device they were of."""
    return session_of(call).scalars(select(ProofFailure)).one_or_none()


def counted(reason: str) -> float:
    return float(next(iter(backing_off._REFUSED.labels(backing_off.CODE, reason).numbers)))


def test_a_code_is_taken_once(call: Call) -> None:
    row = device(call, failures=3, failed_at=NOW - timedelta(days=1))
    backing_off.owner_failed(session_of(call), USER, backing_off.CODE, NOW - timedelta(days=1))
    before = counted("wrong")
    assert one_time_proofs.take(call, SERIAL, RIGHT) is True
    assert (row.last_step, row.failures, row.failed_at, owners(call)) == (STEP, 0, None, None)
    assert counted("wrong") == before
    primary: Any = call.node.primary
    assert primary.begun == [((ACCOUNT,), NEVER)]
    assert one_time_proofs.take(call, SERIAL, RIGHT) is False
    assert (row.last_step, row.failures, row.failed_at, counted("wrong")) == (STEP, 1, NOW, before + 1)


@pytest.mark.parametrize(("drift", "ahead", "taken"), [(0, 0, True), (7, 7, True), (7, 0, False), (0, 7, False)])
def test_the_clock_of_a_device_may_be_ahead(call: Call, drift: int, ahead: int, taken: bool) -> None:
    device(call, drift=drift)
    assert one_time_proofs.take(call, SERIAL, one_time.code(SEED, STEP + ahead)) is taken


def test_wrong_codes_are_counted_by_device_and_by_caller(call: Call) -> None:
    row, before = device(call), counted("wrong")
    for number in (1, 2):
        assert one_time_proofs.take(call, SERIAL, WRONG) is False
        mine = owners(call)
        assert mine is not None
        assert (row.failures, row.failed_at, row.last_step) == (number, NOW, None)
        assert (mine.owner_id, mine.proof, mine.failures, mine.failed_at) == (USER, "code", number, NOW)
    assert counted("wrong") == before + 2


@pytest.mark.parametrize("waiting", ["device", "caller"])
def test_while_a_proof_waits_no_code_is_looked_at(call: Call, waiting: str) -> None:
    more: dict[str, Any] = {"failures": 5, "failed_at": NOW} if waiting == "device" else {}
    row = device(call, **more)
    session = session_of(call)
    if waiting == "caller":
        session.add(ProofFailure(owner_id=USER, proof="code", failures=5, failed_at=NOW))
    session.add(ProofFailure(owner_id="AIDAELSE", proof="code", failures=50, failed_at=NOW))
    session.add(ProofFailure(owner_id=USER, proof="password", failures=50, failed_at=NOW))
    before, wrong = counted("waiting"), counted("wrong")
    assert one_time_proofs.take(call, SERIAL, RIGHT) is False
    assert one_time_proofs.take(call, SERIAL, WRONG) is False
    assert (counted("waiting"), counted("wrong"), row.last_step) == (before + 2, wrong, None)
    call.now = NOW + timedelta(minutes=1)
    assert one_time_proofs.take(call, SERIAL, one_time.code(SEED, STEP + 2)) is True


@pytest.mark.parametrize(
    ("serial", "more"),
    [("GAHT2", {}), (SERIAL, {"owner_id": "AIDAELSE"}), (SERIAL, {"owner_id": None}), (SERIAL, {"kind": "passkey"})],
)
def test_a_device_that_shows_the_caller_no_codes_proves_nothing(call: Call, serial: str, more: dict[str, Any]) -> None:
    row, before = device(call, **more), counted("wrong")
    assert one_time_proofs.take(call, serial, RIGHT) is False
    assert (row.failures, row.last_step, owners(call), counted("wrong")) == (0, None, None, before + 1)


@pytest.mark.parametrize("fresh", [True, False])
def test_an_assertion_is_taken_in_the_account_that_it_is_for(call: Call, fresh: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []

    def take(*given: Any) -> bool:
        taken.append(given)
        return fresh

    monkeypatch.setattr(used, "take", take)
    issued = NOW - timedelta(minutes=1)
    assert one_time_proofs.take_assertion(call, "444455556666", "name", issued) is fresh
    primary: Any = call.node.primary
    assert primary.begun == [(("444455556666",), NEVER)]
    assert taken == [(primary.session, "444455556666", "name", issued, NOW)]
