"""Messages as JSON's data: each kind of member read and written, and what is refused, with the words that a caller is told."""

from functools import cache
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from sekisho.edges.aws import errors
from sekisho.edges.aws.errors import Serialization
from sekisho.edges.aws.members import Members
from sekisho.edges.aws.presence import Presence
from sekisho.edges.aws.shapes import Structure
from tests.edges.aws import toys

KINDS: dict[str, Any] = {
    "Text": "Text",
    "Letter": "Letter",
    "Whole": "Whole",
    "Large": "Large",
    "Flag": "Flag",
    "Real": "Real",
    "Short": "Short",
    "Data": "Data",
    "Time": "Time",
    "IsoTime": "Iso",
    "Texts": "Texts",
    "Wholes": "Wholes",
    "Things": "Things",
    "Grid": "Grid",
    "Maps": "Maps",
    "Map": "Map",
    "WholeMap": "WholeMap",
    "ThingMap": "ThingMap",
    "ListMap": "ListMap",
    "Thing": "Thing",
    "Called": {"shape": "Text", "locationName": "called"},
    "Absent": "Text",
}


@cache
def paired() -> tuple[Structure, Any]:
    return toys.paired(KINDS, without=["Absent"])


def made_of(**fields: Any) -> Any:
    return paired()[1](**fields)


def read(value: Any, where: str = "") -> Any:
    message = made_of()
    Members().reader(paired()[0])(value, message, where)
    return message


def written(message: Any, presence: Presence | None = None, *, top: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {}
    Members().writer(paired()[0], presence or Presence(), top=top)(message, made)
    return made


WHOLE = {
    "Text": "é <b>",
    "Letter": "c",
    "Whole": -5,
    "Large": 2**40,
    "Flag": False,
    "Real": 1.5,
    "Short": 0.5,
    "Data": "AP8=",
    "Time": 1_767_323_045,
    "IsoTime": "2026-01-02T03:04:05Z",
    "Texts": ["b", "a", "b"],
    "Wholes": [1, 0],
    "Things": [
        {"Name": "one", "Inner": {"Size": 0, "Needed": []}, "Needed": ["x"]},
        {"Parts": [{"Name": "part", "Needed": []}], "Tags": {"k": "v"}, "Needed": []},
    ],
    "Grid": [["a", "b"], [], ["c"]],
    "Maps": [{"a": "1", "b": "2"}, {}],
    "Map": {"x": "1", "y": ""},
    "WholeMap": {"n": 3},
    "ThingMap": {"t": {"Name": "in a map", "Needed": []}},
    "ListMap": {"l": ["1", "2"], "m": []},
    "Thing": {"Name": "", "Needed": []},
    "called": "by another name",
}


def test_every_kind_is_read_as_it_is_written() -> None:
    message = read(WHOLE)
    assert written(message) == WHOLE
    assert (message.flag, message.HasField("flag"), message.data) == (False, True, b"\x00\xff")
    assert [thing.name for thing in message.things] == ["one", ""]
    assert [list(row.held) for row in message.grid] == [["a", "b"], [], ["c"]]
    assert [dict(one.held) for one in message.maps] == [{"a": "1", "b": "2"}, {}]
    assert list(message.list_map["l"].held) == ["1", "2"]
    assert message.thing_map["t"].name == "in a map"
    assert message.iso_time == message.time == Timestamp(seconds=1_767_323_045)
    assert message.called == "by another name"


def test_nothing_of_an_empty_message_is_written_but_empty_lists_and_maps_at_the_top() -> None:
    assert written(made_of()) == {}
    lists = {"Texts", "Wholes", "Things", "Grid", "Maps"}
    maps = {"Map", "WholeMap", "ThingMap", "ListMap"}
    assert written(made_of(), top=True) == {name: [] for name in lists} | {name: {} for name in maps}


def test_one_writer_for_the_top_and_one_for_within() -> None:
    members, message = Members(), made_of()
    for top in (True, False, True):
        made: dict[str, Any] = {}
        members.writer(paired()[0], Presence(), top=top)(message, made)
        assert bool(made) is top


def test_presence_says_what_is_written() -> None:
    rows = {
        (("Texts",), "empty"),
        (("Map",), "absent"),
        (("Text",), "never"),
        (("Thing", "Parts"), "empty"),
        (("Thing", "Needed"), "never"),
    }
    known = Presence(frozenset(rows))
    assert written(made_of(text="x", letter="c", thing={"name": "n"}), known) == {
        "Texts": [],
        "Letter": "c",
        "Thing": {"Name": "n", "Parts": []},
    }
    assert "Map" not in written(made_of(), known, top=True)
    assert "WholeMap" in written(made_of(), known, top=True)


def test_maps_are_written_by_key() -> None:
    held = {key: key for key in "cab"}
    message = made_of(map=held, maps=[{"held": held}])
    assert list(written(message)["Map"]) == list(written(message)["Maps"][0]) == ["a", "b", "c"]


def test_a_structure_without_members_is_there() -> None:
    message = read({"Thing": {}, "Things": [{}], "ThingMap": {"x": {}}, "Maps": [{}]})
    assert message.HasField("thing")
    assert (len(message.things), len(message.thing_map), len(message.maps)) == (1, 1, 1)


def test_null_is_no_value() -> None:
    assert read(dict.fromkeys(("Text", "Texts", "Map", "Thing", "Time"))) == made_of()


def test_chosen_members_alone_are_read_and_written() -> None:
    members, message = Members(), made_of(text="x", whole=1)
    chosen, made = [paired()[0].members["Text"]], dict[str, Any]()
    members.writer(paired()[0], Presence(), chosen)(message, made)
    assert made == {"Text": "x"}
    members.writer(paired()[0], Presence())(message, made)
    assert made == {"Text": "x", "Whole": 1}
    reader = members.reader(paired()[0], chosen)
    reader({"Text": "y"}, message, "")
    assert message.text == "y"
    with pytest.raises(Serialization, match=r"^The operation has no member 'Whole'\.$"):
        reader({"Whole": 2}, message, "")
    members.reader(paired()[0])({"Whole": 2}, message, "")
    assert message.whole == 2


TIMES = [
    (1_767_323_045, 1_767_323_045, 0),
    (0, 0, 0),
    (1.5, 1, 500_000_000),
    ("2026-01-02T03:04:05Z", 1_767_323_045, 0),
    ("1767323045.5", 1_767_323_045, 500_000_000),
]


@pytest.mark.parametrize(("value", "seconds", "nanos"), TIMES)
def test_time_is_read_as_number_or_text(value: object, seconds: int, nanos: int) -> None:
    assert read({"Time": value}).time == Timestamp(seconds=seconds, nanos=nanos)


NO_VALUES: dict[str, tuple[Any, ...]] = {
    "Text": (1, True, [], {}, b"x", "\ud800"),
    "Letter": (1,),
    "Whole": ("1", 1.0, 1.5, True, [], 2**31, -(2**31) - 1),
    "Large": ("1", 2**63, False),
    "Flag": (0, 1, "true", []),
    "Real": ("1", True, False, float("inf"), float("-inf"), float("nan"), [], {}),
    "Short": (True, float("inf")),
    "Data": ("A", 1, "AA==\n", b"AA=="),
    "Time": (True, False, "now", [], {}, 1e300, -1e300, 10**400, float("inf"), float("nan"), "9999-12-31T23:59:59-10:00"),
    "IsoTime": ("", "2026-13-01T00:00:00Z"),
}


@pytest.mark.parametrize(("member", "value"), [(member, value) for member, values in NO_VALUES.items() for value in values])
def test_value_of_another_kind_is_refused(member: str, value: object) -> None:
    with pytest.raises(Serialization) as raised:
        read({member: value})
    assert raised.value.message == f"'{member}' is not a value that the member can have."


REFUSED: list[tuple[Any, str]] = [
    ([], "'the body' is an object."),
    ("x", "'the body' is an object."),
    (None, "'the body' is an object."),
    ({"Thing": []}, "'Thing' is an object."),
    ({"Thing": {"Inner": "x"}}, "'Thing.Inner' is an object."),
    ({"Things": [{}, 1]}, "'Things[1]' is an object."),
    ({"Things": [None]}, "'Things[0]' is an object."),
    ({"Things": {}}, "'Things' is a list."),
    ({"Texts": "x"}, "'Texts' is a list."),
    ({"Texts": ["x", 1]}, "'Texts[1]' is not a value that the member can have."),
    ({"Texts": [None]}, "'Texts[0]' is not a value that the member can have."),
    ({"Wholes": [0, 2**31]}, "'Wholes[1]' is not a value that the member can have."),
    ({"Grid": ["x"]}, "'Grid[0]' is a list."),
    ({"Grid": [[], [1]]}, "'Grid[1][0]' is not a value that the member can have."),
    ({"Maps": [[]]}, "'Maps[0]' is an object."),
    ({"Maps": [{"a": 1}]}, "'Maps[0].a' is not a value that the member can have."),
    ({"Map": []}, "'Map' is an object."),
    ({"Map": {"a": 1}}, "'Map.a' is not a value that the member can have."),
    ({"Map": {"a": None}}, "'Map.a' is not a value that the member can have."),
    ({"Map": {b"a": "x"}}, "'Map' is not a value that the member can have."),
    ({"WholeMap": {"a": 2**31}}, "'WholeMap.a' is not a value that the member can have."),
    ({"ThingMap": {"a": 1}}, "'ThingMap.a' is an object."),
    ({"ThingMap": {"a": {"Size": "x"}}}, "'ThingMap.a.Size' is not a value that the member can have."),
    ({"ListMap": {"a": "x"}}, "'ListMap.a' is a list."),
    ({"Colour": 1}, "The operation has no member 'Colour'."),
    ({"Colour": None}, "The operation has no member 'Colour'."),
    ({"Called": "x"}, "The operation has no member 'Called'."),
    ({"Thing": {"Parts": [{"Colour": 1}]}}, "The operation has no member 'Thing.Parts[0].Colour'."),
    ({"x" * 65: 1}, f"The operation has no member '{'x' * 64}'."),
    ({"Thing": {"x" * 65: 1}}, f"The operation has no member 'Thing.{'x' * 64}'."),
    ({"Map": {"k" * 300: 1}}, f"'Map.{'k' * 252}' is not a value that the member can have."),
]


@pytest.mark.parametrize(("value", "said"), REFUSED)
def test_refusal_says_where(value: Any, said: str) -> None:
    with pytest.raises(Serialization) as raised:
        read(value)
    assert raised.value.message == said


def test_a_member_that_only_aws_has_is_said_to_be_missing_here() -> None:
    with pytest.raises(errors.NotImplemented) as raised:
        read({"Absent": None})
    assert raised.value.message == "This server does not have the member 'Absent'."
    with pytest.raises(errors.NotImplemented) as raised:
        read({"Absent": "x"}, "Outer")
    assert raised.value.message == "This server does not have the member 'Outer.Absent'."


def test_a_protocol_brings_words_of_its_own() -> None:
    members = Members(parser=lambda of: lambda held, where: f"{of.kind} {held} {where}", blob=bytes.hex, moment=lambda held: -held.seconds)
    message, made = made_of(), dict[str, Any]()
    members.reader(paired()[0])({"Text": 1, "Texts": [2], "Map": {"k": 3}}, message, "")
    assert (message.text, message.texts[0], message.map["k"]) == ("string 1 Text", "string 2 Texts[0]", "string 3 Map.k")
    message = made_of(data=b"\x01", time=Timestamp(seconds=5), iso_time=Timestamp(seconds=6))
    members.writer(paired()[0], Presence())(message, made)
    assert made == {"Data": "01", "Time": -5, "IsoTime": -6}
