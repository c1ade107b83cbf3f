"""Users."""

from collections.abc import Sequence
from dataclasses import replace

from google.protobuf.message import Message
from sqlalchemy import select

from sekisho.api.iam.v1 import users_pb2 as pb
from sekisho.api.iam.v1.tags_pb2 import Tag as TagMessage
from sekisho.calls.call import Call
from sekisho.errors import ValidationError
from sekisho.operations import Resource, operation, resource
from sekisho.services.iam import boundaries, entities, tags
from sekisho.store.tables import (
    AccessKey,
    Attachment,
    Authenticator,
    InlinePolicy,
    LoginProfile,
    Membership,
    MfaDevice,
    PasswordHistory,
    Root,
    ServiceCredential,
    SigningCertificate,
    SshPublicKey,
    User,
)
from sekisho.world import EntityRecord

_REFERENCED = "Cannot delete entity, must remove referenced objects first."


@resource("user")
def user(call: Call, request: Message, field: str) -> Resource:
    """The user that the request names; without a name, the user or root user who calls."""
    name = getattr(request, field)
    if not name and call.caller.principal.kind == "root":
        return Resource(call.caller.arn)
    found = entities.resource(call, User, request, name or _own_name(call))
    return found if name else replace(found, named="")  # the caller's own ARN is no news


@resource("renamed-user")
def renamed_user(call: Call, request: pb.UpdateUserRequest, field: str) -> Resource:
    """The user as it will be afterwards."""
    return entities.renamed_resource(call, User, getattr(request, field), new_name=request.new_user_name, new_path=request.new_path)


def find_named_or_own(call: Call, name: str) -> User | Root:
    """The user of this name, or without one the user or root user who calls."""
    if name or (name := _own_name(call)):
        return entities.find(call, User, name)
    root = call.session.get(Root, call.account_id) if call.caller.principal.kind == "root" else None
    if root is None:
        raise ValidationError("Must specify userName when calling with non-User credentials")
    return root


def shown_name(owner: User | Root) -> str | None:
    """A user's name; a root user has none."""
    return None if isinstance(owner, Root) else owner.name


@operation
def create_user(call: Call, request: pb.CreateUserRequest) -> pb.CreateUserResponse:
    """A user begins without credentials and permissions."""
    columns = entities.new_columns(call, User, request.user_name, request.path, quota="UsersQuota")
    row = User(**columns, boundary_id=boundaries.policy_id(call, request.permissions_boundary))
    given = tags.first(call, row, request.tags)
    return pb.CreateUserResponse(user=message(row, boundary_arn=request.permissions_boundary or None, tags=given))


@operation
def get_user(call: Call, request: pb.GetUserRequest) -> pb.GetUserResponse:
    """With tags and boundary, which ListUsers leaves out. A root user has an id, an ARN and a date."""
    name = request.user_name or _own_name(call)
    if not name:
        root = find_named_or_own(call, "")
        return pb.GetUserResponse(user=pb.User(user_id=root.id, arn=entities.arn_of(root), create_date=entities.seconds(root.created_at)))
    found = call.entity("user", name)
    if found is None:
        raise entities.no_such(User, name)
    return pb.GetUserResponse(user=message(found, boundary_arn=found.boundary_arn, tags=tags.to_messages(found.tags)))


@operation
def update_user(call: Call, request: pb.UpdateUserRequest) -> pb.UpdateUserResponse:
    """The unique id stays, and with it everything that names the user by it."""
    entities.rename(call, entities.find(call, User, request.user_name), request.new_user_name, request.new_path)
    return pb.UpdateUserResponse()


@operation
def delete_user(call: Call, request: pb.DeleteUserRequest) -> pb.DeleteUserResponse:
    """Nothing may depend on the user any more."""
    row = entities.find(call, User, request.user_name)
    entities.refuse_dependents(
        call,
        [
            (AccessKey.owner_id == row.id, "Cannot delete entity, must delete access keys first."),
            (LoginProfile.user_id == row.id, "Cannot delete entity, must delete login profile first."),
            (MfaDevice.user_id == row.id, "Cannot delete entity, must delete MFA device first."),
            (Authenticator.owner_id == row.id, "Cannot delete entity, must delete MFA device first."),
            (SigningCertificate.owner_id == row.id, "Cannot delete entity, must delete signing certificates first."),
            (SshPublicKey.owner_id == row.id, _REFERENCED),
            (ServiceCredential.owner_id == row.id, _REFERENCED),
            (Membership.user_id == row.id, "Cannot delete entity, must remove users from group first."),
            (Attachment.owner_id == row.id, "Cannot delete entity, must detach all policies first."),
            (InlinePolicy.owner_id == row.id, "Cannot delete entity, must delete policies first."),
        ],
    )
    tags.clear(call, row)
    for old in call.session.scalars(select(PasswordHistory).where(PasswordHistory.user_id == row.id)):
        call.session.delete(old)
    call.session.flush()
    call.session.delete(row)
    return pb.DeleteUserResponse()


@operation
def list_users(call: Call, request: pb.ListUsersRequest) -> pb.ListUsersResponse:
    """By name, without tags and boundaries."""
    found = entities.page_by_name(call, request, User, path_prefix=request.path_prefix)
    return pb.ListUsersResponse(users=[message(row) for row in found.rows], is_truncated=found.marker is not None, marker=found.marker)


def message(user: User | EntityRecord, *, boundary_arn: str | None = None, tags: Sequence[TagMessage] = ()) -> pb.User:
    """A user as the API shows it; lists leave out boundary and tags."""
    return pb.User(
        path=user.path,
        user_name=user.name,
        user_id=user.id,
        arn=entities.arn_of(user),
        create_date=entities.seconds(user.created_at),
        password_last_used=entities.seconds(user.password_last_used_at),
        permissions_boundary=boundaries.message(boundary_arn),
        tags=tags,
    )


def _own_name(call: Call) -> str:
    """The name of the user who calls; a root user or a session of a role has none."""
    name = call.caller.keys.get("aws:username", "")
    return name if isinstance(name, str) else ""
