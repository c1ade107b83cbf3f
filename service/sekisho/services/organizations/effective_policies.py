"""What the inherited policies on the way to an account come to together, and whether that makes sense.

Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_inheritance_mgmt.html
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import select

from sekisho.api.organizations.v1 import effective_policies_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.organizations import accounts, contents, membership, pages, policies, targets, tree
from sekisho.services.organizations.errors import EffectivePolicyNotFound, InvalidInput, TargetNotFound
from sekisho.services.organizations.tree import Tree
from sekisho.store.tables import Member, Organization, OrganizationPolicy, Target
from sekisho.world import inheritance, tag_policies
from sekisho.world.inheritance import Invalid

CODE = "ELEMENTS_CONFLICT"
"""The code of all that can be wrong with the effective policy of policies that are valid each."""


@operation
def describe_effective_policy(call: Call, request: pb.DescribeEffectivePolicyRequest) -> pb.DescribeEffectivePolicyResponse:
    """Of the caller's own account to anybody in it, of others to those who read the organization."""
    organization = membership.find_own(call)
    account_id = request.target_id or call.account_id
    if account_id != call.account_id:
        membership.find_readable(call, request)
    member = tree.get_member(call, organization, account_id)
    if member is None:
        raise TargetNotFound("You specified a target that doesn't exist.")
    policies.refuse_type(organization, request.policy_type)
    content, _, at = _effective(call, tree.load(call, organization), member, request.policy_type)
    if at is None:
        raise EffectivePolicyNotFound("The effective policy is not found for the specified target.")
    return pb.DescribeEffectivePolicyResponse(
        effective_policy=pb.EffectivePolicy(
            policy_content=json.dumps(content, separators=(",", ":")),
            last_updated_timestamp=accounts.seconds(at),
            target_id=account_id,
            policy_type=request.policy_type,
        )
    )


@operation
def list_effective_policy_validation_errors(
    call: Call, request: pb.ListEffectivePolicyValidationErrorsRequest
) -> pb.ListEffectivePolicyValidationErrorsResponse:
    """None, where the policies make sense together; one page holds them all."""
    organization = membership.find_readable(call, request)
    if request.HasField("next_token"):
        raise InvalidInput("INVALID_NEXT_TOKEN", pages.INVALID)
    member = accounts.find(call, organization, request.account_id)
    policies.refuse_type(organization, request.policy_type)
    where = tree.load(call, organization)
    _, invalid, at = _effective(call, where, member, request.policy_type)
    if at is None:
        raise EffectivePolicyNotFound("The effective policy is not found for the specified target.")
    return pb.ListEffectivePolicyValidationErrorsResponse(
        account_id=member.account_id,
        policy_type=request.policy_type,
        path=where.path(member.unit_id, member.account_id),
        evaluation_timestamp=accounts.seconds(call.now),
        effective_policy_validation_errors=[
            pb.EffectivePolicyValidationError(
                error_code=CODE, error_message=found.message, path_to_error=found.path, contributing_policies=found.policies
            )
            for found in invalid
        ],
    )


@operation
def list_accounts_with_invalid_effective_policy(
    call: Call, request: pb.ListAccountsWithInvalidEffectivePolicyRequest
) -> pb.ListAccountsWithInvalidEffectivePolicyResponse:
    """A page looks at as many accounts as it may have, so it may be short, or empty, and yet not be the last."""
    organization = membership.find_readable(call, request)
    policies.refuse_type(organization, request.policy_type)
    where = tree.load(call, organization)
    query = select(Member).where(Member.organization_id == organization.id)
    found = pages.page(call, request, query, key=[Member.account_id], of=lambda row: [row.account_id])
    invalid = [row.account_id for row in found.rows if _effective(call, where, row, request.policy_type)[1]]
    return pb.ListAccountsWithInvalidEffectivePolicyResponse(
        accounts=accounts.messages(call, organization, invalid), policy_type=request.policy_type, next_token=found.marker
    )


def _effective(call: Call, where: Tree, member: Member, type_: str) -> tuple[dict[str, Any], list[Invalid], datetime | None]:
    """The effective policy, what is wrong with it, and when anything that it is made of changed last; None when nothing applies."""
    if type_ not in targets.types(call, where.organization):
        return {}, [], None
    way = [*reversed(list(where.above(member.unit_id))), member.account_id]
    found = {id_: _attached(call, where.organization, id_, type_) for id_ in way}
    rows = [row for each in found.values() for row in each]
    if not rows:
        return {}, [], None
    levels = [[(row.id, _read(type_, row.content)) for row, _ in found[id_]] for id_ in way]
    content, invalid = inheritance.effective(levels)
    return content, invalid, max(max(row.updated_at, at) for row, at in rows)


def _read(type_: str, content: str) -> dict[str, Any]:
    """A policy; a tag policy as it is enforced, with one spelling of each key that it is about."""
    document = contents.parsed(type_, content)
    return tag_policies.folded(document) if type_ == tag_policies.TYPE else document


def _attached(call: Call, organization: Organization, target_id: str, type_: str) -> list[tuple[OrganizationPolicy, datetime]]:
    """The policies on a target itself, in the order in which they came, with the time of that."""
    query = select(OrganizationPolicy, Target.created_at).join(Target, Target.policy_id == OrganizationPolicy.id)
    query = query.where(Target.target_id == target_id, Target.type == type_, OrganizationPolicy.organization_id == organization.id)
    return [(row, at) for row, at in call.session.execute(query.order_by(Target.created_at, Target.policy_id))]
