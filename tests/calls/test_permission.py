"""Callers are authorized by their own policies, for each check of an operation, and what stands is remembered only while it does."""

from dataclasses import replace
from typing import Any

import pytest

from sekisho import policy
from sekisho.calls import permission
from sekisho.errors import AccessDenied
from sekisho.memory import cold
from sekisho.operations import Check, Resource
from sekisho.policy.keys import MAX_LENGTH
from sekisho.sigv4 import InvalidClientTokenId
from sekisho.world import PrincipalRecord
from tests.calls.fakes import ACCOUNT, ANN, NOW, OTHER, USER, USER_ARN, FakeNode, attached, deploying

ALLOWED, DENIED = policy.Outcome.ALLOWED, policy.Outcome.IMPLICITLY_DENIED
BOB = Resource(f"arn:aws:iam::{ACCOUNT}:user/bob")
SENTENCE = f"User: {USER_ARN} is not authorized to perform: iam:GetUser on resource: "


def permitted(node: FakeNode, action: str = "iam:GetUser", resource: Resource = BOB, keys: Any = None, **more: Any) -> bool:
    """True where the caller may."""
    try:
        permission.demand(node.call(**more), action, resource, keys or {})
    except AccessDenied:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "mfa", "name", "allowed"),
    [
        ("session-token", None, "ListUsers", False),
        ("session-token", False, "ListUsers", False),
        ("session-token", True, "ListUsers", True),
        ("federation", True, "ListUsers", False),
        ("assumed-role", None, "ListUsers", True),
        (None, None, "ListUsers", True),
        ("session-token", None, "AssumeRole", True),
        ("session-token", None, "GetCallerIdentity", True),
        ("session-token", None, "GetWebIdentityToken", True),
        ("session-token", True, "GetSessionToken", False),
        ("federation", None, "GetCallerIdentity", True),
        ("federation", None, "AssumeRole", False),
        ("federation", None, "GetFederationToken", False),
        ("session-token", None, "BeginPasskeyAssertion", True),
        ("session-token", None, "BeginPasskeyRegistration", False),
        ("session-token", True, "BeginPasskeyRegistration", True),
        ("federation", None, "BeginPasskeyAssertion", False),
        ("federation", None, "Authorize", True),
        ("session-token", None, "Authorize", True),
    ],
)
def test_what_restricted_sessions_can_call(kind: str | None, mfa: bool | None, name: str, allowed: bool) -> None:
    call = FakeNode().call(name, deploying(kind, mfa=mfa) if kind is not None else ANN)
    service = call.operation.service.prefix
    if allowed:
        permission.refuse_restricted_session(call, service)
    else:
        with pytest.raises(AccessDenied, match=f"^Cannot call {name} with session credentials$"):
            permission.refuse_restricted_session(call, service)


def test_a_restricted_session_is_refused_before_anything_is_asked() -> None:
    node = FakeNode(attached("*"))
    call = node.call("ListUsers", deploying("federation"), resources=(BOB,))
    with pytest.raises(AccessDenied, match="with session credentials"):
        permission.permission(call, call.operation.request())
    assert (call.resources, node.noted) == ((), [])


def test_an_operation_that_all_may_call_asks_no_policy() -> None:
    node = FakeNode()
    call = node.call("GetCallerIdentity")
    permission.permission(call, call.operation.request())
    assert (call.resources, node.noted) == ((), [])


def test_each_check_is_asked_and_noted() -> None:
    node = FakeNode(attached("iam:ListUsers", "iam:Other"))
    call = node.call("ListUsers", resources=(BOB,))
    checks = (Check(), Check("iam:Other"), Check("iam:When", when_field="path_prefix"))
    call.operation = replace(call.operation, checks=checks)
    permission.permission(call, call.operation.request())
    assert list(call.resources) == [permission.ANYTHING] * 2
    assert node.noted == [(USER, "iam:ListUsers", (NOW, "", ACCOUNT)), (USER, "iam:Other", (NOW, "", ACCOUNT))]
    with pytest.raises(AccessDenied, match="iam:When on resource: \\*"):
        permission.permission(call, call.operation.request(path_prefix="/"))
    assert list(call.resources) == [permission.ANYTHING] * 3
    assert node.noted[-1] == (USER, "iam:When", (NOW, "", ACCOUNT))


@pytest.mark.parametrize(
    ("name", "field", "given", "made"),
    [
        ("CreateUser", "tags", {}, False),
        ("CreateUser", "tags", {"tags": [{"key": "a", "value": "b"}]}, True),
        ("CreateUser", "path", {}, False),
        ("CreateUser", "path", {"path": ""}, True),
    ],
)
def test_a_check_is_made_when_its_field_is_there(name: str, field: str, given: dict[str, Any], made: bool) -> None:
    call = FakeNode().call(name)
    call.operation = replace(call.operation, checks=(Check(when_field=field),))
    found = list(permission.demands(call, call.operation.request(**given)))
    assert [(action, resource.arn) for action, resource, _ in found] == ([("iam:CreateUser", "*")] if made else [])


def test_a_check_names_its_resource_by_its_kind() -> None:
    call = FakeNode().call("CreateUser")
    request = call.operation.request(user_name="bob", path="/x/", tags=[{"key": "Team", "value": "a"}])
    found = list(permission.demands(call, request))
    assert (found[0][0], found[0][1].arn) == ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/x/bob")
    assert found[0][2]["aws:requesttag/team"] == "a"


def test_a_denial_says_the_resource_in_the_callers_words() -> None:
    node = FakeNode()
    for resource, said in ((BOB, BOB.arn), (replace(BOB, named="bob"), "bob")):
        with pytest.raises(AccessDenied) as caught:
            permission.demand(node.call(), "iam:GetUser", resource, {})
        assert caught.value.message == f"{SENTENCE}{said} because no identity-based policy allows the iam:GetUser action"
    assert node.noted == [(USER, "iam:GetUser", (NOW, "", ACCOUNT))] * 2


def test_policies_beside_the_callers_own_count() -> None:
    node = FakeNode()
    permission.demand(node.call(), "iam:GetUser", BOB, {}, beside=(attached("iam:GetUser"),))
    with pytest.raises(AccessDenied):
        permission.demand(node.call(), "iam:GetUser", BOB, {})
    node = FakeNode(attached("iam:GetUser"))
    permission.demand(node.call(), "iam:GetUser", BOB, {})
    with pytest.raises(AccessDenied, match="with an explicit deny in an identity-based policy"):
        permission.demand(node.call(), "iam:GetUser", BOB, {}, beside=(attached("iam:GetUser", effect="Deny"),))


@pytest.mark.parametrize("name", ["GetUser", "CreateUser"])
@pytest.mark.parametrize("allowed", [True, False])
def test_reads_are_remembered_and_writes_are_not(name: str, allowed: bool) -> None:
    node = FakeNode(*([attached("iam:GetUser")] if allowed else []))
    call = node.call(name)
    for _ in range(2):
        try:
            permission.demand(call, "iam:GetUser", BOB, {})
        except AccessDenied:
            assert not allowed
        else:
            assert allowed
    assert len(node.world.kept) == (1 if name == "GetUser" else 0)


def test_what_stands_is_made_of_the_caller_and_is_remembered_for_it_alone() -> None:
    node = FakeNode(attached("iam:GetUser"))
    call = node.call()
    assert permission.standing(call, "iam:GetUser", BOB, {}) is ALLOWED
    assert permission.standing(call, "iam:ListUsers", BOB, {}) is DENIED
    assert [(owner, cost) for _, owner, _, cost in node.world.kept] == [
        (ACCOUNT, len("iam:GetUser") + 4 * len(BOB.arn)),
        (ACCOUNT, len("iam:ListUsers") + 4 * len(BOB.arn)),
    ]
    key = ("standing", id(call.acting), "iam:GetUser", BOB.arn, "")
    assert node.world.kept[0][0] == key
    reference, _ = node.world.findings[key]
    assert reference() is call.acting
    node.world.findings[key] = (reference, DENIED)
    assert permission.standing(call, "iam:GetUser", BOB, {}) is DENIED  # it is not decided again
    other = node.call()
    node.world.findings["standing", id(other.acting), "iam:GetUser", BOB.arn, ""] = (reference, DENIED)
    assert permission.standing(other, "iam:GetUser", BOB, {}) is ALLOWED  # an id that another composition had before


def test_what_another_account_says_is_remembered_with_its_records() -> None:
    node = FakeNode(attached("iam:GetUser"))
    theirs = Resource("arn:aws:orders:::order/1", owner=OTHER)
    assert permission.standing(node.call(), "iam:GetUser", theirs, {}) is DENIED
    (((*_, owner), _, origins, _),) = node.world.kept
    assert (owner, origins) == (OTHER, ((OTHER, node.world.records[OTHER]),))


@pytest.mark.parametrize(
    ("resource", "keys", "agent"),
    [
        (BOB, {"iam:policyarn": "x"}, ""),
        (replace(BOB, tags={"a": "b"}), {}, ""),
        (replace(BOB, keys={"iam:permissionsboundary": "b"}), {}, ""),
        (BOB, {}, "a" * (MAX_LENGTH + 1)),
    ],
)
def test_what_depends_on_the_request_stands_for_nothing(resource: Resource, keys: Any, agent: str) -> None:
    node = FakeNode(attached("iam:GetUser"))
    call = node.call()
    call.peer = call.peer._replace(user_agent=agent)
    assert permission.standing(call, "iam:GetUser", resource, keys) is None
    assert node.world.kept == []


def test_the_longest_user_agent_does_not_matter() -> None:
    node = FakeNode(attached("iam:GetUser"))
    call = node.call()
    call.peer = call.peer._replace(user_agent="a" * MAX_LENGTH)
    assert permission.standing(call, "iam:GetUser", BOB, {}) is ALLOWED


def test_a_condition_on_the_request_is_asked_each_time() -> None:
    node = FakeNode(attached("iam:GetUser", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))
    call = node.call()
    assert [permission.standing(call, "iam:GetUser", BOB, {}) for _ in range(2)] == [None, None]
    assert permitted(node)
    call.peer = call.peer._replace(source_ip="198.51.100.1")
    with pytest.raises(AccessDenied):
        permission.demand(call, "iam:GetUser", BOB, {})


def test_nothing_stands_once_the_world_has_moved_on() -> None:
    node = FakeNode(attached("iam:GetUser"))
    call = node.call()
    node.world.move()
    assert permission.standing(call, "iam:GetUser", BOB, {}) is None
    late = node.call()
    consistent = node.world.consistent

    def moving(compose: Any) -> Any:
        found = consistent(compose)
        node.world.move()
        return found

    node.world.consistent = moving
    assert permission.standing(late, "iam:GetUser", BOB, {}) is None


def test_a_caller_is_composed_again_once_the_world_has_moved_on() -> None:
    node = FakeNode(attached("iam:GetUser"))
    call = node.call()
    node.world.put(PrincipalRecord(USER, ACCOUNT, "user", "ann", USER_ARN))
    assert permission.decide(call, "iam:GetUser", BOB, {})[1].allowed  # of the world that it was composed from
    node.world.move()
    assert not permission.decide(call, "iam:GetUser", BOB, {})[1].allowed
    del node.world.records[USER]
    with pytest.raises(InvalidClientTokenId):
        permission.decide(call, "iam:GetUser", BOB, {})


def test_what_a_decision_is_asked() -> None:
    node = FakeNode(attached("*"))
    resource = Resource(BOB.arn, {"Team": "a"}, {"iam:PermissionsBoundary": "b", "iam:PolicyARN": "of the resource"}, owner=OTHER)
    keys = {"iam:policyarn": "of the request", "aws:userid": "made up", "aws:sourceip": "198.51.100.1"}
    asked, _ = permission.decide(node.call(), "iam:GetUser", resource, keys, override={"aws:multifactorauthpresent": "true"})
    context = asked.context
    assert (asked.action, asked.resource, asked.principal.arn, asked.resource_account) == ("iam:GetUser", BOB.arn, USER_ARN, OTHER)
    expected = {
        "aws:resourcetag/team": "a",
        "iam:resourcetag/team": "a",
        "iam:permissionsboundary": "b",
        "iam:policyarn": "of the request",
        "aws:userid": USER,
        "aws:multifactorauthpresent": "true",
        "aws:useragent": "tests",
        "aws:securetransport": "false",
        "aws:sourceip": "198.51.100.1",
    }
    assert {key: context.get(key) for key in expected} == expected


def test_a_resources_own_policy_is_asked() -> None:
    node = FakeNode()
    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"},"Resource":"*"}]}'
    theirs = policy.Attached(policy.compiled(document), name="trust")
    role = Resource(f"arn:aws:iam::{ACCOUNT}:role/r")
    assert permission.decide(node.call(), "sts:AssumeRole", role, {}, theirs)[1].allowed
    assert not permission.decide(node.call(), "sts:AssumeRole", role, {})[1].allowed


def test_somebody_who_is_vouched_for_is_asked_without_a_caller() -> None:
    node = FakeNode()
    who, _ = node.world.acting(ANN, NOW)
    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Resource":"*"}]}'
    trust = policy.Attached(policy.compiled(document), name="trust")
    call = node.call("AssumeRoleWithWebIdentity", None)
    role = Resource(f"arn:aws:iam::{OTHER}:role/r")
    keys = {"sts:rolesessionname": "s"}
    assert not permission.decide_vouched(call, who, "sts:AssumeRole", role, keys, trust).allowed  # its own account has not said so
    node = FakeNode(attached("*"))
    who, _ = node.world.acting(ANN, NOW)
    call = node.call("AssumeRoleWithWebIdentity", None)
    assert permission.decide_vouched(call, who, "sts:AssumeRole", role, keys, trust).allowed


@pytest.mark.parametrize("asked", [permission.standing, permission.decide])
def test_no_decision_that_may_take_long_is_made_where_nobody_may_wait(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node = FakeNode(attached("iam:GetUser"))
    call = node.call()

    def taking_long(_request: policy.Request, layers: policy.Layers) -> None:
        assert layers.identity is not None
        raise cold.Cold("")

    monkeypatch.setattr(cold, "may_take_long", taking_long)
    monkeypatch.setattr(policy, "decide", None)
    with pytest.raises(cold.Cold):
        asked(call, "iam:GetUser", BOB, {})
    assert node.world.kept == []
