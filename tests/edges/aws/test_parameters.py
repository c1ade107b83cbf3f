"""Parameters of the Query protocol: from texts to a message, and what is refused, with the words that a caller is told."""

from functools import cache
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from sekisho.edges.aws import errors, form, parameters
from sekisho.edges.aws.errors import MalformedInput
from sekisho.edges.aws.shapes import Structure
from tests.edges.aws import toys

KINDS: dict[str, Any] = {
    "Text": {"shape": "Text", "locationName": "text"},
    "Whole": "Whole",
    "Flag": "Flag",
    "Data": "Data",
    "At": "Time",
    "Thing": "Thing",
    "Texts": "Texts",
    "Items": "Items",
    "Flat": "Flat",
    "FlatItems": "FlatItems",
    "NotFlatItems": {"shape": "Items", "locationName": "called"},
    "Wholes": "Wholes",
    "Things": "Things",
    "Map": "Map",
    "WholeMap": "WholeMap",
    "NamedMap": "NamedMap",
    "FlatMap": "FlatMap",
    "ThingMap": "ThingMap",
    "Absent": "Text",
}


@cache
def paired() -> tuple[Structure, Any]:
    return toys.paired(KINDS, without=["Absent"])


def read(text: str) -> Any:
    """`a.b=c&d=e`, not encoded."""
    structure, message = paired()
    made = message()
    pairs = dict(pair.split("=", 1) for pair in text.split("&")) if text else {}
    parameters.Readers().structure(structure)(form.tree(pairs), made, "")
    return made


READ: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("text=é", {"text": "é"}),
    ("text=", {"text": ""}),
    ("Whole=-5", {"whole": -5}),
    ("Flag=false", {"flag": False}),
    ("Data=AP8=", {"data": b"\x00\xff"}),
    ("At=2026-01-02T03:04:05Z", {"at": Timestamp(seconds=1_767_323_045)}),
    ("Thing.Name=n&Thing.Inner.Size=1", {"thing": {"name": "n", "inner": {"size": 1}}}),
    ("Texts=", {}),
    ("Texts.member.1=b&Texts.member.2=a", {"texts": ["b", "a"]}),
    ("Texts.member.2=a&Texts.member.1=b", {"texts": ["b", "a"]}),
    ("&".join(f"Texts.member.{number}={number}" for number in range(12, 0, -1)), {"texts": [str(number) for number in range(1, 13)]}),
    ("Items.item.1=a", {"items": ["a"]}),
    ("Flat.1=a&Flat.2=b", {"flat": ["a", "b"]}),
    ("item.1=a", {"flat_items": ["a"]}),
    ("called.item.1=a", {"not_flat_items": ["a"]}),
    ("Wholes.member.1=0", {"wholes": [0]}),
    ("Things.member.1.Name=a&Things.member.2.Parts.member.1.Size=2", {"things": [{"name": "a"}, {"parts": [{"size": 2}]}]}),
    ("Map.entry.1.key=a&Map.entry.1.value=1&Map.entry.2.key=b&Map.entry.2.value=", {"map": {"a": "1", "b": ""}}),
    ("WholeMap.entry.1.key=a&WholeMap.entry.1.value=1", {"whole_map": {"a": 1}}),
    ("NamedMap.entry.1.k=a&NamedMap.entry.1.v=1", {"named_map": {"a": "1"}}),
    ("FlatMap.1.key=a&FlatMap.1.value=1", {"flat_map": {"a": "1"}}),
    (
        "ThingMap.entry.1.key=a&ThingMap.entry.1.value.Name=n&ThingMap.entry.2.key=b&ThingMap.entry.2.value.Size=1",
        {"thing_map": {"a": {"name": "n"}, "b": {"size": 1}}},
    ),
    ("Map=", {}),
]


@pytest.mark.parametrize(("text", "fields"), READ)
def test_parameters_are_read(text: str, fields: dict[str, Any]) -> None:
    assert read(text) == paired()[1](**fields)


def test_a_structure_is_there_though_nothing_is_in_it() -> None:
    structure, message = paired()
    made = message()
    parameters.Readers().structure(structure)({"Thing": {}}, made, "")
    assert made.HasField("thing")


def test_one_reader_reads_again() -> None:
    structure, message = paired()
    readers = parameters.Readers()
    for _ in range(2):
        made = message()
        readers.structure(structure)({"text": "x", "Thing": {"Name": "n"}}, made, "")
        assert (made.text, made.thing.name) == ("x", "n")


NO_VALUE = "is not a value that the parameter can have."
ITEMS, KEYS, GAPS = "The items of 'Texts' are called 'Texts.member.N'.", "needs 'key' and 'value'.", "are numbered from 1, without gaps."
REFUSED = [
    ("Whole=x", f"'x' at 'Whole' {NO_VALUE}"),
    ("Whole=2147483648", f"'2147483648' at 'Whole' {NO_VALUE}"),
    ("Flag=yes", f"'yes' at 'Flag' {NO_VALUE}"),
    ("At=now", f"'now' at 'At' {NO_VALUE}"),
    ("At.x=now", f"a structure or list at 'At' {NO_VALUE}"),
    ("At=0001-01-01T00:00:00%2B10:00".replace("%2B", "+"), f"'0001-01-01T00:00:00+10:00' at 'At' {NO_VALUE}"),
    (f"Whole={'x' * 65}", f"'{'x' * 64}' at 'Whole' {NO_VALUE}"),
    ("Whole.x=1", f"a structure or list at 'Whole' {NO_VALUE}"),
    ("Thing=x", "The parameter 'Thing' is a structure."),
    ("Thing.Inner=", "The parameter 'Thing.Inner' is a structure."),
    ("Thing.Size=x", f"'x' at 'Thing.Size' {NO_VALUE}"),
    ("Things.member.1=x", "The parameter 'Things.1' is a structure."),
    ("Things.member.1.Size=x", f"'x' at 'Things.1.Size' {NO_VALUE}"),
    ("Texts=x", "The parameter 'Texts' is a list."),
    ("Texts.1=x", ITEMS),
    ("Texts.member.1=x&Texts.item.1=x", ITEMS),
    ("Texts.member=x", ITEMS),
    ("Texts.member.2=x", f"The items of 'Texts' {GAPS}"),
    ("Texts.member.0=x", f"The items of 'Texts' {GAPS}"),
    ("Texts.member.1=x&Texts.member.3=x", f"The items of 'Texts' {GAPS}"),
    ("Texts.member.01=x", f"The items of 'Texts' {GAPS}"),
    ("Flat.2=x", f"The items of 'Flat' {GAPS}"),
    ("Flat.member.1=x", f"The items of 'Flat' {GAPS}"),
    ("Flat=x", "The parameter 'Flat' is a list."),
    ("Texts.member.1.x=x", f"a structure or list at 'Texts.1' {NO_VALUE}"),
    ("Wholes.member.1=1&Wholes.member.2=x", f"'x' at 'Wholes.2' {NO_VALUE}"),
    ("Wholes.member.1=2147483648", f"'2147483648' at 'Wholes.1' {NO_VALUE}"),
    ("Map.entry.1.key=a", f"'Map.1' {KEYS}"),
    ("Map.entry.1=a", f"'Map.1' {KEYS}"),
    ("Map.entry.1.key=a&Map.entry.1.value=1&Map.entry.1.more=1", f"'Map.1' {KEYS}"),
    ("NamedMap.entry.1.key=a&NamedMap.entry.1.value=1", "'NamedMap.1' needs 'k' and 'v'."),
    ("NamedMap.entry.1=kv", "'NamedMap.1' needs 'k' and 'v'."),
    ("Map.entry.1.key=a&Map.entry.1.value=1&Map.entry.2.key=a&Map.entry.2.value=1", "The key at 'Map.2' is given twice."),
    ("Map.entry.1.key.x=a&Map.entry.1.value=1", f"a structure or list at 'Map.1' {NO_VALUE}"),
    ("Map.entry.1.key=a&Map.entry.1.value.x=1", f"a structure or list at 'Map.1' {NO_VALUE}"),
    ("WholeMap.entry.1.key=a&WholeMap.entry.1.value=x", f"'x' at 'WholeMap.1' {NO_VALUE}"),
    ("WholeMap.entry.1.key=a&WholeMap.entry.1.value=2147483648", f"'2147483648' at 'WholeMap.1' {NO_VALUE}"),
    ("ThingMap.entry.1.key=a&ThingMap.entry.1.value=x", "The parameter 'ThingMap.1' is a structure."),
    ("ThingMap.entry.1.key=a&ThingMap.entry.1.value.Size=x", f"'x' at 'ThingMap.1.Size' {NO_VALUE}"),
    ("Map=x", "The parameter 'Map' is a list."),
    ("Colour=red", "The operation has no parameter 'Colour'."),
    ("Text=x", "The operation has no parameter 'Text'."),
    ("NotFlatItems.item.1=x", "The operation has no parameter 'NotFlatItems'."),
    ("FlatItems.1=x", "The operation has no parameter 'FlatItems'."),
    ("Thing.Colour=red", "The operation has no parameter 'Thing.Colour'."),
    (f"Thing.{'x' * 65}=red", f"The operation has no parameter 'Thing.{'x' * 64}'."),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_refusal_says_where(text: str, said: str) -> None:
    with pytest.raises(MalformedInput) as raised:
        read(text)
    assert raised.value.message == said


def test_a_parameter_that_only_aws_has_is_said_to_be_missing_here() -> None:
    with pytest.raises(errors.NotImplemented) as raised:
        read("Absent=x")
    assert raised.value.message == "This server does not have the parameter 'Absent'."


def test_a_missing_parameter_of_a_structure_is_named_in_full() -> None:
    structure, message = toys.paired({"Thing": "Thing"}, without=["Parts"])
    with pytest.raises(errors.NotImplemented) as raised:
        parameters.Readers().structure(structure)({"Thing": {"Parts": ""}}, message(), "")
    assert raised.value.message == "This server does not have the parameter 'Thing.Parts'."
