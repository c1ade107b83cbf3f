"""Reads what a proto says of its service, rpcs and fields: `(identity)`, `(access)`, `(rules)`, `(key)` and `(at_least)`."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor

from sekisho.api.annotations.v1 import annotations_pb2

Access = annotations_pb2.Access
Identity = annotations_pb2.Identity
Rules = annotations_pb2.Rules


def identity(service: ServiceDescriptor) -> Identity:
    """The `(identity)` of a service; one without an action prefix or an event source is a mistake in the proto."""
    found: Identity = _extensions(service)[annotations_pb2.identity]
    if not (found.action_prefix and found.event_source):
        raise TypeError(f"{service.full_name} has no (identity)")
    return found


def access(method: MethodDescriptor) -> Access:
    """The `(access)` of an rpc; one without a level is a mistake in the proto, and so is a stream that is not of DECIDE.

    A stream would hold the snapshot of a READ or the locks of a WRITE for as long as its caller likes.
    """
    found: Access = _extensions(method)[annotations_pb2.access]
    if found.level == Access.LEVEL_UNSPECIFIED:
        raise TypeError(f"{method.full_name} has no (access)")
    if method.client_streaming or (method.server_streaming and found.level != Access.DECIDE):
        raise TypeError(f"{method.full_name} streams; only a server may, and only at level DECIDE")
    return found


def rules(field: FieldDescriptor) -> Rules | None:
    """The `(rules)` of a field, if it has any."""
    options: Any = field.GetOptions()
    return options.Extensions[annotations_pb2.rules] if options.HasExtension(annotations_pb2.rules) else None


def key(field: FieldDescriptor) -> str:
    """The condition key that a field gives, in lower case; empty when it gives none."""
    return spelled_key(field).lower()


def spelled_key(field: FieldDescriptor) -> str:
    """The condition key that a field gives, as it is documented."""
    named: str = _extensions(field)[annotations_pb2.key]
    return named


def at_least(field: FieldDescriptor) -> bool:
    """Whether the field holds a revision that the answer must not be older than."""
    return bool(_extensions(field)[annotations_pb2.at_least])


def _extensions(descriptor: FieldDescriptor | MethodDescriptor | ServiceDescriptor) -> Any:
    # The stubs type our extensions as descriptors of fields, which they are not at runtime alone.
    options: Any = descriptor.GetOptions()
    return options.Extensions
