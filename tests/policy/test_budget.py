"""What a decision may cost: weights of tests by what they hold, budgets, and what is refused, whatever the clock says."""

import dataclasses
from typing import Any

import pytest

from sekisho import policy
from sekisho.policy import budget, conditions, keys, weights
from sekisho.policy.budget import Budget, TooMuchWork, Weight
from sekisho.policy.compile import Program, compile_policy
from sekisho.policy.document import Condition, from_json
from sekisho.policy.layers import Outcome

HOME = "111122223333"
ALICE = policy.Principal("user", f"arn:aws:iam::{HOME}:user/alice", HOME)
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def program(*elements: dict[str, Any]) -> Program:
    whole = [{key: value for key, value in {**ALL, **element}.items() if value is not None} for element in elements]
    return compile_policy(from_json({"Version": "2012-10-17", "Statement": whole}))


def weight(*elements: dict[str, Any], face: str = "identity") -> Weight:
    """What a policy weighs for one action."""
    deny, allow, _ = getattr(program(*elements), f"{face}_bucket")("s3:GetObject")
    return budget.total(side[-1] for side in (deny, allow) if side is not None)


def decide(*elements: dict[str, Any], resource: str = "x", context: dict[str, Any] | None = None) -> policy.Decision:
    request = policy.Request(ALICE, "s3:GetObject", resource, HOME, keys.context(context or {}))
    return policy.decide(request, policy.Layers(identity=(policy.Attached(program(*elements)),)))


def listed(operator: str, *values: str, deny: bool = False, key: str = "k:e") -> Weight:
    return conditions.compiled(Condition(operator, key, values), deny=deny, dynamic=True).weight


def test_weights_add_up() -> None:
    one, other = Weight(1, 2, 3, 4, 5, 6), Weight(10, 0, 30, 0, 50, 60)
    assert budget.total([one, other]) == (11, 2, 33, 4, 55, 66)
    assert budget.most([one, other]) == (10, 2, 30, 4, 50, 60)
    assert budget.less(other, one) == (9, -2, 27, -4, 45, 54)
    assert budget.plus(one, 5) == (6, 2, 3, 4, 5, 6)
    assert budget.total([]) == budget.most([]) == (0, 0, 0, 0, 0, 0)


SIZED = keys.context({"k:a": ["x" * 10, "y" * 700], "k:b": "z" * 100, "k:c": ["1", "2", "3"]})


def of(left: float) -> Budget:
    """A budget with so much left."""
    made = Budget()
    made.left = left
    return made


@pytest.mark.parametrize(
    ("one", "cost"),
    [
        (Weight(fixed=7), 7),
        (Weight(values=2), 2 * 3),
        (Weight(characters=2), 2 * 710),
        (Weight(squares=1), 10 * 10 + 700 * 600),
        (Weight(resource=3), 3 * 900),
        (Weight(resource_squares=1), 900 * 600),
        (Weight(1, 1, 1, 1, 1, 1), 1 + 3 + 710 + 420_100 + 900 + 540_000),
    ],
)
def test_a_weight_is_charged_by_what_the_request_holds(one: Weight, cost: int) -> None:
    of(cost).charge(one, "r" * 900, SIZED)
    with pytest.raises(TooMuchWork):
        of(cost - 1).charge(one, "r" * 900, SIZED)


def test_a_budget_is_spent_once() -> None:
    counted = of(100)
    counted.charge(Weight(60), "x", {})
    counted.spend(40)
    with pytest.raises(TooMuchWork):
        counted.spend(1)
    assert Budget().left == budget.MAX


def test_reasons_have_a_budget_of_their_own() -> None:
    counted = Budget()
    counted.strict = True
    counted.charge(Weight(budget.MAX), "x", {"k:e": "abc"})
    again = counted.for_reasons()
    assert again.strict
    again.charge(Weight(budget.MAX_REASONS - 3, characters=1), "x", {"k:e": "abc"})
    with pytest.raises(TooMuchWork):
        again.spend(1)
    assert not Budget().for_reasons().strict


def test_a_resource_is_not_measured_for_what_does_not_read_it() -> None:
    nothing: Any = None
    of(10).charge(Weight(fixed=10), nothing, {})


def test_what_is_light_is_so_for_the_largest_request() -> None:
    assert budget.is_light(Weight(fixed=budget.LIGHT))
    assert not budget.is_light(Weight(fixed=budget.LIGHT + 1))
    for at, most in enumerate((1, 256, 16_384, 16_384 * 600, 8_192, 8_192 * 600)):
        row = [0.0] * 6
        row[at] = budget.LIGHT / most
        assert budget.is_light(Weight(*row))
        row[at] *= 1.001
        assert not budget.is_light(Weight(*row))


HEAVIER: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {  # what weighs more in the first than in the second
    "resources_that_are_searched": ({"Resource": ["*a*b*"] * 2}, {"Resource": "*a*b*"}, "resource"),
    "longer_pieces": ({"Resource": "*abc*b*"}, {"Resource": "*a*b*"}, "resource"),
    "an_automaton": ({"Resource": "*a?b*"}, {"Resource": "*acb*"}, "resource"),
    "a_wide_automaton": ({"Resource": "*a?b*" + "c" * 500}, {"Resource": "*a?b*"}, "resource"),
    "a_segment": ({"Resource": "*a:b*"}, {"Resource": "*a*b*"}, "resource"),
    "a_variable": ({"Resource": "*${k:v}*"}, {"Resource": "*v*"}, "resource_squares"),
    "a_variable_is_put_in": ({"Resource": "a${k:v}*"}, {"Resource": "aa*"}, "characters"),
    "two_variables": ({"Resource": "a${k:v}${k:w}*"}, {"Resource": "a${k:v}*"}, "characters"),
    "what_is_not": ({"Resource": None, "NotResource": ["a", "b"]}, {"Resource": None, "NotResource": ["a"]}, "fixed"),
    "conditions": ({"Condition": {"Bool": {"k:e": "true", "k:f": "true"}}}, {"Condition": {"Bool": {"k:e": "true"}}}, "fixed"),
    "a_reading_that_is_dear": ({"Condition": {"DateLessThan": {"k:e": "1"}}}, {"Condition": {"Bool": {"k:e": "1"}}}, "fixed"),
    "a_Deny_that_asks_every_value": (
        {"Effect": "Deny", "Condition": {"DateLessThan": {"k:e": "1"}}},
        {"Condition": {"DateLessThan": {"k:e": "1"}}},
        "values",
    ),
    "readings_of_two_keys": (
        {"Condition": {"DateLessThan": {"k:e": "1", "k:f": "1"}}},
        {"Condition": {"DateLessThan": {"k:e": "1"}, "DateGreaterThan": {"k:e": "1"}}},
        "fixed",
    ),
}


@pytest.mark.parametrize(("heavy", "light", "by"), HEAVIER.values(), ids=HEAVIER.keys())
def test_what_weighs_more(heavy: dict[str, Any], light: dict[str, Any], by: str) -> None:
    assert getattr(weight(heavy), by) > getattr(weight(light), by)


def test_what_asks_every_value_weighs_by_values() -> None:
    one, two = listed("ForAnyValue:StringLike", "a*"), listed("ForAnyValue:StringLike", "a*", "b*")
    assert two.values == 2 * one.values > 0
    assert listed("StringLike", "a*").values == 0
    assert listed("StringLike", "a*").fixed == one.fixed + one.values
    assert listed("StringLike", "a*", deny=True) == one
    assert listed("ForAllValues:StringEquals", *"abcdef") == listed("ForAllValues:StringEquals", "a")


def test_what_reads_characters_weighs_by_them() -> None:
    assert listed("StringLike", "a*").characters == 0
    assert 0 < listed("StringLike", "a*b").characters < listed("StringLike", "*a*").characters < listed("StringLike", "*abc*").characters
    assert listed("StringLike", "*a*", "*a*").characters == 2 * listed("StringLike", "*a*").characters
    long, longer = (listed("StringLike", f"*{'a' * length}*") for length in (600, 601))
    assert listed("StringLike", f"*{'a' * 599}*").characters < long.characters == longer.characters
    assert listed("StringEquals", "a").characters == 0 < listed("StringEqualsIgnoreCase", "a").characters
    assert listed("BinaryEquals", "YQ==").characters > 0
    assert listed("StringLike", "*${k:v}*").squares > 0 == listed("StringLike", "*v*").squares


def test_arns_weigh_more_than_texts() -> None:
    assert listed("ArnLike", "arn:aws:iam::1:a*").fixed > listed("StringLike", "arn:aws:iam::1:a*").fixed
    assert listed("ArnLike", "arn:aws:*::1:a*").fixed > listed("ArnLike", "arn:aws:iam::1:a*").fixed
    assert listed("ArnLike", "arn:aws:iam::${k:v}:a*").fixed > listed("StringLike", "arn:aws:iam::${k:v}:a*").fixed


def test_of_an_index_only_what_is_found_together_weighs() -> None:
    """A thousand resources weigh no more than one; under one resource, along a chain, and on every pivot they add up."""
    one = weight({"Resource": "a0"})
    assert weight(*({"Resource": f"a{i}"} for i in range(1000))) == one
    assert weight(*({"Resource": "a0"} for _ in range(3))).fixed == 3 * one.fixed
    prefix = weight({"Resource": "a0*"})
    assert weight(*({"Resource": f"a{i}*"} for i in range(10))) == prefix
    chain = weight({"Resource": "a*"}, {"Resource": "aa*"}, {"Resource": "ab*"}).fixed
    assert prefix.fixed < chain < 3 * prefix.fixed
    pivot = [{"Condition": {"StringEquals": {"k:e": f"v{i}"}}} for i in range(20)]
    assert weight(*pivot).fixed == 20 * weight(pivot[0]).fixed
    assert weight(*pivot, {"Effect": "Deny"}).fixed > weight(*pivot).fixed
    nested = [weight(*({"Resource": "abc"[:length] + "*"} for length in range(1, count + 1))).fixed for count in (1, 2, 3)]
    assert nested == [91, 91 + 92, 91 + 92 + 93]


def test_presence_weighs_next_to_nothing() -> None:
    assert listed("Null", "true") == Weight(weights.TEST + 50)


def test_what_is_asked_once_for_all_weighs_once() -> None:
    alike = [{"Condition": {"StringLike": {"k:e": "*a*"}}} for _ in range(20)]
    apart = [{"Condition": {"StringLike": {"k:e": f"*{i:02}*"}}} for i in range(20)]
    assert 0 < weight(*alike).characters < weight(*apart).characters
    denied = [{"Effect": "Deny", **element} for element in alike]
    assert weight(*denied).characters > weight(*alike).characters


def test_what_is_gathered_by_a_key_weighs_what_is_left_to_ask() -> None:
    """Of twenty Allows: the condition that they share once, and of each its turn and the rest of its conditions, at least one."""
    alike = {"StringLike": {"k:e": "*a*"}}
    assert weight(*({"Condition": alike} for _ in range(20)))[:3] == pytest.approx((51 + 20 * (30 + 50), 0, 3.32))
    both = {"Condition": {**alike, "Bool": {"k:f": "true"}}}
    assert weight(*(both for _ in range(20)))[:3] == pytest.approx((51 + 20 * (30 + 50 + 190), 0, 3.32))
    denied = weight(*({"Effect": "Deny", "Condition": alike} for _ in range(20)))
    assert denied[:3] == pytest.approx((20 * (30 + 50), 51 + 20 * 51, 21 * 3.32))


def test_naming_somebody_weighs() -> None:
    assert weight({"Principal": "*"}, face="resource").fixed == weight({}).fixed + weights.NAMED


def test_what_is_light_has_no_weight_in_a_bucket() -> None:
    assert program(*({"Resource": f"arn:aws:s3:::b{i}/*"} for i in range(500))).identity_bucket("s3:GetObject")[2] is None
    heavy = program({"Resource": ["*a*b*"] * 9}).identity_bucket("s3:GetObject")
    assert heavy[1] is not None
    assert heavy[2] == heavy[1][-1]


def test_too_much_work_is_a_denial() -> None:
    decision = decide({"Resource": ["*?a*"] * 400}, {}, resource="arn:aws:orders:::" + "b" * 2000)
    assert (decision.outcome, decision.layer, decision.matched) == (Outcome.IMPLICITLY_DENIED, None, ())
    assert decision.error == "TooMuchWork: the policies could take too long for a request of this size"
    assert decide({"Resource": ["*?a*"] * 400}, {}, resource="b").allowed


def test_policies_share_one_budget() -> None:
    made, granting = (policy.Attached(program({"Resource": ["*x*y*"] * 50, **element})) for element in ({}, {"Principal": "*"}))
    asked = policy.Request(ALICE, "s3:GetObject", "x" * 8192, HOME, keys.context({}))
    assert policy.decide(asked, policy.Layers(identity=(made,))).error == ""
    for layers in (
        policy.Layers(identity=(made,) * 5),
        policy.Layers(identity=(made,), boundary=(made,), session=(made,), scps=((made, made),)),
        policy.Layers(identity=(made,), resource=granting, rcps=((granting, granting, granting),)),
    ):
        assert policy.decide(asked, layers).error.startswith("TooMuchWork: ")


def test_what_is_longer_than_anything_is_not_decided() -> None:
    layers = policy.Layers(identity=(policy.Attached(program({})),))

    def asked(resource: int, action: int, principal: int) -> policy.Decision:
        alice = dataclasses.replace(ALICE, arn="x" * principal)
        return policy.decide(policy.Request(alice, "x" * action, "x" * resource, HOME, keys.context({})), layers)

    assert asked(8192, 256, 8192).allowed
    assert asked(8193, 256, 8192).error == "TooMuchWork: the resource has 8193 characters; at most 8192 are allowed"
    assert asked(8192, 257, 8192).error == "TooMuchWork: the action has 257 characters; at most 256 are allowed"
    assert asked(8192, 256, 8193).error == "TooMuchWork: the ARN of the principal has 8193 characters; at most 8192 are allowed"


def test_a_context_beyond_its_limits_is_not_decided() -> None:
    """Whoever builds it: a plain dict and a Context made by hand, too."""
    layers = policy.Layers(identity=(policy.Attached(program({})),))
    values = {f"k:{i}": "x" for i in range(513)}
    for made in (values, policy.Context(values)):
        decision = policy.decide(policy.Request(ALICE, "s3:GetObject", "x", HOME, made), layers)
        assert not decision.allowed
        assert decision.error == "ValidationError: a context has 513 condition keys; at most 512 are allowed"


def test_endless_policies_are_denied() -> None:
    everything = policy.Attached(program({}))
    asked = policy.Request(ALICE, "s3:GetObject", "x", HOME, keys.context({}))
    for layers in (policy.Layers(identity=(everything,) * 500), policy.Layers(identity=(everything,) * 100, scps=((everything,) * 400,))):
        assert policy.decide(asked, layers).allowed
    more = (everything,) * 126
    for layers in (
        policy.Layers(identity=(everything,) * 10_000),
        policy.Layers(identity=more, boundary=more, session=more, scps=(more[:63], more[:63])),
        policy.Layers(identity=more, boundary=more, session=more, rcps=(more[:62], more[:61])),
    ):
        assert policy.decide(asked, layers).error.startswith("TooMuchWork: 50") or len(layers.identity) == 10_000
        assert not policy.decide(asked, layers).allowed


def test_of_many_policies_the_light_ones_count() -> None:
    made = policy.Attached(program(*({"Condition": {"StringEquals": {"k:e": f"v{i}", "k:f": "w"}}} for i in range(100))))
    assert made.program.identity_bucket("s3:GetObject")[2] is None
    asked = policy.Request(ALICE, "s3:GetObject", "x", HOME, keys.context({"k:e": ["v1", "v2"], "k:f": "w"}))
    assert policy.decide(asked, policy.Layers(identity=(made,) * 64)).error == ""
    assert policy.decide(asked, policy.Layers(identity=(made,) * 65)).error == ""
    assert policy.decide(asked, policy.Layers(identity=(made,) * 500)).error.startswith("TooMuchWork: ")
    everything, many = (policy.Attached(program({})),), (made,) * 490
    for layers in (
        policy.Layers(identity=everything, boundary=many),
        policy.Layers(identity=everything, session=many),
        policy.Layers(identity=everything, scps=(everything, many)),
    ):
        assert policy.decide(asked, layers).error.startswith("TooMuchWork: ")


def test_of_many_policies_of_resources_the_light_ones_count() -> None:
    guards = ({"Effect": "Deny", "Principal": "*", "Condition": {"StringEquals": {"k:f": f"v{i}"}}} for i in range(2))
    made, everything = policy.Attached(program(*guards)), (policy.Attached(program({})),)
    assert made.program.resource_bucket("s3:GetObject")[2] is None
    asked = policy.Request(ALICE, "s3:GetObject", "x", HOME, keys.context({"k:f": ["w"] * 256}))
    assert policy.decide(asked, policy.Layers(identity=everything, rcps=((made,) * 70,))).allowed
    assert policy.decide(asked, policy.Layers(identity=everything, rcps=((made,) * 490,))).error.startswith("TooMuchWork: ")


def test_too_many_patterns_of_actions_are_not_looked_through() -> None:
    made = policy.Attached(program({"Action": [f"s3:*?{i}a*" for i in range(500)]}))
    for action, refused in (("s3:" + "x" * 100, True), ("s3:1", False)):
        decision = policy.decide(policy.Request(ALICE, action, "x", HOME, keys.context({})), policy.Layers(identity=(made,)))
        assert decision.error.startswith("TooMuchWork: the policy has too many patterns of actions") is refused


def test_reasons_that_take_too_long_are_left_out() -> None:
    """They change no outcome: of the Denies the first is named."""
    lacking = {"Effect": "Deny", "Condition": {"StringNotEquals": {f"k:{i}": "x" for i in range(1500)}}}
    decision = decide(lacking, {"Effect": "Deny"}, {})
    assert (decision.outcome, decision.layer, decision.missing_keys, decision.error) == (
        Outcome.EXPLICITLY_DENIED,
        policy.Layer.IDENTITY,
        (),
        "",
    )
    assert [match.statement.index for match in decision.matched] == [0]
    below = ({"Effect": "Deny", "Condition": {"NumericLessThan": {"k:n": str(i)}}} for i in range(10_000))
    weighty = decide(*below, context={"k:n": "-1"})
    assert (weighty.outcome, len(weighty.matched)) == (Outcome.EXPLICITLY_DENIED, 1)
    many = decide(*({"Effect": "Deny", "Resource": "*"} for _ in range(3000)))
    assert many.outcome is Outcome.EXPLICITLY_DENIED
    assert 500 < len(many.matched) < 3000
    asking = {"Condition": {"StringEquals": {f"k:{i}": "x" for i in range(1500)}}}
    decision = decide({"Condition": {"Bool": {"k:first": "true"}}}, asking)
    assert (decision.outcome, decision.missing_keys, decision.error) == (Outcome.IMPLICITLY_DENIED, ("k:first",), "")


def test_a_thousand_missing_keys_are_all_named() -> None:
    named = tuple(f"k:{i}" for i in range(1000))
    assert decide({"Condition": {"StringEquals": dict.fromkeys(named, "x")}}).missing_keys == named
    assert decide(*({"Condition": {"StringEquals": {name: "x"}}} for name in named[:500])).missing_keys == named[:500]


def test_ten_full_policies_of_patterns_are_answered() -> None:
    """Ten managed policies of 6,144 characters, all of them texts to search for."""
    full = [policy.Attached(program({"Condition": {"StringLike": {"k:e": [f"*x{i}-{n}*" for i in range(600)]}}})) for n in range(10)]
    asked = policy.Request(ALICE, "s3:GetObject", "arn:aws:s3:::b/k", HOME, keys.context({"k:e": "an x599-9 of some length"}))
    decision = policy.decide(asked, policy.Layers(identity=tuple(full)))
    assert decision.error == ""
    assert decision.matched[0].attached is full[9]
