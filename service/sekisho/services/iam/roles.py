"""Roles: identities that others assume for a while."""

from collections.abc import Sequence

from google.protobuf.message import Message

from sekisho.api.iam.v1 import roles_pb2 as pb
from sekisho.api.iam.v1.boundaries_pb2 import AttachedPermissionsBoundary
from sekisho.api.iam.v1.tags_pb2 import Tag
from sekisho.calls.call import Call
from sekisho.operations import Resource, operation, resource
from sekisho.services.iam import boundaries, entities, tags, trust
from sekisho.services.iam.errors import InvalidInput, UnmodifiableEntity
from sekisho.store.tables import Attachment, InlinePolicy, InstanceProfile, Role


@resource("role")
def role(call: Call, request: Message, field: str) -> Resource:
    """The role that the request names."""
    return entities.resource(call, Role, request, getattr(request, field))


@operation
def create_role(call: Call, request: pb.CreateRoleRequest) -> pb.CreateRoleResponse:
    """A role begins without permissions. The answer leaves out what only GetRole and ListRoles tell."""
    _refuse_signin_duration(request)
    if entities.SERVICE_LINKED in request.path:  # also where it is not at the beginning
        raise InvalidInput(f"The path {entities.SERVICE_LINKED} is reserved for service-linked roles.")
    document = trust.stored(call.session, request.assume_role_policy_document)
    columns = entities.new_columns(call, Role, request.role_name, request.path, quota="RolesQuota")
    row = Role(
        **columns,
        boundary_id=boundaries.policy_id(call, request.permissions_boundary),
        description=request.description if request.HasField("description") else None,
        trust_policy=document,
        max_session_seconds=request.max_session_duration or 3600,
    )
    given = tags.first(call, row, request.tags)
    shown = summary(call, row)
    _extend(shown, boundaries.message(request.permissions_boundary or None), given)
    return pb.CreateRoleResponse(role=shown)


@operation
def get_role(call: Call, request: pb.GetRoleRequest) -> pb.GetRoleResponse:
    """With all that there is to tell, last use too."""
    row = entities.find(call, Role, request.role_name)
    shown = list_entry(call, row)
    _extend(shown, boundaries.of(call, row), tags.messages(call, row))
    shown.role_last_used.CopyFrom(last_use(call, row))
    return pb.GetRoleResponse(role=shown)


@operation
def update_role(call: Call, request: pb.UpdateRoleRequest) -> pb.UpdateRoleResponse:
    """Fields that the request leaves out stay; a description may be empty."""
    _refuse_signin_duration(request)
    row = entities.find(call, Role, request.role_name)
    if request.HasField("description"):
        row.description = request.description
    if request.HasField("max_session_duration"):
        if entities.is_service_linked(row):
            raise UnmodifiableEntity(f"{row.name} is an AWS service linked role, max session duration cannot be changed.")
        row.max_session_seconds = request.max_session_duration
    return pb.UpdateRoleResponse()


@operation
def update_role_description(call: Call, request: pb.UpdateRoleDescriptionRequest) -> pb.UpdateRoleDescriptionResponse:
    """UpdateRole does the same; here the role is the answer."""
    row = entities.find(call, Role, request.role_name)
    row.description = request.description
    shown = summary(call, row)
    shown.description = row.description
    return pb.UpdateRoleDescriptionResponse(role=shown)


@operation
def update_assume_role_policy(call: Call, request: pb.UpdateAssumeRolePolicyRequest) -> pb.UpdateAssumeRolePolicyResponse:
    """A name in the document means whoever bears it now."""
    row = entities.find(call, Role, request.role_name)
    entities.refuse_protected(row)
    row.trust_policy = trust.stored(call.session, request.policy_document)
    return pb.UpdateAssumeRolePolicyResponse()


@operation
def delete_role(call: Call, request: pb.DeleteRoleRequest) -> pb.DeleteRoleResponse:
    """It must have no policies and be in no instance profile; its sessions end with it."""
    row = entities.find(call, Role, request.role_name)
    entities.refuse_protected(row)
    entities.refuse_dependents(
        call,
        [
            (Attachment.owner_id == row.id, "Cannot delete entity, must detach all policies first."),
            (InlinePolicy.owner_id == row.id, "Cannot delete entity, must delete policies first."),
            (InstanceProfile.role_id == row.id, "Cannot delete entity, must remove roles from instance profile first."),
        ],
    )
    tags.clear(call, row)
    call.session.delete(row)
    return pb.DeleteRoleResponse()


@operation
def list_roles(call: Call, request: pb.ListRolesRequest) -> pb.ListRolesResponse:
    """By name, without tags, boundaries and last use."""
    found = entities.page_by_name(call, request, Role, path_prefix=request.path_prefix)
    shown = [list_entry(call, row) for row in found.rows]
    return pb.ListRolesResponse(roles=shown, is_truncated=found.marker is not None, marker=found.marker)


def _refuse_signin_duration(request: pb.CreateRoleRequest | pb.UpdateRoleRequest) -> None:
    """A limit that nothing would keep is not taken: there is no console here that roles sign in to."""
    if request.HasField("max_signin_session_duration"):
        raise InvalidInput("MaxSigninSessionDuration is not supported: roles do not sign in to a console here.")


def summary(call: Call, row: Role) -> pb.Role:
    """The fields that every answer about a role shows."""
    return pb.Role(
        path=row.path,
        role_name=row.name,
        role_id=row.id,
        arn=entities.arn_of(row),
        create_date=entities.seconds(row.created_at),
        assume_role_policy_document=trust.shown(call.session, row.trust_policy),
    )


def list_entry(call: Call, row: Role) -> pb.Role:
    """The fields that ListRoles shows."""
    shown = summary(call, row)
    shown.max_session_duration = row.max_session_seconds
    if row.description is not None:
        shown.description = row.description
    return shown


def _extend(shown: pb.Role, boundary: AttachedPermissionsBoundary | None, given: Sequence[Tag]) -> None:
    """Add what lists leave out."""
    if boundary is not None:
        shown.permissions_boundary.CopyFrom(boundary)
    shown.tags.extend(given)


def last_use(call: Call, row: Role) -> pb.RoleLastUsed:
    """The later of what the database knows and what this worker saw."""
    seen = call.node.last_use.of(row.id)
    if seen is not None and (row.last_used_at is None or seen.at >= row.last_used_at):
        return pb.RoleLastUsed(last_used_date=entities.seconds(seen.at), region=seen.region)
    return pb.RoleLastUsed(last_used_date=entities.seconds(row.last_used_at), region=row.last_used_region)
