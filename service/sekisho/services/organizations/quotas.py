"""The quotas of an organization, checked while the call is alone in it.

Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select

from sekisho.calls.call import Call
from sekisho.services.organizations.errors import ConstraintViolation
from sekisho.store.tables import Handshake, Member, Organization, QuotaOverride

ACCOUNTS = "OrganizationAccountsQuota"
"""The quota that an operator may raise for an organization, by its management account."""

MOST_ACCOUNTS = 10
MOST_UNITS = 2000
DEEPEST = 5
"""Levels of units beneath the root."""

MOST_TAGS = 50
MOST_ADMINISTRATORS = 3
"""Accounts to which one service can be delegated; AWS leaves that to the service."""

INVITATION = timedelta(days=15)
ALL_FEATURES = timedelta(days=90)
SHOWN = timedelta(days=30)
"""How long a handshake is shown that is over."""


def refuse(quota: str, *, reached: bool, message: str) -> None:
    """ConstraintViolation when a quota is reached."""
    if reached:
        raise ConstraintViolation(quota, message)


def is_full(call: Call, organization: Organization, *, besides: int = 0) -> bool:
    """True when the organization has as many accounts and open invitations as it may, `besides` invitations that end with the call."""
    override = call.session.get(QuotaOverride, (organization.management_account_id, ACCOUNTS))
    most = override.value if override is not None else MOST_ACCOUNTS
    accounts = call.session.scalar(select(func.count()).select_from(Member).where(Member.organization_id == organization.id)) or 0
    asked = select(func.count()).select_from(Handshake).where(Handshake.organization_id == organization.id, Handshake.action == "INVITE")
    return accounts + (call.session.scalar(asked.where(is_open(call))) or 0) - besides >= most


def is_open(call: Call) -> ColumnElement[bool]:
    """The condition that a handshake still waits for its answer."""
    return or_(Handshake.state == "OPEN", Handshake.state == "REQUESTED") & (Handshake.expires_at > call.now)
