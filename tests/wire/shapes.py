"""Values for every shape of botocore's models, and messages for them: what the gateway's codecs are held against.

botocore writes the requests and reads the answers; nothing here is shared with the gateway but the naming rule of our protos.
"""

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import botocore.parsers
import botocore.serialize
import botocore.session
from botocore import xform_name
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from sekisho.edges.aws.wire import Answer
from sekisho.sigv4 import HttpRequest

SESSION = botocore.session.get_session()
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DEEPEST = 6
_files = itertools.count()

Field = descriptor_pb2.FieldDescriptorProto
TYPES = {
    "string": Field.TYPE_STRING,
    "character": Field.TYPE_STRING,
    "integer": Field.TYPE_INT32,
    "long": Field.TYPE_INT64,
    "boolean": Field.TYPE_BOOL,
    "double": Field.TYPE_DOUBLE,
    "float": Field.TYPE_FLOAT,
    "blob": Field.TYPE_BYTES,
}


def model(service: str) -> Any:
    """botocore's model of a service."""
    return SESSION.get_service_model(service)


def sample(shape: Any, depth: int = 0) -> Any:
    """A value with every member, as a caller of boto3 gives or gets it; lists and maps have two items, and end where shapes recur."""
    kind = shape.type_name
    if kind == "structure":
        members = list(shape.members.items())[: 1 if shape.is_tagged_union else None]
        return {name: sample(member, depth + 1) for name, member in members if depth < DEEPEST or _plain(member)}
    if kind == "list":
        return [sample(shape.member, depth + 1), sample(shape.member, depth + 1)]
    if kind == "map":
        return {f"key {number} & more": sample(shape.value, depth + 1) for number in (1, 2)}
    return {
        "string": f"<{shape.name}> é & 'café' \r\n +%2F",
        "character": "c",
        "integer": 42,
        "long": 2**40,
        "boolean": True,
        "double": 1.5,
        "float": 0.5,
        "blob": b"\x00\xff<blob>",
        "timestamp": MOMENT,
    }[kind]


def _plain(shape: Any) -> bool:
    inner = shape.member if shape.type_name == "list" else shape.value if shape.type_name == "map" else shape
    return inner.type_name in TYPES or inner.type_name == "timestamp"


def fill(message: Any, value: Mapping[str, Any]) -> Any:
    """The message with the members that the value has."""
    for member, inner in value.items():
        name = xform_name(member)
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key, item in inner.items():
                if isinstance(item, Mapping):
                    fill(getattr(message, name)[key], item)
                else:
                    getattr(message, name)[key] = item
        elif field.is_repeated:
            for item in inner:
                _add(getattr(message, name), item)
        elif isinstance(inner, Mapping):
            getattr(message, name).SetInParent()
            fill(getattr(message, name), inner)
        elif isinstance(inner, datetime):
            getattr(message, name).FromDatetime(inner)
        else:
            setattr(message, name, inner)
    return message


def _add(held: Any, item: Any) -> None:
    if isinstance(item, Mapping):
        fill(held.add(), item)
    elif isinstance(item, datetime):
        held.add().FromDatetime(item)
    else:
        held.append(item)


def request(service: str, operation: str, value: Mapping[str, Any]) -> HttpRequest:
    """The request that botocore makes of a value, unsigned."""
    known = model(service)
    made = botocore.serialize.create_serializer(known.metadata["protocol"], include_validation=False).serialize_to_request(
        dict(value), known.operation_model(operation)
    )
    prepared = botocore.awsrequest.AWSRequest(
        method=made["method"],
        url=f"http://localhost{made['url_path']}",
        params=made["query_string"] or None,
        headers={**made["headers"], "Host": "localhost"},
        data=made["body"],
    ).prepare()
    path, _, query = prepared.url.removeprefix("http://localhost").partition("?")
    body = prepared.body.encode() if isinstance(prepared.body, str) else bytes(prepared.body or b"")
    headers = tuple((name, _text(text)) for name, text in prepared.headers.items())
    return HttpRequest(prepared.method, path, query, headers, body)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


def response(service: str, operation: str, answer: Answer) -> dict[str, Any]:
    """What botocore makes of an answer."""
    known = model(service)
    parser = botocore.parsers.create_parser(known.metadata["protocol"])
    headers = {name.decode(): text.decode() for name, text in answer.headers} | {"content-type": answer.kind.decode()}
    raw = {"status_code": answer.status, "headers": botocore.compat.HTTPHeaders.from_dict(headers), "body": answer.body}
    shape = known.operation_model(operation).output_shape
    parsed: dict[str, Any] = parser.parse(raw, shape)
    return parsed


def protos(service: str, operations: Iterable[str]) -> dict[str, tuple[type[Message], type[Message]]]:
    """Messages for the operations of a service that we have no proto for, named as ours would be."""
    known = model(service)
    place = f"{service.replace('-', '_')}{next(_files)}"  # the pool takes each name once
    file = descriptor_pb2.FileDescriptorProto(name=f"{place}.proto", package=f"tests.{place}", syntax="proto2")
    file.dependency.append("google/protobuf/timestamp.proto")
    done: set[str] = set()
    names = list(operations)
    for name in names:
        theirs = known.operation_model(name)
        for suffix, shape in (("Request", theirs.input_shape), ("Response", theirs.output_shape)):
            _message(file, done, shape, f"{name}{suffix}")
    pool = descriptor_pool.Default()  # where Timestamp is
    pool.AddSerializedFile(file.SerializeToString())
    classes = {
        made.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{made.name}")) for made in file.message_type
    }
    return {name: (classes[f"{name}Request"], classes[f"{name}Response"]) for name in names}


def _message(file: Any, done: set[str], shape: Any, name: str) -> None:
    if name in done:
        return
    done.add(name)
    made = descriptor_pb2.DescriptorProto(name=name)
    for number, (member, inner) in enumerate(shape.members.items() if shape is not None else (), 1):
        field = made.field.add(name=xform_name(member), number=number, label=Field.LABEL_OPTIONAL)
        if inner.type_name == "map":
            entry = made.nested_type.add(name=f"Entry{number}")
            entry.options.map_entry = True
            for at, (part, of) in enumerate((("key", inner.key), ("value", inner.value)), 1):
                _type(file, done, entry.field.add(name=part, number=at, label=Field.LABEL_OPTIONAL), of)
            field.label, field.type = Field.LABEL_REPEATED, Field.TYPE_MESSAGE
            field.type_name = f".{file.package}.{name}.{entry.name}"
        elif inner.type_name == "list":
            field.label = Field.LABEL_REPEATED
            _type(file, done, field, inner.member)
        else:
            _type(file, done, field, inner)
    file.message_type.append(made)


def _type(file: Any, done: set[str], field: Any, shape: Any) -> None:
    if shape.type_name == "structure":
        field.type, field.type_name = Field.TYPE_MESSAGE, f".{file.package}.{shape.name}"
        _message(file, done, shape, shape.name)
    elif shape.type_name == "timestamp":
        field.type, field.type_name = Field.TYPE_MESSAGE, ".google.protobuf.Timestamp"
    else:
        field.type = TYPES[shape.type_name]
