"""Groups of users."""

from google.protobuf.message import Message
from sqlalchemy import select

from sekisho.api.iam.v1 import groups_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import Resource, operation, resource
from sekisho.services.iam import entities, users
from sekisho.store.tables import Attachment, Group, InlinePolicy, Membership, User


@resource("group")
def group(call: Call, request: Message, field: str) -> Resource:
    """The group that the request names."""
    return entities.resource(call, Group, request, getattr(request, field))


@resource("renamed-group")
def renamed_group(call: Call, request: pb.UpdateGroupRequest, field: str) -> Resource:
    """The group as it will be afterwards."""
    return entities.renamed_resource(call, Group, getattr(request, field), new_name=request.new_group_name, new_path=request.new_path)


@operation
def create_group(call: Call, request: pb.CreateGroupRequest) -> pb.CreateGroupResponse:
    """A group begins without members and permissions."""
    columns = entities.new_columns(call, Group, request.group_name, request.path, quota="GroupsQuota")
    row = Group(**columns)
    call.add(row)
    return pb.CreateGroupResponse(group=message(row))


@operation
def get_group(call: Call, request: pb.GetGroupRequest) -> pb.GetGroupResponse:
    """With a page of its members, by name."""
    row = entities.find(call, Group, request.group_name)
    members = select(User).join(Membership, Membership.user_id == User.id).where(Membership.group_id == row.id)
    found = entities.page(call, request, members, key=[User.name_key], of=lambda member: [member.name_key])
    return pb.GetGroupResponse(
        group=message(row),
        users=[users.message(member) for member in found.rows],
        is_truncated=found.marker is not None,
        marker=found.marker,
    )


@operation
def update_group(call: Call, request: pb.UpdateGroupRequest) -> pb.UpdateGroupResponse:
    """The unique id stays, and with it members and policies."""
    entities.rename(call, entities.find(call, Group, request.group_name), request.new_group_name, request.new_path)
    return pb.UpdateGroupResponse()


@operation
def delete_group(call: Call, request: pb.DeleteGroupRequest) -> pb.DeleteGroupResponse:
    """It must have neither members nor policies."""
    row = entities.find(call, Group, request.group_name)
    entities.refuse_dependents(
        call,
        [
            (Membership.group_id == row.id, "Cannot delete entity, must remove users from group first."),
            (Attachment.owner_id == row.id, "Cannot delete entity, must detach all policies first."),
            (InlinePolicy.owner_id == row.id, "Cannot delete entity, must delete policies first."),
        ],
    )
    call.session.delete(row)
    return pb.DeleteGroupResponse()


@operation
def list_groups(call: Call, request: pb.ListGroupsRequest) -> pb.ListGroupsResponse:
    """By name."""
    found = entities.page_by_name(call, request, Group, path_prefix=request.path_prefix)
    return pb.ListGroupsResponse(groups=[message(row) for row in found.rows], is_truncated=found.marker is not None, marker=found.marker)


def message(row: Group) -> pb.Group:
    """A group as the API shows it."""
    return pb.Group(
        path=row.path, group_name=row.name, group_id=row.id, arn=entities.arn_of(row), create_date=entities.seconds(row.created_at)
    )
