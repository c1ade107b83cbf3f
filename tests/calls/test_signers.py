"""Whose a key is, on a node of fakes: each secret is looked at, and what says so is remembered as long as it holds."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.calls import signers
from sekisho.calls.signers import Holder
from sekisho.credentials.session_tokens import Opened
from sekisho.credentials.sessions import Session
from sekisho.journal.last_use import Use
from sekisho.memory import records
from sekisho.sigv4 import Credentials, InvalidClientTokenId, OptInRequired
from sekisho.world import AccountRecord, KeyRecord, SessionFacts, Subject
from tests.calls.fakes import ACCOUNT, ANN, KEY, NOW, ROLE, ROLE_ARN, USER, FakeNode, attached, deploying

TEMPORARY = "ASIADEPLOYDEPLOYDEPL"
SESSION = Session("assumed-role", ACCOUNT, "role", ROLE, ROLE_ARN, NOW, NOW + timedelta(hours=1), "build-7")
DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"}]}'
NOBODYS = "-" * 40


def opened(session: Session = SESSION, secret: str = "of the session", key_id: str = TEMPORARY) -> Opened:
    return Opened(Credentials(key_id, secret, "token"), session, "abcd1234", 300)


class Signer:
    """A node of fakes, the tokens that it opens, and the secrets that signatures were verified with."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.secrets: list[str] = []
        self.opens = opened()
        self.node = FakeNode(tokens=SimpleNamespace(open=self._open))

    def _open(self, *given: Any) -> Opened:
        self.asked.append(given)
        return self.opens

    def of(self, key_id: str = KEY, token: str | None = None, raises: Exception | None = None) -> Holder:
        def verify(secret: str) -> None:
            self.secrets.append(secret)
            if raises is not None:
                raise raises

        signed: Any = SimpleNamespace(access_key_id=key_id, session_token=token)
        return signers.holder(self.node.call(subject=None), signed, verify)


@pytest.fixture
def signer() -> Signer:
    return Signer()


def test_a_key_is_its_owners_and_is_found_again(signer: Signer) -> None:
    world = signer.node.world
    found = signer.of()
    origins = ((KEY, world.records[KEY]), (ACCOUNT, world.records[ACCOUNT]))
    assert found == (ANN, None, origins)
    assert world.kept == [(("key", KEY), ACCOUNT, origins, 0)]
    world.records.clear()
    assert signer.of() is found
    assert signer.secrets == ["secret", "secret"]


@pytest.mark.parametrize("known", [False, True])
def test_a_signature_is_looked_at_each_time(signer: Signer, known: bool) -> None:
    if known:
        signer.of()
    kept = len(signer.node.world.kept)
    with pytest.raises(sigv4.SignatureDoesNotMatch):
        signer.of(raises=sigv4.SignatureDoesNotMatch())
    assert (signer.secrets[-1], len(signer.node.world.kept)) == ("secret", kept)


@pytest.mark.parametrize(
    "record", [None, KeyRecord(KEY, ACCOUNT, USER, "Inactive", "secret"), SimpleNamespace(id=KEY, status="Active", secret="secret")]
)
@pytest.mark.parametrize("raises", [None, sigv4.SignatureDoesNotMatch(), sigv4.RequestExpired("late")])
def test_nobodys_key_takes_as_long_as_somebodys_and_says_nothing(signer: Signer, record: Any, raises: Exception | None) -> None:
    del signer.node.world.records[KEY]
    if record is not None:
        signer.node.world.put(record)
    with pytest.raises(InvalidClientTokenId):
        signer.of(raises=raises)
    assert (signer.secrets, signer.node.world.kept) == ([NOBODYS], [])


def test_what_is_wrong_with_a_signature_whoever_made_it_is_said(signer: Signer) -> None:
    del signer.node.world.records[KEY]
    with pytest.raises(sigv4.IncompleteSignature):
        signer.of(raises=sigv4.IncompleteSignature("no date"))


def test_temporary_credentials_without_their_token_are_nobodys(signer: Signer) -> None:
    signer.node.world.put(KeyRecord(TEMPORARY, ACCOUNT, USER, "Active", "secret"))
    with pytest.raises(InvalidClientTokenId):
        signer.of(TEMPORARY)
    assert signer.secrets == [NOBODYS]


@pytest.mark.parametrize("token", [None, "token"])
def test_a_suspended_account_has_no_keys_but_right_ones(signer: Signer, token: str | None) -> None:
    """A wrong signature says no more of a suspended account than of another."""
    signer.node.world.put(AccountRecord(ACCOUNT, "SUSPENDED"))
    with pytest.raises(sigv4.SignatureDoesNotMatch):
        signer.of(token=token, raises=sigv4.SignatureDoesNotMatch())
    with pytest.raises(OptInRequired):
        signer.of(token=token)
    assert signer.node.world.kept == []


@pytest.mark.parametrize(
    ("record", "inactive"), [(None, False), (AccountRecord(ACCOUNT, "ACTIVE"), False), (AccountRecord(ACCOUNT, "CLOSED"), True)]
)
def test_an_account_that_is_not_active(record: Any, inactive: bool) -> None:
    if inactive:
        with pytest.raises(OptInRequired):
            signers.refuse_inactive(record)
    else:
        signers.refuse_inactive(record)


def test_a_session_is_in_its_token_and_is_found_again(signer: Signer) -> None:
    world = signer.node.world
    found = signer.of(TEMPORARY, "token")
    origins = ((ACCOUNT, world.records[ACCOUNT]),)
    assert (found.subject.id, found.subject.access_key_id, found.opened, found.origins) == (ROLE, TEMPORARY, signer.opens, origins)
    assert signer.asked == [("token", TEMPORARY, NOW)]
    assert world.kept == [(("session", TEMPORARY), ACCOUNT, origins, signers.cost(found))]
    world.records.clear()
    assert signer.of(TEMPORARY, "token") is found
    assert signer.secrets == ["of the session"] * 2
    assert len(signer.asked) == 2  # whether it still opens is looked at each time


def test_an_id_of_temporary_credentials_with_another_token_is_another_session(signer: Signer) -> None:
    first = signer.of(TEMPORARY, "token")
    signer.opens = opened(secret="of another")
    second = signer.of(TEMPORARY, "another")
    assert (second.opened, signer.secrets[-1]) == (signer.opens, "of another")
    assert second is not first
    assert signer.of(TEMPORARY, "another") is second


def test_a_wrong_signature_of_a_session_finds_nobody(signer: Signer) -> None:
    with pytest.raises(sigv4.SignatureDoesNotMatch):
        signer.of(TEMPORARY, "token", sigv4.SignatureDoesNotMatch())
    assert signer.node.world.kept == []
    assert signer.secrets == ["of the session"]


def test_a_session_costs_its_token_and_its_policies() -> None:
    weight = 2 * 300 + len("token") + 1024
    policies = (attached("a:b"), attached("a:c", "a:d"))
    assert signers.cost(Holder(ANN, None, ())) == 0
    assert signers.cost(Holder(ANN, opened(), ())) == 0
    assert signers.cost(Holder(deploying(), opened(), ())) == weight
    assert signers.cost(Holder(deploying(policies=policies), opened(), ())) == weight + records.cost_of(policies)
    assert signers.cost(Holder(deploying(policies=policies), None, ())) == 0
    assert records.cost_of(policies) > 0


@pytest.mark.parametrize(
    ("subject", "noted"),
    [
        (ANN, KEY),
        (deploying(), ROLE),
        (Subject(USER, ACCOUNT, TEMPORARY, SessionFacts("session-token")), None),
        (Subject(ROLE, ACCOUNT, KEY, SessionFacts("federation", "visitor")), KEY),
        (Subject(ACCOUNT, ACCOUNT, TEMPORARY, SessionFacts("assumed-role", "x")), None),
        (Subject(USER, ACCOUNT), None),
    ],
)
def test_the_use_of_a_key_or_a_role_is_noted(subject: Subject, noted: str | None) -> None:
    node = FakeNode()
    signers.note_use(node.call("GetUser", None), Holder(subject, None, ()), "eu-central-1")
    assert node.uses == ([(noted, Use(NOW, "iam", "eu-central-1"))] if noted is not None else [])


def test_a_subject_has_all_that_its_session_says() -> None:
    session = Session(
        "assumed-role", ACCOUNT, "role", ROLE, ROLE_ARN, NOW, NOW + timedelta(hours=1), "build-7",
        tags=(("Team", "a"), ("Area", "b")), transitive_keys=("Team",), source_identity="ann", policy=DOCUMENT,
        policy_arns=("ANPAONE", "ANPATWO"), mfa=True, mfa_at=NOW - timedelta(minutes=1), provider="accounts.example.com",
        context=(("saml:aud", "x"), ("saml:sub", ("y", "z"))),
    )  # fmt: skip
    subject = signers.of_session(session, TEMPORARY)
    facts = subject.session
    assert facts is not None
    assert (subject.id, subject.account_id, subject.access_key_id) == (ROLE, ACCOUNT, TEMPORARY)
    assert (facts.kind, facts.name, facts.source_identity, facts.provider) == ("assumed-role", "build-7", "ann", "accounts.example.com")
    assert (facts.tags, facts.transitive) == ({"Team": "a", "Area": "b"}, frozenset(("Team",)))
    assert (facts.policy_ids, facts.context) == (("ANPAONE", "ANPATWO"), {"saml:aud": "x", "saml:sub": ("y", "z")})
    assert (facts.issued_at, facts.expires_at) == (NOW, NOW + timedelta(hours=1))
    assert (facts.mfa, facts.mfa_at) == (True, NOW - timedelta(minutes=1))
    (own,) = facts.policies
    assert (own.name, own.program.text) == ("session policy", DOCUMENT)
    again = signers.of_session(session, TEMPORARY).session
    assert again is not None
    assert again.policies[0] is own  # compiled once
    bare = signers.of_session(SESSION, TEMPORARY).session
    assert bare is not None
    assert (bare.policies, bare.policy_ids, bare.mfa) == ((), (), None)
