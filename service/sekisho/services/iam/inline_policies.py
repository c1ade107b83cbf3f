"""Inline policies, each of which belongs to one user, group or role."""

from typing import Any, TypeVar

from sqlalchemy import select

from sekisho.api.iam.v1 import inline_policies_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.policy import validate
from sekisho.services.iam import entities, quotas
from sekisho.services.iam.entities import Owner
from sekisho.services.iam.errors import NoSuchEntity
from sekisho.store.tables import InlinePolicy

_QUOTAS = {"user": "UserPolicySizeQuota", "group": "GroupPolicySizeQuota", "role": "RolePolicySizeQuota"}

L = TypeVar("L", pb.ListUserPoliciesResponse, pb.ListGroupPoliciesResponse, pb.ListRolePoliciesResponse)


@operation
def put_user_policy(call: Call, request: pb.PutUserPolicyRequest) -> pb.PutUserPolicyResponse:
    """All of a user's together may have 2,048 characters."""
    _put(call, request)
    return pb.PutUserPolicyResponse()


@operation
def put_group_policy(call: Call, request: pb.PutGroupPolicyRequest) -> pb.PutGroupPolicyResponse:
    """All of a group's together may have 5,120 characters."""
    _put(call, request)
    return pb.PutGroupPolicyResponse()


@operation
def put_role_policy(call: Call, request: pb.PutRolePolicyRequest) -> pb.PutRolePolicyResponse:
    """All of a role's together may have 10,240 characters."""
    _put(call, request)
    return pb.PutRolePolicyResponse()


@operation
def get_user_policy(call: Call, request: pb.GetUserPolicyRequest) -> pb.GetUserPolicyResponse:
    """The text as it was written."""
    owner, row = _found(call, request)
    return pb.GetUserPolicyResponse(user_name=owner.name, policy_name=row.name, policy_document=row.document)


@operation
def get_group_policy(call: Call, request: pb.GetGroupPolicyRequest) -> pb.GetGroupPolicyResponse:
    """The text as it was written."""
    owner, row = _found(call, request)
    return pb.GetGroupPolicyResponse(group_name=owner.name, policy_name=row.name, policy_document=row.document)


@operation
def get_role_policy(call: Call, request: pb.GetRolePolicyRequest) -> pb.GetRolePolicyResponse:
    """The text as it was written."""
    owner, row = _found(call, request)
    return pb.GetRolePolicyResponse(role_name=owner.name, policy_name=row.name, policy_document=row.document)


@operation
def delete_user_policy(call: Call, request: pb.DeleteUserPolicyRequest) -> pb.DeleteUserPolicyResponse:
    """One that is not there is an error."""
    _delete(call, request)
    return pb.DeleteUserPolicyResponse()


@operation
def delete_group_policy(call: Call, request: pb.DeleteGroupPolicyRequest) -> pb.DeleteGroupPolicyResponse:
    """One that is not there is an error."""
    _delete(call, request)
    return pb.DeleteGroupPolicyResponse()


@operation
def delete_role_policy(call: Call, request: pb.DeleteRolePolicyRequest) -> pb.DeleteRolePolicyResponse:
    """One that is not there is an error."""
    _delete(call, request)
    return pb.DeleteRolePolicyResponse()


@operation
def list_user_policies(call: Call, request: pb.ListUserPoliciesRequest) -> pb.ListUserPoliciesResponse:
    """By name."""
    return _listed(call, request, pb.ListUserPoliciesResponse)


@operation
def list_group_policies(call: Call, request: pb.ListGroupPoliciesRequest) -> pb.ListGroupPoliciesResponse:
    """By name."""
    return _listed(call, request, pb.ListGroupPoliciesResponse)


@operation
def list_role_policies(call: Call, request: pb.ListRolePoliciesRequest) -> pb.ListRolePoliciesResponse:
    """By name."""
    return _listed(call, request, pb.ListRolePoliciesResponse)


def _put(call: Call, request: Any) -> None:
    """New, or in place of the one that has the name, in whatever case; then the name stays as it was written first."""
    owner = entities.own_to_change(call, request)
    validate.check(request.policy_document, validate.Kind.IDENTITY)
    rows = {row.name_key: row for row in call.session.scalars(select(InlinePolicy).where(InlinePolicy.owner_id == owner.id))}
    name_key = request.policy_name.lower()
    others = sum(validate.size(row.document) for row in rows.values() if row.name_key != name_key)
    quotas.check(_QUOTAS[owner.kind], others + validate.size(request.policy_document), name=owner.name)
    if name_key in rows:
        rows[name_key].document = request.policy_document
    else:
        row = InlinePolicy(owner_id=owner.id, name=request.policy_name, name_key=name_key, document=request.policy_document)
        call.add(row)


def _delete(call: Call, request: Any) -> None:
    entities.own_to_change(call, request)
    call.session.delete(_found(call, request)[1])


def _found(call: Call, request: Any) -> tuple[Owner, InlinePolicy]:
    owner = entities.owner(call, request)
    query = select(InlinePolicy).where(InlinePolicy.owner_id == owner.id, InlinePolicy.name_key == request.policy_name.lower())
    row = call.session.scalars(query).one_or_none()
    if row is None:
        raise NoSuchEntity(f"The {owner.kind} policy with name {request.policy_name} cannot be found.")
    return owner, row


def _listed(call: Call, request: Any, response: type[L]) -> L:
    query = select(InlinePolicy).where(InlinePolicy.owner_id == entities.owner(call, request).id)
    found = entities.paged(call, request, query, key=[InlinePolicy.name_key], of=lambda row: [row.name_key])
    return response(policy_names=[row.name for row in found.rows], is_truncated=found.marker is not None, marker=found.marker)
