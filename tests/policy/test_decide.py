"""The layers: who may what, which layer said so, and by which statements. The documented rules are in test_documented_rules."""

import dataclasses
from typing import Any

import pytest

from sekisho import policy
from sekisho.policy import keys
from sekisho.policy.decide import implied_context
from sekisho.policy.layers import Layer, Outcome

HOME, OTHER = "111122223333", "444455556666"
ALICE = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME, unique_id="AIDAALICE")
STRANGER = policy.Principal("user", f"arn:aws:iam::{OTHER}:user/xavier", OTHER)
ROOT = policy.Principal("root", f"arn:aws:iam::{HOME}:root", HOME)
SESSION = policy.Principal(
    "assumed-role", f"arn:aws:sts::{HOME}:assumed-role/app/s", HOME, role_arn=f"arn:aws:iam::{HOME}:role/team/app", unique_id="AROAAPP"
)
LINKED = dataclasses.replace(SESSION, kind="service-linked-role", role_arn=f"arn:aws:iam::{HOME}:role/aws-service-role/x/app")
FEDERATED = policy.Principal("federated-user", f"arn:aws:sts::{HOME}:federated-user/kim", HOME)
ANONYMOUS = policy.Principal("anonymous", "", "")
SNS = policy.Principal("service", "sns.amazonaws.com", "")
WEB = policy.Principal("federated", "", "", provider="accounts.google.com")

THING = "arn:aws:orders:eu-west-1:111122223333:order/17"
ROLE = f"arn:aws:iam::{HOME}:role/target"
KEY = f"arn:aws:kms:eu-west-1:{HOME}:key/1234"


def attached(*statements: dict[str, Any]) -> policy.Attached:
    full = [{"Action": "*", "Resource": "*", **statement} for statement in statements]
    return policy.Attached(policy.compile_policy(policy.from_json({"Version": "2012-10-17", "Statement": full})))


def allow(**element: Any) -> policy.Attached:
    return attached({"Effect": "Allow", **element})


def deny(**element: Any) -> policy.Attached:
    return attached({"Effect": "Deny", **element})


def all_but(resource: str) -> policy.Attached:
    statement = {"Effect": "Deny", "Action": "*", "NotResource": resource}
    return policy.Attached(policy.compile_policy(policy.from_json({"Version": "2012-10-17", "Statement": statement})))


def grant(*names: str, **element: Any) -> policy.Attached:
    return allow(Principal={"AWS": list(names)}, **element)


ALL, NONE = allow(), allow(Action="nothing:AtAll")


def ask(
    principal: policy.Principal,
    action: str = "orders:Ship",
    on: str = THING,
    owner: str | None = HOME,
    context: dict[str, Any] | None = None,
    **layers: Any,
) -> policy.Decision:
    decision = policy.decide(policy.Request(principal, action, on, owner, keys.context(context or {})), policy.Layers(**layers))
    assert decision.error == ""
    assert decision.allowed is (decision.outcome is Outcome.ALLOWED)
    return decision


ALLOWED, IMPLICIT, EXPLICIT = Outcome.ALLOWED, Outcome.IMPLICITLY_DENIED, Outcome.EXPLICITLY_DENIED
Answer = tuple[Outcome, Layer | None]

CASES: dict[str, tuple[policy.Principal, dict[str, Any], Answer]] = {
    "nothing": (ALICE, {}, (IMPLICIT, Layer.IDENTITY)),
    "identity": (ALICE, {"identity": (NONE, ALL)}, (ALLOWED, Layer.IDENTITY)),
    "empty_boundary": (ALICE, {"identity": (ALL,), "boundary": ()}, (IMPLICIT, Layer.BOUNDARY)),
    "empty_session": (SESSION, {"identity": (ALL,), "session": ()}, (IMPLICIT, Layer.SESSION)),
    "empty_scp_level": (ALICE, {"identity": (ALL,), "scps": ((ALL,), ())}, (IMPLICIT, Layer.SCP)),
    "no_scp_levels_at_all": (ALICE, {"identity": (ALL,), "scps": ()}, (ALLOWED, Layer.IDENTITY)),
    "an_rcp_level_without_allow": (ALICE, {"identity": (ALL,), "rcps": ((), (deny(Action="x:Y"),))}, (ALLOWED, Layer.IDENTITY)),
    "scp_blames_itself_first": (ALICE, {"scps": ((NONE,),)}, (IMPLICIT, Layer.SCP)),
    "user_by_id": (ALICE, {"resource": grant("AIDAALICE"), "boundary": (NONE,)}, (ALLOWED, Layer.RESOURCE)),
    "role_by_id": (SESSION, {"resource": grant("AROAAPP")}, (ALLOWED, Layer.RESOURCE)),
    "role_by_id_within_its_boundary": (SESSION, {"resource": grant("AROAAPP"), "boundary": (NONE,)}, (IMPLICIT, Layer.BOUNDARY)),
    "role_by_id_within_its_session": (SESSION, {"resource": grant("AROAAPP"), "session": (NONE,)}, (IMPLICIT, Layer.SESSION)),
    "everybody_within_the_boundary": (ALICE, {"resource": grant("*"), "boundary": (NONE,)}, (IMPLICIT, Layer.BOUNDARY)),
    "everybody_with_my_arn": (
        ALICE,
        {"resource": allow(Principal="*", Condition={"ArnEquals": {"aws:PrincipalArn": ALICE.arn}}), "boundary": (NONE,)},
        (ALLOWED, Layer.RESOURCE),
    ),
    "role_arn_is_the_principal_arn_of_a_session": (
        SESSION,
        {"identity": (allow(Condition={"StringEquals": {"aws:PrincipalArn": SESSION.role_arn}}),)},
        (ALLOWED, Layer.IDENTITY),
    ),
    "the_account_delegates": (ALICE, {"resource": grant(HOME)}, (IMPLICIT, Layer.IDENTITY)),
    "the_account_delegates_to_identity": (ALICE, {"resource": grant(HOME), "identity": (ALL,)}, (ALLOWED, Layer.IDENTITY)),
    "strangers_need_both": (STRANGER, {"identity": (ALL,)}, (IMPLICIT, Layer.RESOURCE)),
    "strangers_need_their_own_account": (STRANGER, {"resource": grant(STRANGER.arn)}, (IMPLICIT, Layer.IDENTITY)),
    "strangers_with_both": (STRANGER, {"resource": grant(OTHER), "identity": (ALL,)}, (ALLOWED, Layer.IDENTITY)),
    "strangers_within_their_boundary": (
        STRANGER,
        {"resource": grant(STRANGER.arn), "identity": (ALL,), "boundary": (NONE,)},
        (IMPLICIT, Layer.BOUNDARY),
    ),
    "root_with_its_allow_all": (ROOT, {"identity": (ALL,)}, (ALLOWED, Layer.IDENTITY)),
    "root_has_no_boundary": (ROOT, {"identity": (ALL,), "boundary": (deny(),)}, (ALLOWED, Layer.IDENTITY)),
    "root_has_scps": (ROOT, {"identity": (ALL,), "scps": ((NONE,),)}, (IMPLICIT, Layer.SCP)),
    # https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
    "anonymous_callers_have_no_scps": (ANONYMOUS, {"resource": allow(Principal="*"), "scps": ((deny(),),)}, (ALLOWED, Layer.RESOURCE)),
    "services_need_no_scp": (SNS, {"resource": allow(Principal={"Service": SNS.arn}), "scps": ((),)}, (ALLOWED, Layer.RESOURCE)),
    "identities_of_providers_have_no_scps": (
        WEB,
        {"resource": allow(Principal={"Federated": WEB.provider}), "scps": ((deny(),), ())},
        (ALLOWED, Layer.RESOURCE),
    ),
    "federated_users_have_scps": (FEDERATED, {"resource": allow(Principal="*"), "scps": ((deny(),),)}, (EXPLICIT, Layer.SCP)),
    "linked_roles_have_no_scps": (LINKED, {"identity": (ALL,), "scps": ((deny(),),)}, (ALLOWED, Layer.IDENTITY)),
    "linked_roles_have_no_rcps": (LINKED, {"identity": (ALL,), "rcps": ((deny(Principal="*"),),)}, (ALLOWED, Layer.IDENTITY)),
    "rcps_deny_services": (
        SNS,
        {"resource": allow(Principal={"Service": SNS.arn}), "rcps": ((deny(Principal="*"),),)},
        (EXPLICIT, Layer.RCP),
    ),
    "rcps_deny_the_anonymous": (ANONYMOUS, {"resource": grant("*"), "rcps": ((deny(Principal="*"),),)}, (EXPLICIT, Layer.RCP)),
    "anonymous_by_identity": (ANONYMOUS, {"identity": (ALL,)}, (IMPLICIT, Layer.RESOURCE)),
    "a_service_is_not_the_account": (SNS, {"resource": grant(HOME), "identity": (ALL,)}, (IMPLICIT, Layer.RESOURCE)),
    "federated_without_session_policy": (FEDERATED, {"identity": (ALL,)}, (IMPLICIT, Layer.SESSION)),
    "federated_within_its_session_policy": (FEDERATED, {"identity": (ALL,), "session": (ALL,)}, (ALLOWED, Layer.IDENTITY)),
    "federated_by_name": (FEDERATED, {"resource": grant(FEDERATED.arn)}, (ALLOWED, Layer.RESOURCE)),
    "federated_among_everybody": (FEDERATED, {"resource": grant("*")}, (IMPLICIT, Layer.SESSION)),
    "a_user_is_not_its_federated_session": (FEDERATED, {"resource": grant(ALICE.arn), "session": (ALL,)}, (IMPLICIT, Layer.IDENTITY)),
    "a_deny_in_the_session": (SESSION, {"identity": (ALL,), "session": (ALL, deny())}, (EXPLICIT, Layer.SESSION)),
    "a_deny_in_the_boundary": (ALICE, {"resource": grant(ALICE.arn), "boundary": (deny(),)}, (EXPLICIT, Layer.BOUNDARY)),
    "a_deny_names_the_first_layer": (
        ALICE,
        {"identity": (deny(),), "scps": ((ALL, deny()),), "resource": deny(Principal="*")},
        (EXPLICIT, Layer.SCP),
    ),
    "an_unknown_operator_denies": (
        ALICE,
        {"identity": (ALL, deny(Condition={"StringLik": {"k:e": "v"}}))},
        (EXPLICIT, Layer.IDENTITY),
    ),
    "an_unknown_operator_allows_nothing": (
        ALICE,
        {"identity": (allow(Condition={"StringLik": {"k:e": "v"}}),)},
        (IMPLICIT, Layer.IDENTITY),
    ),
    "a_false_condition_beside_an_unknown_operator": (
        ALICE,
        {"identity": (ALL, deny(Condition={"StringLik": {"k:e": "v"}, "StringEquals": {"k:f": "v"}}))},
        (ALLOWED, Layer.IDENTITY),
    ),
    "a_deny_with_a_variable_without_value": (ALICE, {"identity": (ALL, deny(Resource="${k:e}"))}, (ALLOWED, Layer.IDENTITY)),
}


@pytest.mark.parametrize(("principal", "layers", "expected"), CASES.values(), ids=CASES.keys())
def test_layers(principal: policy.Principal, layers: dict[str, Any], expected: Answer) -> None:
    decision = ask(principal, **layers)
    assert (decision.outcome, decision.layer) == expected


TRUST: dict[str, tuple[policy.Principal, str, dict[str, Any], Answer]] = {
    "identity_alone": (ALICE, "sts:AssumeRole", {"identity": (ALL,)}, (IMPLICIT, Layer.TRUST)),
    "user_named": (ALICE, "sts:AssumeRole", {"resource": grant(ALICE.arn)}, (ALLOWED, Layer.TRUST)),
    "user_named_by_id": (ALICE, "sts:AssumeRole", {"resource": grant("AIDAALICE")}, (ALLOWED, Layer.TRUST)),
    "account_named": (ALICE, "sts:AssumeRole", {"resource": grant(HOME)}, (IMPLICIT, Layer.IDENTITY)),
    "account_named_and_identity": (ALICE, "sts:AssumeRole", {"resource": grant(HOME), "identity": (ALL,)}, (ALLOWED, Layer.IDENTITY)),
    "tags_need_trust_too": (ALICE, "sts:TagSession", {"identity": (ALL,)}, (IMPLICIT, Layer.TRUST)),
    "source_identity_needs_trust_too": (ALICE, "STS:setsourceidentity", {"identity": (ALL,)}, (IMPLICIT, Layer.TRUST)),
    "root": (ROOT, "sts:AssumeRole", {"resource": grant(HOME), "identity": (ALL,)}, (IMPLICIT, Layer.TRUST)),
    "web_identity": (
        WEB,
        "sts:AssumeRoleWithWebIdentity",
        {"resource": allow(Principal={"Federated": "accounts.google.com"}, Action="sts:AssumeRoleWithWebIdentity")},
        (ALLOWED, Layer.TRUST),
    ),
    "another_web_identity": (
        WEB,
        "sts:AssumeRoleWithWebIdentity",
        {"resource": allow(Principal={"Federated": "www.amazon.com"})},
        (IMPLICIT, Layer.TRUST),
    ),
    "deny": (ALICE, "sts:AssumeRole", {"resource": deny(Principal="*"), "identity": (ALL,)}, (EXPLICIT, Layer.TRUST)),
    "other_actions_on_roles": (ALICE, "iam:GetRole", {"identity": (ALL,)}, (ALLOWED, Layer.IDENTITY)),
}


@pytest.mark.parametrize(("principal", "action", "layers", "expected"), TRUST.values(), ids=TRUST.keys())
def test_trust(principal: policy.Principal, action: str, layers: dict[str, Any], expected: Answer) -> None:
    decision = ask(principal, action, ROLE, **layers)
    assert (decision.outcome, decision.layer) == expected


def test_a_trust_policy_has_no_resource() -> None:
    text = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"AIDAALICE"},"Action":"sts:AssumeRole"}}'
    assert ask(ALICE, "sts:AssumeRole", ROLE, resource=policy.Attached(policy.compiled(text))).layer is Layer.TRUST


def test_keys_need_their_key_policy() -> None:
    assert ask(ALICE, "kms:Decrypt", KEY, identity=(ALL,)).layer is Layer.RESOURCE
    assert ask(ALICE, "KMS:Decrypt", KEY, identity=(ALL,), resource=grant(HOME)).allowed
    assert ask(ALICE, "kms:ListKeys", "*", identity=(ALL,)).allowed
    assert ask(ALICE, "kms:CreateAlias", KEY.replace("key/1234", "alias/a"), identity=(ALL,)).allowed


def test_get_caller_identity_cannot_be_denied() -> None:
    for principal in (ALICE, ROOT, SESSION, FEDERATED):
        decision = ask(principal, "sts:GetCallerIdentity", "*", identity=(deny(),), scps=((deny(),),))
        assert (decision.outcome, decision.layer, decision.matched) == (ALLOWED, None, ())
    assert not ask(ANONYMOUS, "sts:GetCallerIdentity", "*").allowed


def test_whose_resource() -> None:
    """The account that is given counts, then the ARN's, then the principal's own."""
    assert not ask(ALICE, identity=(ALL,), owner=OTHER).allowed
    assert ask(ALICE, identity=(ALL,), owner=None).allowed
    assert not ask(ALICE, on=THING.replace(HOME, OTHER), owner=None, identity=(ALL,)).allowed
    assert ask(ALICE, "orders:List", "*", owner=None, identity=(ALL,)).allowed


def test_a_principal_without_an_account_is_nobodys_neighbour() -> None:
    lost = policy.Principal("user", "arn:aws:iam:::user/x", "")
    assert not ask(lost, "orders:List", "*", owner=None, identity=(ALL,)).allowed
    assert not ask(lost, identity=(ALL,)).allowed


IMPLIED: dict[str, tuple[policy.Principal, dict[str, str]]] = {
    "user": (ALICE, {"aws:principalarn": ALICE.arn, "aws:principalaccount": HOME, "aws:principaltype": "User"}),
    "session": (SESSION, {"aws:principalarn": SESSION.role_arn, "aws:principalaccount": HOME, "aws:principaltype": "AssumedRole"}),
    "session_of_an_unknown_path": (
        dataclasses.replace(SESSION, role_arn=""),
        {"aws:principalarn": f"arn:aws:iam::{HOME}:role/app", "aws:principalaccount": HOME, "aws:principaltype": "AssumedRole"},
    ),
    "root": (ROOT, {"aws:principalarn": ROOT.arn, "aws:principalaccount": HOME, "aws:principaltype": "Account"}),
    "federated": (FEDERATED, {"aws:principalarn": FEDERATED.arn, "aws:principalaccount": HOME, "aws:principaltype": "FederatedUser"}),
    "anonymous": (ANONYMOUS, {"aws:principalaccount": "anonymous", "aws:principaltype": "Anonymous"}),
    "service": (SNS, {}),
    "provider": (WEB, {}),
}


@pytest.mark.parametrize(("principal", "expected"), IMPLIED.values(), ids=IMPLIED.keys())
def test_implied_keys(principal: policy.Principal, expected: dict[str, str]) -> None:
    request = policy.Request(principal, "orders:Ship", THING, OTHER, keys.context({}))
    assert implied_context(request) == {**expected, "aws:resourceaccount": OTHER}


def test_implied_keys_yield_to_the_context() -> None:
    given = keys.context({"aws:PrincipalArn": "a", "aws:PrincipalType": "b", "aws:PrincipalAccount": "c"})
    assert implied_context(policy.Request(ALICE, "orders:Ship", THING, None, given)) == {**given, "aws:resourceaccount": HOME}
    for left_out in given:  # two of the three do not speak for the third
        partly = keys.context({key: value for key, value in given.items() if key != left_out})
        assert implied_context(policy.Request(ALICE, "orders:Ship", THING, None, partly)).keys() == {*given, "aws:resourceaccount"}
    full = keys.context({**given, "aws:ResourceAccount": "d"})
    assert implied_context(policy.Request(ALICE, "orders:Ship", THING, None, full)) is full


def test_the_statements_that_granted() -> None:
    resource, identity = grant(OTHER), allow(Sid="Mine")
    decision = ask(STRANGER, resource=resource, identity=(NONE, identity))
    assert [(match.layer, match.level, match.attached) for match in decision.matched] == [
        (Layer.RESOURCE, 0, resource),
        (Layer.IDENTITY, 0, identity),
    ]
    assert decision.matched[1].statement.sid == "Mine"


def test_all_denies_that_matched() -> None:
    scp, identity = deny(Sid="Scp"), attached({"Effect": "Deny", "Sid": "A"}, {"Effect": "Allow"}, {"Effect": "Deny", "Sid": "B"})
    decision = ask(ALICE, scps=((ALL,), (ALL, scp)), identity=(identity,), session=(ALL,))
    assert [(match.layer, match.level, match.statement.sid) for match in decision.matched] == [
        (Layer.SCP, 1, "Scp"),
        (Layer.IDENTITY, 0, "A"),
        (Layer.IDENTITY, 0, "B"),
    ]


MFA = {"Bool": {"aws:multifactorauthpresent": "true"}}

MISSING: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a_positive_condition": ({"identity": (allow(Condition=MFA),)}, ("aws:MultiFactorAuthPresent",)),
    "of_another_resource": ({"identity": (allow(Condition=MFA, Resource="arn:aws:s3:::x"),)}, ()),
    "of_another_action": ({"identity": (allow(Condition=MFA, Action="s3:*"),)}, ()),
    "present_but_different": ({"identity": (allow(Condition={"StringEquals": {"aws:PrincipalType": "Account"}}),)}, ()),
    "a_variable": ({"identity": (allow(Resource="arn:aws:orders:*:*:order/${aws:username}"),)}, ("aws:username",)),
    "a_variable_of_a_resource_that_is_not_needed": (
        {"identity": (allow(Resource=["${aws:username}", "*"], Condition={"Bool": {"k:b": "true"}}),)},
        ("k:b",),
    ),
    "a_variable_of_a_condition": (
        {"identity": (allow(Condition={"StringEquals": {"aws:PrincipalType": "${k:f}"}, "StringNotEquals": {"k:g": "${k:h}"}}),)},
        ("k:f",),
    ),
    "a_variable_that_a_deny_spares_nothing_without": (
        {"identity": (ALL, all_but("${k:f}"), deny(Resource=["${k:g}", "*"]))},
        ("k:f",),
    ),
    "once_each": ({"identity": (allow(Condition=MFA), allow(Condition=MFA))}, ("aws:MultiFactorAuthPresent",)),
    "of_the_denying_layer_only": ({"identity": (ALL,), "boundary": (allow(Condition={"StringLike": {"k:b": "*"}}),)}, ("k:b",)),
    "of_a_level_that_permits": (
        {"identity": (ALL,), "scps": ((ALL, allow(Condition=MFA)), (allow(Condition={"StringLike": {"k:b": "*"}}),))},
        ("k:b",),
    ),
    "of_a_deny": (
        {"identity": (ALL, deny(Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}))},
        ("aws:MultiFactorAuthPresent",),
    ),
    "of_a_deny_that_had_what_it_asked": ({"identity": (deny(Condition={"StringEquals": {"aws:PrincipalType": "User"}}),)}, ()),
    "behind_an_index": (
        {"identity": (attached(*({"Effect": "Allow", "Condition": {"StringEquals": {"k:e": str(i)}}} for i in range(20))),)},
        ("k:e",),
    ),
    "of_a_resource_policy_that_names_another": ({"resource": grant(OTHER, Condition=MFA)}, ()),
}


@pytest.mark.parametrize(("layers", "expected"), MISSING.values(), ids=MISSING.keys())
def test_missing_keys(layers: dict[str, Any], expected: tuple[str, ...]) -> None:
    decision = ask(ALICE, **layers)
    assert not decision.allowed
    assert decision.missing_keys == expected


def test_missing_keys_of_the_policies_of_resources() -> None:
    """A trust policy's, and those of a resource policy across accounts; not those of other layers."""
    others = allow(Condition={"StringEquals": {"k:e": "x"}})
    trust = ask(ALICE, "sts:AssumeRole", ROLE, resource=grant(ALICE.arn, Condition=MFA), identity=(others,), session=(others,))
    assert (trust.layer, trust.missing_keys) == (Layer.TRUST, ("aws:MultiFactorAuthPresent",))
    across = ask(STRANGER, resource=grant(OTHER, Condition=MFA), identity=(ALL,), session=(others,))
    assert (across.layer, across.missing_keys) == (Layer.RESOURCE, ("aws:MultiFactorAuthPresent",))
    session = ask(ALICE, identity=(ALL,), session=(others,), boundary=(ALL,))
    assert (session.layer, session.missing_keys) == (Layer.SESSION, ("k:e",))
    root = ask(ROOT, "sts:AssumeRole", "x", resource=grant(HOME, Condition=MFA), identity=(ALL,))
    assert (root.layer, root.missing_keys) == (Layer.TRUST, ())


def test_an_allowed_request_misses_nothing() -> None:
    assert ask(ALICE, identity=(allow(Condition={"StringNotEquals": {"k:e": "x"}}),)).missing_keys == ()


class Broken(dict[str, Any]):
    """A context that cannot be read."""

    def get(self, *_: object) -> Any:
        raise RuntimeError("the disk is on fire")


def test_decide_never_raises() -> None:
    known = {"aws:principalarn": "", "aws:principaltype": "", "aws:principalaccount": "", "aws:resourceaccount": ""}
    request = policy.Request(ALICE, "orders:Ship", THING, HOME, Broken(known))
    decision = policy.decide(request, policy.Layers(identity=(ALL, allow(Condition={"StringEquals": {"k:e": "v"}}), deny(Condition=MFA))))
    assert decision == policy.Decision(IMPLICIT, None, error="RuntimeError: the disk is on fire")
    nonsense: Any = None
    assert policy.decide(nonsense, nonsense).outcome is IMPLICIT
    assert policy.decide(request, nonsense).error != ""


WRONG: dict[str, Any] = {"a_list": ["v"], "a_list_of_others": [1], "a_number": 1, "a_boolean": True, "an_object": {"v": 1}}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("operator", ["StringEquals", "StringEqualsIfExists", "StringNotEquals", "StringLike", "NumericEquals", "Bool"])
def test_values_of_the_wrong_type_allow_nothing(operator: str, value: Any) -> None:
    request = policy.Request(ALICE, "orders:Ship", THING, HOME, {"k:e": value})
    assert not policy.decide(request, policy.Layers(identity=(allow(Condition={operator: {"k:e": ["v"]}}),))).allowed
