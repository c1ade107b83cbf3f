"""Operators: each row, what surrounds it, and that doubt allows less."""

from typing import Any

import pytest

from sekisho.policy import anchors, conditions, keys, operators
from sekisho.policy.document import Condition


def holds(operator: str, wanted: list[str], actual: str | list[str] | None, *, deny: bool = False, several: bool = False) -> bool:
    """Whether a condition on the key `k:e` holds for a request with that value."""
    given: dict[str, Any] = {} if actual is None else {"k:e": actual}
    context = keys.context(given, multivalued=["k:e"] if several else [])
    made = conditions.compiled(Condition(operator, "K:E", tuple(wanted)), deny=deny, dynamic=True)
    assert made.referred == ()
    return made.test(context)


ROWS: dict[str, tuple[str, list[str], str, bool]] = {
    "string_equals": ("StringEquals", ["a"], "a", True),
    "string_equals_is_case_sensitive": ("StringEquals", ["a"], "A", False),
    "string_equals_takes_stars_literally": ("StringEquals", ["a*"], "ab", False),
    "string_equals_any_of_them": ("StringEquals", ["a", "b"], "b", True),
    "string_not_equals": ("StringNotEquals", ["a"], "b", True),
    "string_not_equals_none_of_them": ("StringNotEquals", ["a", "b"], "b", False),
    "ignore_case": ("StringEqualsIgnoreCase", ["Été"], "ÉTÉ", True),
    "not_ignore_case": ("StringNotEqualsIgnoreCase", ["a"], "A", False),
    "like": ("StringLike", ["a*c?"], "abbcd", True),
    "like_is_case_sensitive": ("StringLike", ["A*"], "abc", False),
    "like_crosses_colons": ("StringLike", ["arn:aws:lambda:*:f"], "arn:aws:lambda:x:1:function:f", True),
    "not_like": ("StringNotLike", ["a*", "b*"], "cd", True),
    "not_like_one_fits": ("StringNotLike", ["a*", "b*"], "bd", False),
    "numeric_equals_by_value": ("NumericEquals", ["10"], "10.0", True),
    "numeric_equals_with_exponent": ("NumericEquals", ["1e3"], "1000", True),
    "numeric_equals_exactly": ("NumericEquals", ["9007199254740993"], "9007199254740992", False),
    "numeric_fraction_exactly": ("NumericEquals", ["0.3"], "0.30", True),
    "numeric_not_equals": ("NumericNotEquals", ["10"], "11", True),
    "numeric_less": ("NumericLessThan", ["10"], "9", True),
    "numeric_less_not_as_text": ("NumericLessThan", ["10"], "9.99", True),
    "numeric_less_at_the_bound": ("NumericLessThan", ["10"], "10", False),
    "numeric_less_or_equal": ("NumericLessThanEquals", ["10"], "10", True),
    "numeric_greater": ("NumericGreaterThan", ["-1"], "0", True),
    "numeric_greater_or_equal": ("NumericGreaterThanEquals", ["10"], "9.9", False),
    "numeric_less_than_any_of_them": ("NumericLessThan", ["5", "10"], "7", True),
    "date_equals_as_instant": ("DateEquals", ["2024-01-01T02:00:00+02:00"], "2024-01-01T00:00:00Z", True),
    "date_not_equals": ("DateNotEquals", ["2024-01-01T00:00:00Z"], "2024-01-01T00:00:01Z", True),
    "date_less_than_epoch": ("DateLessThan", ["1704067201"], "2024-01-01T00:00:00Z", True),
    "date_less_or_equal": ("DateLessThanEquals", ["2024-01-01"], "2024-01-01T00:00:00Z", True),
    "date_greater": ("DateGreaterThan", ["2024-01-01T00:00:00.5Z"], "2024-01-01T00:00:00.6Z", True),
    "date_greater_or_equal": ("DateGreaterThanEquals", ["2024-02"], "2024-01-31T23:59:59Z", False),
    "date_without_seconds": ("DateEquals", ["2024-01-01T00:00Z"], "1704067200", True),
    "bool": ("Bool", ["true"], "true", True),
    "bool_in_capitals": ("Bool", ["True"], "TRUE", True),
    "bool_other": ("Bool", ["true"], "false", False),
    "bool_either": ("Bool", ["true", "false"], "false", True),
    "binary": ("BinaryEquals", ["aGk="], "aGk=", True),
    "binary_other": ("BinaryEquals", ["aGk="], "aGo=", False),
    "ip_range": ("IpAddress", ["10.0.0.0/8"], "10.255.0.1", True),
    "ip_outside": ("IpAddress", ["10.0.0.0/8"], "11.0.0.1", False),
    "ip_alone": ("IpAddress", ["203.0.113.7"], "203.0.113.7", True),
    "ip_host_bits": ("IpAddress", ["10.1.2.3/8"], "10.9.9.9", True),
    "ip_everything": ("IpAddress", ["0.0.0.0/0"], "198.51.100.1", True),
    "ip_everything_of_the_other_family": ("IpAddress", ["::/0"], "198.51.100.1", False),
    "ip_six": ("IpAddress", ["203.0.113.0/24", "2001:db8::/32"], "2001:DB8:0::1", True),
    "ip_six_is_not_four": ("IpAddress", ["0.0.0.0/0"], "2001:db8::1", False),
    "ip_mapped_is_four": ("IpAddress", ["10.0.0.0/8"], "::ffff:10.1.1.1", True),
    "ip_mapped_range": ("IpAddress", ["::ffff:10.0.0.0/104"], "10.1.1.1", True),
    "ip_mapped_range_wider_than_four": ("IpAddress", ["::ffff:10.0.0.0/90"], "10.1.1.1", False),
    "not_ip": ("NotIpAddress", ["10.0.0.0/8", "2001:db8::/32"], "192.0.2.1", True),
    "not_ip_inside": ("NotIpAddress", ["2001:db8::/32", "10.0.0.0/8"], "10.0.0.1", False),
    "arn_equals_has_wildcards": ("ArnEquals", ["arn:aws:sns:*:1:t-*"], "arn:aws:sns:us-east-1:1:t-1", True),
    "arn_like_six_parts": ("ArnLike", ["arn:aws:lambda:*:*:function:f"], "arn:aws:lambda:us-east-1:1:function:f", True),
    "arn_like_part_by_part": ("ArnLike", ["arn:aws:lambda:*:1*:f"], "arn:aws:lambda:us-east-1:1:function:f", False),
    "arn_like_sixth_part_has_colons": ("ArnLike", ["arn:aws:lambda:*:1:*:f"], "arn:aws:lambda:us-east-1:1:function:f", True),
    "arn_like_whole": ("ArnLike", ["arn:aws:s3:::b"], "arn:aws:s3:::b", True),
    "arn_like_is_case_sensitive": ("ArnLike", ["arn:aws:s3:::b"], "arn:aws:s3:::B", False),
    "arn_not_like": ("ArnNotLike", ["arn:aws:s3:::b*"], "arn:aws:s3:::c", True),
    "arn_not_equals": ("ArnNotEquals", ["arn:aws:s3:::b*"], "arn:aws:s3:::bb", False),
}


@pytest.mark.parametrize(("operator", "wanted", "actual", "expected"), ROWS.values(), ids=ROWS.keys())
def test_row(operator: str, wanted: list[str], actual: str, *, expected: bool) -> None:
    """The same for Allow and Deny, alone and as the only value of several under either quantifier."""
    assert holds(operator, wanted, actual) is expected
    assert holds(operator, wanted, actual, deny=True) is expected
    for quantifier in ("ForAllValues:", "ForAnyValue:"):
        for affix in ("", "IfExists"):
            assert holds(f"{quantifier}{operator}{affix}", wanted, [actual], several=True) is expected
            assert holds(f"{quantifier}{operator}{affix}", wanted, actual) is expected


def test_every_row_is_here() -> None:
    assert {operator for operator, *_ in ROWS.values()} == set(operators.OPERATORS)
    assert len(operators.OPERATORS) == 26


MISSING = {
    "positive": ("{}", False),
    "if_exists": ("{}IfExists", True),
    "for_all": ("ForAllValues:{}", True),
    "for_all_if_exists": ("ForAllValues:{}IfExists", True),
    "for_any": ("ForAnyValue:{}", False),
    "for_any_if_exists": ("ForAnyValue:{}IfExists", True),
}


@pytest.mark.parametrize("deny", [False, True])
@pytest.mark.parametrize("operator", sorted(operators.OPERATORS))
@pytest.mark.parametrize(("form", "expected"), MISSING.values(), ids=MISSING.keys())
def test_missing_key(form: str, operator: str, *, expected: bool, deny: bool) -> None:
    if form == "{}" and "Not" in operator:
        expected = True
    written = form.format(operator)
    listed = ["aGk=" if operator == "BinaryEquals" else "arn:aws:s3:::a" if operator.startswith("Arn") else "1704067200"]
    assert holds(written, listed, None, deny=deny) is expected
    assert holds(written, listed, [], deny=deny, several=True) is expected


NULLS: dict[str, tuple[list[str], str | list[str] | None, bool]] = {
    "absent": (["true"], None, True),
    "absent_but_there": (["true"], "x", False),
    "there": (["false"], "x", True),
    "there_but_absent": (["false"], None, False),
    "an_empty_text_is_no_value": (["false"], "", False),
    "an_empty_text_is_as_good_as_absent": (["true"], "", True),
    "one_empty_text_in_a_list": (["true"], [""], True),
    "two_empty_texts": (["true"], ["", ""], False),
    "no_values_are_absent": (["true"], [], True),
    "either": (["true", "false"], "x", True),
}


@pytest.mark.parametrize(("wanted", "actual", "expected"), NULLS.values(), ids=NULLS.keys())
def test_null(wanted: list[str], actual: str | list[str] | None, *, expected: bool) -> None:
    assert holds("Null", wanted, actual, several=isinstance(actual, list)) is expected


QUANTIFIED: dict[str, tuple[str, list[str], list[str], bool]] = {
    "all_inside": ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
    "one_outside": ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
    "any_inside": ("ForAnyValue:StringEquals", ["a", "b"], ["c", "b"], True),
    "none_inside": ("ForAnyValue:StringEquals", ["a", "b"], ["c", "d"], False),
    "all_different": ("ForAllValues:StringNotEquals", ["a", "b"], ["c", "d"], True),
    "one_equal": ("ForAllValues:StringNotEquals", ["a", "b"], ["c", "a"], False),
    "any_different": ("ForAnyValue:StringNotEquals", ["a", "b"], ["c", "a"], True),
    "none_different": ("ForAnyValue:StringNotEquals", ["a", "b"], ["a", "b"], False),
    "all_like": ("ForAllValues:StringLike", ["cost-*", "env"], ["cost-center", "env"], True),
    "all_in_range": ("ForAllValues:IpAddress", ["10.0.0.0/8"], ["10.0.0.1", "11.0.0.1"], False),
    "any_less": ("ForAnyValue:NumericLessThan", ["5"], ["9", "4"], True),
}


@pytest.mark.parametrize(("operator", "wanted", "actual", "expected"), QUANTIFIED.values(), ids=QUANTIFIED.keys())
def test_quantified(operator: str, wanted: list[str], actual: list[str], *, expected: bool) -> None:
    assert holds(operator, wanted, actual, several=True) is expected
    assert holds(operator, wanted, actual, several=True, deny=True) is expected


def test_several_values_without_a_quantifier() -> None:
    """Nothing is promised for them: an Allow never matches, a Deny where any of the values satisfies it."""
    assert not holds("StringEquals", ["a", "b"], ["a", "b"])
    assert not holds("StringNotEquals", ["a"], ["b", "c"])
    assert not holds("StringLike", ["*"], ["a"], several=True)
    assert holds("StringEquals", ["a"], ["b", "a"], deny=True)
    assert holds("StringNotEquals", ["a"], ["b", "a"], deny=True)
    assert not holds("StringEquals", ["c"], ["b", "a"], deny=True)
    assert not holds("StringNotEquals", ["a"], ["a"], deny=True, several=True)


DOUBTS: dict[str, tuple[str, list[str], str]] = {
    "unknown_operator": ("StringLik", ["a"], "a"),
    "operators_are_case_sensitive": ("stringequals", ["a"], "a"),
    "unknown_quantifier": ("ForSomeValues:StringEquals", ["a"], "a"),
    "null_takes_no_affix": ("NullIfExists", ["true"], "a"),
    "null_takes_no_quantifier": ("ForAnyValue:Null", ["true"], "a"),
    "colon_alone": (":StringEquals", ["a"], "a"),
    "if_exists_twice": ("StringEqualsIfExistsIfExists", ["a"], "a"),
    "null_of_what": ("Null", ["maybe"], "a"),
    "number_in_the_policy": ("NumericEquals", ["ten"], "10"),
    "number_in_the_request": ("NumericLessThan", ["10"], "NaN"),
    "number_in_the_request_negated": ("NumericNotEquals", ["10"], "1_0"),
    "endless_number": ("NumericLessThan", ["1"], "1" * 65),
    "infinity": ("NumericLessThan", ["Infinity"], "1"),
    "date_in_the_policy": ("DateLessThan", ["tomorrow"], "2024-01-01"),
    "date_that_never_was": ("DateGreaterThan", ["2024-02-30"], "2025-01-01"),
    "date_or_seconds": ("DateGreaterThan", ["2024"], "2025-01-01"),
    "date_in_the_request_negated": ("DateNotEquals", ["2024-01-01"], "soon"),
    "bool_in_the_policy": ("Bool", ["yes"], "true"),
    "bool_in_the_request": ("Bool", ["true"], "1"),
    "binary_in_the_request": ("BinaryEquals", ["aGk="], "aGk"),
    "range_in_the_policy": ("IpAddress", ["10.0.0/8"], "10.0.0.1"),
    "netmask": ("IpAddress", ["10.0.0.0/255.0.0.0"], "10.0.0.1"),
    "prefix_too_long": ("IpAddress", ["10.0.0.0/33"], "10.0.0.0"),
    "range_in_the_policy_negated": ("NotIpAddress", ["10.0.0.0/x"], "10.0.0.1"),
    "address_in_the_request": ("IpAddress", ["10.0.0.0/8"], "10.0.0.01"),
    "address_in_the_request_negated": ("NotIpAddress", ["10.0.0.0/8"], "unknown"),
    "address_with_a_zone": ("IpAddress", ["fe80::/10"], "fe80::1%eth0"),
    "variable_in_an_address": ("IpAddress", ["${aws:SourceIp}"], "10.0.0.1"),
    "arn_in_the_policy": ("ArnLike", ["*"], "arn:aws:s3:::a"),
    "arn_in_the_request": ("ArnLike", ["arn:aws:s3:::*"], "a"),
    "arn_in_the_request_negated": ("ArnNotLike", ["arn:aws:s3:::*"], "arn:aws:s3"),
}


@pytest.mark.parametrize(("operator", "wanted", "actual"), DOUBTS.values(), ids=DOUBTS.keys())
def test_doubt_allows_less(operator: str, wanted: list[str], actual: str) -> None:
    assert not holds(operator, wanted, actual)
    assert holds(operator, wanted, actual, deny=True)
    if operators.form(operator) and operator != "Null":
        for quantifier in ("ForAllValues:", "ForAnyValue:"):
            assert not holds(quantifier + operator, wanted, [actual], several=True)
            assert holds(quantifier + operator, wanted, [actual], several=True, deny=True)


def test_what_can_be_read_still_decides() -> None:
    assert holds("IpAddress", ["nonsense", "10.0.0.0/8"], "10.0.0.1")
    assert not holds("NotIpAddress", ["nonsense", "10.0.0.0/8"], "10.0.0.1", deny=True)
    assert holds("NumericEquals", ["x", "5"], "5")
    assert holds("ArnLike", ["x", "arn:aws:s3:::*"], "arn:aws:s3:::b")
    assert not holds("ForAllValues:NumericLessThan", ["5"], ["9", "x"], deny=True)
    assert holds("ForAnyValue:NumericLessThan", ["5"], ["x", "4"])


def test_forms() -> None:
    made = operators.form("ForAnyValue:StringLikeIfExists")
    assert made is not None
    assert (made.name, made.quantifier, made.if_exists, made.missing) == ("StringLike", "ForAnyValue", True, True)
    assert operators.form("StringLik") is None


def resolved(operator: str, wanted: str, context: dict[str, str | list[str]], *, deny: bool = False) -> tuple[bool, list[str]]:
    made = conditions.compiled(Condition(operator, "k:e", (wanted,)), deny=deny, dynamic=True)
    return made.test(keys.context(context)), [variable.key for variable in made.referred]


def test_variables_in_values() -> None:
    tag = "${aws:PrincipalTag/team}"
    assert resolved("StringEquals", tag, {"k:e": "red", "aws:PrincipalTag/team": "red"}) == (True, ["aws:principaltag/team"])
    assert resolved("StringEquals", tag, {"k:e": "red", "aws:PrincipalTag/team": "blue"})[0] is False
    assert resolved("StringNotEquals", tag, {"k:e": "red", "aws:PrincipalTag/team": "blue"})[0] is True
    assert resolved("StringEqualsIgnoreCase", tag, {"k:e": "RED", "aws:PrincipalTag/team": "red"})[0] is True
    assert resolved("StringLike", f"{tag}-*", {"k:e": "red-1", "aws:PrincipalTag/team": "red"})[0] is True
    assert resolved("StringLike", f"{tag}-*", {"k:e": "red-1", "aws:PrincipalTag/team": "r*"})[0] is False
    assert resolved("ArnEquals", "${aws:PrincipalArn}", {"k:e": "arn:aws:s3:::a", "aws:PrincipalArn": "arn:aws:s3:::a"})[0] is True
    assert resolved("StringEquals", "${k:f, 'red'}", {"k:e": "red"})[0] is True


@pytest.mark.parametrize(
    ("operator", "holds_"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringLike", False),
        ("ArnNotLike", True),
        ("ForAllValues:StringEquals", False),
        ("ForAnyValue:StringNotEquals", True),
        ("StringEqualsIfExists", False),
    ],
)
def test_a_variable_without_a_value_equals_nothing(operator: str, *, holds_: bool) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html, "Policy variables with no value"."""
    assert resolved(operator, "${k:f}", {"k:e": "x"}, deny=False)[0] is holds_
    assert resolved(operator, "${k:f}", {"k:e": "x"}, deny=True)[0] is holds_


def test_a_missing_key_does_not_equal_a_missing_variable() -> None:
    assert resolved("StringEquals", "${k:f}", {})[0] is False
    assert resolved("StringEquals", "${k:f}", {}, deny=True)[0] is False


def test_several_values_against_a_variable() -> None:
    context: dict[str, str | list[str]] = {"k:e": ["red", "blue"], "k:f": "red"}
    assert resolved("StringEquals", "${k:f}", context)[0] is False
    assert resolved("StringEquals", "${k:f}", context, deny=True)[0] is True
    assert resolved("ForAnyValue:StringEquals", "${k:f}", context)[0] is True
    assert resolved("ForAllValues:StringEquals", "${k:f}", context)[0] is False


def test_older_documents_compare_the_text_of_variables() -> None:
    made = conditions.compiled(Condition("StringEquals", "k:e", ("${k:f}",)), deny=False, dynamic=False)
    assert made.referred == ()
    assert made.test(keys.context({"k:e": "${k:f}", "k:f": "x"}))
    assert not made.test(keys.context({"k:e": "x", "k:f": "x"}))


def found(operator: str, *values: str) -> list[anchors.Anchor]:
    return list(conditions.anchored(Condition(operator, "K:E", values), dynamic=True))


def test_anchors() -> None:
    assert found("StringEquals", "a", "b") == [((("k:e", "text", 0), "a"), (("k:e", "text", 0), "b"))]
    assert found("StringLike", "ab*cde") == [((("k:e", "start", 2), "ab"),), ((("k:e", "end", 3), "cde"),)]
    assert found("StringLike", "ab*", "c") == [((("k:e", "start", 2), "ab"), (("k:e", "start", 1), "c"))]
    assert found("StringLike", "*ab") == [((("k:e", "end", 2), "ab"),)]
    assert [[kind[1] for kind, _ in anchor] for anchor in found("IpAddress", "10.0.0.0/8", "::1")] == [["address", "address"]]


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("StringEquals", "${k:f}"),
        ("StringLike", "a${k:f}"),
        ("StringNotEquals", "a"),
        ("StringEqualsIfExists", "a"),
        ("ForAnyValue:StringEquals", "a"),
        ("StringLike", "*a*"),
        ("StringEqualsIgnoreCase", "a"),
        ("ArnLike", "arn:aws:s3:::a"),
        ("IpAddress", "nonsense"),
        ("Null", "true"),
        ("Nonsense", "a"),
    ],
)
def test_no_anchor(operator: str, value: str) -> None:
    assert found(operator, value) == []


@pytest.mark.parametrize("deny", [False, True])
def test_more_values_than_are_allowed_are_an_error(*, deny: bool) -> None:
    """Also in a context that was made by hand, whose size nobody has looked at."""
    made = conditions.compiled(Condition("ForAnyValue:StringEquals", "K:E", ("x",)), deny=deny, dynamic=True)
    assert made.test(keys.Context({"k:e": ("x",) * 256}))
    with pytest.raises(ValueError, match="condition key `k:e` has 257 values; at most 256 are allowed"):
        made.test(keys.Context({"k:e": ("x",) * 257}))
