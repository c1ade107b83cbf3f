"""The laws of conditions and variables, by Hypothesis, over every operator."""

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho import policy
from tests.policy import bridge, gen_conditions

NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}
SETS = ("", "ForAllValues:", "ForAnyValue:")
laws = settings(max_examples=int(os.environ.get("LAWS", "50")), deadline=None, database=None)

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=8)
REQUESTED = st.one_of(st.sampled_from(sorted({value for pool in gen_conditions.VALUES.values() for value in pool})), TEXT)
WANTED = st.lists(
    st.one_of(st.sampled_from(sorted({str(value) for pool in gen_conditions.WANTED.values() for value in pool})), TEXT),
    min_size=1,
    max_size=3,
)
OPERATOR = st.sampled_from(gen_conditions.ALL_OPERATORS)


def holds(operator: str, wanted: list[str], values: list[str] | None, *, many: bool = False) -> bool | None:
    """Whether one condition holds, None for what cannot be told; under the older version, which has no variables to fail on."""
    return decided({operator: {"orders:Key": wanted}}, {} if values is None else {"orders:Key": values}, many=many, version="2008-10-17")


def decided(condition: dict[str, Any], context: dict[str, list[str]], *, many: bool = False, version: str = "2012-10-17") -> bool | None:
    """Whether the condition holds: what cannot be told lets a Deny match and an Allow not."""
    everything = {"Action": "*", "Resource": "*"}
    allow = {"Version": version, "Statement": [{"Effect": "Allow", **everything, "Condition": condition}]}
    deny = {"Version": version, "Statement": [{"Effect": "Deny", **everything, "Condition": condition}]}
    allowing, denying = (bridge.reply(case([document], context, many=many)) for document in (allow, deny))
    assert (allowing.error, denying.error) == ("", "")
    surely, perhaps = allowing.outcome == "Allowed", denying.outcome == "ExplicitlyDenied"
    assert perhaps or not surely  # an Allow that matches where a Deny would not is never right
    return surely if surely == perhaps else None


def negation(truth: bool | None) -> bool | None:
    """What cannot be told cannot be told negated."""
    return None if truth is None else not truth


def conjunction(parts: list[bool | None]) -> bool | None:
    """False if any part is false, else unknown if any is unknown, else true."""
    return False if False in parts else None if None in parts else True


def disjunction(parts: list[bool | None]) -> bool | None:
    """True if any part is true, else unknown if any is unknown, else false."""
    return negation(conjunction([negation(part) for part in parts]))


def case(documents: list[Any], context: dict[str, list[str]], *, many: bool = False, resource: str = "arn:aws:s3:::data") -> Any:
    """A user's request under identity policies alone."""
    return {
        "request": {
            "principal": "arn:aws:iam::111122223333:user/alice",
            "principal_type": "user",
            "action": "s3:GetObject",
            "resource": resource,
            "resource_account": "111122223333",
            "context": context,
            "multivalued_keys": list(context) if many else [],
        },
        "identity_policies": documents,
    }


@pytest.mark.parametrize("negated", NEGATED)
@laws
@given(REQUESTED, WANTED)
def test_a_negated_operator_is_the_negation_of_the_positive_one(negated: str, value: str, wanted: list[str]) -> None:
    """Over a single value that is there, readable or not: what cannot be told cannot be told negated either."""
    assert holds(negated, wanted, [value]) == negation(holds(NEGATED[negated], wanted, [value]))


@laws
@given(OPERATOR, st.sampled_from(SETS), WANTED, st.lists(REQUESTED, min_size=1, max_size=3))
def test_if_exists_is_absent_or_the_operator(operator: str, quantifier: str, wanted: list[str], values: list[str]) -> None:
    """With and without a set operator."""
    many = quantifier != ""
    given_values = values if many else values[:1]
    named = quantifier + operator
    assert holds(named + "IfExists", wanted, None)
    assert holds(named + "IfExists", wanted, given_values, many=many) == holds(named, wanted, given_values, many=many)


@pytest.mark.parametrize("negated", NEGATED)
@laws
@given(st.lists(REQUESTED, min_size=1, max_size=3).filter(lambda values: values != [""]), WANTED)
def test_for_all_and_for_any_obey_de_morgan(negated: str, values: list[str], wanted: list[str]) -> None:
    """All values are outside the list if and only if not any is in it, and the other way about; `""` alone is no value to all."""
    positive = NEGATED[negated]
    for one, other in ((negated, positive), (positive, negated)):
        every = holds(f"ForAllValues:{one}", wanted, values, many=True)
        assert every == negation(holds(f"ForAnyValue:{other}", wanted, values, many=True))


@laws
@given(OPERATOR, WANTED)
def test_an_absent_key_is_an_empty_one(operator: str, wanted: list[str]) -> None:
    """For every operator and set operator: true for all, false for any, otherwise what the operator's sign says."""
    for quantifier, expected in zip(SETS, (operator in NEGATED, True, False), strict=True):
        assert holds(quantifier + operator, wanted, None) == expected
        assert holds(quantifier + operator, wanted, [], many=True) == expected


@laws
@given(OPERATOR, WANTED)
def test_an_empty_string_alone_is_as_good_as_absent_to_for_all_values(operator: str, wanted: list[str]) -> None:
    """Whatever is wanted of it, of a key with one value and of one with many."""
    for many in (False, True):
        assert holds(f"ForAllValues:{operator}", wanted, [""], many=many)
        assert holds(f"ForAllValues:{operator}IfExists", wanted, [""], many=many)


@laws
@given(OPERATOR, WANTED, REQUESTED)
def test_values_are_alternatives(operator: str, wanted: list[str], value: str) -> None:
    """Any of them for a positive operator, all of their negations for a negated one."""
    each = [holds(operator, [one], [value]) for one in wanted]
    assert holds(operator, wanted, [value]) == (conjunction(each) if operator in NEGATED else disjunction(each))


@laws
@given(OPERATOR, OPERATOR, WANTED, WANTED, REQUESTED)
def test_operators_are_all_met(first: str, second: str, wanted: list[str], other: list[str], value: str) -> None:
    """A block is the conjunction of what is in it."""
    if first == second:
        return
    both = decided({first: {"orders:Key": wanted}, second: {"orders:Key": other}}, {"orders:Key": [value]}, version="2008-10-17")
    assert both == conjunction([holds(first, wanted, [value]), holds(second, other, [value])])


AWKWARD = st.text(st.sampled_from("ab*?${}:/',\\[]().+^|"), min_size=1, max_size=8)


@laws
@given(AWKWARD, AWKWARD)
def test_a_substituted_value_is_literal(value: str, other: str) -> None:
    """It matches itself and nothing else, in a resource, a string pattern and an ARN pattern."""
    pattern = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::${aws:username}"}]}
    for requested in (value, other):
        asked = case([pattern], {"aws:username": [value]}, resource=f"arn:aws:s3:::{requested}")
        assert (bridge.reply(asked).outcome == "Allowed") == (requested == value)
        context = {"aws:username": [value], "orders:Key": [requested]}
        assert decided({"StringLike": {"orders:Key": "${aws:username}"}}, context) == (requested == value)
        context["orders:Key"] = [f"arn:aws:s3:::{requested}"]
        assert decided({"ArnLike": {"orders:Key": "arn:aws:s3:::${aws:username}"}}, context) == (requested == value)


UNKNOWN = ["StringLik", "ForSomeValues:StringEquals", "StringEqualsIfExistsIfExists", "ForAllValues:", "", "StringEquals "]


@pytest.mark.parametrize("operator", UNKNOWN)
@pytest.mark.parametrize("values", [["a"], None])
def test_an_unknown_operator_is_a_deny(operator: str, values: list[str] | None) -> None:
    """An Allow under it never matches, and a Deny under it always does."""
    assert holds(operator, ["a"], values) is None


def test_every_error_is_a_deny() -> None:
    """What breaks inside is reported in the decision, never raised, and allows nothing."""
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    request, programs = bridge.request(case([allow], {})), bridge.Programs()
    sound = programs.attach(allow)
    assert policy.decide(request, policy.Layers(identity=(sound,))).allowed
    broken: Any = policy.Attached(program=None)  # type: ignore[arg-type]
    for layers in (
        policy.Layers(identity=(sound, broken)),
        policy.Layers(identity=(sound,), resource=broken),
        policy.Layers(identity=(sound,), boundary=(broken,)),
        policy.Layers(identity=(sound,), session=(broken,)),
        policy.Layers(identity=(sound,), scps=((broken,),)),
        policy.Layers(identity=(sound,), rcps=((broken,),)),
    ):
        decision = policy.decide(request, layers)
        assert decision.outcome is policy.Outcome.IMPLICITLY_DENIED
        assert decision.error
