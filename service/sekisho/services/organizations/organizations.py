"""Organizations: who manages one, and what all of its accounts have in common."""

from typing import Any

from sqlalchemy import func, select

from sekisho.api.organizations.v1 import organizations_pb2 as pb
from sekisho.api.organizations.v1 import units_pb2
from sekisho.calls import affiliation
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.organizations import accounts, ids, membership, tree
from sekisho.services.organizations.errors import AlreadyInOrganization, MasterCannotLeaveOrganization, OrganizationNotEmpty
from sekisho.store.tables import (
    AccountEmail,
    AccountRequest,
    Administrator,
    Member,
    Organization,
    OrganizationFeature,
    OrganizationPolicy,
    OrganizationResourcePolicy,
    OrganizationTag,
    PolicyType,
    Target,
    TrustedService,
    Unit,
)
from sekisho.world import SCP

_OWN: tuple[Any, ...] = (
    OrganizationTag,
    OrganizationResourcePolicy,
    AccountRequest,
    TrustedService,
    Administrator,
    Target,
    OrganizationPolicy,
    Member,
)
"""The tables whose rows go with their organization, in the order in which nothing refers to them any more."""


@operation
def create_organization(call: Call, request: pb.CreateOrganizationRequest) -> pb.CreateOrganizationResponse:
    """The caller's account manages it, and hangs in its root. With all features unless it is to have none."""
    if affiliation.get(call) is not None:
        raise AlreadyInOrganization("The AWS account is already a member of an organization.")
    row = Organization(
        id=ids.organization(),
        management_account_id=call.account_id,
        root_id=ids.root(),
        feature_set=request.feature_set or "ALL",
        created_at=call.now,
    )
    call.add(row)
    call.add(Unit(id=row.root_id, organization_id=row.id, parent_id=None, name="Root", created_at=call.now))
    accounts.join(call, row, call.account_id, "INVITED", [])
    call.session.flush()
    return pb.CreateOrganizationResponse(organization=_message(call, row))


@operation
def describe_organization(call: Call, request: pb.DescribeOrganizationRequest) -> pb.DescribeOrganizationResponse:
    """To each of its accounts."""
    return pb.DescribeOrganizationResponse(organization=_message(call, membership.find_own(call)))


@operation
def delete_organization(call: Call, request: pb.DeleteOrganizationRequest) -> pb.DeleteOrganizationResponse:
    """With its units and policies, once no account but the management account is left."""
    row = membership.find_managed(call)
    if (call.session.scalar(select(func.count()).select_from(Member).where(Member.organization_id == row.id)) or 0) > 1:
        raise OrganizationNotEmpty("To delete an organization, you must first remove all member accounts.")
    for table in _OWN:
        _delete(call, select(table).where(table.organization_id == row.id))
    for of_root in (PolicyType, OrganizationFeature):
        _delete(call, select(of_root).where(of_root.root_id == row.root_id))
    parents = tree.load(call, row)
    for unit_id in sorted(parents.parents, key=parents.depth, reverse=True):
        _delete(call, select(Unit).where(Unit.id == unit_id))
    call.session.delete(row)
    return pb.DeleteOrganizationResponse()


@operation
def leave_organization(call: Call, request: pb.LeaveOrganizationRequest) -> pb.LeaveOrganizationResponse:
    """The caller's account is then nobody's but its own."""
    row = membership.find_own(call)
    if row.management_account_id == call.account_id:
        raise MasterCannotLeaveOrganization("You can't remove a management account from an organization.")
    accounts.leave(call, row, call.account_id)
    return pb.LeaveOrganizationResponse()


def _delete(call: Call, query: Any) -> None:
    """Delete rows one by one, so that the change log hears of each."""
    for row in call.session.scalars(query).all():
        call.session.delete(row)
    call.session.flush()


def _message(call: Call, row: Organization) -> pb.Organization:
    types = [units_pb2.PolicyTypeSummary(type=SCP, status="ENABLED")] if row.feature_set == "ALL" else []
    email = call.session.get(AccountEmail, row.management_account_id)
    return pb.Organization(
        id=row.id,
        arn=f"arn:aws:organizations::{row.management_account_id}:organization/{row.id}",
        feature_set=row.feature_set,
        master_account_arn=tree.arn_of(row, row.management_account_id),
        master_account_id=row.management_account_id,
        master_account_email=email.email if email is not None else None,
        available_policy_types=types,
    )
