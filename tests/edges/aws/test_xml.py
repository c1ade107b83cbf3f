"""Messages as the XML of the Query protocol, text by text."""

from functools import cache
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from sekisho.edges.aws import xml
from sekisho.edges.aws.presence import Presence
from sekisho.edges.aws.shapes import Structure
from tests.edges.aws import toys

KINDS: dict[str, Any] = {
    "Text": {"shape": "Text", "locationName": "text"},
    "Letter": "Letter",
    "Whole": "Whole",
    "Flag": "Flag",
    "Data": "Data",
    "At": "Time",
    "Policy": "policyDocumentType",
    "Thing": "Thing",
    "Texts": "Texts",
    "Items": "Items",
    "Flat": "Flat",
    "FlatItems": "FlatItems",
    "Things": "Things",
    "Map": "Map",
    "NamedMap": "NamedMap",
    "FlatMap": "FlatMap",
    "ThingMap": "ThingMap",
}
NEEDED = "<Needed/>"


@cache
def paired() -> tuple[Structure, Any]:
    return toys.paired(KINDS)


def written(presence: Presence | None = None, *, top: bool = False, **fields: Any) -> str:
    out: list[str] = []
    xml.Writers().structure(paired()[0], presence or Presence(), top=top)(paired()[1](**fields), out.append)
    return "".join(out)


WRITTEN: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"text": "a<b"}, "<text>a&lt;b</text>"),
    ({"text": ""}, "<text></text>"),
    ({"letter": "&"}, "<Letter>&amp;</Letter>"),
    ({"whole": -1}, "<Whole>-1</Whole>"),
    ({"whole": 0}, "<Whole>0</Whole>"),
    ({"flag": False}, "<Flag>false</Flag>"),
    ({"flag": True}, "<Flag>true</Flag>"),
    ({"data": b"\x00\xff"}, "<Data>AP8=</Data>"),
    ({"at": Timestamp(seconds=0)}, "<At>1970-01-01T00:00:00Z</At>"),
    ({"policy": '{"a/b": "é"}'}, "<Policy>%7B%22a%2Fb%22%3A%20%22%C3%A9%22%7D</Policy>"),
    ({"thing": {}}, f"<Thing>{NEEDED}</Thing>"),
    ({"thing": {"name": "n", "inner": {"size": 0}}}, f"<Thing><Name>n</Name><Inner><Size>0</Size>{NEEDED}</Inner>{NEEDED}</Thing>"),
    ({"texts": ["b", "a", ""]}, "<Texts><member>b</member><member>a</member><member></member></Texts>"),
    ({"items": ["a", "b"]}, "<Items><item>a</item><item>b</item></Items>"),
    ({"flat": ["a", "b"]}, "<Flat>a</Flat><Flat>b</Flat>"),
    ({"flat_items": ["a", "b"]}, "<item>a</item><item>b</item>"),
    ({"things": [{"size": 1}, {}]}, f"<Things><member><Size>1</Size>{NEEDED}</member><member>{NEEDED}</member></Things>"),
    ({"map": {"b": "&", "a": "1"}},
     "<Map><entry><key>a</key><value>1</value></entry><entry><key>b</key><value>&amp;</value></entry></Map>"),
    ({"map": {"<": ""}}, "<Map><entry><key>&lt;</key><value></value></entry></Map>"),
    ({"named_map": {"a": "1"}}, "<NamedMap><entry><k>a</k><v>1</v></entry></NamedMap>"),
    ({"flat_map": {"a": "1", "b": "2"}}, "<FlatMap><key>a</key><value>1</value></FlatMap><FlatMap><key>b</key><value>2</value></FlatMap>"),
    ({"thing_map": {"a": {"size": 1}}},
     f"<ThingMap><entry><key>a</key><value><Size>1</Size>{NEEDED}</value></entry></ThingMap>"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "text"), WRITTEN)
def test_message_is_written(fields: dict[str, Any], text: str) -> None:
    assert written(**fields) == text


def test_empty_lists_are_written_at_the_top_unless_they_are_flat() -> None:
    tags = ("Texts", "Items", "Things", "Map", "NamedMap", "ThingMap")
    assert written(top=True) == "".join(f"<{tag}/>" for tag in tags)


def test_presence_says_what_is_written() -> None:
    rows = {
        (("Texts",), "empty"),
        (("Items",), "absent"),
        (("Text",), "never"),
        (("Thing", "Parts"), "empty"),
        (("Things", "Needed"), "never"),
    }
    known = Presence(frozenset(rows))
    assert written(known, text="x", whole=1, thing={}, things=[{"name": "n"}]) == (
        f"<Whole>1</Whole><Thing><Parts/>{NEEDED}</Thing><Texts/><Things><member><Name>n</Name></member></Things>"
    )
    assert "<Items/>" not in written(known, top=True)


def test_one_writer_for_the_top_and_one_for_within() -> None:
    writers = xml.Writers()
    for top in (True, False, True):
        out: list[str] = []
        writers.structure(paired()[0], Presence(), top=top)(paired()[1](), out.append)
        assert bool("".join(out)) is top


def test_what_xml_cannot_hold_is_replaced() -> None:
    assert xml.escape("a&<>\r\n\t\"'é") == "a&amp;&lt;&gt;&#xD;\n\t\"'é"
    for char in ("\x00", "\x08", "\x0b", "\x0c", "\x0e", "\x1f", "\ud800", "\udfff", "\ufffe", "\uffff"):
        assert xml.escape(f"a{char}b") == "a\ufffdb"
    for char in ("\x09", "\x0a", "\x20", "\x7f", "\ud7ff", "\ue000", "\ufffd", "\U00010000"):
        assert xml.escape(char) == char
