"""The organization that a call is about, which is that of the caller's account, and what the caller's account is permitted to ask of it.

The management account does everything. Its members read their organization's name and what concerns themselves; accounts to which a
service is delegated read all of it; accounts that the organization's own policy names do what that allows, if their own policies do, too.
Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_delegate_policies.html
"""

from dataclasses import replace

from google.protobuf.message import Message
from sqlalchemy import exists, select

from sekisho import policy
from sekisho.calls import affiliation, permission
from sekisho.calls.call import Call
from sekisho.services.organizations.errors import AWSOrganizationsNotInUse, denied
from sekisho.store.tables import Administrator, Organization, OrganizationResourcePolicy

_NOT_IN_USE = "Your account is not a member of an organization."


def find_own(call: Call) -> Organization:
    """The organization of the caller's account, which a WRITE has for itself from here on; or AWSOrganizationsNotInUse."""
    found = affiliation.get_alone(call)
    if found is None:
        raise AWSOrganizationsNotInUse(_NOT_IN_USE)
    return found


def find_managed(call: Call) -> Organization:
    """The organization that the caller's account manages; AccessDenied to its members."""
    found = find_own(call)
    if found.management_account_id != call.account_id:
        raise denied()
    return found


def find_administered(call: Call, request: Message) -> Organization:
    """The organization for those who manage it, or whom its own policy lets do what is asked."""
    found = find_own(call)
    if found.management_account_id != call.account_id and not _is_delegated(call, request, found):
        raise denied()
    return found


def find_readable(call: Call, request: Message) -> Organization:
    """The organization for those who manage it, administer a service of it, or whom its own policy lets do what is asked."""
    found = find_own(call)
    if found.management_account_id != call.account_id and not is_administrator(call, found) and not _is_delegated(call, request, found):
        raise denied()
    return found


def is_administrator(call: Call, organization: Organization, account_id: str = "") -> bool:
    """Tell accounts, the caller's own when none is given, to which any service of the organization is delegated."""
    query = select(Administrator.account_id).where(
        Administrator.organization_id == organization.id, Administrator.account_id == (account_id or call.account_id)
    )
    return bool(call.session.scalar(select(exists(query))))


def _is_delegated(call: Call, request: Message, organization: Organization) -> bool:
    """True when the organization's own policy and the caller's policies both allow all that the call takes."""
    row = call.session.get(OrganizationResourcePolicy, organization.id)
    if row is None:
        return False
    attached = policy.Attached(policy.compiled(row.content), name=row.id)
    for action, resource, keys in permission.demands(call, request):
        there = replace(resource, owner=organization.management_account_id)
        _, decision = permission.decide(call, action, there, keys, attached)
        if not decision.allowed:
            return False
    return True
