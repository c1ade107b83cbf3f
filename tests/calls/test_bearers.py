"""Bearer tokens, on a node of fakes: verified once, taken for as long as they would verify again, and never to write or issue."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.calls import bearers
from sekisho.calls.bearers import Bearer, IdentityToken
from sekisho.calls.call import Call
from sekisho.credentials import identity_tokens
from sekisho.credentials.key_ring import SESSIONS, UnknownKey
from sekisho.credentials.session_tokens import Opened
from sekisho.credentials.sessions import Session
from sekisho.journal.last_use import Use
from sekisho.memory import cold, records
from sekisho.sigv4 import Credentials, ExpiredToken, InvalidClientTokenId, OptInRequired, PresignedRefused, bearer
from sekisho.world import AccountRecord, IssuerRecord, KeyRecord, Subject
from tests.calls.fakes import ACCOUNT, ANN, KEY, NOW, OTHER, ROLE, ROLE_ARN, USER, FakeNode

TEMPORARY, ISSUER = "ASIADEPLOYDEPLOYDEPL", "issuer-1"
DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"}]}'
TICK = timedelta.resolution
MINUTE = timedelta(minutes=1)


def session(ends: timedelta = timedelta(hours=1), policy: str = "") -> Session:
    return Session("assumed-role", ACCOUNT, "role", ROLE, ROLE_ARN, NOW, NOW + ends, "build-7", policy=policy)


class Verified:
    """Counts how often bearer tokens are verified."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.times, self._verify = 0, bearer.verify
        patched.setattr(bearer, "verify", self.verify)

    def verify(self, *given: Any) -> None:
        self.times += 1
        self._verify(*given)


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> Verified:
    return Verified(monkeypatch)


def at(node: FakeNode, after: timedelta = timedelta(0), name: str = "GetUser") -> Call:
    """A call at a moment."""
    call = node.call(name, None)
    call.now = NOW + after
    return call


def token(expires: int = 900, credentials: Credentials | None = None, audience: str = "sekisho") -> str:
    made = bearer.make(credentials or Credentials(KEY, "secret"), audience, NOW, expires=expires)
    return made.removeprefix("Bearer ")


def test_a_bearer_token_is_its_makers_and_is_found_again(verified: Verified) -> None:
    node, text = FakeNode(), token()
    proof = Bearer(text, "sekisho")
    assert proof.prove(at(node)) == ANN
    key, owner, origins, cost = node.world.kept[-1]
    assert (key, owner, cost) == (("bearer", "sekisho", text), ACCOUNT, 2 * len(text))
    assert origins == ((KEY, node.world.records[KEY]), (ACCOUNT, node.world.records[ACCOUNT]))
    assert proof.prove(at(node, MINUTE)) == ANN
    assert verified.times == 1
    assert node.uses == [(KEY, Use(NOW, "iam", "local")), (KEY, Use(NOW + MINUTE, "iam", "local"))]


@pytest.mark.parametrize(
    ("after", "times"),
    [(-sigv4.SKEW, 1), (-sigv4.SKEW - TICK, 2), (timedelta(seconds=600), 1), (timedelta(seconds=600) + TICK, 2)],
)
def test_what_was_verified_holds_as_long_as_it_would_again(verified: Verified, after: timedelta, times: int) -> None:
    node = FakeNode()
    proof = Bearer(token(600), "sekisho")
    proof.prove(at(node))
    if times == 1:
        assert proof.prove(at(node, after)) == ANN
    else:
        with pytest.raises(sigv4.SignatureDoesNotMatch if after < timedelta(0) else sigv4.RequestExpired):
            proof.prove(at(node, after))
    assert verified.times == times


def test_a_token_for_another_audience_proves_nothing(verified: Verified) -> None:
    node, text = FakeNode(), token()
    Bearer(text, "sekisho").prove(at(node))
    with pytest.raises(sigv4.SignatureDoesNotMatch):
        Bearer(text, "other").prove(at(node))


def opening(*opened: Opened, forgotten: bool = False) -> tuple[FakeNode, list[Any]]:
    """A node that opens the first of these tokens, and whom it was asked about."""
    asked: list[Any] = []

    def refuse_forgotten(one: Opened) -> None:
        asked.append(one)
        if forgotten:
            raise InvalidClientTokenId

    return FakeNode(tokens=SimpleNamespace(open=lambda *_: opened[0], refuse_forgotten=refuse_forgotten)), asked


@pytest.mark.parametrize(
    ("ends", "last"), [(timedelta(minutes=5), timedelta(minutes=5) - TICK), (timedelta(hours=1), timedelta(minutes=10))]
)
def test_a_token_ends_with_the_session_of_its_maker(verified: Verified, ends: timedelta, last: timedelta) -> None:
    credentials = Credentials(TEMPORARY, "of the session", "token")
    node, asked = opening(Opened(credentials, session(ends), "abcd1234", 300))
    proof = Bearer(token(600, credentials), "sekisho")
    first = proof.prove(at(node))
    assert (first.id, asked) == (ROLE, [])
    assert proof.prove(at(node, last)) is first
    assert (verified.times, len(asked)) == (1, 1)
    try:
        proof.prove(at(node, last + TICK))
    except sigv4.RequestExpired:
        assert ends > last + TICK
    assert verified.times == 2
    bearer_kept = [cost for key, _, _, cost in node.world.kept if key[0] == "bearer"]
    assert bearer_kept[0] == 2 * len(proof.token) + 2 * 300 + len("token") + 1024


def test_a_token_ends_when_what_sealed_its_session_is_forgotten() -> None:
    credentials = Credentials(TEMPORARY, "of the session", "token")
    node, _ = opening(Opened(credentials, session(), "abcd1234", 300), forgotten=True)
    proof = Bearer(token(600, credentials), "sekisho")
    proof.prove(at(node))
    with pytest.raises(InvalidClientTokenId):
        proof.prove(at(node))


@pytest.mark.parametrize(
    ("name", "refused"), [("GetUser", False), ("Authorize", False), ("CreateUser", True), ("GetSessionToken", True), ("ListUsers", False)]
)
def test_a_bearer_reads_and_decides(name: str, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    identified(monkeypatch)
    for proof in (Bearer(token(), "sekisho"), IdentityToken("a.b.c", "sekisho")):
        node = with_issuer()
        call = at(node, name=name)
        if not refused:
            assert proof.prove(call).id == USER
            continue
        with pytest.raises(PresignedRefused) as caught:
            proof.prove(call)
        assert caught.value.message == f"A bearer token can only read and decide: sign the call of {call.operation.action}."


@pytest.mark.parametrize(
    ("text", "proof"),
    [
        ("abc", Bearer("abc", "here")),
        ("Bearer abc ", Bearer("abc", "here")),
        ("a.b", Bearer("a.b", "here")),
        ("a.b.c", IdentityToken("a.b.c", "here")),
        ("Bearer  a.b.c", IdentityToken("a.b.c", "here")),
        ("a.b.c.d", Bearer("a.b.c.d", "here")),
    ],
)
def test_a_jwt_has_two_dots(text: str, proof: Any) -> None:
    assert bearers.of_bearer(text, "here") == proof


class Identified:
    """Takes every JWT for what a test says, and notes when one is read and verified."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.holder: Any = identity_tokens.Holder(ACCOUNT, USER, KEY, None)
        self.steps: list[tuple[Any, ...]] = []
        self.wrong: Exception | None = None
        patched.setattr(identity_tokens, "read", self._read)
        patched.setattr(identity_tokens, "verify", self._verify)

    def _read(self, text: str, ring: Any) -> Any:
        self.steps.append(("read", text, ring))
        return SimpleNamespace(holder=self.holder, key="abcd1234", size=77, issued_at=NOW, expires_at=NOW + 5 * MINUTE)

    def _verify(self, read: Any, issuer: Any, audience: str, now: Any) -> None:
        self.steps.append(("verify", issuer, audience, now))
        if self.wrong is not None:
            raise self.wrong

    @property
    def times(self) -> int:
        return len([step for step in self.steps if step[0] == "read"])


def identified(patched: pytest.MonkeyPatch) -> Identified:
    return Identified(patched)


@pytest.fixture
def jwt(monkeypatch: pytest.MonkeyPatch) -> Identified:
    return identified(monkeypatch)


class Ring:
    """Holds the key that seals credentials, until a test takes it away."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.forgotten = False

    def key(self, *given: Any) -> None:
        self.asked.append(given)
        if self.forgotten:
            raise UnknownKey("gone")


def with_issuer(**account: Any) -> FakeNode:
    node = FakeNode(ring=Ring())
    node.world.put(
        AccountRecord(ACCOUNT, **{"status": "ACTIVE", "issuer_id": ISSUER} | account), IssuerRecord(ISSUER, ACCOUNT, "https://i")
    )
    return node


PROOF = IdentityToken("a.b.c", "sekisho")


def test_a_jwt_is_who_asked_for_it_and_is_found_again(jwt: Identified) -> None:
    node = with_issuer()
    first = PROOF.prove(at(node))
    known = node.world.records
    assert first == ANN
    assert jwt.steps == [("read", "a.b.c", node.ring), ("verify", known[ISSUER], "sekisho", NOW)]
    origins = ((ACCOUNT, known[ACCOUNT]), (ISSUER, known[ISSUER]), (KEY, known[KEY]))
    assert node.world.kept == [(("identity-token", "sekisho", "a.b.c"), ACCOUNT, origins, 2 * (len("a.b.c") + 77))]
    assert node.ring.asked == []
    assert PROOF.prove(at(node, MINUTE)) is first
    assert (jwt.times, node.ring.asked) == (1, [(SESSIONS, "abcd1234")])
    assert node.uses == [(KEY, Use(NOW, "iam", "")), (KEY, Use(NOW + MINUTE, "iam", ""))]


@pytest.mark.parametrize(
    ("after", "times"), [(-sigv4.SKEW, 1), (-sigv4.SKEW - TICK, 2), (5 * MINUTE - TICK, 1), (5 * MINUTE, 2), (5 * MINUTE + TICK, 2)]
)
def test_a_jwt_is_read_again_beyond_its_time(jwt: Identified, after: timedelta, times: int) -> None:
    node = with_issuer()
    PROOF.prove(at(node))
    PROOF.prove(at(node, after))
    assert jwt.times == times


def test_a_jwt_for_another_audience_is_verified_for_that(jwt: Identified) -> None:
    node = with_issuer()
    PROOF.prove(at(node))
    jwt.wrong = InvalidClientTokenId()
    with pytest.raises(InvalidClientTokenId):
        IdentityToken("a.b.c", "other").prove(at(node))
    assert jwt.steps[-1][2] == "other"
    assert len(node.world.kept) == 1


def test_a_jwt_ends_when_the_key_that_sealed_it_is_forgotten(jwt: Identified) -> None:
    node = with_issuer()
    PROOF.prove(at(node))
    node.ring.forgotten = True
    with pytest.raises(InvalidClientTokenId) as caught:
        PROOF.prove(at(node))
    assert caught.value.__suppress_context__


def test_a_jwt_is_not_verified_where_nobody_may_wait(jwt: Identified) -> None:
    node = with_issuer()
    with cold.unwaiting(), pytest.raises(cold.Cold):
        PROOF.prove(at(node))
    assert jwt.times == 0


@pytest.mark.parametrize(
    "change",
    [
        {"gone": ACCOUNT},
        {"gone": ISSUER},
        {"issuer_id": None},
        {"put": SimpleNamespace(id=ISSUER)},
        {"put": SimpleNamespace(id=ACCOUNT, issuer_id=ISSUER, status="ACTIVE")},
    ],
)
def test_a_jwt_of_an_account_without_an_issuer_is_nobodys(jwt: Identified, change: dict[str, Any]) -> None:
    node = with_issuer(**{name: value for name, value in change.items() if name == "issuer_id"})
    node.world.records.pop(change.get("gone"), None)
    if "put" in change:
        node.world.put(change["put"])
    asked: list[Any] = []
    get_record = node.world.get_record

    def noting(id_: Any) -> Any:
        asked.append(id_)
        return get_record(id_)

    world: Any = node.world
    world.get_record = noting
    with pytest.raises(InvalidClientTokenId):
        PROOF.prove(at(node))
    assert (len(jwt.steps), node.world.kept) == (1, [])
    assert set(asked) <= {ACCOUNT, ISSUER}


def test_a_suspended_account_is_told_when_the_token_is_right(jwt: Identified) -> None:
    node = with_issuer(status="SUSPENDED")
    with pytest.raises(OptInRequired):
        PROOF.prove(at(node))
    jwt.wrong = InvalidClientTokenId()
    with pytest.raises(InvalidClientTokenId):
        PROOF.prove(at(node))


@pytest.mark.parametrize(
    ("record", "holds"),
    [
        (KeyRecord(KEY, ACCOUNT, USER, "Active", "secret"), True),
        (KeyRecord(KEY, ACCOUNT, USER, "Inactive", "secret"), False),
        (KeyRecord(KEY, ACCOUNT, ROLE, "Active", "secret"), False),
        (SimpleNamespace(id=KEY, status="Active", owner_id=USER), False),
        (None, False),
    ],
)
def test_a_jwt_holds_while_its_key_does(jwt: Identified, record: Any, holds: bool) -> None:
    node = with_issuer()
    del node.world.records[KEY]
    if record is not None:
        node.world.put(record)
    if holds:
        assert PROOF.prove(at(node)) == ANN
        return
    with pytest.raises(InvalidClientTokenId):
        PROOF.prove(at(node))
    assert node.world.kept == []


def test_a_jwt_that_a_certificate_asked_for_has_no_key(jwt: Identified) -> None:
    jwt.holder = identity_tokens.Holder(ACCOUNT, USER, "", None)
    node = with_issuer()
    assert PROOF.prove(at(node)) == Subject(USER, ACCOUNT)
    assert [id_ for id_, _ in node.world.kept[0][2]] == [ACCOUNT, ISSUER]
    assert node.uses == []


def test_a_jwt_of_a_session_is_that_session_until_it_ends(jwt: Identified) -> None:
    jwt.holder = identity_tokens.Holder(ACCOUNT, ROLE, TEMPORARY, session(MINUTE, DOCUMENT))
    node = with_issuer()
    found = PROOF.prove(at(node))
    assert (found.id, found.access_key_id) == (ROLE, TEMPORARY)
    assert found.session is not None
    assert found.session.name == "build-7"
    ((_, owner, origins, cost),) = node.world.kept
    assert (owner, [id_ for id_, _ in origins]) == (ACCOUNT, [ACCOUNT, ISSUER])
    assert cost == 2 * (len("a.b.c") + 77) + records.cost_of(found.session.policies)
    assert node.uses == [(ROLE, Use(NOW, "iam", ""))]
    node.world.findings.clear()
    assert PROOF.prove(at(node, MINUTE - TICK)).id == ROLE
    node.world.findings.clear()
    with pytest.raises(ExpiredToken):
        PROOF.prove(at(node, MINUTE))


def test_a_jwt_of_another_account_is_kept_for_that(jwt: Identified) -> None:
    jwt.holder = identity_tokens.Holder(OTHER, USER, "", None)
    node = with_issuer()
    node.world.put(AccountRecord(OTHER, "ACTIVE", issuer_id=ISSUER))
    PROOF.prove(at(node))
    assert [owner for _, owner, _, _ in node.world.kept] == [OTHER]
