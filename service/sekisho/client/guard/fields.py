"""What a rule reads from a request: a field by its name, or Unreadable.

    over gRPC   `order.id`: a field of the request message, through messages
    over HTTP   `order_id` of the path; `query.page`, `header.x-shop`, `body.order.amount` of a JSON body;
                `query.tag[]` and `body.tags[]` of many values
    an item     `owner.id`: an attribute, or a key of a mapping

A field that a request does not have is unreadable, and so is one that could be understood in two ways.
"""

import math
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date
from decimal import Decimal
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from sekisho.client.decisions import Value

Read = Callable[[Any], Value]
"""Reads a field of a request, or raises Unreadable."""


class Unreadable(Exception):  # noqa: N818  # a finding about a request
    """The request does not say what the rule asks for; `message` names the field."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Absent(Unreadable):
    """The request does not have the field at all."""


def of_message(descriptor: Descriptor, name: str, in_arn: bool) -> Read:
    """Reads a field of a protobuf message; ValueError where the type has none; in an ARN, a string, an integer or an enum."""
    steps: list[FieldDescriptor] = []
    inside: Descriptor | None = descriptor
    for part in name.split("."):
        found = inside.fields_by_name.get(part) if inside is not None else None
        if found is None:
            raise ValueError(f"`{descriptor.full_name}` has no field `{name}`")
        if steps and steps[-1].is_repeated:
            raise ValueError(f"`{name}` of `{descriptor.full_name}` goes through a repeated field")
        steps.append(found)
        inside = found.message_type
    _refuse_type(descriptor, name, steps[-1], in_arn=in_arn)
    last = steps[-1]
    convert = _CONVERTED.get(_kind(last), _as_it_is)

    def read(message: Any) -> Value:
        try:
            for step in steps:
                if step.has_presence and not message.HasField(step.name):
                    raise Absent(f"the field `{name}` is not given")
                message = getattr(message, step.name)
        except (AttributeError, ValueError) as error:  # the handler reads its requests as something else
            raise Unreadable(f"the field `{name}` cannot be read") from error
        if last.is_repeated:
            return scalars(tuple(convert(last, item) for item in message), name)
        return scalars(convert(last, message), name)

    return read


def _refuse_type(descriptor: Descriptor, name: str, field: FieldDescriptor, *, in_arn: bool) -> None:
    if field.type in _OPAQUE and _kind(field) not in _CONVERTED:
        raise ValueError(f"`{name}` of `{descriptor.full_name}` is no value that a policy could compare")
    if in_arn and (field.is_repeated or field.type in _NO_NAMES):
        raise ValueError(f"`{name}` of `{descriptor.full_name}` cannot stand in an ARN: it is not one string, integer or enum")


_OPAQUE = (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_GROUP, FieldDescriptor.TYPE_BYTES)
_NO_NAMES = (*_OPAQUE, FieldDescriptor.TYPE_BOOL, FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE)


def _kind(field: FieldDescriptor) -> Any:
    return field.message_type.full_name if field.message_type is not None else field.type


def _as_it_is(_: FieldDescriptor, value: Any) -> Any:
    return value


def _enum(field: FieldDescriptor, number: int) -> str:
    assert field.enum_type is not None
    value = field.enum_type.values_by_number.get(number)
    if value is None:
        raise Unreadable(f"the field `{field.name}` has the unknown value {number}")
    return value.name


_CONVERTED: dict[Any, Callable[[FieldDescriptor, Any], Any]] = {
    FieldDescriptor.TYPE_ENUM: _enum,
    "google.protobuf.Timestamp": lambda _, value: value.ToDatetime(tzinfo=UTC),
}


def of_http(path: Collection[str], name: str) -> Read:
    """Reads a field of an HTTP request whose path has these parameters; ValueError where it cannot have one of this name."""
    place, dot, rest = name.removesuffix("[]").partition(".")
    many = name.endswith("[]")
    if not dot and not many:
        if name not in path:
            raise ValueError(f"the path has no parameter `{name}`; of other places write `query.{name}`, `header.{name}` or `body.{name}`")
        return lambda request: request.path[name]
    get = (_LISTS if many else _PLACES).get(place)
    if get is None or not rest or (place != "body" and "." in rest):
        raise ValueError(f"`{name}` is none of `NAME`, `query.NAME`, `header.NAME`, `body.NAME`, `query.NAME[]` and `body.NAME[]`")
    return lambda request: get(request, rest)


def _scalar(body: Any, name: str) -> Value:
    value = scalars(walk(body, name), name)
    if isinstance(value, tuple):  # its sender chose the shape, and a list means something else to conditions
        raise Unreadable(f"the field `{name}` is a list")
    return value


def _list(body: Any, name: str) -> Value:
    value = scalars(walk(body, name), name)
    if not isinstance(value, tuple):
        raise Unreadable(f"the field `{name}` is not a list")
    return value


_PLACES: dict[str, Callable[[Any, str], Value]] = {
    "query": lambda request, name: request.query(name),
    "header": lambda request, name: request.header(name),
    "body": lambda request, name: _scalar(request.json(), name),
}
_LISTS: dict[str, Callable[[Any, str], Value]] = {
    "query": lambda request, name: request.queries(name),
    "body": lambda request, name: _list(request.json(), name),
}


def of_item(name: str, _in_arn: bool) -> Read:
    """Reads a field of an object or a mapping."""
    return lambda item: scalars(walk(item, name), name)


def walk(item: Any, name: str) -> Any:
    """The member of a member, by keys of mappings and attributes of everything else."""
    for part in name.split("."):
        try:
            item = item[part] if isinstance(item, Mapping) else operator.attrgetter(part)(item)
        except (KeyError, AttributeError):
            raise Absent(f"the field `{name}` is not given") from None
    if item is None:
        raise Absent(f"the field `{name}` is not given")
    return item


def scalars(value: Any, name: str) -> Value:
    """A value that a policy can compare, or a tuple of such; Unreadable for anything else, infinities and NaN among it."""
    if _comparable(value):
        found: Value = value
        return found
    if isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        items = tuple(value)
        if all(_comparable(item) for item in items):
            return items
    raise Unreadable(f"the field `{name}` is no value that a policy could compare")


def _comparable(value: Any) -> bool:
    return isinstance(value, str | int | date) or (isinstance(value, float | Decimal) and math.isfinite(value))
