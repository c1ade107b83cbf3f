"""What calls found out is forgotten with what it was found out from, on the node that wrote and on others; and some of it is never kept."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sekisho import policy, sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls import permission, pipeline, proofs
from sekisho.calls.call import Peer
from sekisho.credentials import key_ring
from sekisho.errors import SekishoError
from sekisho.sigv4 import bearer
from sekisho.store.tables import Account
from tests.harness import BY_NAME, House
from tests.nodes import two
from tests.services.iam.documents import allow, trust

AUTHORIZE = BY_NAME["Authorize"]
HERE = Peer(source_ip="10.0.0.1", user_agent="tests")
ASSERT = "authorize:AssertPrincipal"
OPEN = allow("authorize:Authorize", ASSERT)
_run, _decide = pipeline.run, policy.decide


@pytest.fixture
def nodes(database_url: str, tmp_path: Path) -> Iterator[tuple[House, House]]:
    with two(database_url, tmp_path) as made:
        yield made


class Gate:
    """A service that asks with one bearer token about one principal, and the decisions that its calls took."""

    def __init__(self, credentials: sigv4.Credentials, **fields: Any) -> None:
        self.token = bearer.make(credentials, "sekisho", datetime.now(UTC))
        self.fields = {"action": "orders:Ship", "resource": "*", **fields}

    def ask(self, house: House, peer: Peer = HERE, **fields: Any) -> str:
        """The outcome, or the code of the error."""
        body = pb.AuthorizeRequest(**{**self.fields, **fields}).SerializeToString()
        metadata = (("authorization", self.token),)
        proof = proofs.of_metadata(metadata, AUTHORIZE.path, body, house.node.audience)
        try:
            reply = _run(
                house.node, AUTHORIZE, pipeline.Arrival(partial(pipeline.parsed, pb.AuthorizeRequest, body), proof, peer, "name", 20.0)
            )
        except SekishoError as error:
            return error.code
        found: Any = reply.message
        return pb.Outcome.Name(found.outcome).removeprefix("OUTCOME_")

    def asked(self, house: House, **fields: Any) -> list[str]:
        """The actions that a call decided about."""
        seen: list[str] = []

        def decide(request: policy.Request, layers: policy.Layers) -> policy.Decision:
            seen.append(request.action)
            return _decide(request, layers)

        with mock.patch.object(policy, "decide", decide):
            self.ask(house, **fields)
        return seen


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Have calls begin at this moment."""

    class Set(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return moment.astimezone(tz)

    with mock.patch.object(pipeline, "datetime", Set):
        yield


def shop(house: House, document: str = OPEN) -> tuple[Gate, sigv4.Credentials]:
    """A gate that asks about Ann, who is permitted by each way there is."""
    credentials = house.user("gate", document)
    house.user("ann", allow("orders:Ship"))
    return Gate(credentials, principal_arn=f"arn:aws:iam::{house.account_id}:user/ann"), credentials


def managed(house: House, name: str, document: str) -> str:
    """A managed policy."""
    made: str = house.call("CreatePolicy", policy_name=name, policy_document=document).policy.arn
    return made


def _delete(house: House, name: str, key: str) -> None:
    house.call("DeleteUserPolicy", user_name=name, policy_name="inline-0")
    house.call("DeleteAccessKey", user_name=name, access_key_id=key)
    house.call("DeleteUser", user_name=name)


def _suspend(house: House, other: House) -> None:
    """Nothing suspends an account yet: the row, and what the log of changes would do to both nodes."""
    with house.node.database.write((house.account_id,)) as session:
        session.get_one(Account, house.account_id).status = "SUSPENDED"
    for one in (house, other):
        one.node.world.committed(one.node.world.point, (house.account_id,))


DENY = OPEN.replace("Allow", "Deny")
CHANGES: dict[str, tuple[Callable[[House, sigv4.Credentials, Any], Any], str]] = {
    "the key is inactive": (
        lambda h, c, _: h.call("UpdateAccessKey", user_name="gate", access_key_id=c.access_key_id, status="Inactive"),
        "InvalidClientTokenId",
    ),
    "the caller is gone": (lambda h, c, _: _delete(h, "gate", c.access_key_id), "InvalidClientTokenId"),
    "the caller's policy is gone": (lambda h, *_: h.call("DeleteUserPolicy", user_name="gate", policy_name="inline-0"), "AccessDenied"),
    "the caller is denied": (
        lambda h, *_: h.call("PutUserPolicy", user_name="gate", policy_name="d", policy_document=DENY),
        "AccessDenied",
    ),
    "the caller has a boundary": (
        lambda h, *_: h.call("PutUserPermissionsBoundary", user_name="gate", permissions_boundary=managed(h, "b", allow("s3:*"))),
        "AccessDenied",
    ),
    "the caller is in a group that is denied": (
        lambda h, *_: (
            h.call("CreateGroup", group_name="g"),
            h.call("PutGroupPolicy", group_name="g", policy_name="d", policy_document=DENY),
            h.call("AddUserToGroup", group_name="g", user_name="gate"),
        ),
        "AccessDenied",
    ),
    "a managed policy that denies is attached": (
        lambda h, *_: h.call("AttachUserPolicy", user_name="gate", policy_arn=managed(h, "d", DENY)),
        "AccessDenied",
    ),
    "the subject's policy is gone": (
        lambda h, *_: h.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0"),
        "IMPLICITLY_DENIED",
    ),
    "the subject is denied": (
        lambda h, *_: h.call("PutUserPolicy", user_name="ann", policy_name="d", policy_document=allow("orders:*").replace("Allow", "Deny")),
        "EXPLICITLY_DENIED",
    ),
    "the subject has another name": (lambda h, *_: h.call("UpdateUser", user_name="ann", new_user_name="bob"), "NoSuchPrincipal"),
    "the subject has another path": (lambda h, *_: h.call("UpdateUser", user_name="ann", new_path="/x/"), "NoSuchPrincipal"),
    "the name is another's": (
        lambda h, *_: (h.call("UpdateUser", user_name="ann", new_user_name="bob"), h.call("CreateUser", user_name="ann")),
        "IMPLICITLY_DENIED",
    ),
    "the account is suspended": (lambda h, _, other: _suspend(h, other), "OptInRequired"),
}


@pytest.mark.parametrize(("change", "then"), CHANGES.values(), ids=CHANGES)
def test_a_change_ends_what_was_found_out(
    nodes: tuple[House, House], change: Callable[[House, sigv4.Credentials, Any], Any], then: str
) -> None:
    writer, reader = nodes
    gate, credentials = shop(writer)
    for house in nodes:
        house.node.world.poll()
        assert [gate.ask(house) for _ in range(3)] == ["ALLOWED"] * 3
        assert gate.asked(house) == ["orders:Ship"]  # all else is remembered
    change(writer, credentials, reader)
    assert gate.ask(writer) == then
    reader.node.world.poll()
    assert gate.ask(reader) == then


def test_a_write_of_ones_own_counts_before_the_log_is_looked_at(nodes: tuple[House, House]) -> None:
    """Its revision may not be the next one here, so that the point stays where it was."""
    house, _ = nodes
    gate, _ = shop(house)
    assert gate.ask(house) == "ALLOWED"
    world = house.node.world
    point, record = world.point, world.cached_record(house.call("GetUser", user_name="gate").user.user_id)
    assert record is not None
    turn = world._turn
    world.committed(type(point)(point.number + 2, "f" * 16), ())
    assert world.point is point
    assert world._turn == turn + 1


def test_a_policy_of_a_group_and_a_default_version_are_forgotten(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    gate, _ = shop(house)
    limit = managed(house, "m", allow("s3:*"))
    house.call("CreateGroup", group_name="g")
    house.call("AttachGroupPolicy", group_name="g", policy_arn=limit)
    house.call("AddUserToGroup", group_name="g", user_name="gate")
    assert [gate.ask(house) for _ in range(2)] == ["ALLOWED"] * 2
    house.call("CreatePolicyVersion", policy_arn=limit, policy_document=DENY, set_as_default=True)
    assert gate.ask(house) == "AccessDenied"
    house.call("SetDefaultPolicyVersion", policy_arn=limit, version_id="v1")
    assert gate.ask(house) == "ALLOWED"
    house.call("PutGroupPolicy", group_name="g", policy_name="d", policy_document=DENY)
    assert gate.ask(house) == "AccessDenied"


def test_a_tag_of_a_role_ends_a_permission_by_it(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    house.user("ann", allow("orders:Ship"))
    role = house.call(
        "CreateRole", role_name="gate", assume_role_policy_document=trust(house.account_id), tags=[{"key": "team", "value": "a"}]
    ).role.arn
    document = allow("authorize:Authorize", ASSERT, when={"StringEquals": {"aws:PrincipalTag/team": "a"}})
    house.call("PutRolePolicy", role_name="gate", policy_name="p", policy_document=document)
    gate = Gate(
        house.assume(role, _as=house.user("bob", allow("sts:AssumeRole"))), principal_arn=f"arn:aws:iam::{house.account_id}:user/ann"
    )
    assert gate.ask(house) == "ALLOWED"
    assert gate.asked(house) == ["orders:Ship"]
    house.call("TagRole", role_name="gate", tags=[{"key": "team", "value": "b"}])
    assert gate.ask(house) == "AccessDenied"


@pytest.mark.parametrize(
    ("when", "elsewhere"),
    [
        ({"IpAddress": {"aws:SourceIp": "10.0.0.1/32"}}, Peer("10.0.0.2", "tests")),
        ({"StringEquals": {"aws:UserAgent": "tests"}}, Peer("10.0.0.1", "Tests")),
        ({"Bool": {"aws:SecureTransport": "false"}}, Peer("10.0.0.1", "tests", True)),
    ],
    ids=["an address", "a client", "encryption"],
)
def test_a_permission_that_reads_the_connection_is_asked_each_time(
    nodes: tuple[House, House], when: dict[str, Any], elsewhere: Peer
) -> None:
    house, _ = nodes
    gate, _ = shop(house, allow("authorize:Authorize", ASSERT, when=when))
    assert [gate.ask(house), gate.ask(house, elsewhere), gate.ask(house)] == ["ALLOWED", "AccessDenied", "ALLOWED"]
    assert gate.asked(house) == ["authorize:Authorize", ASSERT, "orders:Ship"]


def test_a_permission_that_reads_a_variable_of_the_request_is_asked_each_time(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    document = json.loads(allow("authorize:Authorize"))
    document["Statement"].append({"Effect": "Allow", "Action": ASSERT, "Resource": "arn:aws:iam::*:user/${aws:UserAgent}"})
    gate, _ = shop(house, json.dumps(document))
    there = Peer("10.0.0.1", "ann")
    assert [gate.ask(house, there), gate.ask(house), gate.ask(house, there)] == ["ALLOWED", "AccessDenied", "ALLOWED"]


def test_a_permission_that_reads_the_clock_is_asked_each_time(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    now = datetime.now(UTC)
    until = (now + timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    gate, _ = shop(house, allow("authorize:Authorize", ASSERT, when={"DateLessThan": {"aws:CurrentTime": until}}))
    assert gate.ask(house) == "ALLOWED"
    with at(now + timedelta(minutes=3)):
        assert gate.ask(house) == "AccessDenied"


def test_a_denied_name_does_not_rest_on_one_that_is_permitted(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    arn = f"arn:aws:iam::{house.account_id}:user/ann"
    document = json.loads(allow("authorize:Authorize"))
    document["Statement"].append({"Effect": "Allow", "Action": ASSERT, "Resource": arn})
    gate, _ = shop(house, json.dumps(document))
    house.user("Anna", allow("orders:Ship"))
    assert gate.ask(house) == "ALLOWED"
    assert [gate.ask(house, principal_arn=other) for other in (f"{arn}a", arn.replace("ann", "Anna"), arn.replace("user", "role"))] == [
        "AccessDenied"
    ] * 3
    assert gate.ask(house) == "ALLOWED"


def test_a_session_is_not_asserted_when_its_role_is_denied(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    role = house.call("CreateRole", role_name="clerk", assume_role_policy_document=trust(house.account_id)).role.arn
    house.call("PutRolePolicy", role_name="clerk", policy_name="p", policy_document=allow("orders:Ship"))
    gate, _ = shop(house)
    session = f"arn:aws:sts::{house.account_id}:assumed-role/clerk/session"
    assert [gate.ask(house, principal_arn=session) for _ in range(2)] == ["ALLOWED"] * 2
    house.call("PutUserPolicy", user_name="gate", policy_name="d", policy_document=allow(ASSERT, on=role).replace("Allow", "Deny"))
    assert [gate.ask(house, principal_arn=session) for _ in range(2)] == ["AccessDenied"] * 2


def test_a_token_ends_for_who_was_remembered_by_it(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    gate, _ = shop(house)
    now = datetime.now(UTC)
    assert gate.ask(house) == "ALLOWED"
    with at(now + timedelta(minutes=14)):
        assert gate.ask(house) == "ALLOWED"
    with at(now + timedelta(minutes=15, seconds=1)):
        assert gate.ask(house) == "RequestExpired"
    with at(now - timedelta(minutes=5, seconds=1)):
        assert gate.ask(house) == "SignatureDoesNotMatch"
    assert gate.ask(house) == "ALLOWED"


def test_a_token_is_verified_once(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    gate, _ = shop(house)
    now = datetime.now(UTC)
    with mock.patch.object(bearer, "verify", wraps=bearer.verify) as verify:
        assert [gate.ask(house) for _ in range(2)] == ["ALLOWED"] * 2
        for minutes in (-4, 14):
            with at(now + timedelta(minutes=minutes)):
                assert gate.ask(house) == "ALLOWED"
    assert verify.call_count == 1


def test_a_session_ends_while_it_is_remembered(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    house.user("ann", allow("orders:Ship"))
    role = house.call("CreateRole", role_name="gate", assume_role_policy_document=trust(house.account_id)).role.arn
    house.call("PutRolePolicy", role_name="gate", policy_name="p", policy_document=OPEN)
    credentials = house.assume(role, _as=house.user("bob", allow("sts:AssumeRole")), duration_seconds=900)
    gate = Gate(credentials, principal_arn=f"arn:aws:iam::{house.account_id}:user/ann")
    now = datetime.now(UTC)
    with at(now + timedelta(minutes=14)):
        gate.token = bearer.make(credentials, "sekisho", now + timedelta(minutes=14))
        assert gate.ask(house) == "ALLOWED"
    with at(now + timedelta(minutes=15, seconds=1)):
        assert gate.ask(house) == "ExpiredToken"


def test_a_sealing_key_that_is_forgotten_ends_a_session_that_is_remembered(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    ring = house.node.ring
    role = house.call("CreateRole", role_name="gate", assume_role_policy_document=trust(house.account_id)).role.arn
    house.call("PutRolePolicy", role_name="gate", policy_name="p", policy_document=OPEN)
    gate = Gate(house.assume(role, _as=house.user("bob", allow("sts:AssumeRole"))))
    assert gate.ask(house) == "IMPLICITLY_DENIED"
    sealed = ring.current(key_ring.SESSIONS).id
    ring.rotate(key_ring.SESSIONS)
    ring.forget(key_ring.SESSIONS, sealed)
    assert gate.ask(house) == "InvalidClientTokenId"


def test_a_token_for_another_audience_is_another(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    gate, credentials = shop(house)
    token = bearer.make(credentials, "orders", datetime.now(UTC)).removeprefix("Bearer ")
    asks: dict[str, Any] = {"principal_arn": "", "bearer_token": token}
    assert gate.ask(house, **asks, audience="orders") == "IMPLICITLY_DENIED"
    assert [gate.ask(house, **asks, audience=other) for other in ("", "sekisho", "Orders", house.account_id)] == [
        "SignatureDoesNotMatch"
    ] * 4


def test_two_keys_of_one_user_are_two_callers(nodes: tuple[House, House]) -> None:
    house, _ = nodes
    gate, first = shop(house)
    made = house.call("CreateAccessKey", user_name="gate").access_key
    second = Gate(sigv4.Credentials(made.access_key_id, made.secret_access_key), **gate.fields)
    seen = []
    standing = permission.standing

    def watched(call: Any, *arguments: Any) -> Any:
        seen.append(call.caller.subject.access_key_id)
        return standing(call, *arguments)

    with mock.patch.object(permission, "standing", watched):
        assert [gate.ask(house), second.ask(house)] == ["ALLOWED"] * 2
    assert seen == [first.access_key_id] * 2 + [made.access_key_id] * 2


def test_the_age_of_a_second_factor_is_never_remembered(nodes: tuple[House, House]) -> None:
    """A session that knows when its factor was proved has a key that tells the time."""
    house, _ = nodes
    from sekisho.world import SessionFacts, Subject

    user_id = house.call("CreateUser", user_name="ann").user.user_id
    now = datetime.now(UTC)
    subject = Subject(user_id, house.account_id, session=SessionFacts("session-token", mfa=True, mfa_at=now - timedelta(seconds=10)))
    ages = [house.node.world.acting(subject, now + timedelta(seconds=late))[0].keys["aws:multifactorauthage"] for late in (0, 5)]
    assert ages == ["10", "15"]
