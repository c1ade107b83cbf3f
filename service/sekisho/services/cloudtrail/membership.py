"""The organization of the caller's account, and what of its trails and event data stores that account may do.

An organization's trail belongs to the management account, whoever made it. The management account and those to which it delegated
CloudTrail change it; every member sees it.
Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/creating-trail-organization.html
"""

from sqlalchemy import exists, select

from sekisho.calls.call import Call
from sekisho.services.cloudtrail.errors import (
    CloudTrailAccessNotEnabled,
    NotOrganizationMasterAccount,
    OrganizationNotInAllFeaturesMode,
    OrganizationsNotInUse,
)
from sekisho.store import db
from sekisho.store.tables import Administrator, Member, Organization, TrustedService

PRINCIPAL = "cloudtrail.amazonaws.com"
"""CloudTrail, as organizations trust and delegate it."""


def get_own(call: Call) -> Organization | None:
    """The organization of the caller's account."""
    query = select(Organization).join(Member, Member.organization_id == Organization.id).where(Member.account_id == call.account_id)
    return call.session.scalars(query.execution_options(populate_existing=not call.reads)).one_or_none()


def lock(call: Call) -> None:
    """Have the organization of the caller's account for the call alone, if it is in one."""
    id_ = call.session.scalar(select(Member.organization_id).where(Member.account_id == call.account_id))
    if id_ is not None:
        db.lock(call.session, f"organization:{id_}")


def is_administrator(call: Call, organization: Organization) -> bool:
    """Tell the management account, and those to which it delegated CloudTrail."""
    if organization.management_account_id == call.account_id:
        return True
    wanted = (
        Administrator.organization_id == organization.id,
        Administrator.account_id == call.account_id,
        Administrator.service_principal == PRINCIPAL,
    )
    return bool(call.session.scalar(select(exists(select(Administrator.account_id).where(*wanted)))))


def find_administered(call: Call) -> Organization:
    """The organization whose trails the caller's account may change; the error that AWS has for what stands against it."""
    lock(call)
    found = get_own(call)
    if found is None:
        raise OrganizationsNotInUse("Your account is not a member of an organization.")
    if not is_administrator(call, found):
        raise NotOrganizationMasterAccount("The account that made the request is not the management account or a delegated administrator.")
    if found.feature_set != "ALL":
        raise OrganizationNotInAllFeaturesMode("All features must be enabled in your organization.")
    if call.session.get(TrustedService, (found.id, PRINCIPAL)) is None:
        raise CloudTrailAccessNotEnabled("Trusted access for CloudTrail is not enabled in your organization.")
    return found
