"""Access keys of users and root users."""

from dataclasses import replace

from google.protobuf.message import Message
from sqlalchemy import func, select

from sekisho.api.iam.v1 import access_keys_pb2 as pb
from sekisho.calls.call import Call
from sekisho.credentials import access_keys
from sekisho.errors import AccessDenied
from sekisho.operations import Resource, operation, resource
from sekisho.services.iam import entities, quotas, users
from sekisho.services.iam.errors import NoSuchEntity
from sekisho.store.tables import AccessKey, Entity, Root, User

_NEVER = "N/A"


@resource("access-key")
def access_key(call: Call, request: Message, field: str) -> Resource:
    """The user whose key it is; of a key that is not the account's, nobody."""
    id_ = getattr(request, field)
    owner = _owner_of(call, id_)
    found = call.entity(owner.kind, owner.name) if owner is not None else None
    resource = entities.resource_of_record(found) if found is not None else entities.resource(call, User, request, "")
    return replace(resource, named=f"access key {id_}")


@operation
def create_access_key(call: Call, request: pb.CreateAccessKeyRequest) -> pb.CreateAccessKeyResponse:
    """At most two a user; without a name, of the user or root user who calls. Nothing shows the secret again."""
    owner = users.find_named_or_own(call, request.user_name)
    held = call.session.scalars(select(func.count()).select_from(AccessKey).where(AccessKey.owner_id == owner.id)).one()
    quotas.check("AccessKeysPerUserQuota", held + 1)
    key = access_keys.new_access_key(call.account_id)
    row = AccessKey(
        id=key.access_key_id,
        account_id=call.account_id,
        owner_id=owner.id,
        secret=access_keys.seal(key, call.node.ring),
        status="Active",
        created_at=call.now,
    )
    call.add(row)
    shown = pb.AccessKey(
        user_name=_shown_name(owner),
        access_key_id=row.id,
        status=row.status,
        secret_access_key=key.secret_access_key,
        create_date=entities.seconds(row.created_at),
    )
    return pb.CreateAccessKeyResponse(access_key=shown)


@operation
def list_access_keys(call: Call, request: pb.ListAccessKeysRequest) -> pb.ListAccessKeysResponse:
    """By id, without secrets."""
    owner = users.find_named_or_own(call, request.user_name)
    query = select(AccessKey).where(AccessKey.owner_id == owner.id)
    found = entities.page(call, request, query, key=[AccessKey.id], of=lambda row: [row.id])
    shown = [
        pb.AccessKeyMetadata(
            user_name=_shown_name(owner), access_key_id=row.id, status=row.status, create_date=entities.seconds(row.created_at)
        )
        for row in found.rows
    ]
    return pb.ListAccessKeysResponse(access_key_metadata=shown, is_truncated=found.marker is not None, marker=found.marker)


@operation
def update_access_key(call: Call, request: pb.UpdateAccessKeyRequest) -> pb.UpdateAccessKeyResponse:
    """An inactive key authenticates nobody, on any worker."""
    _find(call, request).status = request.status
    return pb.UpdateAccessKeyResponse()


@operation
def delete_access_key(call: Call, request: pb.DeleteAccessKeyRequest) -> pb.DeleteAccessKeyResponse:
    """Its id is not used again."""
    call.session.delete(_find(call, request))
    return pb.DeleteAccessKeyResponse()


@operation
def get_access_key_last_used(call: Call, request: pb.GetAccessKeyLastUsedRequest) -> pb.GetAccessKeyLastUsedResponse:
    """Uses that this worker saw count at once, others within seconds. A key that is not there is denied, not missing, as AWS does."""
    key = _key(call, request.access_key_id)
    owner = _owner_of(call, request.access_key_id)
    if key is None or owner is None:
        raise AccessDenied(
            f"User: {call.caller.arn} is not authorized to perform {call.operation.action} on resource: access key {request.access_key_id}"
        )
    at, service, region = key.last_used_at, key.last_used_service, key.last_used_region
    seen = call.node.last_use.of(key.id)
    if seen is not None and (at is None or seen.at >= at):
        at, service, region = seen.at, seen.service, seen.region
    used = pb.AccessKeyLastUsed(last_used_date=entities.seconds(at), service_name=service or _NEVER, region=region or _NEVER)
    return pb.GetAccessKeyLastUsedResponse(user_name=_shown_name(owner), access_key_last_used=used)


def _find(call: Call, request: pb.UpdateAccessKeyRequest | pb.DeleteAccessKeyRequest) -> AccessKey:
    """A key of the user named, or of the one who calls; NoSuchEntity for anybody else's."""
    owner = users.find_named_or_own(call, request.user_name)
    row = _key(call, request.access_key_id)
    if row is None or row.owner_id != owner.id:
        raise NoSuchEntity(f"The Access Key with id {request.access_key_id} cannot be found.")
    return row


def _key(call: Call, id_: str) -> AccessKey | None:
    row = call.session.get(AccessKey, id_)
    return row if row is not None and row.account_id == call.account_id else None


def _owner_of(call: Call, id_: str) -> Entity | None:
    row = _key(call, id_)
    return call.session.get(Entity, row.owner_id) if row is not None else None


def _shown_name(owner: Entity) -> str | None:
    """A root user has no name."""
    return None if isinstance(owner, Root) else owner.name
