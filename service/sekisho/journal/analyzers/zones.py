"""The zone of trust of an analyzer: the accounts whose principals are no strangers. That of an organization is all of its accounts.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-concepts.html
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from sekisho.store.tables import Administrator, Analyzer, Member, Organization, Target, TrustedService
from sekisho.world import RCP
from sekisho.world.control_policies import RCP_FULL_ACCESS

PRINCIPAL = "access-analyzer.amazonaws.com"
"""Access Analyzer, as organizations trust and delegate it."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A zone of trust; `hash` tells it from another one."""

    accounts: frozenset[str]
    organization_id: str
    paths: tuple[str, ...]
    hash: str


class Zones:
    """The zones of a snapshot; that of an organization is read once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._organizations: dict[str, Trusted] = {}

    def of(self, row: Analyzer) -> Trusted | None:
        """The zone of an analyzer; None for one of an organization that does not look any more."""
        if row.organization_id is None:
            return _trusted(frozenset((row.account_id,)), None, ())
        if standing(self._session, row):
            return None
        if row.organization_id not in self._organizations:
            self._organizations[row.organization_id] = self._of_organization(row.organization_id)
        return self._organizations[row.organization_id]

    def _of_organization(self, id_: str) -> Trusted:
        accounts = self._session.scalars(select(Member.account_id).where(Member.organization_id == id_))
        root = self._session.get_one(Organization, id_).root_id
        return _trusted(frozenset(accounts), id_, (f"{id_}/{root}/",))


def _trusted(accounts: frozenset[str], organization_id: str | None, paths: tuple[str, ...]) -> Trusted:
    made = hashlib.sha256(json.dumps([sorted(accounts), organization_id, paths]).encode()).hexdigest()
    return Trusted(accounts, organization_id or "", paths, made)


def restricted(session: Session, owners: Iterable[str]) -> frozenset[str]:
    """Those of these accounts to whose resources a resource control policy applies, beside the one that is everywhere.

    It is not part of what is looked at, which a finding says: what it denies is found all the same.
    """
    applies = Target.organization_id == Member.organization_id, Target.type == RCP, Target.policy_id != RCP_FULL_ACCESS
    query = select(Member.account_id).join(Organization, Organization.id == Member.organization_id)
    wanted = Member.account_id.in_(sorted(owners)), Member.account_id != Organization.management_account_id
    return frozenset(session.scalars(query.where(*wanted, exists(select(Target.policy_id).where(*applies)))))


def standing(session: Session, row: Analyzer) -> str:
    """AWS's reason why an analyzer of an organization does not look any more; empty while it does."""
    if row.organization_id is None:
        return ""
    organization = session.get(Organization, row.organization_id)
    if organization is None:
        return "ORGANIZATION_DELETED"
    if not is_trusted(session, organization.id):
        return "AWS_SERVICE_ACCESS_DISABLED"
    return "" if is_administrator(session, organization, row.account_id) else "DELEGATED_ADMINISTRATOR_DEREGISTERED"


def is_trusted(session: Session, organization_id: str) -> bool:
    """Whether Access Analyzer has access to an organization."""
    return session.get(TrustedService, (organization_id, PRINCIPAL)) is not None


def is_administrator(session: Session, organization: Organization, account_id: str) -> bool:
    """Tell the management account, and those to which it delegated Access Analyzer."""
    if organization.management_account_id == account_id:
        return True
    wanted = (
        Administrator.organization_id == organization.id,
        Administrator.account_id == account_id,
        Administrator.service_principal == PRINCIPAL,
    )
    return bool(session.scalar(select(exists(select(Administrator.account_id).where(*wanted)))))
