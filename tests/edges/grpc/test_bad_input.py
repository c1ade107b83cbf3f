"""Calls that are wrong in every way we know: each ends with its own error, writes nothing and tells nothing of the inside."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from sekisho import sigv4
from sekisho.credentials import session_tokens
from sekisho.credentials.key_ring import KeyRing
from sekisho.credentials.sessions import Session
from sekisho.sigv4 import bearer
from tests.harness import BY_NAME
from tests.served import Answer, Served, signed
from tests.services.iam.documents import trust

Status = grpc.StatusCode
CREATE = BY_NAME["CreateUser"]
ALICE = CREATE.request(user_name="alice").SerializeToString()
FORBIDDEN = re.compile(r"Traceback|File \"|\.py\b|SELECT|INSERT|UPDATE |sqlite|psycopg|SQLAlchemy|/tmp|/root|site-packages", re.IGNORECASE)


@pytest.fixture(autouse=True)
def nothing_is_left_and_nothing_leaks(served: Served, once: dict[str, sigv4.Credentials], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Around every test: no table gained a row but the audit's, and neither answers nor the log hold a secret or our inside."""
    answers: list[Answer] = []
    send = Served.send

    def noted(self: Served, *arguments: Any, **named: Any) -> Answer:
        answers.append(send(self, *arguments, **named))
        return answers[-1]

    before = served.rows()
    monkeypatch.setattr(Served, "send", noted)
    yield
    assert served.rows() == before
    secret = served.root.secret_access_key
    for answer in answers:
        if answer.status is not Status.OK:
            assert not FORBIDDEN.search(answer.message), answer.message
            assert secret not in answer.seen
    log = served.log.read_text()
    assert secret not in log
    assert "Traceback" not in log, log
    assert "x-amz-security-token" not in log.lower()


def document(text: str) -> bytes:
    """A CreatePolicy with this document."""
    body: bytes = BY_NAME["CreatePolicy"].request(policy_name="p", policy_document=text).SerializeToString()
    return body


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field as protobuf writes it."""
    size, encoded = len(data), bytearray()
    while True:
        encoded.append(size & 0x7F | (0x80 if size > 0x7F else 0))
        size >>= 7
        if not size:
            break
    return bytes([(number << 3 | 2) & 0x7F | 0x80, (number << 3 | 2) >> 7]) + bytes(encoded) + data


BODIES: dict[str, tuple[str, bytes, Status, str]] = {
    "no protobuf": ("CreateUser", b"\xff\xff\xff\xff", Status.INVALID_ARGUMENT, "MALFORMED_REQUEST"),
    "protobuf that ends too early": ("CreateUser", ALICE[:-1], Status.INVALID_ARGUMENT, "MALFORMED_REQUEST"),
    "text that is no UTF-8": ("CreateUser", b"\x12\x02\xc3\x28", Status.INVALID_ARGUMENT, "MALFORMED_REQUEST"),
    "nothing at all": ("CreateUser", b"", Status.INVALID_ARGUMENT, "VALIDATION_ERROR"),
    "a field that nobody knows": ("CreateUser", ALICE + field(1999, b"x"), Status.INVALID_ARGUMENT, "UNKNOWN_FIELD"),
    "a varint that nobody knows": ("CreateUser", ALICE + b"\xf8\x7c\x01", Status.INVALID_ARGUMENT, "UNKNOWN_FIELD"),
    "a name of a megabyte": (
        "CreateUser", CREATE.request(user_name="a" * 10**6).SerializeToString(), Status.INVALID_ARGUMENT, "VALIDATION_ERROR",
    ),
    "a name with NUL": ("CreateUser", CREATE.request(user_name="a\0b").SerializeToString(), Status.INVALID_ARGUMENT, "VALIDATION_ERROR"),
    "a name with a line's end": (
        "CreateUser", CREATE.request(user_name="ann\n").SerializeToString(), Status.INVALID_ARGUMENT, "VALIDATION_ERROR",
    ),
    "a document with a key twice": (
        "CreatePolicy", document('{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}'),
        Status.INVALID_ARGUMENT, "MALFORMED_POLICY_DOCUMENT",
    ),
    "a document that is too deep": ("CreatePolicy", document("[" * 5000), Status.INVALID_ARGUMENT, "MALFORMED_POLICY_DOCUMENT"),
    "a document that is too long": ("CreatePolicy", document(" " * 131_073), Status.INVALID_ARGUMENT, "VALIDATION_ERROR"),
    "a document with NaN": (
        "CreatePolicy", document('{"Version":"2012-10-17","Statement":NaN}'), Status.INVALID_ARGUMENT, "MALFORMED_POLICY_DOCUMENT",
    ),
    "a number far out of range": (
        "ListUsers", b"\x18" + b"\xff" * 9 + b"\x01", Status.INVALID_ARGUMENT, "VALIDATION_ERROR",
    ),
    "a marker of our own making": (
        "ListUsers", BY_NAME["ListUsers"].request(marker="bm9uZQ").SerializeToString(), Status.INVALID_ARGUMENT, "VALIDATION_ERROR",
    ),
    "an enum that is none": (
        "UpdateAccessKey",
        BY_NAME["UpdateAccessKey"].request(user_name="x", access_key_id="A" * 20, status="Perhaps").SerializeToString(),
        Status.INVALID_ARGUMENT, "VALIDATION_ERROR",
    ),
    "a revision that is none": (
        "Authorize", BY_NAME["Authorize"].request(action="a:B", resource="*", at_least="!").SerializeToString(),
        Status.INVALID_ARGUMENT, "INVALID_REVISION",
    ),
    "an ARN with NUL": (
        "Authorize",
        BY_NAME["Authorize"].request(action="a:B", resource="*", principal_arn="arn:aws:iam::111122223333:user/a\0b").SerializeToString(),
        Status.INVALID_ARGUMENT, "INVALID_PRINCIPAL",
    ),
    "a resource of a quarter of a megabyte": (
        "Authorize", BY_NAME["Authorize"].request(action="a:B", resource="arn:aws:s3:::" + "a" * 250_000).SerializeToString(),
        Status.INVALID_ARGUMENT, "VALIDATION_ERROR",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_is_wrong(served: Served, case: str) -> None:
    name, body, status, reason = BODIES[case]
    answer = served.refused(name, body)
    assert (answer.status, answer.reason) == (status, reason), answer.message
    assert 0 < len(answer.message) < 3000


@pytest.mark.parametrize("depth", ["a tag", "a question in a batch", "a context entry in a question in a batch"])
def test_a_field_that_nobody_knows_is_refused_at_any_depth(served: Served, depth: str) -> None:
    unknown = field(1999, b"restrict me")
    if depth == "a tag":
        tag = b"\x0a\x01k\x12\x01v" + unknown
        name, body = "CreateUser", ALICE + bytes([CREATE.request.DESCRIPTOR.fields_by_name["tags"].number << 3 | 2, len(tag)]) + tag
    else:
        question = BY_NAME["Authorize"].request(action="a:B", resource="*").SerializeToString()
        if depth.startswith("a context"):
            entry = b"\x0a\x03a:b\x12\x01x" + unknown
            question += bytes([9 << 3 | 2, len(entry)]) + entry
        else:
            question += unknown
        name, body = "AuthorizeBatch", bytes([1 << 3 | 2, len(question)]) + question
    assert served.refused(name, body).reason == "UNKNOWN_FIELD"


def test_ten_violations_at_once_fit_into_an_answer(served: Served) -> None:
    tags = [{"key": "字" * 127 + "!", "value": "x"} for _ in range(10)]  # nine bytes a sign in a trailer
    body = CREATE.request(user_name="ann", tags=tags).SerializeToString()
    with grpc.insecure_channel(served.endpoints["grpc"]) as plain:  # with the limits that every client has
        served.channel, original = plain, served.channel
        try:
            answer = served.refused("CreateUser", body)
        finally:
            served.channel = original
    assert (answer.status, answer.reason) == (Status.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert answer.message.startswith("10 validation errors detected: ")


def call(served: Served, metadata: Any, *, body: bytes = ALICE, path: str = CREATE.path) -> Answer:
    """Send a body with this metadata."""
    return served.send(path, body, metadata)


def parts(served: Served) -> dict[str, str]:
    """Metadata that would be good."""
    return dict(signed(served.root, CREATE.path, ALICE))


def replaced(metadata: dict[str, str], name: str, value: str) -> tuple[tuple[str, str], ...]:
    return tuple((metadata | {name: value}).items())


MINUTES = timedelta(minutes=1)
BAD_PROOFS: dict[str, tuple[Callable[[Served], Answer], str]] = {
    "no proof": (lambda s: call(s, ()), "MISSING_AUTHENTICATION_TOKEN"),
    "an empty authorization": (lambda s: call(s, replaced(parts(s), "authorization", "")), "INCOMPLETE_SIGNATURE"),
    "a basic authorization": (lambda s: call(s, (("authorization", "Basic YTpi"),)), "INCOMPLETE_SIGNATURE"),
    "half an authorization": (
        lambda s: call(s, replaced(parts(s), "authorization", parts(s)["authorization"][:60])), "INCOMPLETE_SIGNATURE",
    ),
    "an authorization twice": (
        lambda s: call(s, (*parts(s).items(), ("authorization", parts(s)["authorization"]))), "INCOMPLETE_SIGNATURE",
    ),
    "a date twice": (lambda s: call(s, (*parts(s).items(), ("x-amz-date", parts(s)["x-amz-date"]))), "INCOMPLETE_SIGNATURE"),
    "no date": (lambda s: call(s, [(k, v) for k, v in parts(s).items() if k != "x-amz-date"]), "INCOMPLETE_SIGNATURE"),
    "a date that is none": (lambda s: call(s, replaced(parts(s), "x-amz-date", "yesterday")), "INCOMPLETE_SIGNATURE"),
    "a signature of zeros": (
        lambda s: call(s, replaced(parts(s), "authorization", re.sub(r"[0-9a-f]{64}$", "0" * 64, parts(s)["authorization"]))),
        "SIGNATURE_DOES_NOT_MATCH",
    ),
    "a signature over another method": (
        lambda s: call(s, signed(s.root, BY_NAME["DeleteUser"].path, ALICE)), "SIGNATURE_DOES_NOT_MATCH",
    ),
    "a signature over another body": (lambda s: call(s, signed(s.root, CREATE.path, b"")), "SIGNATURE_DOES_NOT_MATCH"),
    "a signature with another secret": (
        lambda s: call(s, signed(sigv4.Credentials(s.root.access_key_id, "x" * 40), CREATE.path, ALICE)), "SIGNATURE_DOES_NOT_MATCH",
    ),
    "a signature for another audience": (
        lambda s: call(s, signed(s.root, CREATE.path, ALICE, audience="elsewhere")), "SIGNATURE_DOES_NOT_MATCH",
    ),
    "a clock six minutes behind": (
        lambda s: call(s, signed(s.root, CREATE.path, ALICE, now=datetime.now(UTC) - 6 * MINUTES)), "SIGNATURE_DOES_NOT_MATCH",
    ),
    "a clock six minutes ahead": (
        lambda s: call(s, signed(s.root, CREATE.path, ALICE, now=datetime.now(UTC) + 6 * MINUTES)), "SIGNATURE_DOES_NOT_MATCH",
    ),
    "a key that nobody has": (
        lambda s: call(s, signed(sigv4.Credentials("AKIAAAAAAAAAAAAAAAAA", "x" * 40), CREATE.path, ALICE)), "INVALID_CLIENT_TOKEN_ID",
    ),
    "the id of something else": (
        lambda s: call(s, signed(sigv4.Credentials("AIDAAAAAAAAAAAAAAAAAA", "x" * 40), CREATE.path, ALICE)), "INVALID_CLIENT_TOKEN_ID",
    ),
    "the id of an account": (
        lambda s: call(s, signed(sigv4.Credentials("111122223333", "x" * 40), CREATE.path, ALICE)), "INVALID_CLIENT_TOKEN_ID",
    ),
    "a session token beside a long-term key": (
        lambda s: call(s, signed(sigv4.Credentials(s.root.access_key_id, s.root.secret_access_key, "x.y"), CREATE.path, ALICE)),
        "INVALID_CLIENT_TOKEN_ID",
    ),
    "a bearer token for another audience": (
        lambda s: call(s, (("authorization", bearer.make(s.root, "elsewhere", datetime.now(UTC))),)), "SIGNATURE_DOES_NOT_MATCH",
    ),
    "a bearer token that has ended": (
        lambda s: call(s, (("authorization", bearer.make(s.root, "sekisho", datetime.now(UTC) - 16 * MINUTES)),)), "REQUEST_EXPIRED",
    ),
    "a bearer token of nothing": (lambda s: call(s, (("authorization", "Bearer "),)), "INCOMPLETE_SIGNATURE"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_PROOFS)
def test_a_proof_that_is_wrong(served: Served, case: str) -> None:
    attempt, reason = BAD_PROOFS[case]
    answer = attempt(served)
    assert (answer.status, answer.reason) == (Status.UNAUTHENTICATED, reason), answer.message
    assert answer.trailing["sekisho-request-id"]


def test_a_signature_does_not_carry_other_bytes(served: Served) -> None:
    body = BY_NAME["GetUser"].request(user_name="nobody").SerializeToString()
    path = BY_NAME["GetUser"].path
    metadata = signed(served.root, path, body)
    assert served.send(path, body, metadata).status is Status.NOT_FOUND
    assert served.send(path, body.replace(b"nobody", b"nobodx"), metadata).reason == "SIGNATURE_DOES_NOT_MATCH"


def test_a_good_bearer_token_is_good(served: Served) -> None:
    path = BY_NAME["GetCallerIdentity"].path
    good = bearer.make(served.root, "sekisho", datetime.now(UTC))
    assert served.send(path, b"", (("authorization", good),)).status is Status.OK
    assert served.send(path, b"", (("authorization", good[:-3]),)).status is Status.UNAUTHENTICATED


def test_a_message_that_is_too_large(served: Served) -> None:
    answer = served.send(CREATE.path, ALICE + field(1999, b"x" * (4 * 2**20)), tuple(parts(served).items()))
    assert answer.status is Status.RESOURCE_EXHAUSTED


def test_metadata_that_is_too_large(served: Served) -> None:
    answer = served.send(CREATE.path, ALICE, (*parts(served).items(), ("x-more", "x" * 20_000)))
    assert answer.status in (Status.RESOURCE_EXHAUSTED, Status.UNAVAILABLE, Status.INTERNAL)
    assert (
        served.send(BY_NAME["GetCallerIdentity"].path, b"", signed(served.root, BY_NAME["GetCallerIdentity"].path, b"")).status is Status.OK
    )


@pytest.mark.parametrize(
    "path",
    [
        "/sekisho.api.iam.v1.IamService/MakeUser",
        "/sekisho.api.iam.v1.IamService/createuser",
        "/sekisho.api.iam.v2.IamService/CreateUser",
        "/CreateUser",
    ],
)
def test_a_method_that_there_is_not(served: Served, path: str) -> None:
    assert served.send(path, ALICE, signed(served.root, path, ALICE)).status is Status.UNIMPLEMENTED


@pytest.mark.parametrize("seconds", [0.0, -1.0])  # a millisecond, what gRPC makes of less, is enough for a write
def test_a_deadline_that_has_passed(served: Served, seconds: float) -> None:
    answer = served.send(CREATE.path, ALICE, signed(served.root, CREATE.path, ALICE), timeout=seconds)
    assert answer.status is Status.DEADLINE_EXCEEDED


def test_calls_without_a_message_do_not_use_up_the_queue(served: Served) -> None:
    for _ in range(3):
        calls = [
            served.channel.stream_unary(CREATE.path, request_serializer=None, response_deserializer=None).future(iter(()))
            for _ in range(200)
        ]
        for made in calls:
            # The last: a connection carries a hundred calls at once, and those that are too many are refused before they begin.
            assert made.code() in (Status.UNIMPLEMENTED, Status.INTERNAL, Status.INVALID_ARGUMENT, Status.UNAVAILABLE)
    path = BY_NAME["GetUser"].path
    body = BY_NAME["GetUser"].request(user_name="nobody").SerializeToString()
    assert served.send(path, body, signed(served.root, path, body)).reason == "NO_SUCH_ENTITY"


@pytest.fixture(scope="module")
def once(served: Served) -> dict[str, sigv4.Credentials]:
    """Credentials by what is wrong with them."""
    made: dict[str, sigv4.Credentials] = {}
    account = served.call("GetCallerIdentity").account
    for name in ("inactive", "deleted", "gone", "assumer"):
        served.call("CreateUser", user_name=name)
        key = served.call("CreateAccessKey", user_name=name).access_key
        made[name] = sigv4.Credentials(key.access_key_id, key.secret_access_key)
    role = served.call("CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{account}:user/assumer")).role
    for session in ("session", "other"):
        found = served.call("AssumeRole", _as=made["assumer"], role_arn=role.arn, role_session_name=session).credentials
        made[session] = sigv4.Credentials(found.access_key_id, found.secret_access_key, found.session_token)
    made["session of another key"] = sigv4.Credentials(
        made["session"].access_key_id, made["session"].secret_access_key, made["other"].session_token
    )
    now = datetime.now(UTC).replace(microsecond=0)
    ended = Session(
        "assumed-role", account, "role", role.role_id, role.arn, now - timedelta(hours=2), now - timedelta(hours=1), session_name="x"
    )
    made["expired session"] = session_tokens.issue(ended, KeyRing.open(served.folder / "data" / "keyring.json"))
    other_ring = KeyRing.create(served.folder / "other.json")
    lasting = Session("assumed-role", account, "role", role.role_id, role.arn, now, now + timedelta(hours=1), session_name="x")
    made["session of another server"] = session_tokens.issue(lasting, other_ring)
    served.call("UpdateAccessKey", user_name="inactive", access_key_id=made["inactive"].access_key_id, status="Inactive")
    served.call("DeleteAccessKey", user_name="deleted", access_key_id=made["deleted"].access_key_id)
    served.call("DeleteAccessKey", user_name="gone", access_key_id=made["gone"].access_key_id)
    served.call("DeleteUser", user_name="gone")
    served.call("DeleteRole", role_name="r")
    return made


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("inactive", "INVALID_CLIENT_TOKEN_ID"),
        ("deleted", "INVALID_CLIENT_TOKEN_ID"),
        ("gone", "INVALID_CLIENT_TOKEN_ID"),
        ("session", "INVALID_CLIENT_TOKEN_ID"),
        ("session of another key", "INVALID_CLIENT_TOKEN_ID"),
        ("session of another server", "INVALID_CLIENT_TOKEN_ID"),
        ("expired session", "EXPIRED_TOKEN"),
    ],
)
def test_credentials_that_have_ended_are_refused(served: Served, once: dict[str, sigv4.Credentials], who: str, reason: str) -> None:
    for name, body in (("CreateUser", ALICE), ("GetCallerIdentity", b"")):
        answer = served.refused(name, body, credentials=once[who])
        assert (answer.status, answer.reason) == (Status.UNAUTHENTICATED, reason)
        assert once[who].secret_access_key not in answer.seen
        assert (once[who].session_token or "no token") not in answer.seen
    log = served.log.read_text()
    assert all(known.secret_access_key not in log for known in once.values())
    assert all((known.session_token or "no token") not in log for known in once.values())
