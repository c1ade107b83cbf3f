"""Tags: of users, roles and managed policies here, of other kinds in the module of their noun."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import select

from sekisho.api.iam.v1 import tags_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.iam import entities, policy_arns, quotas
from sekisho.services.iam.errors import InvalidInput
from sekisho.services.iam.requests import Paged
from sekisho.store import paging
from sekisho.store.tables import Entity, Role, Tag, User

_FOLDED = ("user", "role")
"""The kinds whose tag keys are one whatever their case. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html"""

_DUPLICATE = "Duplicate tag keys found."
_DUPLICATE_FOLDED = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
_RESERVED = "aws: prefixed tag key names are not allowed for external use."

L = TypeVar("L")


@operation
def tag_user(call: Call, request: pb.TagUserRequest) -> pb.TagUserResponse:
    """A key that is there already, in whatever case, gives way to the new one."""
    put(call, entities.find(call, User, request.user_name), request.tags)
    return pb.TagUserResponse()


@operation
def untag_user(call: Call, request: pb.UntagUserRequest) -> pb.UntagUserResponse:
    """A key that is not there is no error."""
    remove(call, entities.find(call, User, request.user_name), request.tag_keys)
    return pb.UntagUserResponse()


@operation
def list_user_tags(call: Call, request: pb.ListUserTagsRequest) -> pb.ListUserTagsResponse:
    """By key."""
    return respond(call, request, entities.find(call, User, request.user_name), pb.ListUserTagsResponse)


@operation
def tag_role(call: Call, request: pb.TagRoleRequest) -> pb.TagRoleResponse:
    """A key that is there already, in whatever case, gives way to the new one."""
    put(call, entities.find(call, Role, request.role_name), request.tags)
    return pb.TagRoleResponse()


@operation
def untag_role(call: Call, request: pb.UntagRoleRequest) -> pb.UntagRoleResponse:
    """A key that is not there is no error."""
    remove(call, entities.find(call, Role, request.role_name), request.tag_keys)
    return pb.UntagRoleResponse()


@operation
def list_role_tags(call: Call, request: pb.ListRoleTagsRequest) -> pb.ListRoleTagsResponse:
    """By key."""
    return respond(call, request, entities.find(call, Role, request.role_name), pb.ListRoleTagsResponse)


@operation
def tag_policy(call: Call, request: pb.TagPolicyRequest) -> pb.TagPolicyResponse:
    """The keys of a policy's tags differ by case."""
    put(call, policy_arns.own(call, request.policy_arn), request.tags)
    return pb.TagPolicyResponse()


@operation
def untag_policy(call: Call, request: pb.UntagPolicyRequest) -> pb.UntagPolicyResponse:
    """A key that is not there is no error."""
    remove(call, policy_arns.own(call, request.policy_arn), request.tag_keys)
    return pb.UntagPolicyResponse()


@operation
def list_policy_tags(call: Call, request: pb.ListPolicyTagsRequest) -> pb.ListPolicyTagsResponse:
    """By key."""
    return respond(call, request, policy_arns.find(call, request.policy_arn), pb.ListPolicyTagsResponse)


def first(call: Call, row: Entity, given: Sequence[pb.Tag]) -> list[pb.Tag]:
    """Add a new entity and its tags; those as the API shows them, by key."""
    new = _new(row, given)
    quotas.check("TagsPerResourceQuota", len(new))
    call.add(row)
    for key_key, tag in new.items():
        call.add(Tag(owner_id=row.id, key=tag.key, key_key=key_key, value=tag.value))
    return [new[key_key] for key_key in sorted(new)]


def put(call: Call, row: Entity, given: Sequence[pb.Tag]) -> None:
    """Give an entity tags, or other values of those that it has; InvalidInput for keys that are reserved or stand twice."""
    new = _new(row, given)
    old = {tag.key_key: tag for tag in _rows(call, row)}
    quotas.check("TagsPerResourceQuota", len(old.keys() | new.keys()))
    for key_key, tag in new.items():
        if key_key in old:
            old[key_key].key, old[key_key].value = tag.key, tag.value
        else:
            call.add(Tag(owner_id=row.id, key=tag.key, key_key=key_key, value=tag.value))
    call.session.flush()


def _new(row: Entity, given: Sequence[pb.Tag]) -> dict[str, pb.Tag]:
    new = {_key(row, tag.key): tag for tag in given}
    if len(new) != len(given):
        raise InvalidInput(_DUPLICATE_FOLDED if row.kind in _FOLDED else _DUPLICATE)
    if any(tag.key.lower().startswith("aws:") for tag in given):
        raise InvalidInput(_RESERVED)
    return new


def clear(call: Call, row: Entity) -> None:
    """Take all tags from an entity that is about to go."""
    for tag in _rows(call, row):
        call.session.delete(tag)
    call.session.flush()


def messages(call: Call, row: Entity) -> list[pb.Tag]:
    """The tags of an entity as the API shows them, by key."""
    return [_message(tag) for tag in _rows(call, row)]


def to_messages(tags: Mapping[str, str]) -> list[pb.Tag]:
    """Tags in their order as the API shows them."""
    return [pb.Tag(key=key, value=value) for key, value in tags.items()]


def remove(call: Call, row: Entity, keys: Iterable[str]) -> None:
    """Take tags from an entity; a key that is not there is no error."""
    gone = {_key(row, key) for key in keys}
    for tag in _rows(call, row):
        if tag.key_key in gone:
            call.session.delete(tag)


def respond(call: Call, request: Paged, row: Entity, response: Callable[..., L]) -> L:
    """A page of an entity's tags. There are fifty at most, so it is cut here; and its marker holds a digest of the last key, and the place
    where it was in case it is gone: a key of 128 characters, whatever they are, would not fit into the 320 that a marker may have.
    """
    rows = _rows(call, row)
    cursor = entities.cursor(call, request)
    start = 0
    if request.marker:
        digest, place = cursor.open(request.marker)
        start = next((i + 1 for i, tag in enumerate(rows) if _digest(tag) == digest), place)
    end = start + (request.max_items or paging.PAGE)
    more = end < len(rows)
    marker = cursor.marker([_digest(rows[end - 1]), end - 1]) if more else None
    return response(tags=[_message(tag) for tag in rows[start:end]], is_truncated=more, marker=marker)


def _rows(call: Call, row: Entity) -> Sequence[Tag]:
    return call.session.scalars(select(Tag).where(Tag.owner_id == row.id).order_by(Tag.key_key)).all()


def _key(row: Entity, key: str) -> str:
    return key.lower() if row.kind in _FOLDED else key


def _digest(tag: Tag) -> str:
    return hashlib.sha256(tag.key_key.encode()).hexdigest()[:32]


def _message(tag: Tag) -> pb.Tag:
    return pb.Tag(key=tag.key, value=tag.value)
