"""Where the parts of a text stand."""

import pytest

from sekisho.policy import positions
from sekisho.policy.positions import Position

TEXT = """{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": ["s3:Get*", "s3:\\"{[List"], "Resource": "*",
     "Condition": {"NumericLessThan": {"s3:max-keys": 10, "\\u0061": [true, null]}}}
  ]
}"""


@pytest.mark.parametrize(
    ("path", "line", "column", "begins"),
    [
        ((), 1, 1, "{"),
        (("Version",), 2, 14, '"2012'),
        (("Statement",), 3, 16, "["),
        (("Statement", 0), 4, 5, '{"Effect'),
        (("Statement", 0, "Action", 1), 4, 47, '"s3:\\"{[List'),
        (("Statement", 0, "Resource"), 4, 75, '"*"'),
        (("Statement", 0, "Condition", "NumericLessThan", "s3:max-keys"), 5, 55, "10"),
        (("Statement", 0, "Condition", "NumericLessThan", "a", 1), 5, 76, "null"),
    ],
)
def test_every_value_has_its_place(path: tuple[str | int, ...], line: int, column: int, begins: str) -> None:
    place = positions.locate(TEXT).at(path)
    assert (place.line, place.column) == (line, column)
    assert TEXT[place.offset :].startswith(begins)


def test_a_key_has_its_place() -> None:
    assert positions.locate(TEXT).at(("Statement", 0, "Effect"), key=True) == Position(4, 6, 51)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("Statement", 0, "Resource", 0), ("Statement", 0, "Resource")),
        (("Statement", 0, "Principal", "AWS", 0), ("Statement", 0)),
        (("Statement", 7, "Effect"), ("Statement",)),
        (("Id",), ()),
    ],
    ids=["index_into_a_single_value", "absent_element", "absent_statement", "absent_at_the_root"],
)
def test_what_the_text_lacks_is_at_what_it_would_be_in(path: tuple[str | int, ...], found: tuple[str | int, ...]) -> None:
    assert positions.locate(TEXT).resolve(path) == found


def test_a_statement_without_list_is_found_by_its_index() -> None:
    assert positions.locate('{"Statement": {"Effect": "Allow"}}').resolve(("Statement", 0, "Effect")) == ("Statement", "Effect")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ((), "$"),
        (("Statement", 0, "Action", 1), "$.Statement[0].Action[1]"),
        (("Statement", "Condition", "Bool", 'aws:"x'), '$.Statement.Condition.Bool["aws:\\"x"]'),
    ],
)
def test_paths_are_shown(path: tuple[str | int, ...], shown: str) -> None:
    assert positions.show(path) == shown


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", 0),
        ("]", 0),
        ('{"a": [1, 2', 4),
        ('{"a": "unclosed', 2),
        ('{1: 2, "b": 3}', 1),
        ('{"\\ud8": 1}', 1),
        ("[" * 100_000, 33),
        ('{"a":' * 20_000, 33),
    ],
    ids=["empty", "closing", "truncated", "unclosed_string", "number_as_key", "broken_escape", "deep_lists", "deep_objects"],
)
def test_what_is_no_json_is_read_as_far_as_it_is(text: str, values: int) -> None:
    assert len(positions.locate(text).values) == values


def test_the_first_repeated_key_is_noted() -> None:
    assert positions.locate('{"a": {"b": 1}, "c": {"b": 2}, "a": 3, "c": 4}').repeated == 31
    assert positions.locate('{"a": {"b": 1}, "c": {"b": 2}}').repeated is None


def test_extents_are_read_once_and_end_behind_the_value() -> None:
    text = '{"Statement": [{"Sid": "a"},\n {"Sid": "b"}], "Id": 7}'
    extents = positions.Extents(text)
    first, second = ("Statement", 0), ("Statement", 1)
    assert [text[extents.begin(path) : extents.end(path)] for path in (first, second, ("Id",))] == ['{"Sid": "a"}', '{"Sid": "b"}', "7"]
    assert (extents.point(extents.begin(second)).line, extents.point(extents.end(second)).column) == (2, 14)
    assert extents.end(second) == extents.end(second)
