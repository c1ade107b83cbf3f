"""Reads what a proto says of its rpcs and fields: `(access)`, `(rules)` and `(key)`."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from sekisho.api.annotations.v1 import annotations_pb2

Access = annotations_pb2.Access
Rules = annotations_pb2.Rules


def access(method: MethodDescriptor) -> Access:
    """The `(access)` of an rpc; one without a level is a mistake in the proto."""
    found: Access = _extensions(method)[annotations_pb2.access]
    if found.level == Access.LEVEL_UNSPECIFIED:
        raise TypeError(f"{method.full_name} has no (access)")
    return found


def rules(field: FieldDescriptor) -> Rules | None:
    """The `(rules)` of a field, if it has any."""
    options: Any = field.GetOptions()
    return options.Extensions[annotations_pb2.rules] if options.HasExtension(annotations_pb2.rules) else None


def key(field: FieldDescriptor) -> str:
    """The condition key that a field gives, in lower case; empty when it gives none."""
    named: str = _extensions(field)[annotations_pb2.key]
    return named.lower()


def _extensions(descriptor: FieldDescriptor | MethodDescriptor) -> Any:
    # The stubs type our extensions as descriptors of fields, which they are not at runtime alone.
    options: Any = descriptor.GetOptions()
    return options.Extensions
