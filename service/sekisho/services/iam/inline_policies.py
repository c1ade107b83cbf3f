"""Inline policies, each of which belongs to one user, group or role."""

from typing import TypeVar

from sqlalchemy import select

from sekisho.api.iam.v1 import inline_policies_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.policy import validate
from sekisho.services.iam import entities, quotas
from sekisho.services.iam.entities import Owner
from sekisho.services.iam.errors import NoSuchEntity
from sekisho.services.iam.requests import Paged
from sekisho.store.tables import Group, InlinePolicy, Role, User

_QUOTAS = {"user": "UserPolicySizeQuota", "group": "GroupPolicySizeQuota", "role": "RolePolicySizeQuota"}

L = TypeVar("L", pb.ListUserPoliciesResponse, pb.ListGroupPoliciesResponse, pb.ListRolePoliciesResponse)


@operation
def put_user_policy(call: Call, request: pb.PutUserPolicyRequest) -> pb.PutUserPolicyResponse:
    """All of a user's together may have 2,048 characters."""
    _put(call, entities.find_to_change(call, User, request.user_name), request.policy_name, request.policy_document)
    return pb.PutUserPolicyResponse()


@operation
def put_group_policy(call: Call, request: pb.PutGroupPolicyRequest) -> pb.PutGroupPolicyResponse:
    """All of a group's together may have 5,120 characters."""
    _put(call, entities.find_to_change(call, Group, request.group_name), request.policy_name, request.policy_document)
    return pb.PutGroupPolicyResponse()


@operation
def put_role_policy(call: Call, request: pb.PutRolePolicyRequest) -> pb.PutRolePolicyResponse:
    """All of a role's together may have 10,240 characters."""
    _put(call, entities.find_to_change(call, Role, request.role_name), request.policy_name, request.policy_document)
    return pb.PutRolePolicyResponse()


@operation
def get_user_policy(call: Call, request: pb.GetUserPolicyRequest) -> pb.GetUserPolicyResponse:
    """The text as it was written."""
    owner = entities.find(call, User, request.user_name)
    row = _find(call, owner, request.policy_name)
    return pb.GetUserPolicyResponse(user_name=owner.name, policy_name=row.name, policy_document=row.document)


@operation
def get_group_policy(call: Call, request: pb.GetGroupPolicyRequest) -> pb.GetGroupPolicyResponse:
    """The text as it was written."""
    owner = entities.find(call, Group, request.group_name)
    row = _find(call, owner, request.policy_name)
    return pb.GetGroupPolicyResponse(group_name=owner.name, policy_name=row.name, policy_document=row.document)


@operation
def get_role_policy(call: Call, request: pb.GetRolePolicyRequest) -> pb.GetRolePolicyResponse:
    """The text as it was written."""
    owner = entities.find(call, Role, request.role_name)
    row = _find(call, owner, request.policy_name)
    return pb.GetRolePolicyResponse(role_name=owner.name, policy_name=row.name, policy_document=row.document)


@operation
def delete_user_policy(call: Call, request: pb.DeleteUserPolicyRequest) -> pb.DeleteUserPolicyResponse:
    """One that is not there is an error."""
    call.session.delete(_find(call, entities.find_to_change(call, User, request.user_name), request.policy_name))
    return pb.DeleteUserPolicyResponse()


@operation
def delete_group_policy(call: Call, request: pb.DeleteGroupPolicyRequest) -> pb.DeleteGroupPolicyResponse:
    """One that is not there is an error."""
    call.session.delete(_find(call, entities.find_to_change(call, Group, request.group_name), request.policy_name))
    return pb.DeleteGroupPolicyResponse()


@operation
def delete_role_policy(call: Call, request: pb.DeleteRolePolicyRequest) -> pb.DeleteRolePolicyResponse:
    """One that is not there is an error."""
    call.session.delete(_find(call, entities.find_to_change(call, Role, request.role_name), request.policy_name))
    return pb.DeleteRolePolicyResponse()


@operation
def list_user_policies(call: Call, request: pb.ListUserPoliciesRequest) -> pb.ListUserPoliciesResponse:
    """By name."""
    owner = entities.find(call, User, request.user_name)
    return _list(call, request, owner, pb.ListUserPoliciesResponse)


@operation
def list_group_policies(call: Call, request: pb.ListGroupPoliciesRequest) -> pb.ListGroupPoliciesResponse:
    """By name."""
    owner = entities.find(call, Group, request.group_name)
    return _list(call, request, owner, pb.ListGroupPoliciesResponse)


@operation
def list_role_policies(call: Call, request: pb.ListRolePoliciesRequest) -> pb.ListRolePoliciesResponse:
    """By name."""
    owner = entities.find(call, Role, request.role_name)
    return _list(call, request, owner, pb.ListRolePoliciesResponse)


def _put(call: Call, owner: Owner, name: str, document: str) -> None:
    """New, or in place of the one that has the name, in whatever case; then the name stays as it was written first."""
    validate.check(document, validate.Kind.IDENTITY)
    rows = {row.name_key: row for row in call.session.scalars(select(InlinePolicy).where(InlinePolicy.owner_id == owner.id))}
    name_key = name.lower()
    others = sum(validate.size(row.document) for row in rows.values() if row.name_key != name_key)
    quotas.check(_QUOTAS[owner.kind], others + validate.size(document), name=owner.name)
    if name_key in rows:
        rows[name_key].document = document
    else:
        call.add(InlinePolicy(owner_id=owner.id, name=name, name_key=name_key, document=document))


def _find(call: Call, owner: Owner, name: str) -> InlinePolicy:
    query = select(InlinePolicy).where(InlinePolicy.owner_id == owner.id, InlinePolicy.name_key == name.lower())
    row = call.session.scalars(query).one_or_none()
    if row is None:
        raise NoSuchEntity(f"The {owner.kind} policy with name {name} cannot be found.")
    return row


def _list(call: Call, request: Paged, owner: Owner, response: type[L]) -> L:
    query = select(InlinePolicy).where(InlinePolicy.owner_id == owner.id)
    found = entities.page(call, request, query, key=[InlinePolicy.name_key], of=lambda row: [row.name_key])
    return response(policy_names=[row.name for row in found.rows], is_truncated=found.marker is not None, marker=found.marker)
