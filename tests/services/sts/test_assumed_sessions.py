"""AssumeRole step by step, of a world in a dictionary: the questions to policies, and what is issued."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from sekisho.api.sts.v1 import sessions_pb2 as pb
from sekisho.calls import permission
from sekisho.credentials.sessions import Session
from sekisho.errors import AccessDenied, SekishoError, Unimplemented, ValidationError
from sekisho.services.sts import session_tokens as of_users
from sekisho.services.sts import sessions
from sekisho.services.sts.errors import InvalidParameterValue
from sekisho.world import PolicyRecord, PrincipalRecord, SessionFacts, Subject
from tests.calls.fakes import ACCOUNT, ANN, NOW, OTHER, USER_ARN, FakeNode, attached, deploying

ALL = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
CLERK, CLERK_ARN = "AROACLERKCLERKCLERKC", f"arn:aws:iam::{OTHER}:role/shop/clerk"
DOCUMENT = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"orders:*","Resource":"*"}}'
SHIP = f"arn:aws:iam::{OTHER}:policy/ship"


def trust(*actions: str, **condition: Any) -> Any:
    """A trust policy for the account of the callers."""
    return attached(*(actions or ALL), Principal={"AWS": ACCOUNT}, **condition)


@pytest.fixture
def node() -> FakeNode:
    made = FakeNode(attached(*ALL), ring="ring")
    made.world.put(PrincipalRecord(CLERK, OTHER, "role", "clerk", CLERK_ARN, tags={"desk": "1"}, trust=trust(), max_session_seconds=7200))
    made.world.put(PolicyRecord("ANPASHIP", SHIP, attached("orders:Ship")))
    ids, get_id = {("policy", "ship"): "ANPASHIP"}, made.world.get_id
    made.world.get_id = lambda named: ids.get((named.kind, named.name)) or get_id(named)
    return made


Assume = Callable[..., Any]


@pytest.fixture
def assume(node: FakeNode, issued: list[Session]) -> Assume:
    """Calls it; the call is kept as `node.made`."""

    def call(subject: Subject = ANN, **fields: Any) -> Any:
        node.made = node.call("AssumeRole", subject)
        request = pb.AssumeRoleRequest(**{"role_arn": CLERK_ARN, "role_session_name": "s-1", **fields})
        return sessions.assume_role(node.made, request)

    return call


def refusal(assume: Assume, *given: Any, **fields: Any) -> tuple[type[SekishoError], str]:
    """Why a call is refused."""
    with pytest.raises(SekishoError) as caught:
        assume(*given, **fields)
    return type(caught.value), caught.value.message


def denied(action: str = "sts:AssumeRole", role: str = CLERK_ARN, by: str = USER_ARN) -> tuple[type[SekishoError], str]:
    """The answer to who is not permitted."""
    return AccessDenied, f"User: {by} is not authorized to perform: {action} on resource: {role}"


PLAIN = Session("assumed-role", OTHER, "role", CLERK, CLERK_ARN, NOW, NOW + timedelta(hours=1), "s-1")


def test_a_session_of_a_role_and_nothing_else(node: FakeNode, assume: Assume, issued: list[Session]) -> None:
    made = assume()
    assert issued == [PLAIN]
    assert (made.credentials.access_key_id, made.credentials.session_token) == ("ASIA1", "token")
    assert made.credentials.expiration.ToDatetime(UTC) == NOW + timedelta(hours=1)
    assert made.assumed_role_user == pb.AssumedRoleUser(assumed_role_id=f"{CLERK}:s-1", arn=f"arn:aws:sts::{OTHER}:assumed-role/clerk/s-1")
    assert not made.HasField("packed_policy_size")
    assert not made.HasField("source_identity")
    assert [one.arn for one in node.made.resources] == [CLERK_ARN]


def test_all_that_a_session_can_be_given(assume: Assume, issued: list[Session]) -> None:
    asked: dict[str, Any] = {"tags": [{"key": "Team", "value": "red"}, {"key": "zone", "value": "1"}, {"key": "Area", "value": ""}]}
    asked |= {"transitive_tag_keys": ["ZONE", "area"], "source_identity": "anna", "duration_seconds": 7200}
    asked |= {"policy": DOCUMENT, "policy_arns": [{"arn": SHIP}]}
    made = assume(**asked)
    assert issued == [
        replace(
            PLAIN,
            expires_at=NOW + timedelta(hours=2),
            tags=(("Team", "red"), ("zone", "1"), ("Area", "")),
            transitive_keys=("Area", "zone"),
            source_identity="anna",
            policy=DOCUMENT,
            policy_arns=("ANPASHIP",),
        )
    ]
    assert (made.packed_policy_size, made.source_identity) == (17, "anna")


@pytest.mark.parametrize(
    ("fields", "is_said"),
    [
        ({"policy": DOCUMENT}, True),
        ({"policy_arns": [{"arn": SHIP}]}, True),
        ({"tags": [{"key": "a", "value": "b"}]}, True),
        ({"source_identity": "anna"}, False),
    ],
)
def test_what_limits_or_tags_a_session_has_its_size_said(assume: Assume, fields: dict[str, Any], is_said: bool) -> None:
    assert assume(**fields).HasField("packed_policy_size") is is_said


@pytest.mark.usefixtures("late")
def test_times_are_whole_seconds(assume: Assume, issued: list[Session]) -> None:
    assume()
    assert (issued[0].issued_at, issued[0].expires_at) == (NOW, NOW + timedelta(hours=1))


def test_a_session_that_calls_passes_on_what_is_transitive(assume: Assume, issued: list[Session]) -> None:
    facts: dict[str, Any] = {"tags": {"Team": "red", "desk": "2"}, "transitive": frozenset({"TEAM"}), "source_identity": "anna"}
    made = assume(deploying(**facts), tags=[{"key": "zone", "value": "1"}], transitive_tag_keys=["zone"])
    assert issued == [
        replace(PLAIN, tags=(("zone", "1"), ("Team", "red")), transitive_keys=("Team", "zone"), source_identity="anna", chained=True)
    ]
    assert made.source_identity == "anna"
    assume(deploying(**facts), source_identity="anna")
    assert issued[1].source_identity == "anna"
    assert refusal(assume, deploying(**facts), source_identity="bob") == (
        AccessDenied,
        "The source identity of a session cannot be changed by role chaining.",
    )


def test_a_chained_session_lasts_for_an_hour_at_most(assume: Assume, issued: list[Session]) -> None:
    assert refusal(assume, deploying(), duration_seconds=3601)[0] is ValidationError
    user = replace(ANN, session=SessionFacts("session-token"))
    assume(user, duration_seconds=7200)
    assert (issued[0].chained, issued[0].expires_at) == (False, NOW + timedelta(hours=2))


AGAIN = "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session."


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tags": [{"key": "TEAM", "value": "blue"}]}, AGAIN),
        ({"transitive_tag_keys": ["zone"]}, "The specified transitive tag key must be included in the requested tags."),
        ({"transitive_tag_keys": ["team"]}, "The specified transitive tag key must be included in the requested tags."),
    ],
)
def test_tags_that_cannot_be_given(assume: Assume, fields: dict[str, Any], message: str) -> None:
    who = deploying(tags={"Team": "red"}, transitive=frozenset({"team"}))
    assert refusal(assume, who, **fields) == (InvalidParameterValue, message)


def test_a_tag_that_is_not_passed_on_can_be_given_again(assume: Assume, issued: list[Session]) -> None:
    assume(deploying(tags={"team": "red"}), tags=[{"key": "team", "value": "blue"}])
    assert issued[0].tags == (("team", "blue"),)


@pytest.mark.parametrize(
    "granted", [("sts:AssumeRole",), ("sts:AssumeRole", "sts:TagSession"), ("sts:AssumeRole", "sts:SetSourceIdentity")]
)
def test_each_action_that_a_request_takes_must_be_granted(node: FakeNode, assume: Assume, granted: tuple[str, ...]) -> None:
    node.world.put(replace(node.world.records[CLERK], trust=trust(*granted)))
    asks: list[tuple[str, Subject, dict[str, Any]]] = [
        ("sts:TagSession", ANN, {"tags": [{"key": "a", "value": "b"}]}),
        ("sts:TagSession", deploying(tags={"a": "b"}, transitive=frozenset({"a"})), {}),
        ("sts:SetSourceIdentity", ANN, {"source_identity": "anna"}),
        ("sts:SetSourceIdentity", deploying(source_identity="anna"), {}),
    ]
    for action, who, fields in asks:
        if action in granted:
            assume(who, **fields)
        else:
            by = USER_ARN if who is ANN else f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build-7"
            assert refusal(assume, who, **fields) == denied(action, by=by)
    assume()


def test_the_policies_of_the_caller_must_grant_it_in_another_account(node: FakeNode, assume: Assume) -> None:
    node.world.put(replace(node.world.records[ANN.id], inline=()))
    assert refusal(assume) == denied()
    node.world.put(replace(node.world.records[CLERK], trust=attached("sts:AssumeRole", effect="Deny", Principal="*")))
    assert refusal(assume) == denied()


def test_who_is_asked_about(node: FakeNode, assume: Assume, monkeypatch: pytest.MonkeyPatch) -> None:
    """The role with its tags, what the request says, and MFA where that was proved now."""
    asked: list[Any] = []
    decide = permission.decide

    def noted(call: Any, action: str, resource: Any, keys: Any, policy: Any, **more: Any) -> Any:
        asked.append((action, resource.arn, resource.tags, dict(keys), policy, dict(more["override"])))
        return decide(call, action, resource, keys, policy, **more)

    monkeypatch.setattr(permission, "decide", noted)
    clerk = node.world.records[CLERK]
    assume(external_id="x-1")
    monkeypatch.setattr(of_users, "mfa", lambda call, request: request.serial_number == "device")
    assume(serial_number="device", token_code="123456")
    keys = {"sts:rolesessionname": "s-1"}
    just_now = {"aws:multifactorauthpresent": "true", "aws:multifactorauthage": "0"}
    assert asked == [
        ("sts:AssumeRole", CLERK_ARN, {"desk": "1"}, {**keys, "sts:externalid": "x-1"}, clerk.trust, {}),
        ("sts:AssumeRole", CLERK_ARN, {"desk": "1"}, keys, clerk.trust, just_now),
    ]


@pytest.mark.parametrize("named", ["none", "shop/clerk2"])
def test_whether_there_is_such_a_role_is_not_said(node: FakeNode, assume: Assume, named: str) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{named}"
    assert refusal(assume, role_arn=arn) == denied(role=arn)
    assert [one.arn for one in node.made.resources] == [arn]


def test_what_stands_in_for_a_role_gives_no_session(assume: Assume, issued: list[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the policies say."""
    monkeypatch.setattr(sessions, "_permitted", lambda *_: None)
    arn = f"arn:aws:iam::{ACCOUNT}:role/none"
    assert refusal(assume, role_arn=arn) == denied(role=arn)
    assert issued == []


def test_what_is_refused_for_every_role(node: FakeNode, assume: Assume) -> None:
    assert refusal(assume, role_arn="x" * 20) == (ValidationError, f"{'x' * 20} is invalid")
    root = Subject(ACCOUNT, ACCOUNT)
    assert refusal(assume, root) == (AccessDenied, "Roles may not be assumed by root accounts.")
    assert refusal(assume, minimum_session_token_size=1)[0] is Unimplemented
    assert refusal(assume, provided_contexts=[{}]) == (Unimplemented, "ProvidedContexts are not supported.")
    assert refusal(assume, token_code="123456")[0] is AccessDenied, "a proof without a device"
    assert refusal(assume, policy_arns=[{"arn": f"arn:aws:iam::{ACCOUNT}:policy/ship"}])[0] is ValidationError
