"""Assertions of passkeys as proofs: each challenge is taken once, and wrong signatures are counted by passkey alone."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho.calls import backing_off, passkey_proofs
from sekisho.calls.call import Call
from sekisho.credentials import passkeys
from sekisho.credentials.passkeys import Holder, Known, Refused
from sekisho.store.tables import Authenticator, Entity, MfaDevice, ProofFailure, UsedSignature
from tests.calls.fakes import ACCOUNT, NEVER, NOW, OTHER, USER, FakeNode

TABLES = (Entity, MfaDevice, Authenticator, ProofFailure, UsedSignature)
SERIAL = f"arn:aws:iam::{ACCOUNT}:u2f/user/ann/laptop"
BEGUN = NOW - timedelta(minutes=1)
HOLDER = Holder(ACCOUNT, USER, "", USER)
PARTY: Any = object()
RING: Any = object()


class Browser:
    """Assertions, and the outcome of each; on a node whose one session is that of each transaction."""

    def __init__(self, session: Session, patched: pytest.MonkeyPatch) -> None:
        self.session = session
        self.steps: list[Any] = []
        self.meanwhile: Any = None
        self.begun: Any = BEGUN
        self.count: int | None = 8
        self.challenge = b"challenge"
        primary = SimpleNamespace(read=self._read, write=self._write)
        self.call: Call = FakeNode(primary=primary, ring=RING, passkeys=PARTY).call("GetSessionToken")
        patched.setattr(passkeys, "parsed_assertion", self._parsed)
        patched.setattr(passkeys, "begun", self._begun)
        patched.setattr(passkeys, "asserted", self._asserted)

    @contextmanager
    def _read(self, *, deadline: float) -> Iterator[Session]:
        self.steps.append(("read", deadline))
        yield self.session
        self.session.flush()

    @contextmanager
    def _write(self, accounts: Any, *, deadline: float) -> Iterator[Session]:
        self.steps.append(("write", accounts, deadline))
        if self.meanwhile is not None:
            self.meanwhile()
        yield self.session
        self.session.flush()

    def _parsed(self, text: str) -> Any:
        if text == "nonsense":
            raise Refused("nonsense")
        return ("credential", text), self.challenge

    def _begun(self, *given: Any) -> Any:
        self.steps.append(("begun", *given))
        return self.begun

    def _asserted(self, *given: Any) -> int:
        self.steps.append(("asserted", *given))
        if self.count is None:
            raise Refused("wrong")
        return self.count

    def device(self, kind: str = "passkey", serial: str = SERIAL, account: str = ACCOUNT, **more: Any) -> Authenticator:
        given: dict[str, Any] = {"owner_id": USER, "failures": 0, "sign_count": 7, "credential_id": "id", "public_key": b"cose"} | more
        row = Authenticator(id=f"{account}{serial}", account_id=account, kind=kind, serial=serial, created_at=NOW, **given)
        self.session.add(row)
        self.session.flush()
        return row

    def take(self, text: str = "assertion", serial: str = SERIAL) -> str:
        """Take an assertion; the reason for which it is refused, empty when it is taken."""
        before = {reason: counted(reason) for reason in backing_off.REASONS}
        taken = passkey_proofs.take(self.call, serial, text)
        reasons = [reason for reason in backing_off.REASONS if counted(reason) > before[reason]]
        assert len(reasons) == (0 if taken else 1)
        return "" if taken else reasons[0]

    def used(self) -> list[UsedSignature]:
        return list(self.session.scalars(select(UsedSignature)))


def counted(reason: str) -> float:
    return float(next(iter(backing_off._REFUSED.labels(backing_off.ASSERTION, reason).numbers)))


@pytest.fixture
def browser(session: Session, monkeypatch: pytest.MonkeyPatch) -> Browser:
    return Browser(session, monkeypatch)


def test_an_assertion_is_taken_and_its_challenge_is_used(browser: Browser) -> None:
    row = browser.device(failures=3, failed_at=NOW - timedelta(days=1))
    assert browser.take() == ""
    assert browser.steps == [
        ("read", NEVER),
        ("begun", RING, b"challenge", passkeys.ASSERTION, HOLDER, NOW),
        ("asserted", PARTY, ("credential", "assertion"), b"challenge", Known("id", b"cose", 7), HOLDER),
        ("write", (ACCOUNT,), NEVER),
    ]
    assert (row.sign_count, row.failures, row.failed_at) == (8, 0, None)
    (use,) = browser.used()
    assert (use.minute, use.account_id) == (int(BEGUN.timestamp() // 60), ACCOUNT)
    assert use.signature == hashlib.sha256(b"challenge").hexdigest()[:32]
    assert use.used_at == round(NOW.timestamp() * 1_000_000)


def test_a_challenge_is_taken_once(browser: Browser) -> None:
    row = browser.device()
    assert browser.take() == ""
    browser.count = 9
    assert browser.take() == "replayed"
    assert (row.sign_count, row.failures) == (8, 0)
    browser.challenge = b"another"
    assert browser.take() == ""
    assert row.sign_count == 9


@pytest.mark.parametrize(("minutes", "account"), [(2, ACCOUNT), (1, OTHER)])
def test_another_challenge_of_the_same_digits_is_another(browser: Browser, minutes: int, account: str) -> None:
    browser.device()
    use = passkey_proofs.used(b"challenge", NOW - timedelta(minutes=minutes), browser.call)
    use.account_id = account
    assert passkey_proofs.is_used(browser.session, use) is False
    browser.session.add(use)
    browser.session.flush()
    assert passkey_proofs.is_used(browser.session, use) is True
    assert browser.take() == ""


@pytest.mark.parametrize(
    ("serial", "more"),
    [
        ("GAHT1", {}),
        (SERIAL, {"owner_id": "AIDAELSE"}),
        (SERIAL, {"owner_id": None}),
        (SERIAL, {"kind": "hardware"}),
        (SERIAL, {"account": OTHER}),
    ],
)
def test_what_is_no_passkey_of_the_callers_proves_nothing(browser: Browser, serial: str, more: dict[str, Any]) -> None:
    row = browser.device(**more)
    assert browser.take(serial=serial) == "wrong"
    assert (browser.steps, row.failures, browser.used()) == ([("read", NEVER)], 0, [])


def test_a_virtual_device_is_no_passkey(browser: Browser) -> None:
    phone = MfaDevice(
        id="phone", account_id=ACCOUNT, name="p", name_key="p", path="/", created_at=NOW, seed=b"", user_id=USER, of_root=False
    )
    browser.session.add(phone)
    assert browser.take(serial=f"arn:aws:iam::{ACCOUNT}:mfa/p") == "wrong"


def test_a_node_without_a_domain_takes_none(browser: Browser) -> None:
    browser.device()
    node: Any = browser.call.node
    node.passkeys = None
    assert browser.take() == "wrong"
    assert browser.steps == [("read", NEVER)]


def test_while_a_passkey_waits_no_assertion_is_looked_at(browser: Browser) -> None:
    row = browser.device(failures=5, failed_at=NOW)
    assert browser.take() == browser.take("nonsense") == "waiting"
    assert browser.steps == [("read", NEVER)] * 2
    browser.call.now = NOW + timedelta(minutes=1)
    assert browser.take() == ""
    assert row.failures == 0


@pytest.mark.parametrize("slow", [True, False])
def test_what_is_no_assertion_and_what_comes_too_late_is_wrong_and_not_counted(browser: Browser, slow: bool) -> None:
    row = browser.device()
    browser.begun = None if slow else BEGUN
    assert browser.take("assertion" if slow else "nonsense") == "wrong"
    assert [step[0] for step in browser.steps] == (["read", "begun"] if slow else ["read"])
    assert (row.failures, browser.used()) == (0, [])


def test_a_wrong_signature_is_counted_and_leaves_the_challenge(browser: Browser) -> None:
    row = browser.device()
    browser.count = None
    assert [browser.take() for _ in range(6)] == ["wrong"] * 5 + ["waiting"]
    assert (row.failures, row.failed_at, row.sign_count, browser.used()) == (5, NOW, 7, [])
    assert list(browser.session.scalars(select(ProofFailure))) == []


def test_a_passkey_whose_count_goes_back_is_cloned_and_has_used_its_challenge(browser: Browser) -> None:
    row = browser.device()
    browser.count = 7
    with structlog.testing.capture_logs() as logs:
        assert browser.take() == "cloned"
    assert logs == [{"event": "passkey.cloned", "log_level": "warning", "serial": SERIAL, "count": 7, "before": 7}]
    assert (row.failures, row.failed_at, row.sign_count) == (1, NOW, 7)
    assert len(browser.used()) == 1


def test_a_passkey_that_does_not_count_is_used_again(browser: Browser) -> None:
    row = browser.device(sign_count=0)
    browser.count = 0
    assert browser.take() == ""
    browser.challenge = b"another"
    assert browser.take() == ""
    assert row.sign_count == 0


@pytest.mark.parametrize(("change", "reason"), [("gone", "wrong"), ("another's", "wrong"), ("waiting", "waiting"), ("ahead", "cloned")])
@pytest.mark.parametrize("count", [8, None])
def test_what_changed_while_the_signature_was_verified_is_seen(browser: Browser, change: str, reason: str, count: int | None) -> None:
    row = browser.device()
    browser.count = count

    def meanwhile() -> None:
        if change == "gone":
            browser.session.delete(row)
            browser.session.flush()
        elif change == "another's":
            row.owner_id = "AIDAELSE"
        elif change == "waiting":
            row.failures, row.failed_at = 5, NOW
        else:
            row.sign_count = 8

    browser.meanwhile = meanwhile
    assert browser.take() == (reason if count is not None or change != "ahead" else "wrong")
    if change == "waiting":
        assert row.failures == 5
    if change != "ahead":
        assert browser.used() == []


def test_a_caller_holds_its_own_passkeys(browser: Browser) -> None:
    assert passkey_proofs.holder_of(browser.call) == HOLDER
