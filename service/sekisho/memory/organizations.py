"""Loads the records of organizations: where accounts hang, units, and the policies that decide."""

from sqlalchemy import bindparam, null, select, union_all
from sqlalchemy.orm import Session

from sekisho import arn, policy
from sekisho.journal.trail import selectors
from sekisho.memory import resources
from sekisho.store.tables import (
    Account,
    Administrator,
    EventDataStore,
    Issuer,
    Member,
    Organization,
    OrganizationFeature,
    OrganizationPolicy,
    PolicyType,
    Target,
    Trail,
    Unit,
)
from sekisho.world import RCP, SCP, AccountRecord, ControlPolicyRecord, DataSelectors, Record, TagPolicyRecord, UnitRecord, tag_policies
from sekisho.world.control_policies import FULL_ACCESS, FULL_ACCESS_RECORD, RCP_FULL_ACCESS

_RECORDING = union_all(
    *(
        select(Organization.id, basic, table.advanced_event_selectors)
        .select_from(table)
        .outerjoin(Organization, (Organization.id == table.organization_id) & (Organization.management_account_id == table.account_id))
        .where(table.account_id == bindparam("id"), is_on)
        for table, basic, is_on in (
            (Trail, Trail.event_selectors, Trail.is_logging),
            (EventDataStore, null(), EventDataStore.status == "ENABLED"),
        )
    )
)
_ASKED = (SCP, RCP, tag_policies.TYPE)
"""The types of policies that calls are held to."""


def load_account(session: Session, id_: str) -> Record | None:
    """An account, with its place in its organization, and with what of its decisions is to be recorded."""
    own, of_organization = _data_selectors(session, id_)
    row = session.execute(
        select(Account.id, Account.status, Member.unit_id, Issuer.id.label("issuer_id"))
        .outerjoin(Member, Member.account_id == Account.id)
        .outerjoin(Issuer, Issuer.account_id == Account.id)
        .where(Account.id == id_)
    ).one_or_none()
    if row is None:
        return None
    registers = resources.load_registers(session, id_)
    if row.unit_id is None:
        return AccountRecord(row.id, row.status, issuer_id=row.issuer_id, data_selectors=own, registers=registers)
    administers = frozenset(session.scalars(select(Administrator.service_principal).where(Administrator.account_id == id_)))
    scps, rcps, tags = _attached(session, id_)
    return AccountRecord(row.id, row.status, row.unit_id, scps, rcps, administers, tags, row.issuer_id, own, of_organization, registers)


def _data_selectors(session: Session, id_: str) -> tuple[DataSelectors, DataSelectors]:
    """The selectors of data events of an account's trails and event data stores that take events in: its own, and its organization's.

    What was an organization's that the account does not manage any more is its own.
    """
    found: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
    for managed, basic, advanced in session.connection().execute(_RECORDING, {"id": id_}):
        if (kept := selectors.of_data(basic, advanced)) is not None:
            found[managed is not None].append(kept)
    return tuple(found[False]), tuple(found[True])


def load_unit(session: Session, id_: str) -> Record | None:
    """A root or an organizational unit."""
    row = session.execute(
        select(Unit.organization_id, Unit.parent_id, Organization.management_account_id)
        .join(Organization, Organization.id == Unit.organization_id)
        .where(Unit.id == id_)
    ).one_or_none()
    if row is None:
        return None
    scps, rcps, tags = _attached(session, id_)
    if row.parent_id is not None:
        return UnitRecord(id_, row.organization_id, row.parent_id, scps, rcps, tag_policy_ids=tags)
    types = frozenset(session.scalars(select(PolicyType.type).where(PolicyType.root_id == id_)))
    features = frozenset(session.scalars(select(OrganizationFeature.feature).where(OrganizationFeature.root_id == id_)))
    return UnitRecord(id_, row.organization_id, None, scps, rcps, row.management_account_id, types, features, tags)


def load_policy(session: Session, id_: str) -> Record | None:
    """A service control policy, a resource control policy or a tag policy; nothing here asks about those of other types."""
    if id_ == FULL_ACCESS:
        return FULL_ACCESS_RECORD
    row = session.execute(
        select(
            OrganizationPolicy.type,
            OrganizationPolicy.name,
            OrganizationPolicy.content,
            OrganizationPolicy.organization_id,
            Organization.management_account_id,
        )
        .join(Organization, Organization.id == OrganizationPolicy.organization_id)
        .where(OrganizationPolicy.id == id_, OrganizationPolicy.type.in_(_ASKED))
    ).one_or_none()
    if row is None:
        return None
    if row.type == tag_policies.TYPE:
        return TagPolicyRecord(id_, row.content)
    named = arn.organizations(row.management_account_id, "policy", row.organization_id, row.type.lower(), id_)
    return ControlPolicyRecord(id_, policy.Attached(policy.compiled(row.content), arn=named, name=row.name))


def _attached(session: Session, target_id: str) -> tuple[tuple[str, ...], ...]:
    """The ids of the SCPs, of the RCPs and of the tag policies on a target, but for the RCP that is everywhere; in the order in which they
    were attached.
    """
    query = select(Target.policy_id, Target.type).where(Target.target_id == target_id, Target.type.in_(_ASKED))
    rows = session.execute(query.order_by(Target.created_at, Target.policy_id)).all()
    return tuple(tuple(row.policy_id for row in rows if row.type == type_ and row.policy_id != RCP_FULL_ACCESS) for type_ in _ASKED)
