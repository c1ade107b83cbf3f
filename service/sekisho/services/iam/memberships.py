"""Which users are in which groups."""

from sqlalchemy import func, select

from sekisho.api.iam.v1 import memberships_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.iam import entities, groups, quotas
from sekisho.store.tables import Group, Membership, User


@operation
def add_user_to_group(call: Call, request: pb.AddUserToGroupRequest) -> pb.AddUserToGroupResponse:
    """At most ten groups a user; one that is in the group already stays there."""
    user = entities.find(call, User, request.user_name)
    group = entities.find(call, Group, request.group_name)
    if call.session.get(Membership, (user.id, group.id)) is None:
        held = call.session.scalars(select(func.count()).select_from(Membership).where(Membership.user_id == user.id)).one()
        quotas.check("GroupsPerUserQuota", held + 1)
        call.add(Membership(user_id=user.id, group_id=group.id, created_at=call.now))
    return pb.AddUserToGroupResponse()


@operation
def remove_user_from_group(call: Call, request: pb.RemoveUserFromGroupRequest) -> pb.RemoveUserFromGroupResponse:
    """A user that is not in the group is no error."""
    user = entities.find(call, User, request.user_name)
    group = entities.find(call, Group, request.group_name)
    row = call.session.get(Membership, (user.id, group.id))
    if row is not None:
        call.session.delete(row)
    return pb.RemoveUserFromGroupResponse()


@operation
def list_groups_for_user(call: Call, request: pb.ListGroupsForUserRequest) -> pb.ListGroupsForUserResponse:
    """By name."""
    user = entities.find(call, User, request.user_name)
    query = select(Group).join(Membership, Membership.group_id == Group.id).where(Membership.user_id == user.id)
    found = entities.page(call, request, query, key=[Group.name_key], of=lambda row: [row.name_key])
    return pb.ListGroupsForUserResponse(
        groups=[groups.message(row) for row in found.rows], is_truncated=found.marker is not None, marker=found.marker
    )
