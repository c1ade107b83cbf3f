"""Resource control policies of an organization, by the accounts whose resources they are about."""

from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho.store.tables import Member, Organization, OrganizationPolicy, PolicyType, Target, Unit
from sekisho.world import RCP
from sekisho.world.control_policies import RCP_FULL_ACCESS

Restrictions = Mapping[str, tuple[str, ...]]
"""Documents by account; accounts without any are left out."""


def of_accounts(session: Session, organization: Organization, accounts: Iterable[str]) -> Restrictions:
    """The documents that apply to the resources of members; those of the management account are exempt.

    That of AWS, which is everywhere and allows everything, is none of them.
    """
    if session.get(PolicyType, (organization.root_id, RCP)) is None:
        return {}
    wanted = Target.organization_id == organization.id, Target.type == RCP, Target.policy_id != RCP_FULL_ACCESS
    attached: dict[str, list[str]] = {}
    for row in session.execute(select(Target.target_id, Target.policy_id).where(*wanted).order_by(Target.policy_id)):
        attached.setdefault(row.target_id, []).append(row.policy_id)
    if not attached:
        return {}
    ids = sorted({id_ for listed in attached.values() for id_ in listed})
    query = select(OrganizationPolicy.id, OrganizationPolicy.content).where(OrganizationPolicy.id.in_(ids))
    texts = {row.id: row.content for row in session.execute(query)}
    units = session.execute(select(Unit.id, Unit.parent_id).where(Unit.organization_id == organization.id))
    parents: dict[str, str | None] = {row.id: row.parent_id for row in units}
    members = select(Member.account_id, Member.unit_id).where(Member.organization_id == organization.id)
    of_unit: dict[str, dict[str, None]] = {}
    found = {}
    for row in session.execute(members.where(Member.account_id.in_(sorted(accounts)))):
        if row.account_id != organization.management_account_id:
            if row.unit_id not in of_unit:
                of_unit[row.unit_id] = dict.fromkeys(id_ for unit in _path(row.unit_id, parents) for id_ in attached.get(unit, ()))
            policies = {**of_unit[row.unit_id], **dict.fromkeys(attached.get(row.account_id, ()))}
            if policies:
                found[row.account_id] = tuple(texts[id_] for id_ in policies if id_ in texts)
    return found


def _path(unit: str | None, parents: Mapping[str, str | None]) -> list[str]:
    found: list[str] = []
    while unit is not None and unit not in found:
        found.append(unit)
        unit = parents.get(unit)
    return found
