"""Proofs, on a node of fakes: which one a call's metadata has, whom each proves, and what is used up by it."""

import time
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.calls import bearers, proofs
from sekisho.calls.call import Call
from sekisho.calls.workloads import Workload
from sekisho.errors import Unauthenticated
from sekisho.journal.last_use import Use
from sekisho.store import used
from sekisho.world import SessionFacts, Subject
from tests.calls.fakes import ACCOUNT, ANN, KEY, NOW, ROLE, ROLE_ARN, USER, USER_ARN, FakeNode

TOKEN = ("authorization", "Bearer abc")
BEARER = bearers.Bearer("abc", "sekisho")


@pytest.mark.parametrize(
    ("metadata", "bearer"),
    [
        ((TOKEN,), True),
        ((("user-agent", "tests"), TOKEN, ("x-amz-date", "20260101T000000Z")), True),
        ((("authorization", b"bytes"), TOKEN), True),
        ((("authorization", "bEARER  abc "),), True),
        ((("authorization", "Bearer Bearer abc"),), True),
        ((TOKEN, TOKEN), False),
        ((("authorization", "AWS4-HMAC-SHA256 abc"),), False),
        ((("authorization", "Bearerabc"),), False),
        ((("x-authorization", "Bearer abc"),), False),
        ((), False),
    ],
)
def test_a_bearer_token_is_the_only_authorization(metadata: Any, bearer: bool) -> None:
    expected = BEARER if bearer else proofs.CallSignature(metadata, "/a.B/C", b"body", "sekisho")
    assert proofs.of_metadata(metadata, "/a.B/C", b"body", "sekisho") == expected


class Uses:
    """A node of fakes that notes the uses of signatures, and finds them used when a test says so."""

    def __init__(self, *, issued_before: bool = False) -> None:
        self.replays: list[tuple[Any, ...]] = []
        self.issued: list[Any] = []

        def issue(use: Any) -> bool:
            self.issued.append(use)
            return not issued_before

        self.node = FakeNode(
            replays=SimpleNamespace(use=lambda *given, grace: self.replays.append((*given, grace))), issued=SimpleNamespace(use=issue)
        )

    def call(self, name: str, after: timedelta = timedelta(0)) -> Call:
        made = self.node.call(name, None)
        made.now = NOW + after
        return made


LEVELS = {"GetUser": "read", "Authorize": "read", "CreateUser": "write", "GetSessionToken": "issue"}
CREDENTIALS = sigv4.Credentials(KEY, "secret")
NONCE = "0123456789abcdef"


def over_grpc(**changed: Any) -> proofs.CallSignature:
    metadata = sigv4.sign_call(CREDENTIALS, "/a.B/C", b"body", "sekisho", NOW, region="eu-central-1", nonce=NONCE)
    given: dict[str, Any] = {"metadata": metadata, "path": "/a.B/C", "body": b"body", "audience": "sekisho"} | changed
    return proofs.CallSignature(**given)


def over_http(presigned: int | None = None, **changed: Any) -> proofs.HttpSignature:
    plain = sigv4.HttpRequest("POST", "/", "", (("Host", "iam.example.com"),), b"Action=GetUser")
    if presigned is None:
        request = sigv4.sign_http(CREDENTIALS, plain, "eu-central-1", "iam", NOW)
    else:
        plain = sigv4.HttpRequest("GET", "/", "Action=GetUser", (("Host", "iam.example.com"),))
        request = sigv4.presign_http(CREDENTIALS, plain, "eu-central-1", "iam", NOW, expires=presigned)
    given: dict[str, Any] = {"request": request, "service": "iam", "skew": timedelta(minutes=15)} | changed
    return proofs.HttpSignature(**given)


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize(
    ("proof", "skew", "grace"), [(over_grpc(), sigv4.SKEW, 0.0), (over_http(), timedelta(minutes=15), proofs.GRACE)], ids=["gRPC", "HTTP"]
)
def test_a_signature_proves_its_key_and_is_used_up_by_what_writes_or_issues(name: str, proof: Any, skew: timedelta, grace: float) -> None:
    uses, began = Uses(), time.monotonic()
    call = uses.call(name, timedelta(seconds=3))
    assert proof.prove(call) == ANN
    assert uses.node.uses == [(KEY, Use(call.now, call.operation.service.prefix, "eu-central-1"))]
    if LEVELS[name] == "read":
        assert (uses.replays, uses.issued, call.use) == ([], [], None)
        return
    ((account, signature, ends, now, moment, free),) = uses.replays
    assert (account, ends, now, free) == (ACCOUNT, NOW + skew, call.now, grace)
    assert began <= moment <= time.monotonic()
    use = used.use(ACCOUNT, signature, NOW, call.now, grace=grace)
    assert len(signature) == 64
    assert (uses.issued, call.use) == (([], use) if LEVELS[name] == "write" else ([use], None))


def test_credentials_are_issued_once_for_a_signature_on_all_workers() -> None:
    uses = Uses(issued_before=True)
    with pytest.raises(sigv4.RequestReplayed):
        over_grpc().prove(uses.call("GetSessionToken"))
    assert over_grpc().prove(uses.call("CreateUser")) == ANN  # that is looked at by its transaction


@pytest.mark.parametrize(
    ("changed", "after", "error"),
    [
        ({"path": "/a.B/D"}, 0, sigv4.SignatureDoesNotMatch),
        ({"body": b"other"}, 0, sigv4.SignatureDoesNotMatch),
        ({"audience": "other"}, 0, sigv4.SignatureDoesNotMatch),
        ({}, 3600, sigv4.SignatureDoesNotMatch),
        ({}, -3600, sigv4.SignatureDoesNotMatch),
        ({"metadata": ()}, 0, sigv4.MissingAuthenticationToken),
    ],
)
def test_a_signature_over_another_call_proves_nothing(changed: dict[str, Any], after: int, error: type[Exception]) -> None:
    uses = Uses()
    with pytest.raises(error):
        over_grpc(**changed).prove(uses.call("CreateUser", timedelta(seconds=after)))
    assert (uses.replays, uses.node.uses) == ([], [])


@pytest.mark.parametrize(("skew", "after", "holds"), [(15, 14, True), (15, 16, False), (5, 6, False), (5, 4, True), (5, -6, False)])
def test_how_far_the_date_of_a_request_may_be_off(skew: int, after: int, holds: bool) -> None:
    uses, proof = Uses(), over_http(skew=timedelta(minutes=skew))
    call = uses.call("CreateUser", timedelta(minutes=after))
    if holds:
        assert proof.prove(call) == ANN
        assert uses.replays[0][2] == NOW + timedelta(minutes=skew)
    else:
        with pytest.raises(sigv4.SignatureDoesNotMatch):
            proof.prove(call)


def test_a_request_is_for_the_service_that_it_was_signed_for() -> None:
    uses = Uses()
    with pytest.raises(sigv4.SignatureDoesNotMatch) as caught:
        over_http(service="sts").prove(uses.call("GetUser"))
    assert caught.value.message == "Credential should be scoped to correct service: 'sts'. "
    assert uses.node.uses == []
    with pytest.raises(sigv4.SignatureDoesNotMatch):
        over_http(request=replace(over_http().request, body=b"Action=ListUsers")).prove(uses.call("GetUser"))


@pytest.mark.parametrize(
    ("name", "expires", "refused"),
    [
        ("GetUser", 900, ""),
        ("Authorize", 1, ""),
        ("GetUser", 901, "X-Amz-Expires must be a number of seconds from 1 to 900."),
        ("CreateUser", 900, "Presigned requests can only read: sign iam:CreateUser in the Authorization header."),
        ("GetSessionToken", 60, "Presigned requests can only read: sign sts:GetSessionToken in the Authorization header."),
        ("CreateUser", 901, "X-Amz-Expires must be a number of seconds from 1 to 900."),
    ],
)
def test_a_presigned_request_reads_and_not_for_long(name: str, expires: int, refused: str) -> None:
    uses = Uses()
    if not refused:
        assert over_http(expires).prove(uses.call(name)) == ANN
        return
    with pytest.raises(sigv4.PresignedRefused if refused.startswith("Presigned") else sigv4.IncompleteSignature) as caught:
        over_http(expires).prove(uses.call(name))
    assert caught.value.message == refused
    assert uses.replays == []


ENDS = NOW + timedelta(hours=1)


def certificate(named: str = ROLE_ARN, begins: datetime = NOW, ends: datetime = ENDS) -> proofs.Certificate:
    return proofs.Certificate(Workload("spiffe://shop.example/ns/prod/sa/orders", named, begins, ends))


def test_a_certificate_is_a_session_of_its_role_and_the_same_one_each_time() -> None:
    node = FakeNode()
    found = certificate().prove(node.call("GetUser", None))
    facts = SessionFacts("assumed-role", "orders", issued_at=NOW, expires_at=ENDS)
    assert found == Subject(ROLE, ACCOUNT, session=facts)
    assert node.world.kept == [(("certificate", ROLE, "orders", NOW, ENDS), ACCOUNT, (), len("orders"))]
    assert certificate().prove(node.call("GetUser", None)) is found
    assert node.uses == [(ROLE, Use(NOW, "iam", "local"))] * 2
    newer = certificate(ends=ENDS + timedelta(hours=1)).prove(node.call("GetUser", None))
    assert newer.session is not None
    assert newer.session.expires_at == ENDS + timedelta(hours=1)
    assert len(node.world.kept) == 2


def test_a_certificate_is_its_user_without_a_session() -> None:
    node = FakeNode()
    assert certificate(USER_ARN).prove(node.call("GetUser", None)) == Subject(USER, ACCOUNT)
    assert (node.world.kept, node.uses) == ([], [])


@pytest.mark.parametrize(
    ("begins", "ends", "holds"),
    [
        (timedelta(0), timedelta(1), True),
        (timedelta.resolution, timedelta(1), False),
        (-timedelta(1), timedelta(0), True),
        (-timedelta(1), -timedelta.resolution, False),
    ],
)
def test_a_certificate_holds_in_its_time(begins: timedelta, ends: timedelta, holds: bool) -> None:
    node, proof = FakeNode(), certificate(begins=NOW + begins, ends=NOW + ends)
    if holds:
        assert proof.prove(node.call("GetUser", None)).id == ROLE
    else:
        with pytest.raises(sigv4.ExpiredToken, match=r"^The client's certificate is not valid now\.$"):
            proof.prove(node.call("GetUser", None))


@pytest.mark.parametrize("named", [f"arn:aws:iam::{ACCOUNT}:role/gone", f"arn:aws:iam::{ACCOUNT}:user/gone", "no ARN"])
def test_a_certificate_of_a_principal_that_is_gone_proves_nothing(named: str) -> None:
    node = FakeNode()
    with pytest.raises(sigv4.InvalidClientTokenId):
        certificate(named).prove(node.call("GetUser", None))
    assert (node.world.kept, node.uses) == ([], [])


def test_a_certificate_that_the_map_does_not_know_proves_nothing() -> None:
    with pytest.raises(sigv4.MissingAuthenticationToken):
        proofs.Certificate(None).prove(FakeNode().call("GetUser", None))


class Says:
    """A proof of whatever a test says."""

    def __init__(self, said: Subject | Exception) -> None:
        self._said, self.asked = said, 0

    def prove(self, _call: Call) -> Subject:
        self.asked += 1
        if isinstance(self._said, Exception):
            raise self._said
        return self._said


ELSE = Subject("AIDAELSE", ACCOUNT)
NOTHING = sigv4.MissingAuthenticationToken()
OWN = Subject(ROLE, ACCOUNT, session=SessionFacts("assumed-role", "build-7"))
SENTENCE = "the signature is another principal's than the client's certificate"


@pytest.mark.parametrize(
    ("known", "beside", "found"),
    [
        (True, OWN, OWN),
        (True, NOTHING, "the certificate's"),
        (True, ELSE, sigv4.SignatureDoesNotMatch(SENTENCE)),
        (True, sigv4.ExpiredToken(), sigv4.ExpiredToken()),
        (False, ELSE, ELSE),
        (False, NOTHING, NOTHING),
        (False, sigv4.ExpiredToken(), sigv4.ExpiredToken()),
    ],
)
def test_a_proof_beside_a_certificate_is_of_the_same_principal(known: bool, beside: Any, found: Any) -> None:
    says = Says(beside)
    proof = proofs.Certified(certificate() if known else proofs.Certificate(None), says)
    call = FakeNode().call("GetUser", None)
    if isinstance(found, Unauthenticated):
        with pytest.raises(type(found)) as caught:
            proof.prove(call)
        assert caught.value.message == found.message
    elif found == "the certificate's":
        assert proof.prove(call) == certificate().prove(call)
    else:
        assert proof.prove(call) is beside
    assert says.asked == 1


def test_a_certificate_that_has_ended_ends_the_proofs_beside_it() -> None:
    says = Says(OWN)
    with pytest.raises(sigv4.ExpiredToken):
        proofs.Certified(certificate(ends=NOW - timedelta(1)), says).prove(FakeNode().call("GetUser", None))
    assert says.asked == 0
