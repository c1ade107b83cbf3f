"""Words for decisions: AWS's sentences, the short answer, and the trace of every statement."""

import json
from typing import Any

import pytest

from sekisho import policy
from sekisho.policy import explain, keys, operators
from sekisho.policy.layers import Decision, Layer, Outcome

HOME = "111122223333"
ALICE = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
THING = "arn:aws:orders:eu-west-1:111122223333:order/17"


def attached(*statements: dict[str, Any], arn: str = "", version: str = "", name: str = "") -> policy.Attached:
    full = [{"Action": "*", "Resource": "*", "Effect": "Allow", **statement} for statement in statements]
    text = json.dumps({"Version": "2012-10-17", "Statement": full}, indent=1)
    return policy.Attached(policy.compiled(text), arn, version, name)


def request(
    action: str = "orders:Ship", resource: str = THING, principal: policy.Principal = ALICE, context: dict[str, Any] | None = None
) -> policy.Request:
    return policy.Request(principal, action, resource, HOME, keys.context(context or {}))


STEM = "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: orders:Ship on resource: " + THING

SENTENCES: dict[str, tuple[Outcome, Layer | None, str]] = {
    "identity": (Outcome.IMPLICITLY_DENIED, Layer.IDENTITY, " because no identity-based policy allows the orders:Ship action"),
    "identity_deny": (Outcome.EXPLICITLY_DENIED, Layer.IDENTITY, " with an explicit deny in an identity-based policy"),
    "resource": (Outcome.IMPLICITLY_DENIED, Layer.RESOURCE, " because no resource-based policy allows the orders:Ship action"),
    "resource_deny": (Outcome.EXPLICITLY_DENIED, Layer.RESOURCE, " with an explicit deny in a resource-based policy"),
    "trust": (Outcome.IMPLICITLY_DENIED, Layer.TRUST, " because no role trust policy allows the orders:Ship action"),
    "trust_deny": (Outcome.EXPLICITLY_DENIED, Layer.TRUST, " with an explicit deny in the role trust policy"),
    "boundary": (Outcome.IMPLICITLY_DENIED, Layer.BOUNDARY, " because no permissions boundary allows the orders:Ship action"),
    "boundary_deny": (Outcome.EXPLICITLY_DENIED, Layer.BOUNDARY, " with an explicit deny in a permissions boundary"),
    "session": (Outcome.IMPLICITLY_DENIED, Layer.SESSION, " because no session policy allows the orders:Ship action"),
    "session_deny": (Outcome.EXPLICITLY_DENIED, Layer.SESSION, " with an explicit deny in a session policy"),
    "scp": (Outcome.IMPLICITLY_DENIED, Layer.SCP, " because no service control policy allows the orders:Ship action"),
    "scp_deny": (Outcome.EXPLICITLY_DENIED, Layer.SCP, " with an explicit deny in a service control policy"),
    "rcp_deny": (Outcome.EXPLICITLY_DENIED, Layer.RCP, " with an explicit deny in a resource control policy"),
    "undecided": (Outcome.IMPLICITLY_DENIED, None, ""),
}


@pytest.mark.parametrize(("outcome", "layer", "ending"), SENTENCES.values(), ids=SENTENCES.keys())
def test_sentence(outcome: Outcome, layer: Layer | None, ending: str) -> None:
    assert explain.sentence(request(), Decision(outcome, layer)) == STEM + ending


def test_sentence_of_others() -> None:
    denied = Decision(Outcome.IMPLICITLY_DENIED, Layer.RESOURCE)
    nobody = policy.Principal("anonymous", "", "")
    assert explain.sentence(request("s3:GetObject", "*", nobody), denied) == (
        "User: anonymous is not authorized to perform: s3:GetObject on resource: * "
        "because no resource-based policy allows the s3:GetObject action"
    )
    allowed = Decision(Outcome.ALLOWED, Layer.IDENTITY)
    assert explain.sentence(request("s3:GetObject", "*"), allowed) == (
        "User: arn:aws:iam::111122223333:user/alice is authorized to perform: s3:GetObject on resource: *"
    )


def advice(context: dict[str, Any] | None = None, **layers: Any) -> list[str]:
    asked, given = request(context=context), policy.Layers(**layers)
    return explain.what_would_allow(asked, given, policy.decide(asked, given))


MANAGED = "arn:aws:iam::111122223333:policy/p"

ADVICE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing_allows": ({}, [f"no identity-based policy allows orders:Ship on {THING}"]),
    "a_key_is_missing": (
        {"identity": (attached({"Condition": {"Bool": {"AWS:multifactorauthpresent": "true"}}, "Sid": "Mfa"}, arn=MANAGED, version="v3"),)},
        [f"needs aws:MultiFactorAuthPresent = true (statement `Mfa` of the identity-based policy {MANAGED} v3)"],
    ),
    "two_conditions": (
        {
            "identity": (
                attached({"Condition": {"StringLike": {"k:e": ["a*", "b"]}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, name="inline"),
            )
        },
        ["needs k:e like a* or b and aws:SourceIp in 10.0.0.0/8 (statement 1 of the identity-based policy inline)"],
    ),
    "a_met_condition_is_not_needed": (
        {"identity": (attached({"Condition": {"StringNotEquals": {"k:e": "x"}, "NumericLessThan": {"k:n": 5}}}),)},
        ["needs k:n < 5 (statement 1 of the identity-based policy)"],
    ),
    "a_variable": (
        {"identity": (attached({"Resource": "arn:aws:orders:*:*:order/${aws:username}"}),)},
        ["needs a single value of aws:username (statement 1 of the identity-based policy)"],
    ),
    "a_variable_beside_a_resource_that_fits": (
        {"identity": (attached({"Resource": [THING, "arn:aws:s3:::${aws:username}"], "Condition": {"Bool": {"k:b": "true"}}}),)},
        ["needs k:b = true (statement 1 of the identity-based policy)"],
    ),
    "a_variable_in_a_condition": (
        {"identity": (attached({"Condition": {"StringEquals": {"k:e": "${aws:username}"}, "StringNotLike": {"k:f": "${k:none}"}}}),)},
        ["needs a single value of aws:username and k:e = ${aws:username} (statement 1 of the identity-based policy)"],
    ),
    "null_and_nonsense": (
        {"identity": (attached({"Condition": {"Null": {"k:e": "false"}}}, {"Condition": {"StringLik": {"k:e": "x"}}}),)},
        [
            "needs some k:e (statement 1 of the identity-based policy)",
            "needs another operator than `StringLik`, which does not exist (statement 2 of the identity-based policy)",
        ],
    ),
    "a_deny": (
        {"identity": (attached({"Effect": "Deny", "Sid": "No"}, name="inline"),)},
        ["denied whatever the conditions (statement `No` of the identity-based policy inline)"],
    ),
    "a_deny_with_conditions": (
        {
            "identity": (
                attached(
                    {"Effect": "Deny", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}, "Null": {"k:e": "true"}}},
                    {"Effect": "Deny", "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}},
                ),
            )
        },
        [
            "denied unless aws:MultiFactorAuthPresent other than false or some k:e (statement 1 of the identity-based policy)",
            "denied unless some aws:TagKeys other than a (statement 2 of the identity-based policy)",
        ],
    ),
    "the_boundary": (
        {"identity": (attached({}),), "boundary": (attached({"Action": "s3:*"}),)},
        [f"no permissions boundary allows orders:Ship on {THING}"],
    ),
    "a_level_of_scps": (
        {"identity": (attached({}),), "scps": ((attached({}),), ())},
        [f"no service control policy allows orders:Ship on {THING} at every level of the organization"],
    ),
    "allowed": ({"identity": (attached({}),)}, []),
}


@pytest.mark.parametrize(("layers", "expected"), ADVICE.values(), ids=ADVICE.keys())
def test_what_would_allow(layers: dict[str, Any], expected: list[str]) -> None:
    assert advice(**layers) == expected


def test_variables_are_shown_with_their_values() -> None:
    own = attached({"Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}})
    assert advice({"aws:PrincipalTag/team": "red", "aws:ResourceTag/team": "blue"}, identity=(own,)) == [
        "needs aws:ResourceTag/team = red (statement 1 of the identity-based policy)"
    ]


def test_root_cannot_assume() -> None:
    root = policy.Principal("root", f"arn:aws:iam::{HOME}:root", HOME)
    asked = request("sts:AssumeRole", f"arn:aws:iam::{HOME}:role/r", root)
    layers = policy.Layers(identity=(attached({}),), resource=attached({"Principal": {"AWS": HOME}}))
    assert explain.what_would_allow(asked, layers, policy.decide(asked, layers)) == ["root credentials cannot assume a role"]


WORDS = """
    StringEquals = | other than, StringNotEquals other than | =, StringEqualsIgnoreCase in any case = | other than,
    StringNotEqualsIgnoreCase other than | in any case =, StringLike like | unlike, StringNotLike unlike | like,
    NumericEquals = | other than, NumericNotEquals other than | =, NumericLessThan < | >=, NumericLessThanEquals <= | >,
    NumericGreaterThan > | <=, NumericGreaterThanEquals >= | <, DateEquals at | not at, DateNotEquals not at | at,
    DateLessThan before | not before, DateLessThanEquals not after | after, DateGreaterThan after | not after,
    DateGreaterThanEquals not before | before, Bool = | other than, BinaryEquals = | other than, IpAddress in | outside,
    NotIpAddress outside | in, ArnEquals like | unlike, ArnNotEquals unlike | like, ArnLike like | unlike, ArnNotLike unlike | like
"""


def test_every_operator_has_words() -> None:
    said = dict(row.split(maxsplit=1) for row in WORDS.replace("\n", " ").strip().split(","))
    assert said == {name: f"{row.met} | {row.unmet}" for name, row in operators.OPERATORS.items()}


def test_short() -> None:
    asked = request(context={"aws:SourceIp": "192.0.2.1"})
    layers = policy.Layers(
        identity=(attached({"Sid": "Mfa", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": True}}}, arn=MANAGED, version="v1"),)
    )
    assert explain.short(asked, layers, policy.decide(asked, layers)) == "\n".join(
        (
            f"arn:aws:iam::111122223333:user/alice orders:Ship {THING}: denied, because nothing allows it",
            "  not in the request: aws:MultiFactorAuthPresent",
            f"  needs aws:MultiFactorAuthPresent = true (statement `Mfa` of the identity-based policy {MANAGED} v1)",
        )
    )
    open_layers = policy.Layers(identity=(attached({"Sid": "All"}, name="inline"),))
    assert explain.short(asked, open_layers, policy.decide(asked, open_layers)) == "\n".join(
        (
            f"arn:aws:iam::111122223333:user/alice orders:Ship {THING}: allowed",
            "  Allow statement `All` of the identity-based policy inline",
        )
    )
    failed = Decision(Outcome.IMPLICITLY_DENIED, None, error="TooMuchWork: 9")
    assert explain.short(asked, layers, failed).endswith(": denied, because it could not be decided: TooMuchWork: 9")


def test_trace() -> None:
    asked = request(context={"k:e": "x", "aws:TagKeys": ["a", "b"]})
    identity = attached(
        {"Sid": "Elsewhere", "Action": "s3:*", "Resource": "arn:aws:s3:::b"},
        {"Condition": {"StringEquals": {"K:e": ["y", "z"]}, "ForAllValues:StringLike": {"aws:TagKeys": "*"}}},
        name="inline",
    )
    resource = attached({"Principal": {"AWS": HOME}}, {"Principal": {"AWS": "444455556666"}})
    layers = policy.Layers(identity=(identity,), resource=resource, scps=((attached({}),),))
    traced = explain.trace(asked, layers, policy.decide(asked, layers))
    assert json.loads(json.dumps(traced)) == traced
    assert (traced["decision"], traced["layer"], traced["truncated"]) == ("ImplicitlyDenied", "identity", False)
    assert traced["sentence"].endswith("because no identity-based policy allows the orders:Ship action")
    assert [(layer["layer"], layer["level"], len(layer["policies"])) for layer in traced["layers"]] == [
        ("scp", 0, 1),
        ("resource", 0, 1),
        ("identity", 0, 1),
    ]
    named, other = traced["layers"][1]["policies"][0]["statements"]
    assert (named["matched"], named["principal"], named["grant"]) == (True, True, "account")
    assert (other["matched"], other["principal"], other["why_not"]) == (False, False, ["the principal is not named"])
    inline = traced["layers"][2]["policies"][0]
    assert (inline["arn"], inline["name"], inline["version"]) == ("", "inline", "")
    assert inline["statements"][0] == {
        "index": 0,
        "sid": "Elsewhere",
        "line": 4,
        "effect": "Allow",
        "matched": False,
        "action": False,
        "resource": False,
        "principal": True,
        "conditions": [],
        "missing_keys": [],
        "why_not": ["the action is not covered", "the resource is not covered"],
    }
    assert inline["statements"][1]["conditions"] == [
        {"operator": "StringEquals", "key": "K:e", "wanted": ["y", "z"], "actual": ["x"], "met": False},
        {"operator": "ForAllValues:StringLike", "key": "aws:TagKeys", "wanted": ["*"], "actual": ["a", "b"], "met": True},
    ]
    assert inline["statements"][1]["why_not"] == ["not K:e = y or z"]


def test_trace_of_a_deny() -> None:
    asked = request()
    deny = attached({"Effect": "Deny", "Sid": "No", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}, arn=MANAGED)
    layers = policy.Layers(identity=(attached({}), deny))
    traced = explain.trace(asked, layers, policy.decide(asked, layers))
    assert traced["matched"] == [
        {"layer": "identity", "level": 0, "arn": MANAGED, "name": "", "version": "", "index": 0, "sid": "No", "line": 4, "effect": "Deny"}
    ]
    assert traced["missing_keys"] == ["aws:PrincipalOrgID"]
    assert traced["layers"][0]["policies"][1]["statements"][0]["missing_keys"] == ["aws:PrincipalOrgID"]


def test_trace_of_a_variable_without_value() -> None:
    asked = request()
    layers = policy.Layers(identity=(attached({"Resource": "arn:aws:orders:*:*:order/${aws:username}"}),))
    statement = explain.trace(asked, layers, policy.decide(asked, layers))["layers"][0]["policies"][0]["statements"][0]
    assert statement["why_not"] == ["the resource is not covered", "variable aws:username has no single value"]
    assert statement["missing_keys"] == ["aws:username"]


def test_trace_agrees_with_the_decision() -> None:
    """A statement that the decision names is a statement that the trace calls matched."""
    asked = request(context={"k:e": "x"})
    layers = policy.Layers(
        identity=(
            attached({"Condition": {"StringEquals": {"k:e": "x"}}}),
            attached({"Effect": "Deny", "Resource": "arn:aws:orders:*:*:*7"}),
        ),
        boundary=(attached({"Effect": "Deny", "Action": ["orders:*"]}),),
    )
    decision = policy.decide(asked, layers)
    traced = explain.trace(asked, layers, decision)
    matched = [
        (layer["layer"], statement["index"])
        for layer in traced["layers"]
        for document in layer["policies"]
        for statement in document["statements"]
        if statement["matched"] and statement["effect"] == "Deny"
    ]
    assert matched == [(match.layer.value, match.statement.index) for match in decision.matched] == [("identity", 0), ("boundary", 0)]


def test_a_trace_ends() -> None:
    asked, long = request(), attached(*({"Action": f"s3:Get{i}"} for i in range(1500)))
    layers = policy.Layers(identity=(long, long))
    traced = explain.trace(asked, layers, policy.decide(asked, layers))
    assert traced["truncated"] is True
    assert [len(document["statements"]) for document in traced["layers"][0]["policies"]] == [1500, 500]


def test_a_decision_that_failed_is_not_traced() -> None:
    traced = explain.trace(request(), policy.Layers(identity=(attached({}),)), Decision(Outcome.IMPLICITLY_DENIED, None, error="E: x"))
    assert (traced["error"], traced["layers"]) == ("E: x", [])


def test_a_trace_ends_where_it_becomes_dear() -> None:
    """Statements about other actions may be as heavy as they like: as many are traced as can be afforded."""
    heavy = attached({}, *({"Action": "s3:*", "Resource": ["*?a*"] * 20} for _ in range(400)))
    asked = policy.Request(ALICE, "orders:Ship", "x" * 8000, HOME, keys.context({}))
    layers = policy.Layers(identity=(heavy, attached({})))
    decision = policy.decide(asked, layers)
    assert decision.allowed
    traced = explain.trace(asked, layers, decision)
    assert traced["truncated"] is True
    statements = [len(document["statements"]) for document in traced["layers"][0]["policies"]]
    assert 1 < statements[0] < 100


def test_advice_ends_where_it_becomes_dear() -> None:
    heavy = attached(*({"Condition": {"StringLike": {f"k:{i}": ["*?a*"] * 10}}} for i in range(200)))
    asked, layers = request(), policy.Layers(identity=(heavy,) * 500)
    denied = Decision(Outcome.IMPLICITLY_DENIED, Layer.IDENTITY)
    assert len(explain.what_would_allow(asked, layers, denied)) == explain.MAX_ADVICE
    long = policy.Request(ALICE, "orders:Ship", "x", HOME, keys.context({f"k:{i}": "y" * 8000 for i in range(16)}))
    assert explain.what_would_allow(long, layers, denied) == ["no identity-based policy allows orders:Ship on x"]
