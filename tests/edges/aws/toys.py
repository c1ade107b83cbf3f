"""Small services for tests: a model as botocore has them, of shapes that are said here, and messages as our protos would have them."""

import itertools
from collections.abc import Collection, Mapping
from typing import Any

from botocore import xform_name
from botocore.model import ServiceModel
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from sekisho.edges.aws.shapes import Pairing, Structure
from sekisho.operations import Operation, Service
from sekisho.operations.annotations import Access, Identity
from tests.wire.shapes import TYPES, Field

Shapes = Mapping[str, Mapping[str, Any]]

SHAPES: Shapes = {
    "Text": {"type": "string"},
    "Letter": {"type": "character"},
    "Whole": {"type": "integer"},
    "Large": {"type": "long"},
    "Flag": {"type": "boolean"},
    "Real": {"type": "double"},
    "Short": {"type": "float"},
    "Data": {"type": "blob"},
    "Time": {"type": "timestamp"},
    "Iso": {"type": "timestamp", "timestampFormat": "iso8601"},
    "policyDocumentType": {"type": "string"},
    "Texts": {"type": "list", "member": {"shape": "Text"}},
    "Items": {"type": "list", "member": {"shape": "Text", "locationName": "item"}},
    "Flat": {"type": "list", "member": {"shape": "Text"}, "flattened": True},
    "FlatItems": {"type": "list", "member": {"shape": "Text", "locationName": "item"}, "flattened": True},
    "Wholes": {"type": "list", "member": {"shape": "Whole"}},
    "Things": {"type": "list", "member": {"shape": "Thing"}},
    "Twos": {"type": "list", "member": {"shape": "Two"}},
    "Two": {"type": "structure", "members": {"Texts": {"shape": "Texts"}, "Name": {"shape": "Text"}}},
    "Grid": {"type": "list", "member": {"shape": "Texts"}},
    "Maps": {"type": "list", "member": {"shape": "Map"}},
    "Map": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}},
    "WholeMap": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Whole"}},
    "NamedMap": {"type": "map", "key": {"shape": "Text", "locationName": "k"}, "value": {"shape": "Text", "locationName": "v"}},
    "FlatMap": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}, "flattened": True},
    "ThingMap": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Thing"}},
    "ListMap": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Texts"}},
    "Thing": {"type": "structure", "required": ["Needed"], "members": {
        "Name": {"shape": "Text"}, "Size": {"shape": "Whole"}, "Inner": {"shape": "Thing"}, "Parts": {"shape": "Things"},
        "Needed": {"shape": "Texts"}, "Tags": {"shape": "Map"},
    }},
}  # fmt: skip
"""Shapes that every model here has."""

_files = itertools.count()


def members(given: Mapping[str, str | Mapping[str, Any]]) -> dict[str, Any]:
    """Members by name, each the name of a shape or what a model says of it."""
    return {name: {"shape": said} if isinstance(said, str) else dict(said) for name, said in given.items()}


def structure(given: Mapping[str, str | Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """A structure, as a model says it."""
    return {"type": "structure", "members": members(given), **more}


def model(protocol: str = "query", operations: Mapping[str, Any] | None = None, shapes: Shapes | None = None, **metadata: Any) -> Any:
    """A model. Of an operation is said what differs from a POST to `/` whose input and output are `<name>Input` and `<name>Output`."""
    every = {**SHAPES, **(shapes or {})}
    made = {}
    for name, said in (operations or {}).items():
        places = {way: {"shape": f"{name}{way.title()}"} for way in ("input", "output") if f"{name}{way.title()}" in every}
        made[name] = {"name": name, "http": {"method": "POST", "requestUri": "/"}, **places, **said}
    known = {"apiVersion": "2026-01-01", "endpointPrefix": "toys", "protocol": protocol, "serviceId": "Toys", "targetPrefix": "Toys"}
    return ServiceModel({"metadata": {**known, **metadata}, "operations": made, "shapes": every}, "toys")


def messages(theirs: Any, *names: str, without: Collection[str] = ()) -> list[type[Message]]:
    """The messages of these structures of a model, without these members; an empty one for a structure that is not there."""
    place = f"toys{next(_files)}"  # the pool takes each name once
    file = descriptor_pb2.FileDescriptorProto(name=f"{place}.proto", package=place, syntax="proto2")
    file.dependency.append("google/protobuf/timestamp.proto")
    for name in names:
        if name in theirs.shape_names:
            _message(file, theirs.shape_for(name), without)
        else:
            file.message_type.add(name=name)
    pool = descriptor_pool.Default()  # where Timestamp is
    pool.AddSerializedFile(file.SerializeToString())
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{place}.{name}")) for name in names]


def _message(file: Any, shape: Any, without: Collection[str]) -> None:
    if any(made.name == shape.name for made in file.message_type):
        return
    made = file.message_type.add(name=shape.name)
    for number, (member, inner) in enumerate(shape.members.items(), 1):
        if member not in without:
            _field(file, made, made.field.add(name=xform_name(member), number=number, label=Field.LABEL_OPTIONAL), inner, without)


def _field(file: Any, within: Any, field: Any, shape: Any, without: Collection[str]) -> None:
    """The type of a field; a list or map within another is a message with one field."""
    if shape.type_name == "map":
        entry = within.nested_type.add(name=f"{field.name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        for number, (name, inner) in enumerate((("key", shape.key), ("value", shape.value)), 1):
            _one(file, within, entry.field.add(name=name, number=number, label=Field.LABEL_OPTIONAL), inner, without)
        field.label, field.type, field.type_name = Field.LABEL_REPEATED, Field.TYPE_MESSAGE, entry.name
    elif shape.type_name == "list":
        field.label = Field.LABEL_REPEATED
        _one(file, within, field, shape.member, without)
    else:
        _one(file, within, field, shape, without)


def _one(file: Any, within: Any, field: Any, shape: Any, without: Collection[str]) -> None:
    if shape.type_name in TYPES:
        field.type = TYPES[shape.type_name]
        return
    field.type = Field.TYPE_MESSAGE
    if shape.type_name == "timestamp":
        field.type_name = ".google.protobuf.Timestamp"
    elif shape.type_name == "structure":
        field.type_name = f".{file.package}.{shape.name}"
        _message(file, shape, without)
    else:
        field.type_name = f".{file.package}.{shape.name}"
        if not any(made.name == shape.name for made in file.message_type):
            made = file.message_type.add(name=shape.name)
            _field(file, made, made.field.add(name="held", number=1, label=Field.LABEL_OPTIONAL), shape, without)


def paired(
    given: Mapping[str, str | Mapping[str, Any]], *, without: Collection[str] = (), shapes: Shapes | None = None, **more: Any
) -> tuple[Structure, type[Message]]:
    """A structure with these members and its message, paired."""
    theirs = model(shapes={"It": structure(given, **more), **(shapes or {})})
    (message,) = messages(theirs, "It", without=without)
    return Pairing().structure(theirs.shape_for("It"), message.DESCRIPTOR), message


_PROTOCOLS = {"query": Identity.QUERY, "json": Identity.JSON, "rest-json": Identity.REST_JSON}


def service(protocol: str = "query", name: str = "toys") -> Service:
    """A service of the registry."""
    return Service(
        package=name,
        full_name=f"tests.{name}",
        model=name,
        prefix=name,
        signing_name=name,
        event_source=f"{name}.amazonaws.com",
        protocol=_PROTOCOLS[protocol],
    )


def operation(theirs: Any, name: str, *, of: Service | None = None, without: Collection[str] = ()) -> Operation:
    """An operation of the registry, for one of a model; without these members."""
    request, response = messages(theirs, f"{name}Input", f"{name}Output", without=without)
    return Operation(
        service=of or service(theirs.metadata["protocol"]),
        name=name,
        request=request,
        response=response,
        access=Access(level=Access.READ),
        function=lambda call, asked: None,
        checks=(),
    )
