"""Whose account a call is about: the caller's own, or another of its organization, which those name who manage that or administer this
service for it.

Source: https://docs.aws.amazon.com/accounts/latest/reference/API_GetContactInformation.html (AccountId)
"""

from typing import Any

from sqlalchemy import exists, select

from sekisho import arn
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied
from sekisho.operations import Resource, resource
from sekisho.store.tables import Account, Administrator, Member, Organization, TrustedService

SERVICE = "account.amazonaws.com"
"""The service that must have access to an organization, and be delegated to whoever does not manage it."""


@resource("account")
def account(call: Call, request: Any, field: str) -> Resource:
    """The caller's own account, or the one that is named as it stands in the caller's organization."""
    named: str = getattr(request, field)
    if not named:
        return Resource(f"arn:aws:account::{call.account_id}:account", owner=call.account_id)
    organization = _organization(call)
    if organization is None:
        return Resource(f"arn:aws:account::{call.account_id}:account/o-none/{named}", owner=call.account_id)
    management = organization.management_account_id
    return Resource(f"arn:aws:account::{management}:account/{organization.id}/{named}", owner=call.account_id)


def find(call: Call, request: Any) -> Account:
    """The account that a request is about; AccessDenied when it names one that the caller has no say in."""
    id_ = request.account_id or call.account_id
    if request.account_id and not _is_permitted(call, id_):
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform: {call.operation.action} on account {id_}")
    assert arn.is_account_id(id_)
    return call.session.get_one(Account, id_)


def _is_permitted(call: Call, account_id: str) -> bool:
    """True for a member that the caller's account manages, or administers by this service, which has access to the organization. The
    management account is nobody's to name, itself included.
    """
    organization = _organization(call)
    if organization is None or account_id == organization.management_account_id:
        return False
    member = call.session.get(Member, account_id)
    if member is None or member.organization_id != organization.id:
        return False
    if call.session.get(TrustedService, (organization.id, SERVICE)) is None:
        return False
    delegated = select(Administrator.account_id).where(
        Administrator.account_id == call.account_id, Administrator.service_principal == SERVICE
    )
    return organization.management_account_id == call.account_id or bool(call.session.scalar(select(exists(delegated))))


def _organization(call: Call) -> Organization | None:
    query = select(Organization).join(Member, Member.organization_id == Organization.id).where(Member.account_id == call.account_id)
    return call.session.scalars(query).one_or_none()
