"""The zone of trust of an analyzer: the accounts whose principals are no strangers. That of an organization is all of its accounts.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-concepts.html
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from sekisho.journal.analyzers import restrictions
from sekisho.journal.analyzers.restrictions import Restrictions
from sekisho.store.tables import Administrator, Analyzer, Member, Organization, TrustedService

PRINCIPAL = "access-analyzer.amazonaws.com"
"""Access Analyzer, as organizations trust and delegate it."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A zone of trust; `hash` tells it from another one.

    `restricting` are the resource control policies that apply to resources, by owner, and `belongs` the organization of the owners.
    """

    accounts: frozenset[str]
    organization_id: str
    paths: tuple[str, ...]
    hash: str
    restricting: Restrictions = field(default_factory=dict)
    belongs: str = ""


class Zones:
    """The zones of a snapshot; that of an organization is read once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._organizations: dict[str, Trusted] = {}

    def of(self, row: Analyzer) -> Trusted | None:
        """The zone of an analyzer; None for one of an organization that does not look any more."""
        if row.organization_id is None:
            return self._of_account(row.account_id)
        if standing(self._session, row):
            return None
        if row.organization_id not in self._organizations:
            self._organizations[row.organization_id] = self._of_organization(row.organization_id)
        return self._organizations[row.organization_id]

    def _of_account(self, id_: str) -> Trusted:
        member = self._session.get(Member, id_)
        if member is None:
            return _trusted(frozenset((id_,)), "", (), {}, "")
        organization = self._session.get_one(Organization, member.organization_id)
        return _trusted(frozenset((id_,)), "", (), restrictions.of_accounts(self._session, organization, (id_,)), organization.id)

    def _of_organization(self, id_: str) -> Trusted:
        accounts = self._session.scalars(select(Member.account_id).where(Member.organization_id == id_)).all()
        organization = self._session.get_one(Organization, id_)
        restricting = restrictions.of_accounts(self._session, organization, accounts)
        return _trusted(frozenset(accounts), id_, (f"{id_}/{organization.root_id}/",), restricting, id_)


def _trusted(
    accounts: frozenset[str], organization_id: str, paths: tuple[str, ...], restricting: Mapping[str, tuple[str, ...]], belongs: str
) -> Trusted:
    told: list[object] = [sorted(accounts), organization_id or None, paths]
    if restricting:
        told.append([belongs, sorted(restricting.items())])
    made = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    return Trusted(accounts, organization_id, paths, made, restricting, belongs)


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


def is_shown(session: Session, row: Analyzer) -> bool:
    """Whether an analyzer's account may see what it found: of an organization, the account that manages it, and who is delegated still.
    To others that is no longer accessible: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-settings.html
    """
    if row.organization_id is None:
        return True
    organization = session.get(Organization, row.organization_id)
    if organization is None:
        return False
    return organization.management_account_id == row.account_id or not standing(session, row)


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
