"""Cases for faults in weights, budgets and limits that other tests did not notice."""

from typing import Any

import pytest

from sekisho import policy
from sekisho.policy import conditions, keys, operators, patterns, reasons, variables, weights
from sekisho.policy.budget import MAX, MAX_REASONS, Budget, Weight, both
from sekisho.policy.decide import _charge_light, _of_resource
from sekisho.policy.document import Condition
from sekisho.policy.layers import Layer, Place
from sekisho.policy.principals import ACCOUNT, DIRECT, LIMITED, Grantees

HOME = "111122223333"
ALICE = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)


def compiled(*statements: dict[str, Any], indexed: bool = True) -> policy.Program:
    full = [{"Action": "*", "Resource": "*", **statement} for statement in statements]
    return policy.compile_policy(policy.from_json({"Version": "2012-10-17", "Statement": full}), indexed=indexed)


def test_two_weights_are_added_part_by_part() -> None:
    assert both(Weight(1, 2, 3, 4, 5, 6), Weight(10, 20, 30, 40, 50, 60)) == Weight(11, 22, 33, 44, 55, 66)


@pytest.mark.parametrize("indexed", [True, False])
def test_statements_of_the_wrong_kind_allow_nothing(*, indexed: bool) -> None:
    """An Allow that names nobody in the policy of a resource, and one that names somebody in that of an identity."""
    of_identity, of_resource = {"Effect": "Allow"}, {"Effect": "Allow", "Principal": "*"}
    made = compiled(of_identity, of_resource, of_identity, indexed=indexed)
    asked = policy.Request(ALICE, "s3:GetObject", "arn:aws:s3:::a", HOME, keys.context({}))
    for layer, indexes in ((Layer.IDENTITY, [0, 2]), (Layer.RESOURCE, [1])):
        found = policy.standing((policy.Attached(made),), asked, layer=layer)
        assert [match.statement.index for match in found.allows] == indexes
    allow = compiled(of_identity, indexed=indexed).resource_bucket("s3:GetObject")[1]
    assert allow is None


def test_actions_of_two_hundred_and_fifty_six_characters_are_remembered_and_no_longer_ones() -> None:
    made = compiled({"Effect": "Allow"})
    for length in (256, 257):
        made.identity_bucket("s3:" + "a" * (length - 3))
    assert list(made.identity) == ["s3:" + "a" * 253]


def test_a_missing_key_is_nothing_to_null() -> None:
    made = operators.form("Null")
    assert made is not None
    assert (made.missing, made.is_plain, made.type.name) == (False, False, "null")


def test_errors_are_cut() -> None:
    class Unreadable(dict[str, Any]):
        def values(self) -> Any:
            raise RuntimeError("x" * 1000)

    asked = policy.Request(ALICE, "s3:GetObject", "arn:aws:s3:::a", HOME, Unreadable())
    layers = policy.Layers((policy.Attached(compiled({"Effect": "Deny", "Condition": {"Bool": {"k:b": "true"}}})),))
    assert policy.decide(asked, layers).error == "RuntimeError: " + "x" * 498


def grantees(*names: str) -> Grantees:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(names)}, "Action": "*", "Resource": "*"}
    return Grantees(policy.from_json({"Version": "2012-10-17", "Statement": statement}).statements[0])


def test_the_strongest_name_counts() -> None:
    """A user beside its account; a session that is named by what is no session's ARN."""
    assert grantees(ALICE.arn, HOME).grant(ALICE) == DIRECT
    assert grantees(HOME).grant(ALICE) == ACCOUNT
    role = f"arn:aws:iam::{HOME}:role/app"
    assert grantees(role).grant(policy.Principal("assumed-role", role, HOME)) == LIMITED


def test_looking_for_silent_levels_is_charged_with_what_they_ask() -> None:
    """Where there are many policies, each costs its looking at and what its Allows weigh."""
    asked = policy.Request(ALICE, "s3:GetObject", "arn:aws:s3:::a", HOME, keys.context({}))
    silent = compiled({"Effect": "Allow", "Condition": {"Bool": {"k:b": "true"}}})
    layers = policy.Layers(scps=((policy.Attached(silent),),))
    allow = silent.identity_bucket("s3:GetObject")[1]
    assert allow is not None
    counted = Budget().for_reasons()
    counted.strict = True
    assert len(list(reasons.withholding(Layer.SCP, asked, layers, asked.context, counted))) == 1
    assert MAX_REASONS - counted.left == pytest.approx(weights.POLICY + allow[-1].fixed)
    counted = Budget().for_reasons()
    assert len(list(reasons.withholding(Layer.SCP, asked, layers, asked.context, counted))) == 1
    assert counted.left == MAX_REASONS


def test_only_patterns_with_both_wildcards_take_a_step_a_character() -> None:
    def per_character(pattern: str) -> float:
        return weights.like_arns([variables.parse(pattern, variables=True, wildcards=True)]).characters

    assert per_character("arn:aws:s3:::a?") == per_character("arn:aws:s3:::ab") == 0.2
    assert per_character("arn:aws:s3:::a*") == 0.2
    assert per_character("arn:aws:s3:::?a*") > 100


def test_the_shortest_text_that_can_match() -> None:
    assert patterns.least((patterns.ANY, "ab", patterns.ONE, patterns.ANY)) == 3


@pytest.mark.parametrize(("resource", "again"), [("*", False), ("arn:aws:s3:::${k:v}", True)])
def test_a_deny_among_the_reasons_is_asked_again_only_where_its_resources_have_variables(resource: str, *, again: bool) -> None:
    """Whether the outcome hung on one has to be found out, and is charged."""
    asked = policy.Request(ALICE, "s3:GetObject", "arn:aws:s3:::a", HOME, keys.context({"k:v": "a"}))
    attached = policy.Attached(compiled({"Effect": "Deny", "Resource": resource}))
    (rule,) = attached.program.rules
    counted = Budget().for_reasons()
    first = policy.Match(Layer.IDENTITY, 0, attached, rule.statement)
    decision = reasons.explicit(asked, policy.Layers((attached,)), asked.context, first, counted)
    assert [match.statement for match in decision.matched] == [rule.statement]
    assert (MAX_REASONS - counted.left > rule.told) is again


def test_the_policy_of_a_resource_is_charged_for_only_where_it_is_heavy_or_there_are_many() -> None:
    asked = policy.Request(ALICE, "s3:GetObject", "arn:aws:s3:::a", HOME, keys.context({}))
    place = Place(Layer.RESOURCE, 0, policy.Attached(compiled({"Effect": "Allow", "Principal": "*"})))
    for strict in (False, True):
        counted = Budget()
        counted.strict = strict
        _of_resource(place, asked, asked.context, counted, bounded=False)
        assert (counted.left < MAX) is strict


def test_an_outsider_has_no_identity_policies_even_where_it_says_an_account() -> None:
    for kind in ("service", "federated", "anonymous"):
        outsider = policy.Principal(kind, "sns.amazonaws.com", HOME)
        decision = policy.decide(
            policy.Request(outsider, "s3:GetObject", "arn:aws:s3:::a", HOME, keys.context({})),
            policy.Layers((policy.Attached(compiled({"Effect": "Allow"})),)),
        )
        assert (decision.outcome, decision.layer) == (policy.Outcome.IMPLICITLY_DENIED, Layer.RESOURCE)


def test_the_values_of_numbers_dates_and_addresses_are_dear_to_read() -> None:
    readings = {
        name: conditions.compiled(Condition(name, "K:E", ("1704067200",)), deny=True, dynamic=False).reading for name in operators.OPERATORS
    }
    dear = {"Numeric": "numeric", "Date": "date", "IpAddress": "ip", "NotIpAddress": "ip"}
    for name, reading in readings.items():
        kind = next((kind for prefix, kind in dear.items() if name.startswith(prefix)), None)
        assert reading == (("k:e", kind, True) if kind else None)


def test_each_variable_of_a_resource_is_weighed_before_an_allow() -> None:
    """Only whether a principal has the keys of the variables is asked beside the resource itself."""
    names = ("plain", "${aws:username}", "${aws:username}/${aws:PrincipalAccount}")
    made = {
        effect: [compiled({"Effect": effect, "Resource": f"arn:aws:s3:::b/{name}"}).rules[0].weight.fixed for name in names]
        for effect in ("Allow", "Deny")
    }
    assert made == {"Allow": [0.0, 2 * weights.TEST, 3 * weights.TEST], "Deny": [0.0, 0.0, 0.0]}


def test_light_policies_are_charged_for_being_there() -> None:
    counted = Budget()
    _charge_light(None, None, policy.Request(ALICE, "s3:GetObject", "arn:aws:s3:::a", HOME, keys.context({})), {}, counted)
    assert counted.left == MAX - weights.POLICY
