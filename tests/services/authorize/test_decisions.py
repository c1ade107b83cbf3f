"""What Authorize answers: context, resource policies, batches, explanations."""

import json
from typing import Any

import pytest

from sekisho import world
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from tests.harness import House
from tests.services.authorize.conftest import Ask
from tests.services.conftest import Refused
from tests.services.iam.documents import allow

ASK = allow("authorize:Authorize")


def entry(key: str, *values: str, multivalued: bool = False) -> dict[str, Any]:
    """A context entry."""
    return {"key": key, "values": values, "multivalued": multivalued}


@pytest.mark.parametrize(
    "key",
    [
        "aws:PrincipalArn", "aws:PrincipalTag/team", "AWS:principaltag/Team", "aws:PrincipalAccount", "aws:userid", "aws:username",
        "aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge", "aws:TokenIssueTime", "aws:SourceIdentity", "aws:FederatedProvider",
        "aws:PrincipalOrgID", "aws:PrincipalIsAWSService", "aws:CurrentTime", "aws:EpochTime", "aws:ResourceAccount",
        "aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:ChatbotSourceArn", "ec2:SourceInstanceArn", "lambda:SourceFunctionArn",
    ],
)  # fmt: skip
def test_what_the_principal_or_the_server_knows_cannot_be_given(refused: Refused, key: str) -> None:
    code, message = refused("Authorize", action="a:B", resource="*", context=[entry(key, "x")])
    assert (code, message) == (
        "InvalidContext",
        f"the condition key `{key}` comes from the principal or from the server and cannot be given",
    )


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ([entry("orders:Amount", "1"), entry("ORDERS:amount", "2")], "the condition key `ORDERS:amount` is given twice"),
        ([entry("orders:Amount", "1", "2")], "the condition key `orders:Amount` has 2 values; say that it is multivalued"),
        ([entry("orders:Amount")], "the condition key `orders:Amount` has 0 values; say that it is multivalued"),
    ],
)
def test_a_context_that_says_a_thing_twice(refused: Refused, context: list[dict[str, Any]], message: str) -> None:
    assert refused("Authorize", action="a:B", resource="*", context=context) == ("InvalidContext", message)


@pytest.mark.parametrize(
    "fields",
    [
        {"resource_tags": {"Team": "red", "team": "blue"}},
        {"resource_tags": {"Team": "red"}, "context": [entry("aws:ResourceTag/team", "blue")]},
    ],
)
def test_a_tag_of_the_resource_has_one_value(refused: Refused, fields: dict[str, Any]) -> None:
    assert refused("Authorize", action="a:B", resource="*", **fields)[0] == "InvalidContext"


CONDITIONS = {
    "equals": {"StringEquals": {"orders:Country": "jp"}},
    "tag": {"StringEquals": {"aws:ResourceTag/team": "red"}},
    "any": {"ForAnyValue:StringEquals": {"orders:Kinds": "book"}},
    "all": {"ForAllValues:StringEquals": {"orders:Kinds": "book"}},
    "empty": {"Null": {"orders:Kinds": "false"}},
    "own tag": {"StringEquals": {"aws:PrincipalTag/team": "red"}},
    "own account": {"StringEquals": {"aws:ResourceAccount": "123456789012"}},
    "ip": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
}


@pytest.mark.parametrize(
    ("condition", "fields", "outcome"),
    [
        ("equals", {"context": [entry("orders:country", "jp")]}, pb.OUTCOME_ALLOWED),
        ("equals", {"context": [entry("orders:country", "de")]}, pb.OUTCOME_IMPLICITLY_DENIED),
        ("equals", {}, pb.OUTCOME_IMPLICITLY_DENIED),
        ("tag", {"resource_tags": {"TEAM": "red"}}, pb.OUTCOME_ALLOWED),
        ("tag", {"resource_tags": {"TEAM": "blue"}}, pb.OUTCOME_IMPLICITLY_DENIED),
        ("any", {"context": [entry("orders:Kinds", "book", "food", multivalued=True)]}, pb.OUTCOME_ALLOWED),
        ("any", {"context": [entry("orders:Kinds", "book", multivalued=True)]}, pb.OUTCOME_ALLOWED),
        ("any", {"context": [entry("orders:Kinds", multivalued=True)]}, pb.OUTCOME_IMPLICITLY_DENIED),
        ("all", {"context": [entry("orders:Kinds", "book", "food", multivalued=True)]}, pb.OUTCOME_IMPLICITLY_DENIED),
        ("all", {"context": [entry("orders:Kinds", multivalued=True)]}, pb.OUTCOME_ALLOWED),
        ("own tag", {}, pb.OUTCOME_ALLOWED),
        ("own account", {"resource_account": "123456789012"}, pb.OUTCOME_IMPLICITLY_DENIED),  # across accounts, it takes both
        ("ip", {"context": [entry("aws:SourceIp", "192.0.2.7")]}, pb.OUTCOME_ALLOWED),
        ("ip", {}, pb.OUTCOME_IMPLICITLY_DENIED),
    ],
)
def test_conditions_see_what_the_service_says(house: House, ask: Ask, condition: str, fields: dict[str, Any], outcome: int) -> None:
    ann = house.user("ann", ASK, allow("orders:Ship", when=CONDITIONS[condition]), tags=[{"key": "Team", "value": "red"}])
    assert ask(_as=ann, **fields).outcome == outcome


def test_the_connection_of_the_service_is_not_its_clients(house: House, ask: Ask) -> None:
    ann = house.user("ann", ASK, allow("orders:Ship", when={"Null": {"aws:SourceIp": "true", "aws:SecureTransport": "true"}}))
    assert ask(_as=ann).outcome == pb.OUTCOME_ALLOWED


def test_missing_keys_are_named(house: House, ask: Ask) -> None:
    ann = house.user("ann", ASK, allow("orders:Ship", when={"StringEquals": {"orders:Country": "jp"}}))
    assert list(ask(_as=ann).missing_keys) == ["orders:Country"]


def resource_policy(effect: str, principal: Any) -> str:
    """The policy of an order."""
    statement = {"Sid": "Mine", "Effect": effect, "Principal": principal, "Action": "orders:Ship", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_resource_policy_grants_in_its_own_account_and_denies_everywhere(house: House, ask: Ask) -> None:
    bob = house.user("bob", ASK)
    bob_arn = f"arn:aws:iam::{house.account_id}:user/bob"
    found = ask(_as=bob, resource_policy=resource_policy("Allow", {"AWS": bob_arn}))
    assert (found.outcome, found.layer) == (pb.OUTCOME_ALLOWED, pb.LAYER_RESOURCE)
    assert [(match.sid, match.index, match.policy_name) for match in found.matched] == [("Mine", 0, "resource policy")]
    denied = ask(resource_policy=resource_policy("Deny", "*"))
    assert (denied.outcome, denied.layer) == (pb.OUTCOME_EXPLICITLY_DENIED, pb.LAYER_RESOURCE)
    assert ask(_as=bob, resource_policy=resource_policy("Allow", {"AWS": house.account_id})).outcome == pb.OUTCOME_IMPLICITLY_DENIED


def test_across_accounts_both_must_allow(house: House, ask: Ask) -> None:
    ann = house.user("ann", ASK, allow("orders:Ship"))
    theirs = {"_as": ann, "resource": "arn:aws:orders::999999999999:order/1"}
    assert ask(**theirs).outcome == pb.OUTCOME_IMPLICITLY_DENIED
    assert ask(**theirs, resource_policy=resource_policy("Allow", "*")).outcome == pb.OUTCOME_ALLOWED
    bob = house.user("bob", ASK)
    assert ask(**theirs | {"_as": bob}, resource_policy=resource_policy("Allow", "*")).outcome == pb.OUTCOME_IMPLICITLY_DENIED


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ('{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}', "Syntax errors in policy."),
        ("{", "Syntax errors in policy."),
        ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":NaN}]}', ""),
        ("[" * 20_000, ""),
        ('{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps","Principal":"*","Action":"*","Resource":"*"}]}', ""),
    ],
)
def test_a_resource_policy_that_is_none(refused: Refused, policy: str, words: str) -> None:
    code, message = refused("Authorize", action="a:B", resource="*", resource_policy=policy)
    assert code == "MalformedPolicyDocument"
    assert words in message


@pytest.mark.parametrize("account", ["12345678901", "aws", "abcdefghijkl"])
def test_an_account_is_twelve_digits(refused: Refused, account: str) -> None:
    assert refused("Authorize", action="a:B", resource="*", resource_account=account)[0] == "InvalidContext"


def test_where_a_decision_comes_from_is_said(house: House, ask: Ask) -> None:
    arn = house.call("CreatePolicy", policy_name="shippers", path="/shop/", policy_document=allow("orders:Ship")).policy.arn
    ann = house.user("ann", ASK)
    house.call("AttachUserPolicy", user_name="ann", policy_arn=arn)
    found = ask(_as=ann)
    assert [(m.layer, m.policy_arn, m.policy_version, m.policy_name, m.index) for m in found.matched] == [
        (pb.LAYER_IDENTITY, arn, "v1", "", 0)
    ]
    assert found.revision
    assert found.decision_id


def test_one_bad_question_does_not_spoil_the_others(house: House) -> None:
    ann = f"arn:aws:iam::{house.account_id}:user/ann"
    house.user("ann", allow("orders:Ship"))
    questions: list[dict[str, Any]] = [
        {"action": "orders:Ship", "resource": "*", "principal_arn": ann},
        {"action": "orders:Ship", "resource": "*", "principal_arn": "arn:aws:iam::999999999999:user/x"},
        {"action": "orders:Ship", "resource": "*", "principal_arn": ann, "context": [entry("aws:userid", "x")]},
        {"action": "orders:Burn", "resource": "*", "principal_arn": ann},
        {"action": "orders:Ship", "resource": "*", "bearer_token": "bm9uZQ"},
        {"action": "orders:Ship", "resource": "*", "principal_arn": ann, "resource_policy": "{"},
    ]
    items = house.call("AuthorizeBatch", requests=questions).items
    assert [item.error.code or item.decision.outcome for item in items] == [
        pb.OUTCOME_ALLOWED,
        "AccessDenied",
        "InvalidContext",
        pb.OUTCOME_IMPLICITLY_DENIED,
        "IncompleteSignature",
        "MalformedPolicyDocument",
    ]


def test_a_thousand_questions_have_one_revision_and_a_thousand_and_one_are_too_many(house: House, refused: Refused) -> None:
    question: dict[str, Any] = {"action": "orders:Ship", "resource": "*"}
    items = house.call("AuthorizeBatch", requests=[question] * 1000).items
    assert len(items) == 1000
    assert len({item.decision.revision for item in items}) == 1
    assert len({item.decision.decision_id for item in items}) == 1000
    code, message = refused("AuthorizeBatch", requests=[question] * 1001)
    assert code == "ValidationError"
    assert "Member must have length less than or equal to 1000" in message


def test_a_batch_is_of_one_revision_although_the_world_moves_meanwhile(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("ann", allow("orders:Ship"))
    moved: list[Any] = []
    composed = world.question

    def moving(subject: Any, asked: world.Asked, *others: Any) -> world.Question:
        made = composed(subject, asked, *others)
        if asked.action == "orders:Ship" and not moved:
            moved.append(house.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0"))
        return made

    monkeypatch.setattr(world, "question", moving)
    ann = f"arn:aws:iam::{house.account_id}:user/ann"
    items = house.call("AuthorizeBatch", requests=[{"action": "orders:Ship", "resource": "*", "principal_arn": ann}] * 2).items
    assert moved
    assert [item.decision.outcome for item in items] == [pb.OUTCOME_IMPLICITLY_DENIED] * 2


def test_explain_says_what_authorize_says_and_why(house: House) -> None:
    house.user("ann", allow("orders:Ship"))
    ann = f"arn:aws:iam::{house.account_id}:user/ann"
    question: dict[str, Any] = {"action": "orders:Burn", "resource": "arn:aws:orders:::order/1", "principal_arn": ann}
    found = house.call("Explain", request=question)
    assert found.decision.outcome == house.call("Authorize", **question).outcome == pb.OUTCOME_IMPLICITLY_DENIED
    assert found.sentence == (
        f"User: {ann} is not authorized to perform: orders:Burn on resource: arn:aws:orders:::order/1 "
        "because no identity-based policy allows the orders:Burn action"
    )
    assert found.text
    assert json.loads(found.trace_json)


def test_explain_wants_a_question(refused: Refused) -> None:
    code, message = refused("Explain")
    assert (code, message) == (
        "ValidationError",
        "1 validation error detected: Value null at 'request' failed to satisfy constraint: Member must not be null",
    )
