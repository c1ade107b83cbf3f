"""Delegated administrators: member accounts that administer a service for the organization, and read all of it for that."""

from sqlalchemy import exists, func, select

from sekisho.api.organizations.v1 import delegated_administrators_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.organizations import accounts, membership, pages, quotas
from sekisho.services.organizations.errors import AccountAlreadyRegistered, AccountNotRegistered, ConstraintViolation
from sekisho.store.tables import Account, AccountEmail, Administrator, Member, TrustedService


@operation
def register_delegated_administrator(
    call: Call, request: pb.RegisterDelegatedAdministratorRequest
) -> pb.RegisterDelegatedAdministratorResponse:
    """The service must have access to the organization."""
    organization = membership.find_managed(call)
    accounts.find(call, organization, request.account_id)
    if request.account_id == organization.management_account_id:
        raise ConstraintViolation(
            "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
            "You can't register the management account of the organization as a delegated administrator.",
        )
    if call.session.get_one(Account, request.account_id).status != "ACTIVE":
        raise ConstraintViolation("CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR", "You can't register a suspended account.")
    if call.session.get(TrustedService, (organization.id, request.service_principal)) is None:
        raise ConstraintViolation("SERVICE_ACCESS_NOT_ENABLED", "You must enable service access before you register an administrator.")
    if call.session.get(Administrator, (request.account_id, request.service_principal)) is not None:
        raise AccountAlreadyRegistered("The specified account is already a delegated administrator for this AWS service.")
    wanted = Administrator.organization_id == organization.id, Administrator.service_principal == request.service_principal
    count = call.session.scalar(select(func.count()).select_from(Administrator).where(*wanted)) or 0
    quotas.refuse(
        "MAX_DELEGATED_ADMINISTRATORS_FOR_SERVICE_LIMIT_EXCEEDED",
        reached=count >= quotas.MOST_ADMINISTRATORS,
        message="You have reached the maximum number of delegated administrators for the service.",
    )
    row = {"account_id": request.account_id, "service_principal": request.service_principal}
    call.add(Administrator(**row, organization_id=organization.id, enabled_at=call.now))
    return pb.RegisterDelegatedAdministratorResponse()


@operation
def deregister_delegated_administrator(
    call: Call, request: pb.DeregisterDelegatedAdministratorRequest
) -> pb.DeregisterDelegatedAdministratorResponse:
    """What it reads by other services it reads on."""
    organization = membership.find_managed(call)
    accounts.find(call, organization, request.account_id)
    row = call.session.get(Administrator, (request.account_id, request.service_principal))
    if row is None:
        raise AccountNotRegistered("The specified account is not a delegated administrator for this AWS service.")
    call.session.delete(row)
    return pb.DeregisterDelegatedAdministratorResponse()


@operation
def list_delegated_administrators(call: Call, request: pb.ListDelegatedAdministratorsRequest) -> pb.ListDelegatedAdministratorsResponse:
    """By id; each once, whatever it administers, with the time of the first service that the request is about."""
    organization = membership.find_readable(call, request)
    about = [Administrator.organization_id == organization.id]
    if request.HasField("service_principal"):
        about.append(Administrator.service_principal == request.service_principal)
    query = select(Member).where(exists(select(Administrator.account_id).where(Administrator.account_id == Member.account_id, *about)))
    found = pages.page(call, request, query, key=[Member.account_id], of=lambda row: [row.account_id])
    ids = [row.account_id for row in found.rows]
    since = dict(
        call.session.execute(
            select(Administrator.account_id, func.min(Administrator.enabled_at)).where(*about).group_by(Administrator.account_id)
        ).all()
    )
    named = {row.id: row for row in call.session.scalars(select(Account).where(Account.id.in_(ids)))}
    emails = {row.account_id: row.email for row in call.session.scalars(select(AccountEmail).where(AccountEmail.account_id.in_(ids)))}
    shown = [
        pb.DelegatedAdministrator(
            **accounts.shown(organization, named[row.account_id], emails.get(row.account_id)),
            joined_method=row.joined_method,
            joined_timestamp=accounts.seconds(row.joined_at),
            delegation_enabled_date=accounts.seconds(since[row.account_id]),
        )
        for row in found.rows
    ]
    return pb.ListDelegatedAdministratorsResponse(delegated_administrators=shown, next_token=found.marker)


@operation
def list_delegated_services_for_account(
    call: Call, request: pb.ListDelegatedServicesForAccountRequest
) -> pb.ListDelegatedServicesForAccountResponse:
    """By name."""
    organization = membership.find_readable(call, request)
    accounts.find(call, organization, request.account_id)
    if not membership.is_administrator(call, organization, request.account_id):
        raise AccountNotRegistered("The specified account is not a delegated administrator.")
    query = select(Administrator).where(Administrator.account_id == request.account_id)
    found = pages.page(call, request, query, key=[Administrator.service_principal], of=lambda row: [row.service_principal])
    shown = [
        pb.DelegatedService(service_principal=row.service_principal, delegation_enabled_date=accounts.seconds(row.enabled_at))
        for row in found.rows
    ]
    return pb.ListDelegatedServicesForAccountResponse(delegated_services=shown, next_token=found.marker)
