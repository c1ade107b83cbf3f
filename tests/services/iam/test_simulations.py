"""SimulateCustomPolicy and SimulatePrincipalPolicy, over the whole pipeline."""

import json
from typing import Any

import pytest

from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow, trust

KEY = "arn:aws:s3:::bucket/key"
PRETTY = """{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
    {
      "Effect": "Deny",
      "Action": "s3:*",
      "Resource": "arn:aws:s3:::secret/*"
    }
  ]
}"""


def custom(house: House, *documents: str, actions: tuple[str, ...] = ("s3:GetObject",), **fields: Any) -> list[Any]:
    return list(house.call("SimulateCustomPolicy", policy_input_list=documents, action_names=actions, **fields).evaluation_results)


def decisions(results: list[Any]) -> list[tuple[str, str]]:
    return [(one.eval_action_name, one.eval_decision) for one in results]


def entry(name: str, *values: str, kind: str = "string") -> dict[str, Any]:
    return {"context_key_name": name, "context_key_values": values, "context_key_type": kind}


def of_resource(principal: dict[str, Any], effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Principal": principal, "Action": "s3:GetObject", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_each_action_is_decided(house: House) -> None:
    results = custom(house, PRETTY, actions=("s3:GetObject", "s3:PutObject", "s3:GetObject"))
    assert decisions(results) == [("s3:GetObject", "allowed"), ("s3:PutObject", "implicitDeny")]
    assert [one.eval_resource_name for one in results] == ["*", "*"]
    assert [len(one.resource_specific_results) for one in results] == [0, 0]
    assert not results[0].HasField("organizations_decision_detail")
    assert not results[0].HasField("permissions_boundary_decision_detail")


def test_the_statements_that_decided_are_shown_with_their_place(house: House) -> None:
    (result,) = custom(house, allow("s3:Get*"), PRETTY)
    found = [(s.source_policy_id, s.source_policy_type, s.start_position.line, s.start_position.column) for s in result.matched_statements]
    assert found == [("PolicyInputList.1", "IAM Policy", 1, 41), ("PolicyInputList.2", "IAM Policy", 3, 17)]
    assert [(s.end_position.line, s.end_position.column) for s in result.matched_statements][1] == (4, 67)
    (result,) = custom(house, PRETTY, resource_arns=["arn:aws:s3:::secret/x"])
    (statement,) = result.matched_statements
    assert result.eval_decision == "explicitDeny"
    assert (statement.start_position.line, statement.start_position.column) == (4, 67)
    assert (statement.end_position.line, statement.end_position.column) == (9, 6)
    (result,) = custom(house, PRETTY, actions=("s3:PutObject",))
    assert list(result.matched_statements) == []


PUBLISHED = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)
"""From https://docs.aws.amazon.com/cli/latest/reference/iam/simulate-custom-policy.html"""
ADMINISTRATOR = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "*",
      "Resource": "*"
    }
  ]
}"""


@pytest.mark.parametrize(
    ("document", "begins", "ends"),
    [
        (PUBLISHED, (1, 38), (1, 167)),
        (ADMINISTRATOR, (3, 17), (8, 6)),
        (PUBLISHED.replace('"Statement":{', '"Statement":[{').replace("}}}}", "}}}]}"), (1, 38), (1, 168)),
    ],
    ids=["published_example", "administrator_access", "list_on_one_line"],
)
def test_a_statement_begins_behind_the_mark_before_it(house: House, document: str, begins: tuple[int, int], ends: tuple[int, int]) -> None:
    """Source: the example of AWS, and answers about AdministratorAccess that people show: line 3, column 17 to line 8, column 6."""
    now = entry("aws:CurrentTime", "2019-04-25T11:00:00Z", kind="date")
    (result,) = custom(house, document, actions=("dynamodb:CreateBackup",), context_entries=[now])
    (statement,) = result.matched_statements
    assert (statement.start_position.line, statement.start_position.column) == begins
    assert (statement.end_position.line, statement.end_position.column) == ends


def test_a_boundary_has_its_own_standing_in_another_account(house: House) -> None:
    """Source: the cross-account example of https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html"""
    alice = f"arn:aws:iam::{house.account_id}:user/alice"
    (result,) = custom(
        house,
        allow("iam:*"),
        resource_arns=[KEY],
        resource_owner="arn:aws:iam::999988887777:root",
        caller_arn=alice,
        resource_policy=of_resource({"AWS": alice}),
        permissions_boundary_policy_input_list=[allow("iam:*")],
    )
    expected = {"IAM Policy": "implicitDeny", "Resource Policy": "allowed", "Permissions Boundary Policy": "implicitDeny"}
    assert dict(result.eval_decision_details) == dict(result.resource_specific_results[0].eval_decision_details) == expected


def test_each_resource_is_decided_and_the_worst_is_the_whole(house: House) -> None:
    (result,) = custom(house, PRETTY, resource_arns=[KEY, "arn:aws:s3:::secret/x", KEY])
    assert (result.eval_decision, result.eval_resource_name) == ("explicitDeny", "*")
    each = [(one.eval_resource_name, one.eval_resource_decision) for one in result.resource_specific_results]
    assert each == [(KEY, "allowed"), ("arn:aws:s3:::secret/x", "explicitDeny")]
    assert [s.start_position.line for s in result.matched_statements] == [4]
    (result,) = custom(house, PRETTY, resource_arns=[KEY])
    assert (result.eval_decision, result.eval_resource_name) == ("allowed", KEY)


def test_keys_are_given_and_those_missing_are_named(house: House) -> None:
    document = allow("s3:GetObject", when={"IpAddress": {"aws:sourceip": "10.0.0.0/8"}, "StringNotEquals": {"s3:x": "no"}})
    unrelated = allow("sqs:*", when={"Bool": {"aws:SecureTransport": "true"}})
    (result,) = custom(house, document, unrelated)
    assert (result.eval_decision, list(result.missing_context_values)) == ("implicitDeny", ["aws:SourceIp", "s3:x"])
    (result,) = custom(house, document, context_entries=[entry("aws:SourceIp", "10.1.2.3", kind="ip")])
    assert (result.eval_decision, list(result.missing_context_values)) == ("allowed", ["s3:x"])
    (result,) = custom(house, document, context_entries=[entry("aws:SourceIp", "192.0.2.1", kind="ip")], resource_arns=[KEY])
    assert result.eval_decision == "implicitDeny"
    assert list(result.resource_specific_results[0].missing_context_values) == ["s3:x"]


def test_a_list_of_one_is_a_list(house: House) -> None:
    document = allow("s3:GetObject", when={"ForAllValues:StringEquals": {"s3:tags": ["a"]}, "Null": {"s3:tags": "false"}})
    variable = allow("s3:GetObject", on="arn:aws:s3:::bucket/${s3:tags}")
    assert custom(house, document, context_entries=[entry("s3:tags", "a", kind="stringList")])[0].eval_decision == "allowed"
    single, several = entry("s3:tags", "key"), entry("s3:tags", "key", kind="stringList")
    assert custom(house, variable, resource_arns=[KEY], context_entries=[single])[0].eval_decision == "allowed"
    assert custom(house, variable, resource_arns=[KEY], context_entries=[several])[0].eval_decision == "implicitDeny"


def test_a_boundary_limits(house: House) -> None:
    (result,) = custom(house, allow("*"), permissions_boundary_policy_input_list=[allow("sqs:*")])
    assert result.eval_decision == "implicitDeny"
    assert result.permissions_boundary_decision_detail.allowed_by_permissions_boundary is False
    (result,) = custom(house, allow("*"), permissions_boundary_policy_input_list=[allow("s3:*")], resource_arns=[KEY])
    assert result.eval_decision == "allowed"
    assert result.permissions_boundary_decision_detail.allowed_by_permissions_boundary is True
    assert result.resource_specific_results[0].permissions_boundary_decision_detail.allowed_by_permissions_boundary is True


def test_every_level_of_an_organization_must_allow(house: House) -> None:
    levels = [{"service_control_policy_input_list": [allow("*")]}, {"service_control_policy_input_list": [allow("sqs:*")]}]
    (result,) = custom(house, allow("*"), ordered_organization_policy_input_list=levels)
    assert (result.eval_decision, result.organizations_decision_detail.allowed_by_organizations) == ("implicitDeny", False)
    assert list(result.matched_statements) == []
    (result,) = custom(house, allow("*"), ordered_organization_policy_input_list=levels[:1])
    assert (result.eval_decision, result.organizations_decision_detail.allowed_by_organizations) == ("allowed", True)
    assert [s.source_policy_id for s in result.matched_statements] == ["PolicyInputList.1"]


def test_a_resource_policy_needs_a_caller(house: House, refused: Refused) -> None:
    alice = f"arn:aws:iam::{house.account_id}:user/alice"
    document = of_resource({"AWS": alice})
    fields: dict[str, Any] = {"policy_input_list": [allow("sqs:*")], "action_names": ["s3:GetObject"], "resource_arns": [KEY]}
    said = ("InvalidInput", "CallerArn is required when a ResourcePolicy is given.")
    assert refused("SimulateCustomPolicy", resource_policy=document, **fields) == said
    (result,) = custom(house, allow("sqs:*"), resource_arns=[KEY], resource_policy=document, caller_arn=alice)
    assert result.eval_decision == "allowed"
    assert [(s.source_policy_id, s.source_policy_type) for s in result.matched_statements] == [("ResourcePolicy.1", "Resource Policy")]
    bob = f"arn:aws:iam::{house.account_id}:user/bob"
    assert custom(house, allow("sqs:*"), resource_arns=[KEY], resource_policy=document, caller_arn=bob)[0].eval_decision == "implicitDeny"
    for wrong in (f"arn:aws:iam::{house.account_id}:role/r", "arn:aws:sts::111122223333:assumed-role/r/s"):
        said = ("InvalidInput", f"Invalid CallerArn: {wrong} is not the ARN of a user.")
        assert refused("SimulateCustomPolicy", resource_policy=document, caller_arn=wrong, **fields) == said


def test_across_accounts_both_must_allow(house: House, refused: Refused) -> None:
    alice, other = f"arn:aws:iam::{house.account_id}:user/alice", "999988887777"
    fields: dict[str, Any] = {"resource_arns": [KEY], "caller_arn": alice, "resource_owner": other}
    document = of_resource({"AWS": alice})
    (result,) = custom(house, allow("sqs:*"), resource_policy=document, **fields)
    assert result.eval_decision == "implicitDeny"
    assert dict(result.eval_decision_details) == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}
    (result,) = custom(house, allow("s3:*"), resource_policy=document, **fields)
    assert (result.eval_decision, dict(result.eval_decision_details)["IAM Policy"]) == ("allowed", "allowed")
    (result,) = custom(house, allow("s3:*"), **fields | {"resource_owner": f"arn:aws:iam::{other}:root"})
    assert dict(result.eval_decision_details) == {"IAM Policy": "allowed", "Resource Policy": "implicitDeny"}
    (result,) = custom(house, allow("s3:*"), resource_policy=of_resource({"AWS": "*"}, "Deny"), **fields)
    assert dict(result.eval_decision_details)["Resource Policy"] == "explicitDeny"
    wrong = {"policy_input_list": [allow("s3:*")], "action_names": ["s3:GetObject"], "resource_owner": "me"}
    assert refused("SimulateCustomPolicy", **wrong) == ("InvalidInput", "Invalid ResourceOwner: me names no account.")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"policy_input_list": ["{}"]}, "Invalid input: PolicyInputList.1: Syntax errors in policy."),
        ({"resource_policy": allow("s3:*"), "caller_arn": "arn:aws:iam::111122223333:user/u"}, "Invalid input: ResourcePolicy.1: "),
        ({"permissions_boundary_policy_input_list": ["[]"]}, "Invalid input: PermissionsBoundaryPolicyInputList.1: "),
        ({"action_names": ["s3:*"]}, "Invalid input: s3:* is not the name of an action."),
        ({"action_names": ["GetObject"]}, "Invalid input: GetObject is not the name of an action."),
        ({"resource_arns": ["bucket"]}, "Invalid input: bucket is not an ARN."),
        ({"resource_arns": [f"{KEY}{number}" for number in range(1001)]}, "A simulation takes at most 1000 resources."),
        ({"context_entries": [entry("aws:SourceIp", "1", "2")]}, "The context key aws:SourceIp must have one value, or a list type."),
        ({"context_entries": [entry("aws:SourceIp")]}, "The context key aws:SourceIp must have one value, or a list type."),
        ({"context_entries": [entry("aws:x:y", "1"), entry("AWS:X:Y", "1")]}, "A context key is given twice."),
        ({"resource_handling_option": "EC2-VPC-EBS"}, "ResourceHandlingOption is not supported: "),
    ],
    ids=[
        "policy", "resource_policy", "boundary", "wildcard_action", "no_action", "no_arn", "many_resources", "two_values", "no_value",
        "twice", "handling_option",
    ],
)  # fmt: skip
def test_input_that_cannot_be_simulated(refused: Refused, fields: dict[str, Any], message: str) -> None:
    whole = {"policy_input_list": [allow("s3:*")], "action_names": ["s3:GetObject"]} | fields
    code, said = refused("SimulateCustomPolicy", **whole)
    assert (code, said[: len(message)]) == ("InvalidInput", message)


def test_pages_are_of_actions(house: House, refused: Refused) -> None:
    actions = [f"s3:Action{number}" for number in range(5)]
    fields: dict[str, Any] = {"policy_input_list": [allow("s3:*")], "action_names": actions, "max_items": 2}
    first = house.call("SimulateCustomPolicy", **fields)
    second = house.call("SimulateCustomPolicy", marker=first.marker, **fields)
    third = house.call("SimulateCustomPolicy", marker=second.marker, **fields)
    found = [one.eval_action_name for page in (first, second, third) for one in page.evaluation_results]
    assert (found, first.is_truncated, third.is_truncated, third.HasField("marker")) == (actions, True, False, False)
    other = fields | {"policy_input_list": [allow("sqs:*")], "marker": first.marker}
    assert refused("SimulateCustomPolicy", **other) == ("ValidationError", "Invalid Marker.")


class Principal:
    """A user with an inline policy, one through a group, a managed one, a boundary and a tag."""

    def __init__(self, house: House) -> None:
        self.house = house
        house.call("CreateUser", user_name="alice", tags=[{"key": "Team", "value": "red"}])
        house.call("PutUserPolicy", user_name="alice", policy_name="own", policy_document=allow("s3:GetObject", on=KEY))
        house.call("CreateGroup", group_name="g")
        house.call("AddUserToGroup", user_name="alice", group_name="g")
        house.call("PutGroupPolicy", group_name="g", policy_name="shared", policy_document=allow("s3:ListBucket"))
        self.managed = house.call("CreatePolicy", policy_name="managed", policy_document=allow("sqs:*")).policy.arn
        house.call("AttachUserPolicy", user_name="alice", policy_arn=self.managed)
        self.arn = f"arn:aws:iam::{house.account_id}:user/alice"

    def simulate(self, *actions: str, **fields: Any) -> list[Any]:
        source = {"policy_source_arn": self.arn} | fields
        return list(self.house.call("SimulatePrincipalPolicy", action_names=actions, **source).evaluation_results)


@pytest.fixture
def alice(house: House) -> Principal:
    return Principal(house)


def test_all_policies_of_a_user_count(alice: Principal) -> None:
    results = alice.simulate("s3:GetObject", "s3:ListBucket", "sqs:SendMessage", "ec2:RunInstances", resource_arns=[KEY])
    assert [one.eval_decision for one in results] == ["allowed", "allowed", "allowed", "implicitDeny"]
    sources = [[(s.source_policy_id, s.source_policy_type) for s in one.matched_statements] for one in results]
    assert sources == [[("user_alice_own", "IAM Policy")], [("group_g_shared", "IAM Policy")], [("managed", "IAM Policy")], []]


def test_policies_of_aws_are_called_by_their_name(house: House, alice: Principal) -> None:
    house.call("AttachUserPolicy", user_name="alice", policy_arn="arn:aws:iam::aws:policy/Administrator")
    (result,) = alice.simulate("ec2:RunInstances")
    assert [(s.source_policy_id, s.source_policy_type) for s in result.matched_statements] == [("Administrator", "IAM Policy")]


def test_policies_of_the_request_are_added(alice: Principal) -> None:
    (result,) = alice.simulate("ec2:RunInstances", policy_input_list=[allow("ec2:*")])
    assert (result.eval_decision, result.matched_statements[0].source_policy_id) == ("allowed", "PolicyInputList.1")


def test_the_principals_own_keys_are_known_and_the_request_may_say_others(alice: Principal) -> None:
    document = allow("ec2:RunInstances", when={"StringEquals": {"aws:PrincipalTag/Team": "red", "aws:username": "alice"}})
    assert alice.simulate("ec2:RunInstances", policy_input_list=[document])[0].eval_decision == "allowed"
    blue = [entry("aws:PrincipalTag/team", "blue")]
    (result,) = alice.simulate("ec2:RunInstances", policy_input_list=[document], context_entries=blue)
    assert (result.eval_decision, list(result.missing_context_values)) == ("implicitDeny", [])


def test_the_users_boundary_counts_unless_the_request_brings_one(house: House, alice: Principal) -> None:
    house.call("PutUserPermissionsBoundary", user_name="alice", permissions_boundary=alice.managed)
    (result,) = alice.simulate("s3:ListBucket")
    assert result.eval_decision == "implicitDeny"
    assert result.permissions_boundary_decision_detail.allowed_by_permissions_boundary is False
    (result,) = alice.simulate("s3:ListBucket", permissions_boundary_policy_input_list=[allow("s3:*")])
    assert result.eval_decision == "allowed"


@pytest.mark.parametrize(
    ("identifier", "without"),
    [
        ({"policy_type": "inline"}, ["s3:GetObject", "s3:ListBucket"]),
        ({"policy_type": "user-managed"}, ["sqs:SendMessage"]),
        ({"policy_type": "aws-managed"}, []),
        ({"policy_type": "rcp"}, []),
        ({"inline_policy_identifier": {"policy_name": "SHARED", "attachment_type": "group", "attachment_name": "g"}}, ["s3:ListBucket"]),
        ({"inline_policy_identifier": {"policy_name": "shared", "attachment_type": "user", "attachment_name": "g"}}, []),
        ({"policy_arn": "arn:aws:iam::aws:policy/Administrator"}, []),
    ],
    ids=["inline", "user_managed", "aws_managed", "unsupported", "by_name", "by_a_name_of_nobody", "by_an_arn_of_nothing"],
)
def test_policies_can_be_left_out(alice: Principal, identifier: dict[str, Any], without: list[str]) -> None:
    actions = ("s3:GetObject", "s3:ListBucket", "sqs:SendMessage")
    results = alice.simulate(*actions, resource_arns=[KEY], policy_exclusion_list=[identifier])
    assert [one.eval_action_name for one in results if one.eval_decision != "allowed"] == without


def test_a_boundary_is_left_out_when_it_is_named_as_one(house: House, alice: Principal) -> None:
    house.call("PutUserPermissionsBoundary", user_name="alice", permissions_boundary=alice.managed)

    def decided(**identifier: str) -> tuple[str, str]:
        results = alice.simulate("s3:ListBucket", "sqs:SendMessage", policy_exclusion_list=[identifier])
        return results[0].eval_decision, results[1].eval_decision

    assert decided(policy_arn=alice.managed) == ("implicitDeny", "implicitDeny")
    assert decided(policy_type="permission-boundary") == ("allowed", "allowed")
    assert decided(policy_type="permission-boundary", policy_arn=alice.managed) == ("allowed", "allowed")


def test_what_to_leave_out_must_be_said(alice: Principal, refused: Refused) -> None:
    fields: dict[str, Any] = {"policy_source_arn": alice.arn, "action_names": ["s3:GetObject"]}
    said = ("InvalidInput", "A policy to exclude is named by its type, its ARN or its name.")
    assert refused("SimulatePrincipalPolicy", policy_exclusion_list=[{}], **fields) == said
    wrong = [{"policy_arn": "x" * 20}]
    assert refused("SimulatePrincipalPolicy", policy_exclusion_list=wrong, **fields)[0] == "InvalidInput"


def test_trust_policies_count_for_assuming_roles(house: House, alice: Principal) -> None:
    house.call("CreateUser", user_name="bob")
    bob = f"arn:aws:iam::{house.account_id}:user/bob"
    for name, who in (("trusts-alice", alice.arn), ("trusts-bob", bob), ("trusts-account", f"arn:aws:iam::{house.account_id}:root")):
        house.call("CreateRole", role_name=name, assume_role_policy_document=trust(who))
    roles = [f"arn:aws:iam::{house.account_id}:role/{name}" for name in ("trusts-alice", "trusts-bob", "trusts-account", "none")]

    def decided(**fields: Any) -> list[str]:
        (result,) = alice.simulate("sts:AssumeRole", resource_arns=roles, **fields)
        return [one.eval_resource_decision for one in result.resource_specific_results]

    assert decided() == ["allowed", "implicitDeny", "implicitDeny", "implicitDeny"]
    assert decided(policy_input_list=[allow("sts:AssumeRole")]) == ["allowed", "implicitDeny", "allowed", "implicitDeny"]
    assert decided(caller_arn=bob) == ["implicitDeny", "allowed", "implicitDeny", "implicitDeny"]
    (result,) = alice.simulate("sts:AssumeRole", resource_arns=roles[:1])
    (statement,) = result.matched_statements
    assert (statement.source_policy_id, statement.source_policy_type) == ("role_trusts-alice_AssumeRolePolicyDocument", "Resource Policy")
    assert (statement.start_position.line, statement.start_position.column) == (1, 41)
    assert statement.end_position.column == len(trust(alice.arn)) - 1


def test_a_group_and_a_role_are_sources_too(house: House, refused: Refused, alice: Principal) -> None:
    account = f"arn:aws:iam::{house.account_id}"
    (result,) = alice.simulate("s3:ListBucket", policy_source_arn=f"{account}:group/g")
    assert result.eval_decision == "allowed"
    house.call("CreateRole", role_name="r", assume_role_policy_document=trust(alice.arn))
    house.call("PutRolePolicy", role_name="r", policy_name="p", policy_document=allow("s3:GetObject"))
    (result,) = alice.simulate("s3:GetObject", policy_source_arn=f"{account}:role/r")
    assert [s.source_policy_id for s in result.matched_statements] == ["role_r_p"]
    document = of_resource({"AWS": f"{account}:role/r"})
    house.call("DeleteRolePolicy", role_name="r", policy_name="p")
    (result,) = alice.simulate("s3:GetObject", policy_source_arn=f"{account}:role/r", resource_policy=document)
    assert result.eval_decision == "allowed"
    fields: dict[str, Any] = {"policy_source_arn": f"{account}:group/g", "action_names": ["s3:GetObject"], "resource_policy": document}
    said = ("InvalidInput", "CallerArn is required when a ResourcePolicy is given and the PolicySourceArn is not a user.")
    assert refused("SimulatePrincipalPolicy", **fields) == said


def test_permission_is_on_the_source(house: House, refused: Refused, alice: Principal) -> None:
    caller = house.user("caller", allow("iam:SimulatePrincipalPolicy", on=f"arn:aws:iam::{house.account_id}:user/alice"))
    fields: dict[str, Any] = {"action_names": ["s3:GetObject"]}
    house.call("SimulatePrincipalPolicy", _as=caller, policy_source_arn=alice.arn, **fields)
    other = f"arn:aws:iam::{house.account_id}:group/g"
    assert refused("SimulatePrincipalPolicy", _as=caller, policy_source_arn=other, **fields)[0] == "AccessDenied"
    assert refused("SimulateCustomPolicy", _as=caller, policy_input_list=[allow("s3:*")], **fields)[0] == "AccessDenied"


def test_a_policy_of_aws_is_everybodys_to_read_here_as_in_our_own_checks(house: House) -> None:
    (result,) = custom(house, allow("iam:GetPolicy"), actions=("iam:GetPolicy",), resource_arns=["arn:aws:iam::aws:policy/Administrator"])
    assert (result.eval_decision, dict(result.eval_decision_details)) == ("allowed", {})
    reader = house.user("reader", allow("iam:GetPolicy"))
    assert house.call("GetPolicy", _as=reader, policy_arn="arn:aws:iam::aws:policy/Administrator").policy.policy_name == "Administrator"


def test_a_context_that_is_too_large_beside_the_principals_own_keys(alice: Principal, refused: Refused) -> None:
    entries = [entry(f"orders:{number}", "x") for number in range(504)]
    fields = {"policy_source_arn": alice.arn, "action_names": ["s3:GetObject"], "resource_arns": [KEY]}
    assert decisions(alice.simulate("s3:GetObject", context_entries=entries[:503])) == [("s3:GetObject", "implicitDeny")]
    said = "The simulation of s3:GetObject could not be carried out: a context has 513 condition keys; at most 512 are allowed"
    assert refused("SimulatePrincipalPolicy", context_entries=entries, **fields) == ("PolicyEvaluation", said)
