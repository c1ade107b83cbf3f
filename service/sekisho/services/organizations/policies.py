"""Policies of an organization, of every type: what they say, and what they are called."""

from typing import Any

from sqlalchemy import exists, func, select

from sekisho.api.organizations.v1 import policies_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.organizations import contents, ids, managed, membership, pages, quotas, tags, tree
from sekisho.services.organizations.errors import (
    DuplicatePolicy,
    InvalidInput,
    PolicyInUse,
    PolicyNotFound,
    PolicyTypeNotAvailableForOrganization,
)
from sekisho.services.organizations.managed import ManagedPolicy
from sekisho.store.tables import Organization, OrganizationPolicy, Target


@operation
def create_policy(call: Call, request: pb.CreatePolicyRequest) -> pb.CreatePolicyResponse:
    """Attached to nothing; its type need not be in force."""
    organization = membership.find_administered(call, request)
    refuse_type(organization, request.type)
    contents.check(request.type, request.content)
    of_type = OrganizationPolicy.organization_id == organization.id, OrganizationPolicy.type == request.type
    count = call.session.scalar(select(func.count()).select_from(OrganizationPolicy).where(*of_type)) or 0
    quotas.refuse(
        "POLICY_NUMBER_LIMIT_EXCEEDED",
        reached=count >= contents.TYPES[request.type].most,
        message="You have exceeded the allowed number of policies.",
    )
    _refuse_taken(call, organization, request.type, request.name)
    row = OrganizationPolicy(
        id=ids.policy(),
        organization_id=organization.id,
        type=request.type,
        name=request.name,
        description=request.description,
        content=request.content,
        created_at=call.now,
        updated_at=call.now,
    )
    call.add(row)
    tags.put(call, organization, row.id, request.tags)
    return pb.CreatePolicyResponse(policy=_message(organization, row))


@operation
def describe_policy(call: Call, request: pb.DescribePolicyRequest) -> pb.DescribePolicyResponse:
    """With its content as it was given."""
    organization = membership.find_readable(call, request)
    return pb.DescribePolicyResponse(policy=_message(organization, find(call, organization, request.policy_id)))


@operation
def update_policy(call: Call, request: pb.UpdatePolicyRequest) -> pb.UpdatePolicyResponse:
    """Members that the request leaves out stay. It takes effect wherever the policy is attached."""
    organization = membership.find_administered(call, request)
    row = _find_own(call, organization, request.policy_id)
    if request.HasField("content"):
        contents.check(row.type, request.content)
        row.content = request.content
    if request.HasField("name") and request.name != row.name:
        _refuse_taken(call, organization, row.type, request.name)
        row.name = request.name
    if request.HasField("description"):
        row.description = request.description
    row.updated_at = call.now
    return pb.UpdatePolicyResponse(policy=_message(organization, row))


@operation
def delete_policy(call: Call, request: pb.DeletePolicyRequest) -> pb.DeletePolicyResponse:
    """It must be attached to nothing."""
    organization = membership.find_administered(call, request)
    row = _find_own(call, organization, request.policy_id)
    attached = select(Target.policy_id).where(Target.organization_id == organization.id, Target.policy_id == row.id)
    if call.session.scalar(select(exists(attached))):
        raise PolicyInUse("The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts first.")
    tags.clear(call, row.id)
    call.session.delete(row)
    return pb.DeletePolicyResponse()


@operation
def list_policies(call: Call, request: pb.ListPoliciesRequest) -> pb.ListPoliciesResponse:
    """AWS's own first, then by id."""
    organization = membership.find_readable(call, request)
    first = [one for one in managed.POLICIES.values() if one.type == request.filter and not request.next_token]
    query = select(OrganizationPolicy).where(
        OrganizationPolicy.organization_id == organization.id, OrganizationPolicy.type == request.filter
    )
    if len(first) >= pages.size(request):  # a page of one, which AWS's own policy fills
        marker = pages.cursor(call, request).marker([""])
        return pb.ListPoliciesResponse(policies=[summary(organization, one) for one in first], next_token=marker)
    found = pages.page(call, request, query, key=[OrganizationPolicy.id], of=lambda row: [row.id], fewer=len(first))
    shown = [*(summary(organization, one) for one in first), *(summary(organization, row) for row in found.rows)]
    return pb.ListPoliciesResponse(policies=shown, next_token=found.marker)


def find(call: Call, organization: Organization, id_: str) -> OrganizationPolicy | ManagedPolicy:
    """A policy of the organization's or of AWS's, or PolicyNotFound."""
    if id_ in managed.POLICIES:
        return managed.POLICIES[id_]
    query = select(OrganizationPolicy).where(OrganizationPolicy.id == id_, OrganizationPolicy.organization_id == organization.id)
    row = call.session.scalars(query).one_or_none()
    if row is None:
        raise PolicyNotFound("You specified a policy that doesn't exist.")
    return row


def refuse_type(organization: Organization, type_: str) -> None:
    """PolicyTypeNotAvailableForOrganization unless the organization can have policies of the type."""
    if organization.feature_set != "ALL" or type_ not in contents.TYPES:
        raise PolicyTypeNotAvailableForOrganization(f"The policy type {type_} is not available for this organization.")


def summary(organization: Organization, row: OrganizationPolicy | ManagedPolicy) -> pb.PolicySummary:
    """A policy as lists show it."""
    aws = isinstance(row, ManagedPolicy)
    named = row.arn if isinstance(row, ManagedPolicy) else tree.arn_of(organization, row.id, row.type)
    return pb.PolicySummary(id=row.id, arn=named, name=row.name, description=row.description, type=row.type, aws_managed=aws)


def _find_own(call: Call, organization: Organization, id_: str) -> OrganizationPolicy:
    """A policy that can be changed."""
    row: Any = find(call, organization, id_)
    if isinstance(row, ManagedPolicy):
        raise InvalidInput("IMMUTABLE_POLICY", "You specified a policy that is managed by AWS and can't be modified.")
    return row  # type: ignore[no-any-return]  # it is a row


def _refuse_taken(call: Call, organization: Organization, type_: str, name: str) -> None:
    """DuplicatePolicy when a policy of the type has the name."""
    row = OrganizationPolicy
    wanted = row.organization_id == organization.id, row.type == type_, row.name == name
    aws = any(one.type == type_ and one.name == name for one in managed.POLICIES.values())
    if aws or call.session.scalar(select(exists(select(row.id).where(*wanted)))):
        raise DuplicatePolicy("A policy with the same name already exists.")


def _message(organization: Organization, row: OrganizationPolicy | ManagedPolicy) -> pb.Policy:
    return pb.Policy(policy_summary=summary(organization, row), content=row.content)
