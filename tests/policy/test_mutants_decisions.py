"""Cases for faults in decisions that other tests did not notice: what is implied, layers and their order, missing keys."""

from typing import Any

import pytest

from sekisho import policy
from sekisho.policy import keys, layers
from sekisho.policy.budget import Budget
from sekisho.policy.compile import Program, compile_policy
from sekisho.policy.decide import implied_context
from sekisho.policy.document import from_json
from sekisho.policy.reasons import nearly

HOME = "111122223333"


def program(statements: list[dict[str, Any]]) -> Program:
    return compile_policy(from_json({"Version": "2012-10-17", "Statement": statements}))


KINDS: dict[str, tuple[str, dict[str, str]]] = {  # kind: ARN, what the request implies
    "root": (f"arn:aws:iam::{HOME}:root", {"type": "Account"}),
    "user": (f"arn:aws:iam::{HOME}:user/a", {"type": "User"}),
    "federated-user": (f"arn:aws:sts::{HOME}:federated-user/a", {"type": "FederatedUser"}),
    "role": (f"arn:aws:iam::{HOME}:role/a", {"type": "AssumedRole"}),
    "assumed-role": (f"arn:aws:sts::{HOME}:assumed-role/a/s", {"type": "AssumedRole", "arn": f"arn:aws:iam::{HOME}:role/a"}),
    "service-linked-role": (f"arn:aws:sts::{HOME}:assumed-role/a/s", {"type": "AssumedRole", "arn": f"arn:aws:iam::{HOME}:role/a"}),
    "anonymous": ("", {"type": "Anonymous", "account": "anonymous"}),
    "service": ("sns.amazonaws.com", {}),
    "federated": ("", {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_request_implies(kind: str) -> None:
    """Exactly these keys, for every kind of principal."""
    arn, expected = KINDS[kind]
    account = HOME if f":{HOME}:" in arn else ""
    asked = policy.Request(policy.Principal(kind, arn, account), "s3:GetObject", "arn:aws:s3:::b/k", "444455556666", keys.context({}))
    named = {f"aws:principal{key}": value for key, value in expected.items()}
    if account:
        named = {"aws:principalarn": arn, "aws:principalaccount": account, **named}
    assert implied_context(asked) == {**named, "aws:resourceaccount": "444455556666"}


def test_a_statement_for_somebody_else_nearly_allows_nobody() -> None:
    """An Allow of a resource is near only where it names the principal and a condition of it fails."""
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
    statements: list[dict[str, Any]] = [
        {"Principal": {"AWS": alice.arn}, "Condition": {"Bool": {"k:e": "true"}}},
        {"Principal": {"AWS": alice.arn}, "Condition": {"Bool": {"k:e": "false"}}},
        {"Principal": {"AWS": alice.arn}},
        {"Principal": {"AWS": f"arn:aws:iam::{HOME}:user/bob"}, "Condition": {"Bool": {"k:e": "true"}}},
        {"Principal": {"AWS": alice.arn}, "Condition": {"Bool": {"k:e": "true"}}, "Resource": "arn:aws:s3:::other"},
    ]
    made = program([{"Effect": "Allow", "Action": "*", "Resource": "*", **statement} for statement in statements])
    asked = policy.Request(alice, "s3:GetObject", "arn:aws:s3:::b/k", HOME, keys.context({"k:e": "false"}))
    place = layers.Place(policy.Layer.RESOURCE, 0, policy.Attached(made))
    assert [rule.statement.index for rule in nearly(place, asked, asked.context, Budget())] == [0]


def test_each_allow_that_is_looked_at_for_being_near_costs_its_weight() -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringLike": {"k:e": "*a*b*c*"}}}
    made = program([statement])
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
    asked = policy.Request(alice, "s3:GetObject", "arn:aws:s3:::b/k", HOME, keys.context({"k:e": "x" * 100}))
    place = layers.Place(policy.Layer.IDENTITY, 0, policy.Attached(made))
    counted, expected = Budget(), Budget()
    (rule,) = nearly(place, asked, asked.context, counted)
    allow = place.bucket(asked.action)[1]
    assert allow is not None
    expected.charge(allow[-1], asked.resource, asked.context)
    before = expected.left
    expected.charge(rule.about, asked.resource, asked.context)
    assert counted.left == expected.left < before


@pytest.mark.parametrize("layer", ["identity", "boundary", "session", "scps", "resource"])
def test_too_much_work_in_one_layer_alone(layer: str) -> None:
    """A policy that could take too many steps is noticed wherever it stands, beside policies that take none."""
    who = {"Principal": "*"} if layer == "resource" else {}
    heavy = program([{"Effect": "Allow", "Action": "*", "Resource": [f"*{i}?a*" for i in range(300)], **who}])
    light = program([{"Effect": "Allow", "Action": "*", "Resource": "*"}])
    given: Any = policy.Attached(heavy) if layer == "resource" else (policy.Attached(heavy),)
    attached: dict[str, Any] = {"identity": (policy.Attached(light),), layer: (given,) if layer == "scps" else given}
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
    for length, error in ((10, ""), (2000, "TooMuchWork")):
        asked = policy.Request(alice, "s3:GetObject", f"arn:aws:s3:::{'b' * length}", HOME, keys.context({}))
        assert policy.decide(asked, policy.Layers(**attached)).error.partition(":")[0] == error


def test_what_is_attached_has_no_name_unless_it_is_given_one() -> None:
    attached = policy.Attached(program([{"Effect": "Allow", "Action": "*", "Resource": "*"}]))
    assert (attached.arn, attached.version, attached.name) == ("", "", "")
    principal = policy.Principal("user", "arn", HOME)
    assert (principal.role_arn, principal.unique_id, principal.provider, principal.canonical) == ("", "", "", "")
    assert policy.Layers() == policy.Layers(identity=(), resource=None, boundary=None, session=None, scps=None, rcps=None)


def test_a_deny_before_too_much_work_is_a_deny() -> None:
    """Layers are asked in order: what the resource denies needs no look at identity policies."""
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
    heavy = program([{"Effect": "Allow", "Action": "*", "Resource": [f"*{i}?a*" for i in range(300)]}])
    denying = program([{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}])
    asked = policy.Request(alice, "s3:GetObject", f"arn:aws:s3:::{'b' * 2000}", HOME, keys.context({}))
    control = policy.Attached(program([{"Effect": "Deny", "Action": "*", "Resource": "*"}]))
    identity = (policy.Attached(heavy),)
    for given in (policy.Layers(identity, resource=policy.Attached(denying)), policy.Layers(identity, scps=((control,),))):
        decision = policy.decide(asked, given)
        assert (decision.outcome, decision.error) == (policy.Outcome.EXPLICITLY_DENIED, "")


def test_only_keys_that_a_decision_hung_on_are_missing() -> None:
    """A negated condition and one with IfExists hold without their keys."""
    condition = {"StringNotEquals": {"k:not": "x"}, "BoolIfExists": {"k:if": "true"}, "Bool": {"k:wanted": "true"}}
    made = program([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}])
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
    asked = policy.Request(alice, "s3:GetObject", "arn:aws:s3:::b", HOME, keys.context({}))
    assert policy.decide(asked, policy.Layers((policy.Attached(made),))).missing_keys == ("k:wanted",)


NEEDED = {
    ("kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:key/1"): True,
    ("KMS:Decrypt", "arn:aws:kms:eu-west-1:111122223333:key/1"): True,
    ("kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:alias/key/1"): False,
    ("kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:x:key/1"): False,
    ("s3:GetObject", "arn:aws:kms:eu-west-1:111122223333:key/1"): False,
    ("sts:AssumeRole", "arn:aws:iam::111122223333:role/a"): True,
    ("sts:AssumeRoleWithSAML", "arn:aws:iam::111122223333:role/a"): True,
    ("sts:TagSession", "arn:aws:iam::111122223333:role/a"): True,
    ("sts:TagSession", "arn:aws:iam::111122223333:x:role/a"): False,
    ("sts:GetFederationToken", "arn:aws:sts::111122223333:federated-user/a"): False,
    ("iam:GetRole", "arn:aws:iam::111122223333:role/a"): False,
}


@pytest.mark.parametrize(("asked", "needed"), NEEDED.items())
def test_what_needs_the_policy_of_the_resource(asked: tuple[str, str], *, needed: bool) -> None:
    assert layers.needs_resource_policy(*asked) is needed


def test_a_deny_of_the_wrong_kind_denies_all_that_it_covers() -> None:
    """An identity policy that names somebody else denies all the same, and says which statement did."""
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
    bob = {"AWS": f"arn:aws:iam::{HOME}:user/bob"}
    made = program(
        [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Principal": bob, "Action": "*", "Resource": "*"}]
    )
    asked = policy.Request(alice, "s3:GetObject", "arn:aws:s3:::b", HOME, keys.context({}))
    decision = policy.decide(asked, policy.Layers((policy.Attached(made),)))
    assert (decision.outcome, [match.statement.index for match in decision.matched]) == (policy.Outcome.EXPLICITLY_DENIED, [1])


@pytest.mark.parametrize("resource", ["arn:aws:s3:::*/${aws:username}/*", "arn:aws:s3:::b/${k:none, 'al'}/*"])
def test_a_variable_that_has_a_value_is_not_missing(resource: str) -> None:
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/al", HOME)
    made = program([{"Effect": "Deny", "Action": "*", "Resource": resource}])
    asked = policy.Request(alice, "s3:GetObject", "arn:aws:s3:::b/al/k", HOME, keys.context({"aws:username": "al"}))
    decision = policy.decide(asked, policy.Layers((policy.Attached(made),)))
    assert (decision.outcome, decision.missing_keys) == (policy.Outcome.EXPLICITLY_DENIED, ())


def test_every_key_that_a_statement_lacks_is_named() -> None:
    made = program(
        [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"k:a": "true", "k:b": "true", "k:c": "true"}}}]
    )
    alice = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
    asked = policy.Request(alice, "s3:GetObject", "arn:aws:s3:::b", HOME, keys.context({"k:b": "true"}))
    assert policy.decide(asked, policy.Layers((policy.Attached(made),))).missing_keys == ("k:a", "k:c")


@pytest.mark.parametrize("element", ["AWS", "Service", "Federated", "CanonicalUser"])
@pytest.mark.parametrize("kind", ["user", "assumed-role", "anonymous", "federated"])
def test_an_empty_name_means_nobody(element: str, kind: str) -> None:
    """Least of all those whose provider, canonical id or ARN is empty."""
    arn = KINDS[kind][0]
    asked = policy.Request(policy.Principal(kind, arn, HOME if arn else ""), "s3:GetObject", "arn:aws:s3:::b/k", HOME, keys.context({}))
    made = program([{"Effect": "Allow", "Principal": {element: ""}, "Action": "*", "Resource": "*"}])
    decision = policy.decide(asked, policy.Layers(resource=policy.Attached(made)))
    assert decision.outcome is policy.Outcome.IMPLICITLY_DENIED
