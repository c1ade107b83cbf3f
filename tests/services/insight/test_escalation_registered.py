"""Paths by what is registered: a resource that acts as a role lets somebody in by its own policy, or keeps somebody out."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.analysis.escalation import registered
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from tests.harness import House
from tests.services.iam.documents import allow
from tests.services.insight.test_escalation_paths import told
from tests.services.organizations.tree import Organization
from tests.services.sts.roles import token

CODE, INVOKE = "lambda:UpdateFunctionCode", "lambda:InvokeFunction"
EVERYTHING = allow("*")


def of_lambda() -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
        }
    )


def statement(who: str, *actions: str, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": "*" if who == "*" else {"AWS": who}, "Action": list(actions), "Resource": "*", **more}


class Functions:
    """An account with an administrator's role that Lambda may act as, and a registered function."""

    def __init__(self, house: House, keys: sigv4.Credentials | None = None) -> None:
        self.house, self.keys = house, keys
        self.account = house.call("GetCallerIdentity", _as=keys).account if keys is not None else house.account_id
        self.function = f"arn:aws:lambda:eu-north-1:{self.account}:function:job"
        house.call("CreateRole", _as=keys, role_name="runner", assume_role_policy_document=of_lambda())
        house.call("PutRolePolicy", _as=keys, role_name="runner", policy_name="own", policy_document=EVERYTHING)

    def put(self, *statements: Mapping[str, Any], **tags: str) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)}) if statements else ""
        fields: dict[str, Any] = {"resource_policy": document} if document else {}
        if tags:
            fields["tags"] = [{"key": key, "value": value} for key, value in tags.items()]
        self.house.call("PutResource", _as=self.keys, resource_arn=self.function, **fields)

    def outcome(self, who: sigv4.Credentials, action: str) -> int:
        found: int = self.house.call("Authorize", bearer_token=token(who), action=action, resource=self.function).outcome
        return found


@pytest.fixture
def functions(house: House) -> Functions:
    return Functions(house)


def test_whom_the_policy_of_a_function_names_changes_its_code(functions: Functions, house: House) -> None:
    ann, ben = house.user("ann"), house.user("ben")
    functions.put(statement(f"arn:aws:iam::{house.account_id}:user/ann", CODE))
    found = house.call("FindEscalationPaths")
    assert told(found) == [("ann", [(CODE, "role/runner")])]
    (grant,) = found.paths[0].hops[0].grants
    assert (grant.action, grant.resource, grant.statements[0].layer) == (CODE, functions.function, "resource")
    assert found.paths[0].hops[0].presumes == "something acts as the role for lambda.amazonaws.com"
    assert functions.outcome(ann, CODE) == pb.OUTCOME_ALLOWED
    assert functions.outcome(ben, CODE) == pb.OUTCOME_IMPLICITLY_DENIED
    house.call("DeleteResource", resource_arn=functions.function)
    assert told(house.call("FindEscalationPaths")) == []
    assert functions.outcome(ann, CODE) == pb.OUTCOME_IMPLICITLY_DENIED


MISSES: dict[str, list[dict[str, Any]]] = {
    "another action": [statement("{}", "lambda:GetFunction")],
    "another function": [statement("{}", CODE) | {"Resource": "arn:aws:lambda:eu-north-1:111122223333:function:other"}],
    "a condition that is not met": [statement("{}", CODE, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})],
    "a denial": [statement("{}", CODE), statement("*", CODE, effect="Deny")],
}


@pytest.mark.parametrize("name", MISSES)
def test_near_misses(functions: Functions, house: House, name: str) -> None:
    ann = house.user("ann")
    named = f"arn:aws:iam::{house.account_id}:user/ann"
    functions.put(*(json.loads(json.dumps(one).replace('"{}"', json.dumps(named))) for one in MISSES[name]))
    assert told(house.call("FindEscalationPaths")) == []
    assert functions.outcome(ann, CODE) != pb.OUTCOME_ALLOWED


def test_everybody_is_let_in_and_a_deny_of_ones_own_keeps_out(functions: Functions, house: House) -> None:
    house.user("ann")
    denied = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "lambda:*", "Resource": "*"}]})
    ben = house.user("ben", denied)
    functions.put(statement("*", CODE))
    assert told(house.call("FindEscalationPaths")) == [("ann", [(CODE, "role/runner")])]
    assert functions.outcome(ben, CODE) == pb.OUTCOME_EXPLICITLY_DENIED


def test_the_policy_of_a_function_keeps_one_of_two_out_who_are_alike(functions: Functions, house: House) -> None:
    document = allow(CODE, on=functions.function)
    ann, ben = house.user("ann", document), house.user("ben", document)
    both = [("ann", [(CODE, "role/runner")]), ("ben", [(CODE, "role/runner")])]
    assert told(house.call("FindEscalationPaths")) == both
    functions.put(statement(f"arn:aws:iam::{house.account_id}:user/ann", CODE, effect="Deny"))
    assert told(house.call("FindEscalationPaths")) == both[1:]
    assert (functions.outcome(ann, CODE), functions.outcome(ben, CODE)) == (pb.OUTCOME_EXPLICITLY_DENIED, pb.OUTCOME_ALLOWED)


def test_tags_of_what_is_registered_count(functions: Functions, house: House) -> None:
    house.user("ann", allow(CODE, on=functions.function, when={"StringEquals": {"aws:ResourceTag/team": "ops"}}))
    functions.put(team="dev")
    assert told(house.call("FindEscalationPaths")) == []
    functions.put(team="ops")
    assert told(house.call("FindEscalationPaths")) == [("ann", [(CODE, "role/runner")])]


def test_a_policy_that_names_no_function_asks_for_tags_that_one_has(functions: Functions, house: House) -> None:
    ann = house.user("ann", allow(CODE, on="*", when={"StringEquals": {"aws:ResourceTag/team": "ops"}}))
    functions.put(team="dev")
    assert told(house.call("FindEscalationPaths")) == []
    assert functions.outcome(ann, CODE) == pb.OUTCOME_IMPLICITLY_DENIED
    functions.put(team="ops")
    found = house.call("FindEscalationPaths")
    assert told(found) == [("ann", [(CODE, "role/runner")])]
    assert [grant.resource for grant in found.paths[0].hops[0].grants] == [functions.function]
    assert functions.outcome(ann, CODE) == pb.OUTCOME_ALLOWED


def test_one_action_by_ones_own_policy_and_one_by_that_of_the_thing(functions: Functions, house: House) -> None:
    made, done = "cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"
    house.call("UpdateAssumeRolePolicy", role_name="runner", policy_document=of_lambda().replace("lambda", "cloudformation"))
    for name in ("ann", "ben"):
        house.user(name, allow(made))
    functions.function = f"arn:aws:cloudformation:eu-north-1:{house.account_id}:stack/site/1"
    functions.put(statement(f"arn:aws:iam::{house.account_id}:user/ann", done))
    found = house.call("FindEscalationPaths")
    assert told(found) == [("ann", [(f"{made} + {done}", "role/runner")])]
    layers = [(grant.action, [one.layer for one in grant.statements]) for grant in found.paths[0].hops[0].grants]
    assert layers == [(made, ["identity"]), (done, ["resource"])]


def test_a_function_lets_in_another_account_whose_own_policies_do_too(house: House) -> None:
    org = Organization(house)
    inside = org.inside(org.account())
    functions = Functions(house, inside)
    ann, ben = house.user("ann", allow(CODE)), house.user("ben")

    def across() -> dict[str, list[tuple[str, str]]]:
        found = house.call("FindEscalationPaths", organization=True).paths
        own = [one for one in found if one.source_arn.rpartition("/")[2] in ("ann", "ben")]
        return {one.source_arn.rpartition("/")[2]: [(hop.method, hop.becomes_arn) for hop in one.hops] for one in own}

    functions.put(statement(house.account_id, "lambda:GetFunction"))
    assert across() == {}
    functions.put(statement(house.account_id, CODE))
    assert across() == {"ann": [(CODE, f"arn:aws:iam::{functions.account}:role/runner")]}
    assert (functions.outcome(ann, CODE), functions.outcome(ben, CODE)) == (pb.OUTCOME_ALLOWED, pb.OUTCOME_IMPLICITLY_DENIED)
    functions.put(statement(f"arn:aws:iam::{house.account_id}:user/ben", CODE))
    assert across() == {}
    assert functions.outcome(ann, CODE) == pb.OUTCOME_IMPLICITLY_DENIED


def test_what_is_followed_is_bounded_and_said(functions: Functions, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "MOST", 0)
    house.user("ann")
    functions.put(statement("*", CODE))
    found = house.call("FindEscalationPaths")
    assert f"more than 0 registered resources let somebody do {CODE}" in found.left_out
    assert told(found) == []
    house.user("ben", allow(CODE, on="*", when={"StringEquals": {"aws:ResourceTag/team": "ops"}}))
    functions.put(team="ops")
    found = house.call("FindEscalationPaths")
    assert "more than 0 registered resources have tags and are each a function" in found.left_out
    assert told(found) == []
