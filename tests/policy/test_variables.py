"""Policy variables: how they are written, what they become, and when a statement has none of it."""

import json
import time

import pytest

from sekisho import policy
from sekisho.policy import keys, variables
from sekisho.policy.patterns import ANY, ONE
from sekisho.policy.variables import Variable
from tests.policy import oracle_patterns

WRITTEN: dict[str, tuple[str, tuple[variables.Part, ...]]] = {
    "none": ("plain", ("plain",)),
    "key": ("a/${aws:username}/b", ("a/", Variable("aws:username"), "/b")),
    "keys_are_lower_cased": ("${AWS:UserName}", (Variable("aws:username"),)),
    "default": ("${aws:PrincipalTag/team, 'none'}", (Variable("aws:principaltag/team", "none"),)),
    "default_without_blank": ("${k:e,'x'}", (Variable("k:e", "x"),)),
    "empty_default": ("${k:e, ''}", (Variable("k:e", ""),)),
    "brace_in_a_default": ("${k:e, 'a}b'}c", (Variable("k:e", "a}b"), "c")),
    "star_in_a_default_is_literal": ("${k:e, '*'}", (Variable("k:e", "*"),)),
    "literal_star": ("a${*}b", ("a", "*", "b")),
    "literal_question_mark": ("${?}", ("?",)),
    "literal_dollar": ("${$}{x}", ("$", "{x}")),
    "wildcards_beside": ("*${k:e}?", (ANY, Variable("k:e"), ONE)),
    "default_without_quotes_is_a_name_nobody_has": ("${k:e, x}", (Variable("k:e, x"),)),
    "empty_name": ("${}", (Variable(""),)),
    "never_closed_is_text": ("a${k:e", ("a${k:e",)),
    "dollar_alone_is_text": ("$5", ("$5",)),
    "empty": ("", ()),
}


@pytest.mark.parametrize(("text", "expected"), WRITTEN.values(), ids=WRITTEN.keys())
def test_written(text: str, expected: tuple[variables.Part, ...]) -> None:
    assert variables.parse(text, variables=True, wildcards=True) == expected


def test_older_documents_have_no_variables() -> None:
    assert variables.parse("${aws:username}*", variables=False, wildcards=True) == ("${aws:username}", ANY)


def test_without_wildcards_they_are_text() -> None:
    assert variables.parse("a*${k:e}?", variables=True, wildcards=False) == ("a*", Variable("k:e"), "?")


CONTEXT = keys.context({"aws:username": "a*b", "aws:TagKeys": ["x"], "k:empty": ""}, multivalued=["aws:TagKeys"])


def test_what_is_put_in_is_literal() -> None:
    assert variables.resolve(("x/", Variable("aws:username"), ANY), CONTEXT) == ("x/", "a*b", ANY)


def test_a_default_stands_in_for_a_missing_key_alone() -> None:
    assert variables.resolve((Variable("k:missing", "d"),), CONTEXT) == ("d",)
    assert variables.resolve((Variable("aws:username", "d"),), CONTEXT) == ("a*b",)
    assert variables.resolve((Variable("k:empty", "d"),), CONTEXT) == ("",)


@pytest.mark.parametrize(("end", "crosses"), [("*${k:empty}", True), ("*${aws:username}", False), ("*", True)])
def test_a_star_before_a_variable_without_text_ends_its_segment(end: str, crosses: bool) -> None:
    """A pattern is what it says once its variables are replaced; the oracle of these tests once held otherwise."""
    pattern = f"arn:aws:orders:::order/{end}"
    statement = {"Effect": "Allow", "Action": "orders:Read", "Resource": pattern}
    (rule,) = policy.compiled(json.dumps({"Version": "2012-10-17", "Statement": [statement]})).rules
    said = {
        "principal_type": "anonymous",
        "principal": None,
        "resource_account": "1",
        "context": {"k:empty": [""], "aws:username": ["a*b"]},
    }
    for name, expected in (("x", "username" not in end), ("x:y", crosses), ("x:ya*b", crosses), ("xa*b", True)):
        assert rule.covers_resource(f"arn:aws:orders:::order/{name}", CONTEXT) is expected, name
        assert oracle_patterns.resource_matches(pattern, f"arn:aws:orders:::order/{name}", oracle_patterns.Context(said), True) is expected


def test_without_a_value_there_is_nothing() -> None:
    assert variables.resolve(("a", Variable("k:missing")), CONTEXT) is None
    assert variables.join(("a", Variable("k:missing")), CONTEXT) is None


def test_several_values_are_none() -> None:
    assert variables.resolve((Variable("aws:tagkeys"),), CONTEXT) is None
    assert variables.join((Variable("aws:tagkeys", "d"),), CONTEXT) is None


def test_join() -> None:
    assert variables.join(("a/", Variable("aws:username"), "/c"), CONTEXT) == "a/a*b/c"


def test_guard() -> None:
    assert variables.guard(()) is None
    one = variables.guard([Variable("aws:username")])
    two = variables.guard([Variable("aws:username"), Variable("k:missing")])
    saved = variables.guard([Variable("aws:username"), Variable("k:missing", "d")])
    several = variables.guard([Variable("aws:tagkeys", "d")])
    assert one is not None
    assert two is not None
    assert saved is not None
    assert several is not None
    assert [test(CONTEXT) for test in (one, two, saved, several)] == [True, False, True, False]


@pytest.mark.bounded
@pytest.mark.parametrize("text", ["${" * 40_000, "${a,'" * 20_000 + "}", "${a, " + " " * 100_000 + "}", "${a, 'b" * 16_000 + "}"])
def test_bounded(text: str) -> None:
    began = time.process_time()
    variables.parse(text, variables=True, wildcards=True)
    assert time.process_time() - began < 20 * 0.1
