"""Statements as formulas, read with small requests: whom a Principal means, what a Resource covers, what an Action is."""

from typing import Any

import pytest

from sekisho import policy as decisions
from sekisho.analysis.solver import conditions, documents
from sekisho.analysis.solver.contexts import Context
from sekisho.analysis.solver.questions import _examples
from sekisho.policy import Program
from sekisho.policy.document import Condition
from sekisho.policy.variables import Variable, parse
from tests.analysis.solver.documents import allow, deny, policy, to
from tests.analysis.solver.requests_read import Asked

ACCOUNT, OTHER = "111122223333", "444455556666"
IAM, STS = f"arn:aws:iam::{ACCOUNT}", f"arn:aws:sts::{ACCOUNT}"
WHO = {
    "user": Asked("user", f"{IAM}:user/ann", "AIDAONE", "c" * 64),
    "role": Asked("role", f"{IAM}:role/app", "AROAONE"),
    "session": Asked("assumed-role", f"{IAM}:role/app", "AROAONE:ann"),
    "federated user": Asked("federated-user", f"{STS}:federated-user/ann"),
    "root": Asked("root", f"{IAM}:root"),
    "service": Asked("service", "sns.amazonaws.com"),
    "provider": Asked("federated", "accounts.google.com"),
    "anonymous": Asked("anonymous"),
    "stranger": Asked("user", f"arn:aws:iam::{OTHER}:user/ann", "AIDATWO"),
}
OWN = {"user", "role", "session", "federated user", "root"}
SESSION = [f"{STS}:assumed-role/app/ann", f"{IAM}:role/app"]
MEANT: dict[str, tuple[Any, set[str]]] = {
    "everybody": ("*", set(WHO)),
    "everybody of AWS": ({"AWS": "*"}, set(WHO)),
    "an account": ({"AWS": ACCOUNT}, OWN),
    "the root user": ({"AWS": f"{IAM}:root"}, OWN),
    "a user": ({"AWS": f"{IAM}:user/ann"}, {"user"}),
    "a user by id": ({"AWS": "AIDAONE"}, {"user"}),
    "a role": ({"AWS": f"{IAM}:role/app"}, {"role", "session"}),
    "a session": ({"AWS": f"{STS}:assumed-role/app/ann"}, {"session"}),
    "a federated user": ({"AWS": f"{STS}:federated-user/ann"}, {"federated user"}),
    "a service": ({"Service": "sns.amazonaws.com"}, {"service"}),
    "a provider": ({"Federated": "accounts.google.com"}, {"provider"}),
    "a canonical user": ({"CanonicalUser": "c" * 64}, {"user"}),
    "a service as a provider": ({"Federated": "sns.amazonaws.com"}, set()),
    "a provider as a service": ({"Service": "accounts.google.com"}, set()),
    "several": ({"AWS": [f"{IAM}:user/ann", OTHER], "Service": ["sns.amazonaws.com", "a.amazonaws.com"]}, {"user", "stranger", "service"}),
}


def formula_of(effect: str, element: str, value: Any) -> Any:
    (rule,) = decisions.compiled(policy({"Effect": effect, element: value, "Action": "*", "Resource": "*"})).rules
    return documents.of_principals(rule.statement)


@pytest.mark.parametrize("name", MEANT)
def test_whom_a_principal_means(name: str) -> None:
    value, expected = MEANT[name]
    for effect in ("Allow", "Deny"):
        formula = formula_of(effect, "Principal", value)
        assert {who for who, one in WHO.items() if one.meets(formula)} == expected
    formula = formula_of("Allow", "NotPrincipal", value)
    assert {who for who, one in WHO.items() if one.meets(formula)} == set(WHO) - expected


SPARED: dict[str, tuple[Any, set[str]]] = {
    "everybody": ("*", set(WHO)),
    "an account alone": ({"AWS": ACCOUNT}, {"root"}),
    "a user without the account": ({"AWS": f"{IAM}:user/ann"}, set()),
    "a user and the account": ({"AWS": [f"{IAM}:user/ann", ACCOUNT]}, {"user", "root"}),
    "a user and another account": ({"AWS": [f"{IAM}:user/ann", OTHER]}, set()),
    "a user and its canonical id": ({"AWS": f"{IAM}:user/ann", "CanonicalUser": "c" * 64}, {"user"}),
    "a federated user and the account": ({"AWS": [f"{STS}:federated-user/ann", ACCOUNT]}, {"federated user", "root"}),
    "a role and the account": ({"AWS": [f"{IAM}:role/app", ACCOUNT]}, {"role", "root"}),
    "a session and the account": ({"AWS": [SESSION[0], ACCOUNT]}, {"root"}),
    "a session, its role and the account": ({"AWS": [*SESSION, ACCOUNT]}, {"role", "session", "root"}),
    "a session, its role by id and the account": ({"AWS": [SESSION[0], "AROAONE", ACCOUNT]}, {"role", "session", "root"}),
    "a session, its role, no account": ({"AWS": SESSION}, set()),
    "a service": ({"Service": "sns.amazonaws.com"}, {"service"}),
    "a provider": ({"Federated": "accounts.google.com"}, {"provider"}),
}


@pytest.mark.parametrize("name", SPARED)
def test_whom_a_deny_spares(name: str) -> None:
    value, expected = SPARED[name]
    formula = formula_of("Deny", "NotPrincipal", value)
    assert {who for who, one in WHO.items() if not one.meets(formula)} == expected


@pytest.mark.parametrize("element", ["Service", "Federated"])
def test_a_star_for_services_denies_everybody(element: str) -> None:
    """It lets in nobody."""
    assert {who for who, one in WHO.items() if one.meets(formula_of("Deny", "Principal", {element: "*"}))} == set(WHO)
    assert {who for who, one in WHO.items() if one.meets(formula_of("Allow", "Principal", {element: "*"}))} == set()
    assert {who for who, one in WHO.items() if one.meets(formula_of("Deny", "NotPrincipal", {element: "*"}))} == set(WHO)


ACTIONS = {
    "one": (["s3:GetObject"], ["s3:getobject"]),
    "a pattern": (["s3:Get*"], ["s3:getobject", "s3:getacl"]),
    "two": (["s3:GetAcl", "sqs:*"], ["s3:getacl", "sqs:send"]),
    "all": (["*"], ["s3:getobject", "s3:getacl", "sqs:send"]),
    "no action": (["s3"], []),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_actions(name: str) -> None:
    patterns, expected = ACTIONS[name]
    every = [Asked(action=action) for action in ("s3:getobject", "s3:getacl", "sqs:send")]
    assert [one.action for one in every if one.meets(documents.of_actions(patterns))] == expected
    assert [one.action for one in every if one.meets(documents.of_actions(patterns, negated=True))] == [
        one.action for one in every if one.action not in expected
    ]


OBJECTS = ["arn:aws:s3:::b", "arn:aws:s3:::b/ann", "arn:aws:s3:::b/bob", "*", "arn:aws:s3:::b/"]
RESOURCES: dict[str, tuple[Any, list[str], list[str]]] = {  # with aws:username ann, and without any
    "all": ("*", OBJECTS, OBJECTS),
    "one": ("arn:aws:s3:::b", OBJECTS[:1], OBJECTS[:1]),
    "a pattern": ("arn:aws:s3:::b/*", [*OBJECTS[1:3], OBJECTS[4]], [*OBJECTS[1:3], OBJECTS[4]]),
    "two": (["arn:aws:s3:::b", "arn:aws:s3:::b/bob"], [OBJECTS[0], OBJECTS[2]], [OBJECTS[0], OBJECTS[2]]),
    "a variable": ("arn:aws:s3:::b/${a:w}", [OBJECTS[1]], []),
    "a variable with a default": ("arn:aws:s3:::b/${a:w, 'bob'}", [OBJECTS[1]], [OBJECTS[2]]),
    "two with defaults": ("arn:aws:s3:::${a:b, 'b'}/${a:w, 'bob'}", [OBJECTS[1]], [OBJECTS[2]]),
    "one with a default and one without": ("arn:aws:s3:::${a:b, 'b'}/${a:w}", [OBJECTS[1]], []),
    "one without a default and one with": ("arn:aws:s3:::b/${a:w}${a:b, ''}", [OBJECTS[1]], []),
    "a variable or not": (["arn:aws:s3:::b", "arn:aws:s3:::b/${a:w}"], OBJECTS[:2], OBJECTS[:1]),
}


def covered(effect: str, element: str, value: Any, keys: dict[str, str]) -> list[str]:
    (rule,) = decisions.compiled(policy({"Effect": effect, "Action": "*", element: value})).rules
    context = Context([decisions.compiled(policy(allow()))])
    formula = documents.of_resources(rule, context)
    return [one for one in OBJECTS if Asked(resource=one, keys=keys).meets(formula)]


@pytest.mark.parametrize("name", RESOURCES)
def test_resources(name: str) -> None:
    value, valued, without = RESOURCES[name]
    spared = [one for one in OBJECTS if one not in without]
    for effect in ("Allow", "Deny"):
        assert covered(effect, "Resource", value, {"a:w": "ann"}) == valued
        assert covered(effect, "Resource", value, {}) == without
        assert covered(effect, "NotResource", value, {"a:w": "ann"}) == [one for one in OBJECTS if one not in valued]
    needs = name in ("a variable", "a variable or not", "one with a default and one without", "one without a default and one with")
    assert covered("Allow", "NotResource", value, {}) == ([] if needs else spared)
    assert covered("Deny", "NotResource", value, {}) == spared


def program(*statements: dict[str, Any]) -> Program:
    return decisions.compiled(policy(*statements))


READ = Asked("user", f"{IAM}:user/ann", "AIDAONE", action="s3:getobject", resource="arn:aws:s3:::bucket/a")
GRANTED = {
    "an allow": ([allow()], True, False),
    "another action": ([allow("s3:PutObject")], False, False),
    "another resource": ([allow("*", "arn:aws:s3:::b/*")], False, False),
    "a condition that is met": ([allow(condition={"StringEquals": {"aws:username": "ann"}})], True, False),
    "a condition that is not": ([allow(condition={"StringEquals": {"aws:username": "bob"}})], False, False),
    "one of two conditions": ([allow(condition={"StringEquals": {"aws:username": "ann", "a:k": "b"}})], False, False),
    "one of two statements": ([allow("s3:PutObject"), allow("s3:Get*")], True, False),
    "a deny": ([allow(), deny("s3:GetObject")], False, False),
    "a deny of another action": ([allow(), deny("s3:PutObject")], True, False),
    "a deny alone": ([deny()], False, False),
    "a resource's": ([to("*")], False, True),
    "a resource's for another": ([to({"AWS": OTHER})], False, False),
    "of an action's other name": ([allow("S3:GETOBJECT")], True, False),
    "all but an action": ([allow(None, NotAction="s3:PutObject")], True, False),
    "all but this action": ([allow(None, NotAction="s3:Get*")], False, False),
    "a resource's with a deny": ([to("*"), {**deny(), "Principal": {"AWS": ACCOUNT}}], False, False),
    "a trust policy's": ([to("*", "s3:*", None)], False, True),
}


@pytest.mark.parametrize("name", GRANTED)
def test_what_is_granted(name: str) -> None:
    statements, of_identity, of_resource = GRANTED[name]
    read = program(*statements)
    assert READ.meets(documents.grants(read, Context([read]), of_resource=False)) is of_identity
    assert READ.meets(documents.grants(read, Context([read]), of_resource=True)) is of_resource


def test_what_never_matches_asks_for_no_keys() -> None:
    """Nor does it make anything too hard."""
    odd = {"NumericEquals": {"aws:username": "1"}}
    read = program(allow("s3", condition=odd), allow())
    assert READ.meets(documents.grants(read, Context([read]), of_resource=False))
    read = program(allow("*", None, NotResource="*", condition=odd), allow())
    assert READ.meets(documents.grants(read, Context([read]), of_resource=False))


def test_a_service_is_nobody_by_a_canonical_id() -> None:
    service = Asked("service", "sns.amazonaws.com", canonical="c" * 64)
    assert not service.meets(formula_of("Allow", "Principal", {"CanonicalUser": "c" * 64}))


def parts(text: str) -> Any:
    return parse(text, variables=True, wildcards=True)


def test_variables_have_values() -> None:
    context = Context([program(allow(condition={"ForAnyValue:StringEquals": {"a:k": "x"}}))])
    for text, single, listed, none in (
        ("${a:k}", True, False, False),
        ("${a:k, 'x'}", True, False, True),
        ("x", True, True, True),
        ("${a:k}${a:w, 'x'}", True, False, False),
    ):
        formula = conditions.has_values(parts(text), context)
        keys: list[dict[str, str | tuple[str, ...]]] = [{"a:k": "x"}, {"a:k": ("x",)}, {}]
        assert [Asked(keys=one).meets(formula) for one in keys] == [single, listed, none], text


def test_variables_are_read_as_text() -> None:
    context = Context([])
    conditions.linked("resource", "like", parts("${a:k}/${a:w}"), context)
    assert context.readings == {"key a:k 0": {"text"}, "key a:w 0": {"text"}}


def test_a_name_that_is_another_key_s_value() -> None:
    """What is asked of the name is asked of the other key, as a pattern with the name in it."""
    condition = Condition("StringEquals", "aws:username", ("bob", "${a:w}"))
    read = program(allow(condition={"StringEquals": {"aws:username": ["bob", "${a:w}"]}}))
    formula = conditions.of(condition, Context([read]), deny=False, dynamic=True)
    for name, keys, expected in (("bob", {}, True), ("ann", {}, False), ("ann", {"a:w": "ann"}, True), ("ann", {"a:w": "eve"}, False)):
        asked = Asked("user", f"{IAM}:user/{name}", keys={**keys, "aws:username": name})
        assert asked.meets(formula) is expected, (name, keys)


def test_examples_are_what_policies_write() -> None:
    read = program(
        allow(["s3:GetObject", "SQS:Send*"], ["arn:aws:s3:::b/*", "*", "arn:aws:s3:::${a:b}", "arn:aws:s3:::b?", "arn:aws:s3:::b/*"])
    )
    actions, resources = _examples(read, program(deny("iam:PassRole", None, NotResource="arn:aws:iam::*:role/x")))
    assert (actions["s3:getobject"], actions["sqs:send*"], actions["iam:passrole"]) == ("s3:GetObject", "SQS:Send*", "iam:PassRole")
    assert {action.lower() for action in actions.values()} == set(actions)
    assert resources == ["arn:aws:s3:::b/example", "arn:aws:s3:::bx", "arn:aws:iam::example:role/x"]


def test_a_part_of_a_pattern_is_a_variable() -> None:
    assert parts("a${a:k}") == ("a", Variable("a:k"))
