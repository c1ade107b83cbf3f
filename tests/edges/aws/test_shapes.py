"""AWS's shapes paired with our messages: what is told of each member, and where the two disagree."""

from typing import Any

import pytest

from sekisho.edges.aws.shapes import Pairing, Structure, Value
from tests.edges.aws import toys

GIVEN: dict[str, Any] = {
    "Absent": "Text",
    "UserName": {"shape": "Text", "locationName": "user"},
    "Size": "Whole",
    "At": "Time",
    "Names": "Items",
    "Tags": "NamedMap",
    "Thing": "Thing",
    "Things": "Things",
    "Grid": "Grid",
    "ListMap": "ListMap",
    "ThingMap": "ThingMap",
}


def paired() -> Structure:
    return toys.paired(GIVEN, without=["Absent"], required=["Size"], payload="Size")[0]


def test_members_bear_both_names() -> None:
    found = paired()
    assert list(found.members) == [name for name in GIVEN if name != "Absent"]
    assert (found.shape, found.payload, found.missing) == ("It", "Size", frozenset(("Absent",)))
    user = found.members["UserName"]
    assert (user.name, user.field, user.required) == ("UserName", "user_name", False)
    assert found.members["Size"].required
    assert (user.value.kind, user.value.shape, user.value.traits["name"]) == ("string", "Text", "user")
    assert toys.paired({})[0].payload == ""


def test_values_have_their_parts() -> None:
    members = paired().members
    names, tags, thing, grid = (members[name].value for name in ("Names", "Tags", "Thing", "Grid"))
    assert (names.kind, names.shape, names.within) == ("list", "Items", "")
    assert names.item is not None
    assert (names.item.kind, names.item.traits["name"]) == ("string", "item")
    assert (tags.kind, tags.shape) == ("map", "NamedMap")
    assert tags.key is not None
    assert tags.value is not None
    assert (tags.key.kind, tags.key.traits["name"], tags.value.traits["name"]) == ("string", "k", "v")
    assert (thing.kind, thing.shape) == ("structure", "Thing")
    assert thing.structure is not None
    assert thing.structure.members["Inner"].value.structure is thing.structure, "which holds itself"
    assert thing.structure.members["Needed"].required
    assert grid.item is not None
    assert (grid.item.kind, grid.item.within) == ("list", "held")
    assert members["At"].value.kind == "timestamp"
    of_map = members["ListMap"].value.value
    assert of_map is not None
    assert (of_map.kind, of_map.within) == ("list", "held")
    of_things = members["ThingMap"].value.value
    assert of_things is not None
    assert of_things.structure is thing.structure


def test_a_pair_is_made_once_for_each_message() -> None:
    theirs = toys.model()
    pairing, shape = Pairing(), theirs.shape_for("Thing")
    (one,), (other,) = toys.messages(theirs, "Thing"), toys.messages(theirs, "Thing")
    assert pairing.structure(shape, one.DESCRIPTOR) is pairing.structure(shape, one.DESCRIPTOR)
    assert pairing.structure(shape, other.DESCRIPTOR) is not pairing.structure(shape, one.DESCRIPTOR)


def test_no_shape_has_no_members() -> None:
    (message,) = toys.messages(toys.model(), "Nothing")
    pairing = Pairing()
    found = pairing.structure(None, message.DESCRIPTOR)
    assert (found.shape, found.members, found.payload, found.missing) == ("", {}, "", frozenset())
    assert pairing.structure(None, message.DESCRIPTOR) is found


DISAGREE = [
    ("Text", "Whole", "is of another kind than AWS's Text, which is a string"),
    ("Whole", "Large", "is of another kind than AWS's Whole, which is a integer"),
    ("Large", "Whole", "is of another kind than AWS's Large, which is a long"),
    ("Data", "Text", "is of another kind than AWS's Data, which is a blob"),
    ("Real", "Short", "is of another kind than AWS's Real, which is a double"),
    ("Time", "Text", "is of another kind than AWS's Time, which is a timestamp"),
    ("Time", "Thing", "is of another kind than AWS's Time, which is a timestamp"),
    ("Text", "Time", "is of another kind than AWS's Text, which is a string"),
    ("Text", "Thing", "is of another kind than AWS's Text, which is a string"),
    ("Thing", "Text", "is of another kind than AWS's Thing, which is a structure"),
    ("Texts", "Text", "is of another kind than AWS's Texts, which is a list"),
    ("Map", "Text", "is of another kind than AWS's Map, which is a map"),
    ("Texts", "Thing", "is of another kind than AWS's Texts, which is a list"),
    ("Text", "Texts", "is repeated, but AWS's Text is a string"),
    ("Thing", "Things", "is repeated, but AWS's Thing is a structure"),
    ("Map", "Texts", "is repeated, but AWS's Map is a map"),
    ("Texts", "Map", "is repeated, but AWS's Texts is a list"),
    ("Map", "Things", "is repeated, but AWS's Map is a map"),
    ("Wholes", "Texts", "is of another kind than AWS's Whole, which is a integer"),
    ("Grid", "Twos", "is of another kind than AWS's Texts, which is a list"),
    ("Texts", "Grid", "is of another kind than AWS's Text, which is a string"),
    ("WholeMap", "Map", "is of another kind than AWS's Whole, which is a integer"),
]


@pytest.mark.parametrize(("theirs", "ours", "said"), DISAGREE)
def test_the_start_fails_where_kinds_disagree(theirs: str, ours: str, said: str) -> None:
    known = toys.model(shapes={"It": toys.structure({"Given": theirs})})
    (message,) = toys.messages(toys.model(shapes={"It": toys.structure({"Given": ours})}), "It")
    with pytest.raises(TypeError) as raised:
        Pairing().structure(known.shape_for("It"), message.DESCRIPTOR)
    assert str(raised.value).split(" ", 1)[1] == said


def test_a_value_is_within_nothing_unless_told() -> None:
    assert Value("string", "Text", {}).within == ""
