"""Loads what an analysis of paths is made from, in the snapshot of the call: all users, roles, groups and policies of an account."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import ColumnElement, func, select

from sekisho import policy
from sekisho.analysis.escalation import SERVICES, Estate, Managed, Realm
from sekisho.arn import iam
from sekisho.calls.call import Call
from sekisho.errors import Unavailable
from sekisho.memory import pages
from sekisho.services.insight.errors import LimitExceeded
from sekisho.store.db import remaining
from sekisho.store.tables import (
    AccessKey,
    Account,
    Entity,
    Group,
    InstanceProfile,
    LoginProfile,
    Member,
    Organization,
    OrganizationPolicy,
    OrganizationResourcePolicy,
    OrganizationTag,
    Policy,
    PolicyVersion,
    RegisteredResource,
    ResourceTag,
    Role,
    Tag,
    Unit,
    User,
)
from sekisho.world import (
    AWS,
    RCP,
    SCP,
    AccountRecord,
    GroupRecord,
    PolicyRecord,
    PrincipalRecord,
    Record,
    ResourceRecord,
    UnitRecord,
    resources,
)
from sekisho.world.placement import placement

MOST = 20_000
"""Users and roles that are looked at; AWS's quotas admit 6,000."""

MOST_RESOURCES = 2_000
"""Registered resources of an account that are looked at, those with a policy first."""

MOST_UNITS = 100
"""Units of an organization to which an account is thought to be moved."""

ADMINISTRATOR = "administratoraccess"
"""The policy of AWS's that everybody may attach who may attach any; by its key."""

_SIZE = 500


def load_organization(call: Call, organization_id: str) -> list[Estate]:
    """The active accounts of an organization; LimitExceeded where they are too large together."""
    member = select(Member.account_id).join(Account, Account.id == Member.account_id)
    member = member.where(Member.organization_id == organization_id, Account.status == "ACTIVE")
    held = select(func.count()).select_from(Entity).where(Entity.account_id.in_(member), Entity.kind.in_(("user", "role")))
    if (call.session.scalar(held) or 0) > MOST:
        raise LimitExceeded(f"The organization has more than {MOST} users and roles; that is more than one analysis looks at.")
    return [load(call, id_) for id_ in call.session.scalars(member.order_by(Member.account_id)).all()]


def load_realm(call: Call, organization: Organization) -> Realm:
    """All that is known of an organization beside its accounts; nothing is left to be loaded afterwards."""
    records: dict[str, Record] = {}
    wanted = select(Unit.id).where(Unit.organization_id == organization.id).order_by(Unit.id)
    units = call.session.scalars(wanted.limit(MOST_UNITS + 1)).all()
    left_out = (f"the organization has more than {MOST_UNITS} units",) * (len(units) > MOST_UNITS)
    units = [organization.root_id, *(id_ for id_ in units[:MOST_UNITS] if id_ != organization.root_id)]
    for id_ in units:
        _load_above(call, id_, records)
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    tagged = select(OrganizationTag.resource_id, OrganizationTag.key, OrganizationTag.value)
    for row in call.session.execute(tagged.where(OrganizationTag.organization_id == organization.id)):
        tags[row.resource_id][row.key] = row.value
    types = select(OrganizationPolicy.id, OrganizationPolicy.type).where(
        OrganizationPolicy.organization_id == organization.id, OrganizationPolicy.type.in_((SCP, RCP))
    )
    own = call.session.get(OrganizationResourcePolicy, organization.id)
    return Realm(
        id=organization.id,
        management_id=organization.management_account_id,
        units=tuple(units),
        types={row.id: row.type for row in call.session.execute(types)},
        tags=tags,
        lookup=records.get,
        delegating=policy.Attached(policy.compiled(own.content), name=own.id) if own is not None else None,
        left_out=left_out,
    )


def _load_above(call: Call, unit_id: str, records: dict[str, Record]) -> None:
    """A unit, those above it, and what is attached to them."""
    at: str | None = unit_id
    while at is not None and at not in records:
        remaining(call.deadline)
        unit = call.node.world.load_record(at, call.session)
        if not isinstance(unit, UnitRecord):
            raise Unavailable("A unit of the organization could not be loaded.")
        records[at] = unit
        for id_ in (*unit.scp_ids, *unit.rcp_ids):
            if id_ not in records and (record := call.node.world.load_record(id_, call.session)) is not None:
                records[id_] = record
        at = unit.parent_id


def load(call: Call, account_id: str) -> Estate:
    """An account; LimitExceeded for one that is too large. Nothing is left to be loaded afterwards."""
    held = select(func.count()).select_from(Entity).where(Entity.account_id == account_id, Entity.kind.in_(("user", "role")))
    if (call.session.scalar(held) or 0) > MOST:
        raise LimitExceeded(f"The account has more than {MOST} users and roles; that is more than one analysis looks at.")
    records: dict[str, Record] = {}
    principals: list[PrincipalRecord] = []
    for kind in pages.KINDS:
        after: str | None = None
        while after != "":
            remaining(call.deadline)
            found, after = pages.load_page(call.session, account_id, kind, after or "", _SIZE)
            records |= {record.id: record for record in found}
    trusts = {row.id: row.trust_policy for row in call.session.execute(select(Role.id, Role.trust_policy).where(_own(account_id, Role)))}
    for record in records.values():
        if isinstance(record, PrincipalRecord):
            remaining(call.deadline)
            trust = trusts.get(record.id)
            compiled = policy.Attached(policy.compiled(trust), name="AssumeRolePolicyDocument") if trust is not None else None
            principals.append(replace(record, trust=compiled))
    records |= {record.id: record for record in principals}
    _follow(call, account_id, records, principals)
    registered = _registered(call, account_id)
    records |= {resources.key(account_id, one.id): one for one in registered}
    groups = call.session.execute(select(Group.id, Group.name, Group.path).where(_own(account_id, Group)).order_by(Group.name_key))
    return Estate(
        account_id=account_id,
        principals=tuple(principals),
        groups={row.id: iam(account_id, "group", row.name, row.path) for row in groups},
        policies=tuple(_policies(call, account_id, records)),
        lookup=records.get,
        now=call.now,
        passwords=frozenset(call.session.scalars(select(LoginProfile.user_id).join(User).where(_own(account_id, User)))),
        keys=_keys(call, account_id),
        profiles=frozenset(filter(None, call.session.scalars(select(InstanceProfile.role_id).where(_own(account_id, InstanceProfile))))),
        resources=tuple(registered[:MOST_RESOURCES]),
        left_out=(f"{account_id} has more than {MOST_RESOURCES} registered resources of services",) * (len(registered) > MOST_RESOURCES),
    )


def _registered(call: Call, account_id: str) -> list[ResourceRecord]:
    """The registered resources on which methods are used, and one more than are looked at where there are more."""
    wanted = RegisteredResource.account_id == account_id, RegisteredResource.service.in_(SERVICES)
    rows = call.session.execute(
        select(RegisteredResource.id, RegisteredResource.arn, RegisteredResource.policy)
        .where(*wanted)
        .order_by(RegisteredResource.policy.is_(None), RegisteredResource.id)
        .limit(MOST_RESOURCES + 1)
    ).all()
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    for start in range(0, len(rows), _SIZE):
        remaining(call.deadline)
        of = ResourceTag.resource_id.in_([row.id for row in rows[start : start + _SIZE]])
        for id_, key, value in call.session.execute(select(ResourceTag.resource_id, ResourceTag.key, ResourceTag.value).where(of)):
            tags[id_][key] = value
    found = []
    for row in rows:
        remaining(call.deadline)
        attached = policy.Attached(policy.compiled(row.policy), arn=row.arn, name="resource policy") if row.policy is not None else None
        found.append(ResourceRecord(row.arn, account_id, tags[row.id], attached))
    return found


def _own(account_id: str, table: type[Entity]) -> ColumnElement[bool]:
    return table.account_id == account_id


def _keys(call: Call, account_id: str) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for owner in call.session.scalars(select(AccessKey.owner_id).where(AccessKey.account_id == account_id)):
        counts[owner] += 1
    return counts


def _follow(call: Call, account_id: str, records: dict[str, Record], principals: Iterable[PrincipalRecord]) -> None:
    """Load what decisions follow beyond the account: AWS's policies, and the place in an organization with what is attached on the way."""

    def look(id_: str) -> Record | None:
        if id_ not in records:
            record = call.node.world.load_record(id_, call.session)
            if record is None:
                return None
            records[id_] = record
        return records[id_]

    account = look(account_id)
    if not isinstance(account, AccountRecord):
        raise Unavailable("The account could not be loaded.")
    placement(account, look)
    wanted = [id_ for one in principals for id_ in one.policy_ids]
    wanted += [id_ for one in records.values() if isinstance(one, GroupRecord) for id_ in one.policy_ids]
    wanted += [one.boundary_id for one in principals if one.boundary_id is not None]
    everybodys = select(Policy.id).where(Policy.account_id == AWS, Policy.kind == "policy", Policy.name_key == ADMINISTRATOR)
    for id_ in dict.fromkeys((*wanted, *call.session.scalars(everybodys))):
        remaining(call.deadline)
        look(id_)


def _policies(call: Call, account_id: str, records: dict[str, Record]) -> Iterable[Managed]:
    """The policies that could be attached, those of the account with the versions that are not in force."""
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    for row in call.session.execute(
        select(Tag.owner_id, Tag.key, Tag.value).join(Policy, Policy.id == Tag.owner_id).where(_own(account_id, Policy))
    ):
        tags[row.owner_id][row.key] = row.value
    others: dict[str, list[policy.Attached]] = defaultdict(list)
    versions = select(PolicyVersion.policy_id, PolicyVersion.number, PolicyVersion.document)
    versions = versions.join(Policy, (Policy.id == PolicyVersion.policy_id) & (Policy.default_version != PolicyVersion.number))
    for id_, number, document in call.session.execute(versions.where(_own(account_id, Policy)).order_by(PolicyVersion.number)):
        remaining(call.deadline)
        named = records[id_]
        assert isinstance(named, PolicyRecord)
        others[id_].append(policy.Attached(policy.compiled(document), arn=named.arn, version=f"v{number}"))
    found = sorted((one for one in records.values() if isinstance(one, PolicyRecord)), key=lambda one: one.arn)
    return [Managed(one.id, one.arn, one.attached, tuple(others[one.id]), tags[one.id]) for one in found]
