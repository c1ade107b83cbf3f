"""The registry: which function answers which rpc, and how a request names its resources.

`@operation` binds a function to the rpc that has its package and its name: `sekisho.services.iam.users.create_user` answers
`sekisho.api.iam.v1.IamService/CreateUser`. A function without an rpc, or an rpc without `(access)`, fails at import.
`@resource` registers how a kind of resource is found for a check of `(access)`.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from google.protobuf import descriptor, message_factory
from google.protobuf.message import Message

from sekisho.naming import snake
from sekisho.operations import annotations
from sekisho.operations.annotations import Access

Check = Access.Check


@dataclass(frozen=True, slots=True)
class Operation:
    """One rpc and the function that answers it; `action` is what a policy calls it, such as `iam:CreateUser`."""

    service: str
    name: str
    path: str
    request: type[Message]
    response: type[Message]
    access: Access
    function: Callable[[Any, Any], Any]
    checks: tuple[Check, ...]

    @property
    def action(self) -> str:
        """The action that the operation's caller needs, unless `(access)` names others."""
        return f"{self.service}:{self.name}"

    @property
    def signed(self) -> bool:
        """Whether the caller must prove who it is."""
        return self.access.caller == Access.SIGNED

    @property
    def permitted_to_all(self) -> bool:
        """Whether no policy is asked before the function runs."""
        return self.access.permission == Access.NONE


@dataclass(frozen=True, slots=True)
class Resource:
    """What a check is about: its ARN with path, its tags, and the condition keys that come from it.

    For an unknown name the ARN has no path, so that a caller without permission is denied before it learns of NoSuchEntity.
    """

    arn: str
    tags: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)


OPERATIONS: dict[str, Operation] = {}
"""By gRPC path: `/sekisho.api.iam.v1.IamService/CreateUser`."""

RESOURCES: dict[str, Callable[[Any, Any, str], Resource]] = {}
"""By kind: a function of the call, its request and the name of the field that names the resource."""

PREPARATIONS: dict[Callable[[Any, Any], Any], Callable[[Any, Any], Callable[[], Any]]] = {}
"""By the function of an operation: what is to be done before its transaction."""

F = TypeVar("F", bound=Callable[[Any, Any], Any])
R = TypeVar("R", bound=Callable[[Any, Any, str], Resource])
P = TypeVar("P", bound=Callable[[Any, Any], Callable[[], Any]])


@cache
def rpcs(package: str) -> Mapping[str, descriptor.MethodDescriptor]:
    """The rpcs of a package's service, by the name that their functions bear."""
    module = importlib.import_module(f"sekisho.api.{package}.v1.service_pb2")
    (service,) = module.DESCRIPTOR.services_by_name.values()
    return {snake(method.name): method for method in service.methods}


def operation(function: F) -> F:
    """Bind a function to the rpc of its package and name."""
    package, name = function.__module__.split(".")[2], function.__name__
    method = rpcs(package).get(name)
    if method is None:
        raise TypeError(f"no rpc of sekisho.api.{package}.v1 is called {name}")
    service = method.containing_service
    path = f"/{service.full_name}/{method.name}"
    if path in OPERATIONS:
        raise TypeError(f"{path} has two functions: {OPERATIONS[path].function.__module__} and {function.__module__}")
    access = annotations.access(method)
    OPERATIONS[path] = Operation(
        service=package,
        name=method.name,
        path=path,
        request=message_factory.GetMessageClass(method.input_type),
        response=message_factory.GetMessageClass(method.output_type),
        access=access,
        function=function,
        checks=tuple(access.check) or (Check(),),
    )
    return function


def resource(kind: str) -> Callable[[R], R]:
    """Register the function that finds a resource of this kind."""

    def register(function: R) -> R:
        if kind in RESOURCES:
            raise TypeError(f"two resolvers for the resource kind `{kind}`")
        RESOURCES[kind] = function
        return function

    return register


def prepare(function: F) -> Callable[[P], P]:
    """Register what a WRITE needs done that must hold no lock, such as hashing a password; the function finds it as `call.prepared`.

    The preparation runs for callers who may, in a snapshot of its own. What it reads there it hands to the work that it returns, which
    is then done with neither snapshot nor lock. The function looks at what it depends on again: the world may have moved on.
    """

    def register(preparation: P) -> P:
        if function in PREPARATIONS:
            raise TypeError(f"two preparations for {function.__name__}")
        PREPARATIONS[function] = preparation
        return preparation

    return register


def unanswered(packages: tuple[str, ...]) -> list[str]:
    """The rpcs that no function answers, and the kinds of resources that no resolver finds; both must be empty at start."""
    missing = [m.full_name for p in packages for n, m in rpcs(p).items() if f"/{m.containing_service.full_name}/{m.name}" not in OPERATIONS]
    kinds = {check.kind for op in OPERATIONS.values() for check in op.checks if check.kind}
    return missing + sorted(kinds - RESOURCES.keys())
