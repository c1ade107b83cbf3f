"""Questions about many at once as Python writes them, and the messages of them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Required, TypedDict, TypeVar

from google.protobuf.message import Message

from sekisho.api.authorize.v1 import decisions_pb2
from sekisho.api.authorize.v1 import plans_pb2 as pb
from sekisho.client import decisions
from sekisho.client.decisions import Value
from sekisho.client.errors import Internal
from sekisho.policy import residual

M = TypeVar("M", bound=Message)


class _Asked(TypedDict, total=False):
    """What all of them have: of whom, and what else is known."""

    principal: str | None
    """An ARN. Or one of the next two says who wants to act; without any, the caller itself."""
    bearer_token: str | None
    signed_request: decisions_pb2.SignedRequest | None
    audience: str | None
    context: Mapping[str, Value] | None
    at_least: str | None


class PlanQuestion(_Asked, total=False):
    """On which of these resources? They are of a type that is defined, `orders:order`, or of a pattern of ARNs."""

    action: Required[str]
    resource_type: str | None
    resource_pattern: str | None
    resource_account: str | None
    resource_policy: str | Mapping[str, Any] | None


class ResourcesQuestion(_Asked, total=False):
    """On which registered resources, of a type or a pattern?"""

    action: Required[str]
    resource_type: str | None
    resource_pattern: str | None


class ActionsQuestion(_Asked, total=False):
    """Which actions on this resource? `services` are the prefixes of those that are asked about, all without."""

    resource: Required[str]
    resource_account: str | None
    resource_tags: Mapping[str, str] | None
    resource_policy: str | Mapping[str, Any] | None
    services: Iterable[str]


class PrincipalsQuestion(TypedDict, total=False):
    """Which users and roles of the caller's account?"""

    action: Required[str]
    resource: Required[str]
    resource_account: str | None
    resource_tags: Mapping[str, str] | None
    resource_policy: str | Mapping[str, Any] | None
    context: Mapping[str, Value] | None
    at_least: str | None


class Listing(NamedTuple):
    """An rpc that lists: its path, its messages, and the field with its entries."""

    path: str
    request: Callable[[], Message]
    response: type[Message]
    entries: str


_SERVICE = "/sekisho.api.authorize.v1.AuthorizeService"
PLAN = f"{_SERVICE}/PlanResources"
ACTIONS = Listing(f"{_SERVICE}/ListAllowedActions", pb.ListAllowedActionsRequest, pb.ListAllowedActionsResponse, "actions")
RESOURCES = Listing(f"{_SERVICE}/ListAllowedResources", pb.ListAllowedResourcesRequest, pb.ListAllowedResourcesResponse, "resources")
PRINCIPALS = Listing(f"{_SERVICE}/ListAllowedPrincipals", pb.ListAllowedPrincipalsRequest, pb.ListAllowedPrincipalsResponse, "principals")
MOST = 1_000
"""Entries that are asked for at once."""


def plan_request(**question: Any) -> pb.PlanResourcesRequest:
    """The message of a PlanQuestion."""
    return _message(pb.PlanResourcesRequest(), **question)


def list_request(listing: Listing, **question: Any) -> Any:
    """The message of the first page of a question that is answered by a list."""
    made: Any = _message(listing.request(), **question)
    made.max_results = MOST
    return made


def _message(made: M, **question: Any) -> M:
    """Fill a message with a question's parts: those that Authorize has as it has them."""
    said: Any = made
    for name in ("resource_type", "resource_pattern", "services"):
        value = question.pop(name, None)
        if isinstance(value, str):
            setattr(said, name, value)
        elif value is not None:
            said.services.extend(value)
    fields = made.DESCRIPTOR.fields_by_name
    for field, value in decisions.request(**{"action": "-", "resource": "-", **question}).ListFields():
        if field.name not in fields:
            continue
        if field.is_repeated or field.message_type is not None:
            getattr(made, field.name).MergeFrom(value)
        else:
            setattr(made, field.name, value)
    return made


def plan(answer: pb.PlanResourcesResponse) -> residual.Plan:
    """The plan of an answer, which must say twice the same; Internal where it does not."""
    try:
        found = residual.from_json(answer.plan_json)
    except ValueError as error:
        raise Internal(f"the server's plan cannot be read: {error}") from None
    if pb.PlanKind.Name(answer.kind) != f"PLAN_KIND_{found.kind.value}":
        raise Internal(f"the server's plan is of another kind than it says: {answer.kind}")
    return found
