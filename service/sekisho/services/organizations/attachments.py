"""Policies on roots, units and accounts, and the types of policies that are in force."""

from collections.abc import Iterable

from sqlalchemy import select

from sekisho.api.organizations.v1 import attachments_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.organizations import contents, managed, membership, pages, policies, quotas, targets, tree, units
from sekisho.services.organizations.errors import (
    ConstraintViolation,
    DuplicatePolicyAttachment,
    InvalidInput,
    PolicyNotAttached,
    PolicyTypeAlreadyEnabled,
    PolicyTypeNotEnabled,
    RootNotFound,
    TargetNotFound,
)
from sekisho.store.tables import Account, Member, Organization, PolicyType, Target, Unit
from sekisho.world import SCP
from sekisho.world.control_policies import RCP_FULL_ACCESS


@operation
def attach_policy(call: Call, request: pb.AttachPolicyRequest) -> pb.AttachPolicyResponse:
    """Its type must be in force. It restricts, or adds to, whatever hangs in the target."""
    organization = membership.find_administered(call, request)
    row = policies.find(call, organization, request.policy_id)
    _refuse_unknown(call, organization, request.target_id)
    if row.type not in targets.types(call, organization):
        raise PolicyTypeNotEnabled("The specified policy type isn't currently enabled in this root.")
    if call.session.get(Target, (request.target_id, row.id)) is not None:
        raise DuplicatePolicyAttachment("The selected policy is already attached to the specified target.")
    quotas.refuse(
        "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
        reached=targets.count(call, request.target_id, row.type) >= contents.TYPES[row.type].attached,
        message="You have attached the maximum number of policies of this type to the target.",
    )
    targets.attach(call, organization, request.target_id, row.id, row.type)
    return pb.AttachPolicyResponse()


@operation
def detach_policy(call: Call, request: pb.DetachPolicyRequest) -> pb.DetachPolicyResponse:
    """A target keeps its last SCP, without which nothing in it would be permitted anything."""
    organization = membership.find_administered(call, request)
    row = policies.find(call, organization, request.policy_id)
    _refuse_unknown(call, organization, request.target_id)
    if row.id == RCP_FULL_ACCESS:
        raise InvalidInput("NON_DETACHABLE_POLICY", "You can't detach this AWS managed policy.")
    attached = call.session.get(Target, (request.target_id, row.id))
    if attached is None:
        raise PolicyNotAttached("The policy isn't attached to the specified target in the specified root.")
    if row.type == SCP and targets.count(call, request.target_id, SCP) == 1:
        raise ConstraintViolation(
            "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", "You cannot remove the last policy attached to the specified target."
        )
    call.session.delete(attached)
    return pb.DetachPolicyResponse()


@operation
def list_policies_for_target(call: Call, request: pb.ListPoliciesForTargetRequest) -> pb.ListPoliciesForTargetResponse:
    """Those on the target itself, by id."""
    organization = membership.find_readable(call, request)
    _refuse_unknown(call, organization, request.target_id)
    query = select(Target.policy_id).where(Target.target_id == request.target_id, Target.type == request.filter)
    found = pages.page(call, request, query, key=[Target.policy_id], of=lambda id_: [id_])
    shown = [policies.summary(organization, policies.find(call, organization, id_)) for id_ in found.rows]
    return pb.ListPoliciesForTargetResponse(policies=shown, next_token=found.marker)


@operation
def list_targets_for_policy(call: Call, request: pb.ListTargetsForPolicyRequest) -> pb.ListTargetsForPolicyResponse:
    """By id."""
    organization = membership.find_readable(call, request)
    row = policies.find(call, organization, request.policy_id)
    query = select(Target.target_id).where(Target.organization_id == organization.id, Target.policy_id == row.id)
    found = pages.page(call, request, query, key=[Target.target_id], of=lambda id_: [id_])
    names = _names(call, found.rows)
    shown = [
        pb.PolicyTargetSummary(target_id=id_, arn=tree.arn_of(organization, id_), name=names[id_], type=tree.type_of(id_))
        for id_ in found.rows
    ]
    return pb.ListTargetsForPolicyResponse(targets=shown, next_token=found.marker)


@operation
def enable_policy_type(call: Call, request: pb.EnablePolicyTypeRequest) -> pb.EnablePolicyTypeResponse:
    """AWS's own policy of the type, which allows everything, is then attached to everything."""
    organization = membership.find_administered(call, request)
    policies.refuse_type(organization, request.policy_type)
    _refuse_other_root(organization, request.root_id)
    if request.policy_type in targets.types(call, organization):
        raise PolicyTypeAlreadyEnabled("The specified policy type is already enabled in the specified root.")
    call.add(PolicyType(root_id=organization.root_id, type=request.policy_type))
    aws = managed.ATTACHED.get(request.policy_type)
    if aws is not None:
        within = select(Unit.id).where(Unit.organization_id == organization.id)
        accounts = select(Member.account_id).where(Member.organization_id == organization.id)
        for id_ in (*call.session.scalars(within), *call.session.scalars(accounts)):
            targets.attach(call, organization, id_, aws, request.policy_type)
    call.session.flush()
    return pb.EnablePolicyTypeResponse(root=units.root(call, organization))


@operation
def disable_policy_type(call: Call, request: pb.DisablePolicyTypeRequest) -> pb.DisablePolicyTypeResponse:
    """The policies of the type stay, attached to nothing."""
    organization = membership.find_administered(call, request)
    _refuse_other_root(organization, request.root_id)
    row = call.session.get(PolicyType, (organization.root_id, request.policy_type))
    if row is None:
        raise PolicyTypeNotEnabled("The specified policy type isn't currently enabled in this root.")
    call.session.delete(row)
    wanted = Target.organization_id == organization.id, Target.type == request.policy_type
    for attached in call.session.scalars(select(Target).where(*wanted)).all():
        call.session.delete(attached)
    call.session.flush()
    return pb.DisablePolicyTypeResponse(root=units.root(call, organization))


def _names(call: Call, ids: Iterable[str]) -> dict[str, str]:
    """What targets are called, by id."""
    rows = [
        *call.session.execute(select(Unit.id, Unit.name).where(Unit.id.in_(ids))),
        *call.session.execute(select(Account.id, Account.name).where(Account.id.in_(ids))),
    ]
    return {row.id: row.name for row in rows}


def _refuse_unknown(call: Call, organization: Organization, id_: str) -> None:
    """TargetNotFound for what is not the organization's."""
    there = tree.get_unit(call, organization, id_) if "-" in id_ else tree.get_member(call, organization, id_)
    if there is None:
        raise TargetNotFound("You specified a target that doesn't exist.")


def _refuse_other_root(organization: Organization, root_id: str) -> None:
    """RootNotFound for any but the organization's own."""
    if root_id != organization.root_id:
        raise RootNotFound("You specified a root that doesn't exist.")
