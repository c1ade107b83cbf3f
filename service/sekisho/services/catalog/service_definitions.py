"""Definitions of services: what validation, generation and analysis of policies know of a team's own service."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import func, select

from sekisho.api.catalog.v1 import service_definitions_pb2 as pb
from sekisho.calls import pages
from sekisho.calls import service_definitions as known
from sekisho.calls.call import Call
from sekisho.operations import Resource, operation, prepare, resource
from sekisho.operations import definitions as own_definitions
from sekisho.policy import definitions
from sekisho.policy.definitions import ServiceDefinition
from sekisho.services.catalog.errors import BuiltInService, InvalidToken, LimitExceeded, NoSuchServiceDefinition, ServiceNameMismatch
from sekisho.store import paging
from sekisho.store.tables import DefinedService, QuotaOverride

QUOTA = "ServiceDefinitionsQuota"
MOST = 100
"""Definitions of an account, where nobody has said otherwise."""


@resource("service")
def service(call: Call, request: Message, field: str) -> Resource:
    """A service by the prefix of its actions, whether it has a definition or not."""
    return Resource(f"arn:aws:catalog::{call.account_id}:service/{getattr(request, field)}")


@operation
def put_service_definition(call: Call, request: pb.PutServiceDefinitionRequest) -> pb.PutServiceDefinitionResponse:
    """Kept is what is read of a definition, and nothing else that the text may have."""
    made, text = call.prepared
    row = call.session.get(DefinedService, (call.account_id, made.name))
    held = select(func.count(), func.coalesce(func.sum(func.length(DefinedService.definition)), 0))
    count, characters = call.session.execute(held.where(DefinedService.account_id == call.account_id)).one()
    override = call.session.get(QuotaOverride, (call.account_id, QUOTA))
    most = override.value if override is not None else MOST
    if row is None and count >= most:
        raise LimitExceeded(f"the account has {most} definitions, which is its {QUOTA}")
    if characters - (len(row.definition) if row is not None else 0) + len(text) > known.MOST_CHARACTERS:
        raise LimitExceeded(f"the definitions of an account have {known.MOST_CHARACTERS} characters together at most")
    if row is None:
        row = DefinedService(account_id=call.account_id, name=made.name, created_at=call.now, **_columns(call, made, text))
        call.add(row)
    elif row.definition != text:
        for column, value in _columns(call, made, text).items():
            setattr(row, column, value)
    return pb.PutServiceDefinitionResponse(service=_message(row))


@prepare(put_service_definition)
def read_definition(call: Call, request: pb.PutServiceDefinitionRequest) -> Callable[[], tuple[ServiceDefinition, str]]:
    """A definition takes long to read, and nobody is to wait for that."""

    def work() -> tuple[ServiceDefinition, str]:
        made = definitions.read(request.definition)
        if made.name != request.service_name:
            raise ServiceNameMismatch(f"the definition is of `{made.name}`, not of `{request.service_name}`")
        if made.name in own_definitions.own():
            raise BuiltInService(f"`{made.name}` is a service of this server, which defines it")
        return made, definitions.write(made)

    return work


@operation
def get_service_definition(call: Call, request: pb.GetServiceDefinitionRequest) -> pb.GetServiceDefinitionResponse:
    """In the shape in which it can be put again."""
    if (built_in := own_definitions.own().get(request.service_name)) is not None:
        return pb.GetServiceDefinitionResponse(service=_built_in(built_in), definition=definitions.write(built_in))
    row = _find(call, request.service_name)
    return pb.GetServiceDefinitionResponse(service=_message(row), definition=row.definition)


@operation
def delete_service_definition(call: Call, request: pb.DeleteServiceDefinitionRequest) -> pb.DeleteServiceDefinitionResponse:
    """Nothing is decided by a definition, so nothing is decided otherwise without it."""
    if request.service_name in own_definitions.own():
        raise BuiltInService(f"`{request.service_name}` is a service of this server, which defines it")
    call.session.delete(_find(call, request.service_name))
    return pb.DeleteServiceDefinitionResponse()


@operation
def list_service_definitions(call: Call, request: pb.ListServiceDefinitionsRequest) -> pb.ListServiceDefinitionsResponse:
    """This server's own come first, on the first page."""
    try:
        found = paging.page(
            call.session,
            select(DefinedService).where(DefinedService.account_id == call.account_id),
            pages.cursor(call, request, place="next_token", size="max_results"),
            key=[DefinedService.name],
            of=lambda row: [row.name],
            marker=request.next_token,
            most=request.max_results,
        )
    except paging.InvalidMarker:
        raise InvalidToken("The token is not one that this list has given.") from None
    built_in = [] if request.next_token else [_built_in(one) for one in own_definitions.own().values()]
    return pb.ListServiceDefinitionsResponse(services=[*built_in, *map(_message, found.rows)], next_token=found.marker)


def _find(call: Call, name: str) -> DefinedService:
    row = call.session.get(DefinedService, (call.account_id, name))
    if row is None:
        raise NoSuchServiceDefinition(f"The account has no definition of the service {name}.")
    return row


def _columns(call: Call, made: ServiceDefinition, text: str) -> dict[str, Any]:
    counts = {"actions": len(made.actions), "resource_types": len(made.resources), "condition_keys": len(made.keys)}
    return {"definition": text, "updated_at": call.now, **counts}


def _message(row: DefinedService) -> pb.ServiceSummary:
    return pb.ServiceSummary(
        service_name=row.name,
        actions=row.actions,
        resource_types=row.resource_types,
        condition_keys=row.condition_keys,
        built_in=False,
        updated_at=row.updated_at.replace(microsecond=0),
    )


def _built_in(made: ServiceDefinition) -> pb.ServiceSummary:
    return pb.ServiceSummary(
        service_name=made.name,
        actions=len(made.actions),
        resource_types=len(made.resources),
        condition_keys=len(made.keys),
        built_in=True,
    )
