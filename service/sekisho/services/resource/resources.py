"""Registered resources: put, told, listed, taken away."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import select

from sekisho.api.resource.v1 import resources_pb2 as pb
from sekisho.api.resource.v1 import tags_pb2
from sekisho.calls import pages
from sekisho.calls import resources as registered
from sekisho.calls.call import Call
from sekisho.operations import Resource, operation, resource
from sekisho.policy import validate
from sekisho.services.resource.errors import InvalidToken
from sekisho.store import paging
from sekisho.store.tables import RegisteredResource


@resource("resource")
def resource_(call: Call, request: Message, field: str) -> Resource:
    """The resource of an ARN, the first of several: for the others the function asks."""
    named: Any = getattr(request, field)
    return registered.as_resource(call, named if isinstance(named, str) else named[0] if named else "*")


@operation
def put_resource(call: Call, request: pb.PutResourceRequest) -> pb.PutResourceResponse:
    """The same request again changes nothing more. Tags that are given are all that it has then; without any it keeps those that it has,
    and so with the policy.
    """
    if request.HasField("resource_policy"):
        validate.check(request.resource_policy, validate.Kind.RESOURCE)
    row = registered.get(call, request.resource_arn) or registered.register(call, request.resource_arn)
    if request.tags:
        registered.put_tags(call, row, given(request.tags), whole=True)
    if request.HasField("resource_policy"):
        row.policy = request.resource_policy
        row.updated_at = call.now
    return pb.PutResourceResponse(resource=_messages(call, [row])[0])


@operation
def get_resource(call: Call, request: pb.GetResourceRequest) -> pb.GetResourceResponse:
    """With its tags; its policy is told by GetResourcePolicy, which is a permission of its own."""
    return pb.GetResourceResponse(resource=_messages(call, [registered.find(call, request.resource_arn)])[0])


@operation
def delete_resource(call: Call, request: pb.DeleteResourceRequest) -> pb.DeleteResourceResponse:
    """What is asked about it afterwards is decided by what the asker says, as of any ARN that is not registered."""
    registered.remove(call, registered.find(call, request.resource_arn))
    return pb.DeleteResourceResponse()


@operation
def list_resources(call: Call, request: pb.ListResourcesRequest) -> pb.ListResourcesResponse:
    """By service, type and ARN, with their tags."""
    query = select(RegisteredResource).where(RegisteredResource.account_id == call.account_id)
    if request.HasField("service"):
        query = query.where(RegisteredResource.service == request.service)
    if request.HasField("resource_type"):
        query = query.where(RegisteredResource.type == request.resource_type)
    try:
        found = paging.page(
            call.session,
            query,
            pages.cursor(call, request, place="next_token", size="max_results"),
            key=[RegisteredResource.service, RegisteredResource.type, RegisteredResource.id],
            of=lambda row: [row.service, row.type, row.id],
            marker=request.next_token,
            most=request.max_results,
        )
    except paging.InvalidMarker:
        raise InvalidToken("The token is not one that this list has given.") from None
    return pb.ListResourcesResponse(resources=_messages(call, found.rows), next_token=found.marker)


def given(listed: Any) -> Mapping[str, str]:
    """The tags of a request by their keys; InvalidTag where a key stands twice."""
    if len({tag.key for tag in listed}) != len(listed):
        raise registered.InvalidTag("A tag key is given twice; the case of a key makes no difference.")
    return {tag.key: tag.value for tag in listed}


def _messages(call: Call, rows: Any) -> list[pb.Resource]:
    call.session.flush()
    tags = registered.tags(call.session, rows)
    return [
        pb.Resource(
            resource_arn=row.arn,
            account_id=row.account_id,
            service=row.service,
            resource_type=row.type or None,
            tags=[tags_pb2.Tag(key=key, value=value) for key, value in tags[row.id].items()],
            has_policy=row.policy is not None,
            created_at=row.created_at.replace(microsecond=0),
            updated_at=row.updated_at.replace(microsecond=0),
        )
        for row in rows
    ]
