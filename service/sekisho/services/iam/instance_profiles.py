"""Instance profiles: a named place for one role, for programs that run on a machine."""

from collections.abc import Sequence

from google.protobuf.message import Message
from sqlalchemy import select

from sekisho.api.iam.v1 import instance_profiles_pb2 as pb
from sekisho.api.iam.v1.tags_pb2 import Tag
from sekisho.calls.call import Call
from sekisho.operations import Resource, operation, resource
from sekisho.services.iam import entities, quotas, roles, tags
from sekisho.services.iam.errors import DeleteConflict, NoSuchEntity
from sekisho.store.tables import InstanceProfile, Role


@resource("instance-profile")
def instance_profile(call: Call, request: Message, field: str) -> Resource:
    """The instance profile that the request names."""
    return entities.resource(call, InstanceProfile, request, getattr(request, field))


@operation
def create_instance_profile(call: Call, request: pb.CreateInstanceProfileRequest) -> pb.CreateInstanceProfileResponse:
    """It begins without a role."""
    columns = entities.new_columns(call, InstanceProfile, request.instance_profile_name, request.path, quota="InstanceProfilesQuota")
    row = InstanceProfile(**columns)
    given = tags.first(call, row, request.tags)
    return pb.CreateInstanceProfileResponse(instance_profile=message(call, row, tags=given))


@operation
def get_instance_profile(call: Call, request: pb.GetInstanceProfileRequest) -> pb.GetInstanceProfileResponse:
    """With tags, which lists leave out."""
    row = entities.find(call, InstanceProfile, request.instance_profile_name)
    return pb.GetInstanceProfileResponse(instance_profile=message(call, row, tags=tags.messages(call, row)))


@operation
def delete_instance_profile(call: Call, request: pb.DeleteInstanceProfileRequest) -> pb.DeleteInstanceProfileResponse:
    """It must have no role."""
    row = entities.find(call, InstanceProfile, request.instance_profile_name)
    if row.role_id is not None:
        raise DeleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    tags.clear(call, row)
    call.session.delete(row)
    return pb.DeleteInstanceProfileResponse()


@operation
def list_instance_profiles(call: Call, request: pb.ListInstanceProfilesRequest) -> pb.ListInstanceProfilesResponse:
    """By name, with their roles."""
    found = entities.page_by_name(call, request, InstanceProfile, path_prefix=request.path_prefix)
    shown = [message(call, row) for row in found.rows]
    return pb.ListInstanceProfilesResponse(instance_profiles=shown, is_truncated=found.marker is not None, marker=found.marker)


@operation
def list_instance_profiles_for_role(call: Call, request: pb.ListInstanceProfilesForRoleRequest) -> pb.ListInstanceProfilesForRoleResponse:
    """By name."""
    role = entities.find(call, Role, request.role_name)
    found = entities.page_by_name(call, request, InstanceProfile, InstanceProfile.role_id == role.id)
    shown = [message(call, row) for row in found.rows]
    return pb.ListInstanceProfilesForRoleResponse(instance_profiles=shown, is_truncated=found.marker is not None, marker=found.marker)


@operation
def add_role_to_instance_profile(call: Call, request: pb.AddRoleToInstanceProfileRequest) -> pb.AddRoleToInstanceProfileResponse:
    """There is room for one; that it is the same one does not help."""
    row = entities.find(call, InstanceProfile, request.instance_profile_name)
    role = entities.find(call, Role, request.role_name)
    entities.refuse_protected(role)
    quotas.check("RolesPerInstanceProfileQuota", (row.role_id is not None) + 1)
    row.role_id = role.id
    return pb.AddRoleToInstanceProfileResponse()


@operation
def remove_role_from_instance_profile(
    call: Call, request: pb.RemoveRoleFromInstanceProfileRequest
) -> pb.RemoveRoleFromInstanceProfileResponse:
    """A role that is not in it is an error."""
    row = entities.find(call, InstanceProfile, request.instance_profile_name)
    if row.role_id != entities.find(call, Role, request.role_name).id:
        raise NoSuchEntity(f"Role with name {request.role_name} cannot be found in instance profile {row.name}.")
    row.role_id = None
    return pb.RemoveRoleFromInstanceProfileResponse()


@operation
def tag_instance_profile(call: Call, request: pb.TagInstanceProfileRequest) -> pb.TagInstanceProfileResponse:
    """The keys of an instance profile's tags differ by case."""
    tags.put(call, entities.find(call, InstanceProfile, request.instance_profile_name), request.tags)
    return pb.TagInstanceProfileResponse()


@operation
def untag_instance_profile(call: Call, request: pb.UntagInstanceProfileRequest) -> pb.UntagInstanceProfileResponse:
    """A key that is not there is no error."""
    tags.remove(call, entities.find(call, InstanceProfile, request.instance_profile_name), request.tag_keys)
    return pb.UntagInstanceProfileResponse()


@operation
def list_instance_profile_tags(call: Call, request: pb.ListInstanceProfileTagsRequest) -> pb.ListInstanceProfileTagsResponse:
    """By key."""
    row = entities.find(call, InstanceProfile, request.instance_profile_name)
    return tags.respond(call, request, row, pb.ListInstanceProfileTagsResponse)


def of_role(call: Call, role: Role) -> list[pb.InstanceProfile]:
    """All the instance profiles that have a role, by name."""
    query = select(InstanceProfile).where(InstanceProfile.role_id == role.id).order_by(InstanceProfile.name_key)
    return [message(call, row) for row in call.session.scalars(query)]


def message(call: Call, row: InstanceProfile, *, tags: Sequence[Tag] = ()) -> pb.InstanceProfile:
    """An instance profile as the API shows it; lists leave out its tags."""
    role = call.session.get(Role, row.role_id) if row.role_id is not None else None
    return pb.InstanceProfile(
        path=row.path,
        instance_profile_name=row.name,
        instance_profile_id=row.id,
        arn=entities.arn_of(row),
        create_date=entities.seconds(row.created_at),
        roles=[roles.summary(call, role)] if role is not None else (),
        tags=tags,
    )
