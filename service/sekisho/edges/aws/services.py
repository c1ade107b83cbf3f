"""Which operation a request is for: the registry's operations, found as AWS's protocols name them.

The models are read once, at start; of each service only those that we have a package for.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore.loaders import create_loader
from botocore.model import ServiceModel

from sekisho.edges.aws import cbor, faults, form, json, query, rest_json
from sekisho.edges.aws.errors import InvalidAction, MissingAction, UnknownOperation
from sekisho.edges.aws.rest_json import Template
from sekisho.edges.aws.wire import Fail, Route
from sekisho.operations import Operation, Service
from sekisho.operations.annotations import Identity
from sekisho.sigv4 import HttpRequest

QUERY_FAIL: Fail = query.failing(faults.Faults(None, faults.QUERY), "")
JSON_FAIL: Fail = json.failing(faults.Faults(None, faults.JSON, 400), b"application/x-amz-json-1.1")
REST_FAIL: Fail = json.failing(faults.Faults(None, faults.JSON), rest_json.KIND)
CBOR_FAIL: Fail = cbor.failing(faults.Faults(None, faults.JSON, 400))
"""How errors are said before it is known whose they are."""

_CBOR = "smithy-rpc-v2-cbor"
"""What botocore's models call the protocol that their newer clients prefer; whoever has it beside its own is reached by both."""

_PROTOCOLS: Mapping[int, tuple[str, Callable[[Any], Any]]] = {
    Identity.QUERY: ("query", query.Protocol),
    Identity.JSON: ("json", json.Protocol),
    Identity.REST_JSON: ("rest-json", rest_json.Protocol),
}
"""By the protocol of a service's `(identity)`: the name that botocore's models have for it, and what makes its codecs."""


class Router:
    """The routes of all services that AWS's clients can speak to."""

    def __init__(self, operations: Iterable[Operation], load: Callable[[str], Any] | None = None) -> None:
        self._actions: dict[tuple[str, str], Route] = {}
        self._targets: dict[str, Route] = {}
        self._paths: dict[str, list[tuple[Template, Route]]] = {}
        self._calls: dict[str, Route] = {}
        ours: dict[Service, dict[str, Operation]] = {}
        for operation in operations:
            ours.setdefault(operation.service, {})[operation.name] = operation
        load = load or models()
        for service, known in ours.items():
            if service.protocol in _PROTOCOLS:
                self._add(service, load(service.model), known)

    def _add(self, service: Service, model: Any, known: Mapping[str, Operation]) -> None:
        name, protocols = _PROTOCOLS[service.protocol]
        spoken = (model.metadata["protocol"], *model.metadata.get("protocols", ()))
        if name not in spoken:
            raise TypeError(f"{service.full_name} has the protocol {name}, which its model `{service.model}` has not")
        protocol = protocols(model)
        version, prefix = model.api_version, model.metadata.get("targetPrefix")
        for name in model.operation_names:
            theirs, operation = model.operation_model(name), known.get(name)
            route = Route(service, protocol.fail, name, (operation, protocol.codec(theirs, operation)) if operation is not None else None)
            if isinstance(protocol, query.Protocol):
                self._actions[name, version] = route
            elif isinstance(protocol, json.Protocol):
                self._targets[f"{prefix}.{name}"] = route
            else:
                where = rest_json.template(theirs.http["method"], theirs.http["requestUri"])
                self._paths.setdefault(service.signing_name, []).append((where, route))
        for found in self._paths.values():
            found.sort(key=lambda entry: entry[0].weight)
        if _CBOR in spoken:
            self._add_calls(service, model, known)

    def _add_calls(self, service: Service, model: Any, known: Mapping[str, Operation]) -> None:
        protocol, prefix = cbor.Protocol(model), model.metadata["targetPrefix"]
        for name in model.operation_names:
            operation = known.get(name)
            answered = (operation, protocol.codec(model.operation_model(name), operation)) if operation is not None else None
            self._calls[cbor.path(prefix, name)] = Route(service, protocol.fail, name, answered)

    def routes(self) -> list[Route]:
        """All routes, those without a function among them."""
        paths = (route for paths in self._paths.values() for _, route in paths)
        return [*self._actions.values(), *self._targets.values(), *paths, *self._calls.values()]

    def of(self, request: HttpRequest) -> Route:
        """The operation that a request names, or InvalidAction, MissingAction or UnknownOperation."""
        if cbor.is_spoken(request):
            if (call := self._calls.get(request.path)) is None or request.method != "POST":
                raise UnknownOperation("The operation that the path names is not known.")
            return call
        if (target := request.header("x-amz-target")) is not None:
            if (route := self._targets.get(target)) is None or request.method != "POST" or request.path != "/":
                raise UnknownOperation("The operation that X-Amz-Target names is not known.")
            return route
        if request.path == "/" and (route := self._named(request)) is not None:
            return route
        for where, route in self._paths.get(signing_name(request), ()):
            if where.match(request) is not None:
                return route
        if request.path == "/":
            raise MissingAction("The request names no operation: it has neither Action nor X-Amz-Target.")
        raise UnknownOperation("No operation has this path.")

    def _named(self, request: HttpRequest) -> Route | None:
        if request.method not in ("GET", "POST"):
            return None
        texts = form.raw(request)
        action = form.peek(texts, "Action")
        if action is None:
            return None
        version = form.peek(texts, "Version")
        route = self._actions.get((action, version or ""))
        if route is None:
            raise InvalidAction(f"Could not find operation {action[:128]} for version {(version or 'NO_VERSION_SPECIFIED')[:32]}")
        return route


def failing(request: HttpRequest) -> Fail:
    """How to say an error to a caller of whom it is not known what it calls."""
    if cbor.is_spoken(request):
        return CBOR_FAIL
    if request.header("x-amz-target") is not None:
        return JSON_FAIL
    return QUERY_FAIL if request.path == "/" else REST_FAIL


def signing_name(request: HttpRequest) -> str:
    """The service in the scope that the request claims to be signed for; empty when it claims none."""
    _, _, credential = (request.header("authorization") or "").partition("Credential=")
    parts = (credential.partition(",")[0] or (form.peek((request.query, ""), "X-Amz-Credential") or "").replace("%2F", "/")).split("/")
    return parts[3] if len(parts) == 5 else ""


def models() -> Callable[[str], Any]:
    """Loads service models: those that are installed with botocore, and those in the folders that AWS_DATA_PATH names, as its tools do."""
    loader = create_loader(os.environ.get("AWS_DATA_PATH"))
    return lambda name: ServiceModel(loader.load_service_model(name, "service-2"), name)
