"""What statements of named policies come to, by their conditions and their resources."""

from typing import Any

import pytest

from sekisho.policy.residual import ANY, ATOM, ONE, RUN, Inexpressible
from tests.policy.residual.written import (
    EMPTY,
    EXISTS,
    IS_BLUE,
    IS_RED,
    RED,
    arn_is,
    arn_like,
    condition,
    every,
    no,
    some,
    statement,
    tag_in,
    tag_like,
)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (RED, IS_RED),
        (
            {"StringEquals": {"AWS:resourcetag/TEAM": ["red", "Blue"]}},
            tag_in("Blue", "red"),
        ),
        ({"StringNotEquals": {"aws:ResourceTag/team": "red"}}, no(IS_RED)),
        ({"StringNotEqualsIfExists": {"aws:ResourceTag/team": "red"}}, no(IS_RED)),
        ({"StringEqualsIfExists": {"aws:ResourceTag/team": "red"}}, some(no(EXISTS), IS_RED)),
        ({"ForAnyValue:StringEquals": {"aws:ResourceTag/team": "red"}}, IS_RED),
        ({"ForAnyValue:StringNotEquals": {"aws:ResourceTag/team": "red"}}, every(EXISTS, no(IS_RED))),
        ({"ForAnyValue:StringNotEqualsIfExists": {"aws:ResourceTag/team": "red"}}, no(IS_RED)),
        (
            {"ForAllValues:StringEquals": {"aws:ResourceTag/team": "red"}},
            some(no(EXISTS), tag_in("", "red")),
        ),
        ({"ForAllValues:StringNotEquals": {"aws:ResourceTag/team": "red"}}, some(no(IS_RED), EMPTY)),
        (
            {"ForAllValues:StringNotEquals": {"aws:ResourceTag/team": ["", "red"]}},
            some(no(tag_in("", "red")), EMPTY),
        ),
        ({"StringEqualsIgnoreCase": {"aws:ResourceTag/team": "ReD"}}, tag_in("red", any_case=True)),
        (
            {"StringLike": {"aws:ResourceTag/team": "r?d*"}},
            tag_like("r", ONE, "d", ANY),
        ),
        ({"StringLike": {"aws:ResourceTag/team": "red"}}, IS_RED),
        ({"StringNotLike": {"aws:ResourceTag/team": "*"}}, no(tag_like(ANY))),
        ({"Null": {"aws:ResourceTag/team": "true"}}, some(no(EXISTS), EMPTY)),
        ({"Null": {"aws:ResourceTag/team": "false"}}, every(EXISTS, no(EMPTY))),
        ({"Null": {"aws:ResourceTag/team": ["true", "false"]}}, True),
        ({"Null": {"aws:ResourceTag/team": "perhaps"}}, False),
        ({"Bool": {"aws:ResourceTag/team": "TRUE"}}, tag_in("true", any_case=True)),
        ({"Bool": {"aws:ResourceTag/team": ["yes", "false"]}}, tag_in("false", any_case=True)),
        ({"StringEquals": {"aws:ResourceTag/team": []}}, False),
        ({"StringNotEquals": {"aws:ResourceTag/team": []}}, True),
        ({"NumericEquals": {"aws:ResourceTag/team": []}}, False),
        ({"StringEqual": {"aws:ResourceTag/team": "red"}}, False),
        ({"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}, IS_RED),
        ({"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/none}"}}, False),
        ({"StringNotEquals": {"aws:ResourceTag/team": ["${aws:PrincipalTag/none}"]}}, True),
        ({"StringEquals": {"aws:ResourceTag/team": ["${aws:PrincipalTag/none}", "red"]}}, IS_RED),
        ({"StringEquals": {"aws:PrincipalTag/team": "${aws:ResourceTag/team}"}}, IS_RED),
        (
            {"StringEquals": {"aws:PrincipalTag/team": "r${aws:ResourceTag/team}"}},
            tag_in("ed"),
        ),
        ({"StringEquals": {"aws:PrincipalTag/team": "x${aws:ResourceTag/team}"}}, False),
        ({"StringNotEquals": {"aws:PrincipalTag/team": "${aws:ResourceTag/team}"}}, some(every(EXISTS, no(IS_RED)), no(EXISTS))),
        ({"StringEquals": {"aws:PrincipalTag/team": "${aws:ResourceTag/team, 'red'}"}}, some(no(EXISTS), IS_RED)),
        ({"StringEquals": {"aws:PrincipalTag/none": "${aws:ResourceTag/team}"}}, False),
        (
            {"StringEqualsIgnoreCase": {"aws:PrincipalTag/team": "R${aws:ResourceTag/team}"}},
            tag_in("ed", any_case=True),
        ),
        (
            {"StringLike": {"aws:PrincipalTag/team": "r*${aws:ResourceTag/team}"}},
            tag_in("", "d", "ed"),
        ),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["${aws:ResourceTag/team}", "blue"]}}, IS_RED),
        (
            {"ForAnyValue:StringEquals": {"aws:TagKeys": ["${aws:ResourceTag/team}"]}},
            tag_in("blue", "red"),
        ),
        ({"StringEquals": {"orders:ResourceTag/team": "red"}}, False),
        ({"StringEquals": {"aws:ResourceTag/": "red"}}, False),
        ({"StringEquals": {"aws:PrincipalTag/team": "red", "aws:ResourceTag/team": "blue"}}, IS_BLUE),
        ({"StringEquals": {"aws:PrincipalTag/team": "blue", "aws:ResourceTag/team": "blue"}}, False),
        ({"NumericEquals": {"aws:ResourceTag/team": "1"}, "StringEquals": {"aws:PrincipalTag/team": "blue"}}, False),
        ({"StringEquals": {"aws:ResourceTag/team": "x" * 256}}, tag_in("x" * 256)),
        ({"StringEqualsIgnoreCase": {"aws:ResourceTag/team": "x" * 256}}, tag_in("x" * 256, any_case=True)),
        ({"StringEqualsIgnoreCase": {"aws:ResourceTag/team": "x" * 257}}, False),
        ({"StringLike": {"aws:ResourceTag/team": "x" * 256 + "*"}}, tag_like("x" * 256, ANY)),
        ({"StringLike": {"aws:ResourceTag/team": "x" * 257 + "*"}}, False),
        ({"StringEquals": {"aws:ResourceTag/" + "x" * 128: "red"}}, tag_in("red", key="x" * 128)),
        ({"StringEquals": {"aws:ResourceTag/team": "x" * 257}}, False),
        ({"StringEquals": {"aws:ResourceTag/" + "x" * 129: "red"}}, False),
    ],
)
def test_a_condition_on_a_tag(when: Any, expected: Any) -> None:
    found = condition(statement(when=when), aws__principaltag_team="red", aws__tagkeys=("red", "blue"))
    assert found == expected


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ({"NumericLessThan": {"aws:ResourceTag/n": "1"}}, "NumericLessThan cannot be said of the tag `n`"),
        ({"DateEquals": {"aws:ResourceTag/n": "2020-01-01"}}, "DateEquals cannot be said of the tag `n`"),
        ({"NotIpAddress": {"aws:ResourceTag/n": "10.0.0.0/8"}}, "NotIpAddress cannot be said of the tag `n`"),
        ({"BinaryEquals": {"aws:ResourceTag/n": "aGVsbG8="}}, "BinaryEquals cannot be said of the tag `n`"),
        (
            {"StringEquals": {"aws:ResourceTag/a": "${aws:ResourceTag/b}"}},
            "the condition on `aws:ResourceTag/a` compares it with another tag",
        ),
        ({"ArnLike": {"aws:PrincipalArn": "${aws:ResourceTag/a}"}}, "the values of ArnLike on `aws:PrincipalArn` are made of tags"),
        (
            {"StringEquals": {"aws:PrincipalArn": ["${aws:ResourceTag/a}", "${aws:ResourceTag/b}"]}},
            "the values of StringEquals on `aws:PrincipalArn` are made of tags",
        ),
        (
            {"StringLike": {"aws:PrincipalArn": "*${aws:ResourceTag/a}"}},
            "too many values of the tag `a` could make a difference to StringLike",
        ),
        (
            {"StringEqualsIgnoreCase": {"aws:ResourceTag/a": "ὀδυσσεύς"}},
            "`ὀδυσσεύς` has a letter that becomes another in lower case by what stands beside it",
        ),
        ({"StringLike": {"aws:ResourceTag/a": "a*" * 65}}, "a pattern has 65 wildcards; at most 64 are said"),
        ({"StringEquals": {"aws:ResourceTag/a": "${orders:Nul}"}}, "a text holds a character that databases do not have"),
    ],
)
def test_what_cannot_be_said_has_its_reason(when: Any, reason: str) -> None:
    with pytest.raises(Inexpressible) as caught:
        condition(statement(when=when), orders__Nul="a\0b", orders__nul="a\0b")
    assert caught.value.reason == reason


def test_what_cannot_be_said_does_not_matter_where_it_decides_nothing() -> None:
    number = {"NumericLessThan": {"aws:ResourceTag/n": "1"}}
    assert condition(statement(), statement(when=number)) is True
    assert condition(statement(when=RED), statement(when=number, on="arn:aws:parcels:*")) == IS_RED
    assert condition(statement(), statement("Deny", when=number), statement("Deny")) is False
    with pytest.raises(Inexpressible):
        condition(statement(), statement("Deny", when=number))


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("*", True),
        ("arn:aws:orders:*", True),
        ("arn:aws:orders:*:111122223333:order/*", True),
        ("arn:aws:orders", True),
        ("arn:aws:parcels:*", False),
        (
            "arn:aws:orders:*:111122223333:shelf/*",
            arn_like("arn:aws:orders:", ANY, ":111122223333:shelf/", ANY),
        ),
        ("arn:aws:orders:eu:111122223333:order/7", {"arn_in": ["arn:aws:orders:eu:111122223333:order/7"]}),
        (
            ["arn:aws:orders:eu:111122223333:order/7", "arn:aws:orders:eu:111122223333:order/6", "arn:aws:orders:eu:1:order/5"],
            {"arn_in": ["arn:aws:orders:eu:111122223333:order/6", "arn:aws:orders:eu:111122223333:order/7"]},
        ),
        (
            "arn:aws:orders:eu:111122223333:order/*/a?",
            arn_like("arn:aws:orders:eu:111122223333:order/", RUN, "/a", ATOM),
        ),
        (
            "arn:aws:orders:eu:111122223333:order/${aws:PrincipalTag/team}/*",
            arn_like("arn:aws:orders:eu:111122223333:order/red/", ANY),
        ),
        ("arn:aws:orders:eu:111122223333:order/${aws:PrincipalTag/none}/*", False),
        (
            "arn:aws:orders:eu:111122223333:order/${aws:ResourceTag/Team}/*",
            arn_is("arn:aws:orders:eu:111122223333:order/", {"tag": "team"}, "/", open_end=True),
        ),
        (
            "arn:aws:orders:eu:111122223333:order/${aws:ResourceTag/Team, 'x'}-${aws:PrincipalTag/team}",
            arn_is("arn:aws:orders:eu:111122223333:order/", {"tag": "team", "default": "x"}, "-", "red"),
        ),
        ("arn:aws:orders:eu:111122223333:order/${aws:ResourceTag/Team}-${aws:PrincipalTag/none}", False),
        ("arn:aws:orders:eu:111122223333:order/" + "x" * 2048, False),
    ],
)
def test_a_resource(on: Any, expected: Any) -> None:
    assert condition(statement(on=on), aws__principaltag_team="red") == expected


def test_a_tag_beside_a_wildcard_in_a_resource_is_not_said() -> None:
    with pytest.raises(Inexpressible, match="has a tag of the resource beside a wildcard"):
        condition(statement(on="arn:aws:orders:*:111122223333:order/${aws:ResourceTag/team}/*"))


@pytest.mark.parametrize(
    ("effect", "spared", "expected"),
    [
        ("Allow", "arn:aws:orders:eu:111122223333:order/7", no({"arn_in": ["arn:aws:orders:eu:111122223333:order/7"]})),
        ("Allow", "arn:aws:orders:*", False),
        ("Allow", ["arn:aws:parcels:*"], True),
        ("Allow", "arn:aws:orders:eu:111122223333:order/${aws:PrincipalTag/none}", False),
        (
            "Allow",
            "arn:aws:orders:eu:111122223333:order/${aws:PrincipalTag/none, 'x'}",
            no({"arn_in": ["arn:aws:orders:eu:111122223333:order/x"]}),
        ),
        (
            "Allow",
            "arn:aws:orders:eu:111122223333:order/${aws:ResourceTag/team}",
            every(no(arn_is("arn:aws:orders:eu:111122223333:order/", {"tag": "team"})), EXISTS),
        ),
        (
            "Deny",
            "arn:aws:orders:eu:111122223333:order/${aws:ResourceTag/team}",
            arn_is("arn:aws:orders:eu:111122223333:order/", {"tag": "team"}),
        ),
        ("Deny", "arn:aws:orders:eu:111122223333:order/${aws:PrincipalTag/none}", False),
        ("Deny", "arn:aws:orders:*", True),
    ],
)
def test_not_resource(effect: str, spared: Any, expected: Any) -> None:
    made = {"Effect": effect, "Action": "orders:*", "NotResource": spared}
    assert condition(*([made] if effect == "Allow" else [made, statement()])) == expected
