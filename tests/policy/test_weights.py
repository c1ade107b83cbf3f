"""What each kind of pattern and of listed values weighs, in nanoseconds: the sums of constants that were measured (docs/benchmarks.md)."""

import pytest

from sekisho import policy
from sekisho.policy import variables, weights
from sekisho.policy.operators import OPERATORS


def parsed(text: str, *, wildcards: bool = True) -> tuple[variables.Part, ...]:
    return variables.parse(text, variables=True, wildcards=wildcards)


RESOURCES: dict[str, tuple[float, ...]] = {  # fixed, for each character of the context, of the resource, for each of its squares
    "abc": (53, 0, 0, 0),
    "abc*": (53, 0, 0, 0),
    "*": (50, 0, 0, 0),
    "*abc": (53, 0, 0.2, 0),
    "*abc*": (53, 0, 0.2 + 2.8 + 0.96, 0),
    "ab*cd*": (50 + 60 + 4, 0, 0.2 + 2.8 + 0.64, 0),
    "ab*cd": (50 + 60 + 4, 0, 0.2, 0),
    "*a*bcd*e": (50 + 120 + 5, 0, 0.2 + 2.8 + 0.96, 0),
    "a?b": (50 + 60 + 2, 0, 0, 0),
    "*a?b": (50 + 60 + 2, 0, 115 + 3 + 0.105, 0),
    "*a:b": (53, 0, 115 + 3 + 0.105, 0),
    "a*:b": (50 + 60 + 3, 0, 0.2, 0),
    "*" + "a" * 700 + "*": (750, 0, 0.2 + 2.8 + 192, 0),
    "*?" + "a" * 100: (150, 0, 115 + 60 + 3.535, 0),
    "${k:v}": (50 + 150, 0.2, 1, 0),
    "a${k:v}*": (50 + 450, 0.2, 1, 0),
    "a${k:v}b${k:w}": (50 + 600, 0.4, 1, 0),
    "*${k:v}": (50 + 4000 + 1700, 3, 115 + 3 + 150 + 60, 0.4),
    "*${k:v}ab*${k:w}": (52 + 4000 + 4250, 6, 115 + 2.07 + 6 + 150 + 60, 0.8),
    "*?${k:v}": (50 + 4000 + 2550, 3, 115 + 1.035 + 3 + 150 + 60, 0.4),
    "?${k:v}": (50 + 4000 + 1700, 3, 115 + 1.035 + 3 + 150 + 60, 0.4),
    "${k:v}?": (50 + 4000 + 1700, 3, 115 + 1.035 + 3 + 150 + 60, 0.4),
}


@pytest.mark.parametrize(("pattern", "expected"), RESOURCES.items(), ids=[pattern[:16] for pattern in RESOURCES])
def test_resources(pattern: str, expected: tuple[float, ...]) -> None:
    weight = weights.resource(parsed(pattern))
    assert (weight.fixed, weight.characters, weight.resource, weight.resource_squares) == pytest.approx(expected)
    assert (weight.values, weight.squares) == (0, 0)


STATIC, DYNAMIC, LONGER = ["ab*c*d", "*?x"], ["arn:*:a?b", "${k:v}"], ["${k:v}*x*", "a${k:v}${k:w}"]

LISTED: dict[str, tuple[str, list[str], tuple[float, ...]]] = {  # operator, values: once, for each value, character, square
    "exact": ("StringEquals", ["a", "b"], (0, 30, 0, 0)),
    "exact_dynamic": ("StringEquals", LONGER, (5 * 150, 30, 9, 0)),
    "any_case": ("StringEqualsIgnoreCase", ["a", "b"], (0, 110, 18, 0)),
    "any_case_dynamic": ("StringEqualsIgnoreCase", DYNAMIC, (2 * 150, 110, 18 + 21, 0)),
    "like_one": ("StringLike", ["a"], (0, 51, 0, 0)),
    "like": ("StringLike", STATIC, (0, 50 + 120 + 4 + 51, 0.2 + 3.12 + 115 + 2 + 0.07, 0)),
    "like_dynamic": ("StringLike", DYNAMIC, (4850, 50 + 120 + 7 + 50, 115 + 8 + 0.28 + 3, 0.32)),
    "like_longer": ("StringLike", LONGER, (4000 + 3400 + 4000 + 2550, 51 + 51, 0.2 + 3.12 + 3 + 6, 0.64)),
    "numbers": ("NumericEquals", ["1", "2"], (0, 110 + 160, 0, 0)),
    "booleans": ("Bool", ["true"], (0, 110 + 80, 0, 0)),
    "dates": ("DateLessThan", ["1", "2"], (0, 110 + 160, 0, 0)),
    "addresses": ("NotIpAddress", ["10.0.0.0/8", "::/0"], (0, 110 + 140, 0, 0)),
    "binaries": ("BinaryEquals", ["YQ==", "YQ=="], (0, 300 + 160, 1.5, 0)),
    "arn": ("ArnLike", ["a"], (0, 250 + 51 + 500, 0.2, 0)),
    "arns": ("ArnNotLike", STATIC, (0, 250 + 174 + 720 + 51 + 720, 0.2 + 0.2 + 3.12 + 115 + 2 + 0.07, 0)),
    "arns_dynamic": ("ArnEquals", DYNAMIC, (4850 + 25000, 250 + 177 + 720 + 50 + 500, 0.2 + 115 + 8 + 0.28 + 3, 0.32)),
    "arns_of_many_wildcards": ("ArnEquals", ["*:*:*:*:*:*:*"], (0, 250 + 50 + 5 * 60 + 6 + 500 + 660, 0.2 + 0.2 + 2.8 + 0.32, 0)),
}


@pytest.mark.parametrize(("operator", "values", "expected"), LISTED.values(), ids=LISTED.keys())
def test_listed_values(operator: str, values: list[str], expected: tuple[float, ...]) -> None:
    row = OPERATORS[operator]
    cost = row.weigh([parsed(value, wildcards=row.wildcards) for value in values])
    assert cost == pytest.approx(expected)
    assert cost.condition(several=True) == pytest.approx((50 + expected[0], *expected[1:], 0, 0))
    assert cost.condition(several=False) == pytest.approx((50 + expected[0] + expected[1], 0, *expected[2:], 0, 0))


def test_nothing_listed_weighs_nothing() -> None:
    assert weights.like([]) == (0, 0, 0, 0)


def test_actions() -> None:
    assert weights.lookup(["s3:*", "s3:GetObject"]) == (300, 0)
    assert weights.lookup(["s3:?et*"])[1] == pytest.approx(115 + 6 + 0.21)
    fixed, of_character = weights.lookup(["s3:*", "s3:*a*", "*?b"])
    assert fixed == 450
    assert of_character == pytest.approx(0.2 + 3.12 + 115 + 2 + 0.07)


def test_a_link_of_a_chain() -> None:
    assert weights.link("abc") == 63


def test_a_document_is_compiled_before_it_is_validated() -> None:
    """An empty pattern, which validation refuses, weighs something and matches nothing but an empty text."""
    program = policy.compiled('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":""}]}')
    assert program.rules[0].reach[0].fixed > 0
    assert not program.rules[0].covers_resource("arn:aws:s3:::bucket", {})
