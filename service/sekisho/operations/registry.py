"""The registry: which function answers which rpc, and how a request names its resources.

`@operation` binds a function to the rpc that has its package and its name: `sekisho.services.iam.users.create_user` answers
`sekisho.api.iam.v1.IamService/CreateUser`. A function without an rpc, or an rpc without `(access)`, fails at import.
`@resource` registers how a kind of resource is found for a check of `(access)`. Both belong to a service: other services may have
operations and kinds of the same name. `load` imports every service there is, which fills the registry.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeVar

from google.protobuf import descriptor, message_factory
from google.protobuf.message import Message

from sekisho.errors import SekishoError, ValidationError
from sekisho.naming import snake
from sekisho.operations import annotations
from sekisho.operations.annotations import Access, Identity

SERVICES = "sekisho.services"
"""The package whose packages are the services."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its package (`iam`), its name in gRPC (`sekisho.api.iam.v1.IamService`), and what its proto's `(identity)` says."""

    package: str
    full_name: str
    model: str
    prefix: str
    signing_name: str
    event_source: str
    protocol: Identity.Protocol


class Check(NamedTuple):
    """A check of `(access)`, read from the proto once, since each call asks: the action (the operation's own when empty), the kind of
    resource and the field that names it (none: `*`), and the field without which it is not made.
    """

    action: str = ""
    kind: str = ""
    field: str = ""
    when_field: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One rpc and the function that answers it; `streams` when it answers with a stream of messages.

    `path` is its path in gRPC, `/sekisho.api.iam.v1.IamService/CreateUser`; `action` the action that its caller needs, unless `(access)`
    names others. `signed`: the caller must prove who it is. `permitted_to_all`: no policy is asked before the function runs.
    """

    service: Service
    name: str
    request: type[Message]
    response: type[Message]
    access: Access
    function: Callable[[Any, Any], Any]
    checks: tuple[Check, ...]
    streams: bool = False
    path: str = field(init=False)
    action: str = field(init=False)
    level: int = field(init=False)
    signed: bool = field(init=False)
    permitted_to_all: bool = field(init=False)

    def __post_init__(self) -> None:
        for name, value in (  # each call asks for all of them
            ("path", f"/{self.service.full_name}/{self.name}"),
            ("action", f"{self.service.prefix}:{self.name}"),
            ("level", int(self.access.level)),
            ("signed", self.access.caller == Access.SIGNED),
            ("permitted_to_all", self.access.permission == Access.NONE),
        ):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Resource:
    """What a check is about: its ARN with path, its tags, and the condition keys that come from it.

    For an unknown name the ARN has no path, so that a caller without permission is denied before it learns of NoSuchEntity.
    `named` is the resource in the caller's own words, where these are not the ARN: a denial says it so, and tells neither the path nor the
    spelling of what the caller may not be permitted to see. `owner` is the account that the resource counts as, where that is not the one
    in the ARN.
    """

    arn: str
    tags: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    named: str = ""
    owner: str = ""


Key = tuple[str, str]
"""The package of a service, and the name of what it has."""

OPERATIONS: dict[Key, Operation] = {}
"""By service and name: `("iam", "CreateUser")`."""

RESOURCES: dict[Key, Callable[[Any, Any, str], Resource]] = {}
"""By service and kind: a function of the call, its request and the name of the field that names the resource."""

PREPARATIONS: dict[Callable[[Any, Any], Any], Callable[[Any, Any], Callable[[], Any]]] = {}
"""By the function of an operation: what is to be done before its transaction."""

VIOLATIONS: dict[str, Callable[[ValidationError], SekishoError]] = {}
"""By service: how it says that a member of a request breaks its rules, where that is not a ValidationError."""

TAG_VIOLATIONS: dict[str, Callable[[str], SekishoError]] = {}
"""By service: how it says that a tag policy does not allow a tag, where that is not a TagPolicyViolation."""

F = TypeVar("F", bound=Callable[[Any, Any], Any])
R = TypeVar("R", bound=Callable[[Any, Any, str], Resource])
V = TypeVar("V", bound=Callable[[ValidationError], SekishoError])
W = TypeVar("W", bound=Callable[[str], SekishoError])
P = TypeVar("P", bound=Callable[[Any, Any], Callable[[], Any]])


def packages() -> tuple[str, ...]:
    """The packages of all services that there are, by name."""
    root = importlib.import_module(SERVICES)
    return tuple(sorted(module.name for module in pkgutil.iter_modules(root.__path__) if module.ispkg))


def load(wanted: Iterable[str] | None = None) -> tuple[str, ...]:
    """Import every module of these services, or of all there are, which fills the registry; the services' packages, by name.

    TypeError names the rpcs that no function answers and the kinds of resources that no resolver finds.
    """
    found = packages() if wanted is None else tuple(wanted)
    for package in found:
        for name in _modules(f"{SERVICES}.{package}"):
            importlib.import_module(name)
    if missing := unanswered(found):
        raise TypeError(f"without a function or resolver: {', '.join(missing)}")
    return found


def _modules(package: str) -> Iterator[str]:
    found = importlib.import_module(package)
    yield package
    for module in pkgutil.iter_modules(found.__path__, f"{package}."):
        if module.ispkg:
            yield from _modules(module.name)
        else:
            yield module.name


@cache
def service(package: str) -> Service:
    """The service of a package, as its proto says."""
    found = _descriptor(package)
    said = annotations.identity(found)
    return Service(
        package=package,
        full_name=found.full_name,
        model=said.model,
        prefix=said.action_prefix,
        signing_name=said.signing_name,
        event_source=said.event_source,
        protocol=said.protocol,
    )


@cache
def rpcs(package: str) -> Mapping[str, descriptor.MethodDescriptor]:
    """The rpcs of a package's service, by the name that their functions bear."""
    return {snake(method.name): method for method in _descriptor(package).methods}


def _descriptor(package: str) -> descriptor.ServiceDescriptor:
    module = importlib.import_module(f"sekisho.api.{package}.v1.service_pb2")
    (found,) = module.DESCRIPTOR.services_by_name.values()
    return found  # type: ignore[no-any-return]  # of a module that is imported by its name


def operation(function: F) -> F:
    """Bind a function to the rpc of its package and name."""
    package, name = _package(function), function.__name__
    method = rpcs(package).get(name)
    if method is None:
        raise TypeError(f"no rpc of sekisho.api.{package}.v1 is called {name}")
    key = (package, method.name)
    if key in OPERATIONS:
        raise TypeError(f"{OPERATIONS[key].path} has two functions: {OPERATIONS[key].function.__module__} and {function.__module__}")
    access = annotations.access(method)
    OPERATIONS[key] = Operation(
        service=service(package),
        name=method.name,
        request=message_factory.GetMessageClass(method.input_type),
        response=message_factory.GetMessageClass(method.output_type),
        access=access,
        function=function,
        checks=tuple(Check(check.action, check.kind, check.field, check.when_field) for check in access.check) or (Check(),),
        streams=method.server_streaming,
    )
    return function


def resource(kind: str) -> Callable[[R], R]:
    """Register the function that finds a resource of this kind for its service."""

    def register(function: R) -> R:
        key = (_package(function), kind)
        if key in RESOURCES:
            raise TypeError(f"two resolvers of {key[0]} for the resource kind `{kind}`")
        RESOURCES[key] = function
        return function

    return register


def tag_violations(package: str) -> Callable[[W], W]:
    """Register how a service says that a tag is not allowed by a tag policy; one that registers nothing says TagPolicyViolation."""

    def register(function: W) -> W:
        if package in TAG_VIOLATIONS:
            raise TypeError(f"{package} says twice how tag policies are broken")
        TAG_VIOLATIONS[package] = function
        return function

    return register


def violations(package: str) -> Callable[[V], V]:
    """Register how a service says that a member of a request breaks its rules."""

    def register(function: V) -> V:
        if package in VIOLATIONS:
            raise TypeError(f"{package} says twice how rules are broken")
        VIOLATIONS[package] = function
        return function

    return register


def _package(function: Callable[..., Any]) -> str:
    """The package of a service's function: `iam` for one of `sekisho.services.iam.users`."""
    return function.__module__.removeprefix(f"{SERVICES}.").partition(".")[0]


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


def unanswered(packages: Iterable[str]) -> list[str]:
    """The rpcs that no function answers, and the kinds of resources that no resolver finds."""
    missing = [method.full_name for package in packages for method in rpcs(package).values() if (package, method.name) not in OPERATIONS]
    kinds = {(package, check.kind) for (package, _), found in OPERATIONS.items() for check in found.checks if check.kind}
    return missing + sorted(f"{package}:{kind}" for package, kind in kinds - RESOURCES.keys())
