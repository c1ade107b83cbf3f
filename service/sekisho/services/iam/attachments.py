"""Managed policies attached to users, groups and roles."""

from typing import TypeVar

from sqlalchemy import func, select

from sekisho.api.iam.v1 import attachments_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.iam import entities, policy_arns, quotas
from sekisho.services.iam.entities import Owner
from sekisho.services.iam.errors import NoSuchEntity, PolicyNotAttachable
from sekisho.store.tables import Attachment, Group, Policy, Role, User

_QUOTAS = {"user": "AttachedPoliciesPerUserQuota", "group": "AttachedPoliciesPerGroupQuota", "role": "AttachedPoliciesPerRoleQuota"}

_ListRequest = pb.ListAttachedUserPoliciesRequest | pb.ListAttachedGroupPoliciesRequest | pb.ListAttachedRolePoliciesRequest
L = TypeVar("L", pb.ListAttachedUserPoliciesResponse, pb.ListAttachedGroupPoliciesResponse, pb.ListAttachedRolePoliciesResponse)


@operation
def attach_user_policy(call: Call, request: pb.AttachUserPolicyRequest) -> pb.AttachUserPolicyResponse:
    """At most ten a user."""
    _attach(call, entities.find_to_change(call, User, request.user_name), request.policy_arn)
    return pb.AttachUserPolicyResponse()


@operation
def attach_group_policy(call: Call, request: pb.AttachGroupPolicyRequest) -> pb.AttachGroupPolicyResponse:
    """At most ten a group."""
    _attach(call, entities.find_to_change(call, Group, request.group_name), request.policy_arn)
    return pb.AttachGroupPolicyResponse()


@operation
def attach_role_policy(call: Call, request: pb.AttachRolePolicyRequest) -> pb.AttachRolePolicyResponse:
    """At most twenty a role."""
    _attach(call, entities.find_to_change(call, Role, request.role_name), request.policy_arn)
    return pb.AttachRolePolicyResponse()


@operation
def detach_user_policy(call: Call, request: pb.DetachUserPolicyRequest) -> pb.DetachUserPolicyResponse:
    """One that is not attached is an error."""
    _detach(call, entities.find_to_change(call, User, request.user_name), request.policy_arn)
    return pb.DetachUserPolicyResponse()


@operation
def detach_group_policy(call: Call, request: pb.DetachGroupPolicyRequest) -> pb.DetachGroupPolicyResponse:
    """One that is not attached is an error."""
    _detach(call, entities.find_to_change(call, Group, request.group_name), request.policy_arn)
    return pb.DetachGroupPolicyResponse()


@operation
def detach_role_policy(call: Call, request: pb.DetachRolePolicyRequest) -> pb.DetachRolePolicyResponse:
    """One that is not attached is an error."""
    _detach(call, entities.find_to_change(call, Role, request.role_name), request.policy_arn)
    return pb.DetachRolePolicyResponse()


@operation
def list_attached_user_policies(call: Call, request: pb.ListAttachedUserPoliciesRequest) -> pb.ListAttachedUserPoliciesResponse:
    """By the policy's name."""
    owner = entities.find(call, User, request.user_name)
    return _list(call, request, owner, pb.ListAttachedUserPoliciesResponse)


@operation
def list_attached_group_policies(call: Call, request: pb.ListAttachedGroupPoliciesRequest) -> pb.ListAttachedGroupPoliciesResponse:
    """By the policy's name."""
    owner = entities.find(call, Group, request.group_name)
    return _list(call, request, owner, pb.ListAttachedGroupPoliciesResponse)


@operation
def list_attached_role_policies(call: Call, request: pb.ListAttachedRolePoliciesRequest) -> pb.ListAttachedRolePoliciesResponse:
    """By the policy's name."""
    owner = entities.find(call, Role, request.role_name)
    return _list(call, request, owner, pb.ListAttachedRolePoliciesResponse)


def _attach(call: Call, owner: Owner, policy_arn: str) -> None:
    """Attach a policy; one that is attached already stays so, whatever the quota."""
    policy = policy_arns.find(call, policy_arn, sentence=policy_arns.NOT_ATTACHABLE)
    if policy.account_id == policy_arns.AWS and policy.path.startswith(entities.SERVICE_LINKED):
        raise PolicyNotAttachable("Cannot attach a Service Role Policy to a Customer Role.")
    if call.session.get(Attachment, (owner.id, policy.id)) is None:
        held = call.session.scalars(select(func.count()).select_from(Attachment).where(Attachment.owner_id == owner.id)).one()
        quotas.check(_QUOTAS[owner.kind], held + 1)
        call.add(Attachment(owner_id=owner.id, policy_id=policy.id, created_at=call.now))


def _detach(call: Call, owner: Owner, policy_arn: str) -> None:
    policy = policy_arns.find(call, policy_arn)
    row = call.session.get(Attachment, (owner.id, policy.id))
    if row is None:
        raise NoSuchEntity(policy_arns.NOT_FOUND.format(policy_arn))
    call.session.delete(row)


def _list(call: Call, request: _ListRequest, owner: Owner, response: type[L]) -> L:
    """By name and id: a policy of the account and one of AWS may have the same name."""
    query = select(Policy).join(Attachment, Attachment.policy_id == Policy.id).where(Attachment.owner_id == owner.id)
    query = entities.under(query, Policy.path, request.path_prefix)
    found = entities.page(call, request, query, key=[Policy.name_key, Policy.id], of=lambda row: [row.name_key, row.id])
    attached = [pb.AttachedPolicy(policy_name=row.name, policy_arn=entities.arn_of(row)) for row in found.rows]
    return response(attached_policies=attached, is_truncated=found.marker is not None, marker=found.marker)
