"""Text becomes frozen statements, or MalformedPolicyDocument; nothing in between."""

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from sekisho.errors import MalformedPolicyDocument
from sekisho.policy import document
from sekisho.policy.document import Condition, Policy, Principals, Statement

SYNTAX = "Syntax errors in policy."


def policy(**statement: Any) -> str:
    """A document of one statement that differs from a good one as told; a value of None leaves the element out."""
    whole = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | statement
    return json.dumps({"Version": "2012-10-17", "Statement": [{k: v for k, v in whole.items() if v is not None}]})


def refusal(text: str) -> str:
    with pytest.raises(MalformedPolicyDocument) as refused:
        document.parse(text)
    return refused.value.message


def test_a_whole_document() -> None:
    text = """{
      "Version": "2012-10-17",
      "Id": "example",
      "Statement": [
        {
          "Sid": "Read", "Effect": "Allow", "Principal": {"AWS": ["111122223333", "*"], "Service": "a.b"},
          "Action": ["s3:Get*", "S3:list*"], "NotResource": "arn:aws:s3:::secret/*",
          "Condition": {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a*", "b"]}, "NumericLessThan": {"s:max": [10, "20", 1.50]}}
        },
        {"Effect": "Deny", "NotPrincipal": "*", "NotAction": "iam:*", "Resource": "*", "Condition": {"Bool": {"aws:x": false}}}
      ]
    }"""
    assert document.parse(text) == Policy(
        version="2012-10-17",
        id="example",
        statements=(
            Statement(
                index=0,
                sid="Read",
                effect="Allow",
                principals=Principals(everyone=True, aws=("111122223333", "*"), service=("a.b",)),
                not_principal=False,
                actions=("s3:Get*", "S3:list*"),
                not_action=False,
                resources=("arn:aws:s3:::secret/*",),
                not_resource=True,
                conditions=(
                    Condition("ForAnyValue:StringLikeIfExists", "aws:TagKeys", ("a*", "b")),
                    Condition("NumericLessThan", "s:max", ("10", "20", "1.50")),
                ),
                line=5,
            ),
            Statement(
                index=1,
                sid=None,
                effect="Deny",
                principals=Principals(everyone=True, any=True),
                not_principal=True,
                actions=("iam:*",),
                not_action=True,
                resources=("*",),
                not_resource=False,
                conditions=(Condition("Bool", "aws:x", ("false",)),),
                line=10,
            ),
        ),
    )


def test_a_statement_without_a_list_and_without_version_or_resource() -> None:
    read = document.parse(
        '{\n"Statement":\n{"Effect":"Allow","Principal":{"Federated":"a.example","CanonicalUser":"79a5"},"Action":"sts:AssumeRole"}}'
    )
    assert read.version == "2008-10-17"
    assert read.id is None
    (statement,) = read.statements
    assert statement.resources is None
    assert statement.principals == Principals(federated=("a.example",), canonical=("79a5",))
    assert statement.line == 3


def test_from_json_reads_the_same_without_lines() -> None:
    value = {
        "Statement": {"Effect": "Deny", "Action": ["*"], "Resource": ["*"], "Condition": {"NumericEquals": {"a:b": [7, 7.5, True, "x"]}}}
    }
    (statement,) = document.from_json(value).statements
    assert statement.conditions == (Condition("NumericEquals", "a:b", ("7", "7.5", "true", "x")),)
    assert statement.line == 0


def test_statements_are_frozen() -> None:
    (statement,) = document.parse(policy()).statements
    with pytest.raises(FrozenInstanceError):
        statement.effect = "Deny"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            '{"Statement": [\n{"Effect":"Allow","Action":"*"},{"Effect":"Allow","Action":"*"},\n\n{"Effect":"Allow","Action":"*"}]}',
            [2, 2, 4],
        ),
        (
            '{"Id":"{\\n[\\"",\n"\\u0053tatement":[{"Effect":"Allow","Action":"*","Condition":\n{"Null":{}}},\n{"Effect":"Allow","Action":"*"}]}',
            [2, 4],
        ),
        ('\n\n{"Statement":\n\n{"Effect":"Allow","Action":"*","Condition":\n{"Null":{"a":[]}}}}', [5]),
    ],
    ids=["lists", "escapes_and_brackets_in_strings", "one_statement"],
)
def test_lines(text: str, lines: list[int]) -> None:
    assert [statement.line for statement in document.parse(text).statements] == lines


NOT_STRICT_JSON = {
    "empty": "",
    "no_json": "This is not a json document",
    "truncated": '{"Statement":',
    "trailing_text": policy() + "x",
    "two_documents": policy() * 2,
    "single_quotes": "{'Statement': []}",
    "trailing_comma": '{"Statement":[{"Effect":"Allow","Action":"*"},]}',
    "comment": '{"Statement":{"Effect":"Allow","Action":"*"}/* */}',
    "nan": '{"Statement":{"Effect":"Allow","Action":"*","Condition":{"NumericEquals":{"a:b":NaN}}}}',
    "infinity": '{"Statement":{"Effect":"Allow","Action":"*","Condition":{"NumericEquals":{"a:b":-Infinity}}}}',
    "number_of_41_characters": '{"Statement":{"Effect":"Allow","Action":"*","Condition":{"NumericEquals":{"a:b":' + "1" * 41 + "}}}}",
    "duplicate_element": '{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*"}}',
    "duplicate_element_by_escape": '{"Statement":{"Effect":"Deny","\\u0045ffect":"Allow","Action":"*"}}',
    "duplicate_condition_key": '{"Statement":{"Effect":"Deny","Action":"*","Condition":{"Bool":{"a:b":"true","a:b":"false"}}}}',
    "byte_order_mark": "\ufeff" + policy(),
    "character_above_00ff": policy(Sid="a").replace('"a"', '"\u0100"'),
    "no_break_space_between_tokens": policy().replace(" ", "\u00a0"),
    "form_feed": policy().replace(" ", "\f"),
    "nul": policy(Sid="a").replace('"a"', '"\0"'),
    "raw_tab_in_string": policy(Sid="a").replace('"a"', '"\t"'),
    "escaped_nul": policy(Sid="a\0"),
    "escaped_control_character": policy(Sid="a\x1b"),
    "escaped_nul_in_a_key": policy(Condition={"StringEquals": {"a:\0": "b"}}),
    "lone_surrogate": policy(Sid="\ud800"),
    "lone_surrogate_in_a_condition": policy(Condition={"StringEquals": {"a:b": "\udc00"}}),
    "33_levels": policy(Condition={"StringEquals": {"a:b": []}}).replace("[]}}", "[" * 28 + "]" * 28 + "}}"),
    "131073_characters": policy() + " " * (131_073 - len(policy())),
}


@pytest.mark.parametrize("text", NOT_STRICT_JSON.values(), ids=NOT_STRICT_JSON.keys())
def test_what_is_no_strict_json_is_a_syntax_error(text: str) -> None:
    assert refusal(text) == SYNTAX


def test_what_is_just_allowed() -> None:
    document.parse(policy() + " " * (131_072 - len(policy())))
    document.parse(policy(Sid="caf\u00e9", Condition={"StringEquals": {"a:b": "\u95a2\u6240 \U0001f6a7 tab\there"}}))
    numbers = '{"Statement":{"Effect":"Allow","Action":"*","Condition":{"NumericEquals":{"a:b":' + "1" * 40 + "}}}}"
    assert document.parse(numbers).statements[0].conditions[0].values == ("1" * 40,)


@pytest.mark.bounded
@pytest.mark.parametrize(
    "text",
    [
        "x" * 100_000_000,
        "[" * 100_000,
        '{"a":' * 20_000,
        "1" * 100_000,
        '{"Id":' + "9" * 100_000 + "}",
        '"' + "\\" * 100_000,
        '"a' * 50_000,
    ],
    ids=["100_megabytes", "deep_lists", "deep_objects", "giant_number", "giant_number_inside", "backslashes", "quotes"],
)
def test_hostile_texts_are_refused_at_once(text: str) -> None:
    import time

    started = time.process_time()
    assert refusal(text) == SYNTAX
    assert time.process_time() - started < 1  # measured: at most 7 ms


GRAMMAR = {
    "a_list": "[]",
    "a_string": '"*"',
    "null": "null",
    "no_statement": '{"Version": "2012-10-17"}',
    "no_statements": '{"Version": "2012-10-17", "Statement": []}',
    "statement_is_null": '{"Statement": null}',
    "statement_is_a_string": '{"Statement": ["afd"]}',
    "unknown_document_element": policy()[:-1] + ', "Extra": "value"}',
    "element_in_another_case": policy()[:-1].replace('"Version"', '"version"') + "}",
    "unknown_statement_element": policy(Extra="value"),
    "statement_element_in_another_case": policy(effect="Allow"),
    "version_unknown": policy().replace("2012-10-17", "2013-10-17"),
    "version_number": policy().replace('"2012-10-17"', "2012"),
    "id_list": policy()[:-1] + ', "Id": ["a"]}',
    "no_effect": policy(Effect=None),
    "effect_unknown": policy(Effect="invalid"),
    "effect_list": policy(Effect=["Allow"]),
    "sid_object": policy(Sid={}),
    "sid_number": policy(Sid=1),
    "action_and_not_action": policy(NotAction="s3:*"),
    "action_empty_and_not_action": policy(Action=[], NotAction="s3:*"),
    "action_object": policy(Action={}),
    "action_list_of_lists": policy(Action=[[]]),
    "action_number": policy(Action=1),
    "resource_and_not_resource": policy(NotResource=[]),
    "resource_object": policy(Resource={"a": "*"}),
    "resource_list_with_object": policy(Resource=["*", {}]),
    "principal_and_not_principal": policy(Principal="*", NotPrincipal="*"),
    "principal_other_string": policy(Principal="111122223333"),
    "principal_list": policy(Principal=["*"]),
    "principal_unknown_kind": policy(Principal={"aws": "*"}),
    "principal_number": policy(Principal={"AWS": 111122223333}),
    "condition_list": policy(Condition=[]),
    "condition_string": policy(Condition="a"),
    "condition_operator_string": policy(Condition={"Bool": "b"}),
    "condition_operator_list": policy(Condition={"Bool": []}),
    "condition_value_object": policy(Condition={"Bool": {"a:b": {}}}),
    "condition_value_null": policy(Condition={"Bool": {"a:b": None}}),
    "condition_value_list_of_lists": policy(Condition={"Bool": {"a:b": [["true"]]}}),
    "syntax_before_missing_action": policy(Action=None, Effect="invalid"),
    "syntax_in_a_later_statement_before_missing_action": json.dumps({"Statement": [{"Effect": "Allow"}, {"Effect": 1, "Action": "*"}]}),
}


@pytest.mark.parametrize("text", GRAMMAR.values(), ids=GRAMMAR.keys())
def test_what_breaks_the_grammar_is_a_syntax_error(text: str) -> None:
    assert refusal(text) == SYNTAX


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (policy(Action=None), "Policy statement must contain actions."),
        (policy(Action=[]), "Policy statement must contain actions."),
        (policy(Action=None, NotAction=[]), "Policy statement must contain actions."),
        (policy(Resource=[]), "Policy statement must contain resources."),
        (policy(Effect="allow"), "The policy failed legacy parsing"),
        (policy(Effect="denY"), "The policy failed legacy parsing"),
    ],
    ids=["no_action", "empty_action", "empty_not_action", "empty_resource", "effect_in_another_case", "deny_in_another_case"],
)
def test_aws_has_a_sentence(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


@pytest.mark.parametrize(
    "text",
    [
        policy(Condition={}),
        policy(Condition={"DateGreaterThan": {}}),
        policy(Condition={"DateGreaterThan": {"a": []}}),
        policy(Sid=""),
        policy(Resource=None),
        policy(Principal={}),
        policy(Principal={"AWS": []}),
    ],
    ids=["no_condition", "no_key", "no_value", "empty_sid", "no_resource", "principal_object_empty", "principal_list_empty"],
)
def test_emptiness_that_aws_takes(text: str) -> None:
    document.parse(text)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), 2**129, None, b"x", object()],
    ids=["nan", "infinity", "giant", "none", "bytes", "object"],
)
def test_from_json_refuses_what_is_no_json(value: object) -> None:
    with pytest.raises(MalformedPolicyDocument, match=r"^Syntax errors in policy\.$"):
        document.from_json({"Statement": {"Effect": "Allow", "Action": "*", "Condition": {"Bool": {"a:b": value}}}})


def test_from_json_refuses_keys_that_are_no_strings() -> None:
    with pytest.raises(MalformedPolicyDocument, match=r"^Syntax errors in policy\.$"):
        document.from_json({"Statement": {"Effect": "Allow", "Action": "*", 1: 2}})
