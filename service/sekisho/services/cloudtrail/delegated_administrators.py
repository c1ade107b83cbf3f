"""Delegated administrators: member accounts that make and change the trails and event data stores of the organization."""

from sqlalchemy import func, select

from sekisho.api.cloudtrail.v1 import delegated_administrators_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.cloudtrail import membership, quotas
from sekisho.services.cloudtrail.errors import (
    AccountNotFound,
    AccountNotRegistered,
    AccountRegistered,
    CannotDelegateManagementAccount,
    DelegatedAdminAccountLimitExceeded,
    NotOrganizationManagementAccount,
)
from sekisho.store.tables import Administrator, Member, Organization


@operation
def register_organization_delegated_admin(
    call: Call, request: pb.RegisterOrganizationDelegatedAdminRequest
) -> pb.RegisterOrganizationDelegatedAdminResponse:
    """The management account's alone to say."""
    organization = _find_managed(call)
    if request.member_account_id == organization.management_account_id:
        raise CannotDelegateManagementAccount("The management account cannot be registered as a delegated administrator.")
    _refuse_stranger(call, organization, request.member_account_id)
    if call.session.get(Administrator, (request.member_account_id, membership.PRINCIPAL)) is not None:
        raise AccountRegistered("The account is already registered as the CloudTrail delegated administrator.")
    wanted = Administrator.organization_id == organization.id, Administrator.service_principal == membership.PRINCIPAL
    if (call.session.scalar(select(func.count()).select_from(Administrator).where(*wanted)) or 0) >= quotas.ADMINISTRATORS:
        raise DelegatedAdminAccountLimitExceeded("The maximum number of CloudTrail delegated administrators is reached.")
    row = {"account_id": request.member_account_id, "service_principal": membership.PRINCIPAL}
    call.add(Administrator(**row, organization_id=organization.id, enabled_at=call.now))
    return pb.RegisterOrganizationDelegatedAdminResponse()


@operation
def deregister_organization_delegated_admin(
    call: Call, request: pb.DeregisterOrganizationDelegatedAdminRequest
) -> pb.DeregisterOrganizationDelegatedAdminResponse:
    """All that the account has made stays: it is the management account's."""
    organization = _find_managed(call)
    _refuse_stranger(call, organization, request.delegated_admin_account_id)
    row = call.session.get(Administrator, (request.delegated_admin_account_id, membership.PRINCIPAL))
    if row is None:
        raise AccountNotRegistered("The account is not registered as the CloudTrail delegated administrator.")
    call.session.delete(row)
    return pb.DeregisterOrganizationDelegatedAdminResponse()


def _find_managed(call: Call) -> Organization:
    membership.lock(call)
    own = membership.get_own(call)
    if own is not None and own.management_account_id != call.account_id:
        raise NotOrganizationManagementAccount("The account that made the request is not the management account.")
    return membership.find_administered(call)


def _refuse_stranger(call: Call, organization: Organization, account_id: str) -> None:
    member = call.session.get(Member, account_id)
    if member is None or member.organization_id != organization.id:
        raise AccountNotFound("The account does not exist in the organization.")
