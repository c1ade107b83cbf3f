"""Pairs a shape of botocore's models with the message that has its members here: a member is called `xform_name(member)` in our protos.

Paired once at start; the protocols compile their readers and writers from the pairs. Where the two disagree in kind, the start fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore import xform_name
from google.protobuf.descriptor import FieldDescriptor

_SCALARS = {
    "string": FieldDescriptor.TYPE_STRING,
    "character": FieldDescriptor.TYPE_STRING,
    "integer": FieldDescriptor.TYPE_INT32,
    "long": FieldDescriptor.TYPE_INT64,
    "boolean": FieldDescriptor.TYPE_BOOL,
    "double": FieldDescriptor.TYPE_DOUBLE,
    "float": FieldDescriptor.TYPE_FLOAT,
    "blob": FieldDescriptor.TYPE_BYTES,
}


@dataclass(frozen=True, slots=True)
class Value:
    """The value in one place: `kind` is botocore's type name; `traits` say how the protocol writes it.

    A list or a map within a list is a message with one field here, which is `within`.
    """

    kind: str
    shape: str
    traits: Mapping[str, Any]
    structure: "Structure | None" = None
    item: "Value | None" = None  # of a list
    key: "Value | None" = None  # of a map
    value: "Value | None" = None  # of a map
    within: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure: AWS's name and ours; `field` is empty where our proto has no such member."""

    name: str
    field: str
    required: bool
    value: Value


@dataclass(slots=True, eq=False)
class Structure:
    """A structure and its members. They are filled in after it is made, for a structure may hold itself."""

    shape: str
    message: Any  # its descriptor
    members: dict[str, Member] = field(default_factory=dict)
    payload: str = ""  # the member that is the whole body, in REST
    missing: frozenset[str] = frozenset()  # members that AWS has and we have not


class Pairing:
    """Pairs the shapes of one service; each pair is made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], Structure] = {}

    def structure(self, shape: Any, message: Any) -> Structure:
        """A structure with its message; no shape (an operation without input or output) has no members."""
        name = shape.name if shape is not None else ""
        known = self._made.get((name, message.full_name))
        if known is not None:
            return known
        made = self._made[name, message.full_name] = Structure(name, message)
        if shape is None:
            return made
        fields = message.fields_by_name
        missing = set()
        for member, inner in shape.members.items():
            named = fields.get(xform_name(member))
            if named is None:
                missing.add(member)
                continue
            made.members[member] = Member(member, named.name, member in shape.required_members, self._value(inner, named))
        made.payload = shape.serialization.get("payload", "")
        made.missing = frozenset(missing)
        return made

    def _value(self, shape: Any, ours: Any) -> Value:
        entry = ours.message_type if ours.message_type is not None and ours.message_type.GetOptions().map_entry else None
        if shape.type_name == "map" and entry is not None:
            key, value = (self._one(inner, entry.fields_by_name[name]) for inner, name in ((shape.key, "key"), (shape.value, "value")))
            return Value("map", shape.name, shape.serialization, key=key, value=value)
        if shape.type_name == "list" and ours.is_repeated and entry is None:
            return Value("list", shape.name, shape.serialization, item=self._one(shape.member, ours))
        if ours.is_repeated:
            raise TypeError(f"{ours.full_name} is repeated, but AWS's {shape.name} is a {shape.type_name}")
        return self._one(shape, ours)

    def _one(self, shape: Any, ours: Any) -> Value:
        kind = shape.type_name
        message = ours.message_type
        if kind == "structure" and message is not None:
            return Value(kind, shape.name, shape.serialization, structure=self.structure(shape, message))
        if kind in ("list", "map") and message is not None and len(message.fields) == 1:
            return replace(self._value(shape, message.fields[0]), within=message.fields[0].name)
        expected = message is not None and message.full_name == "google.protobuf.Timestamp" if kind == "timestamp" else False
        if not expected and ours.type != _SCALARS.get(kind):
            raise TypeError(f"{ours.full_name} is of another kind than AWS's {shape.name}, which is a {kind}")
        return Value(kind, shape.name, shape.serialization)
