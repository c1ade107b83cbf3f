"""Records as messages of `authorize.v1`, and back: how they leave a process. Keys have none, since they are secret.

Neither have registered resources, which may be millions: an account says of which services it has any. Units and policies of organizations
are not the account's own: they stand in the message of the account, as far as they restrict it, which is another one whenever one of them
is. To those who do not know of that, an account in an organization has a status with which nothing of it is decided.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from sekisho import policy
from sekisho.api.authorize.v1 import records_pb2 as pb
from sekisho.errors import Unavailable
from sekisho.world.placement import units_of
from sekisho.world.records import (
    AccountRecord,
    ControlPolicyRecord,
    GroupRecord,
    Lookup,
    PolicyRecord,
    PrincipalRecord,
    Record,
    SessionFacts,
    Subject,
    UnitRecord,
)

Said = AccountRecord | PrincipalRecord | GroupRecord | PolicyRecord
"""The records that have a message."""


def message(id_: str, record: Record | None, lookup: Lookup) -> pb.Record | None:
    """The message of an id's record, which says that it is gone for None; None for a record that has no message. Unavailable where records
    are missing that belong to it; all have to be of one world.
    """
    if record is None:
        return pb.Record(id=id_)
    if isinstance(record, AccountRecord):
        placement = _placement(record, lookup) if record.unit_id is not None else None
        registers = sorted(record.registers)
        return pb.Record(id=id_, account=pb.AccountRecord(id=record.id, status=_status(record), registers=registers, placement=placement))
    if isinstance(record, PrincipalRecord):
        return pb.Record(id=id_, principal=_principal(record))
    if isinstance(record, GroupRecord):
        return pb.Record(id=id_, group=pb.GroupRecord(id=record.id, inline=_inline(record.inline), policy_ids=record.policy_ids))
    if isinstance(record, PolicyRecord):
        attached = record.attached
        said = pb.PolicyRecord(id=record.id, arn=record.arn, version=attached.version, document=attached.program.text)
        return pb.Record(id=id_, policy=said)
    return None


IN_ORGANIZATION = "IN_ORGANIZATION"
"""The status of an account of which only those decide who know of its placement."""


REGISTERS = "REGISTERS_RESOURCES"
"""The status of an active account that registers resources: who does not know it, and so not what is registered, decides nothing."""


def _status(record: AccountRecord) -> str:
    if record.unit_id is not None:
        return IN_ORGANIZATION
    return REGISTERS if record.registers and record.status == "ACTIVE" else record.status


def record(said: pb.Record) -> Said | None:
    """The record of a message, compiled; None for one that is gone."""
    kind = said.WhichOneof("record")
    if kind == "account":
        return _account_record(said.account)
    if kind == "principal":
        return _principal_record(said.principal)
    if kind == "group":
        return GroupRecord(said.group.id, _attached(said.group.inline), tuple(said.group.policy_ids))
    if kind == "policy":
        given = said.policy
        return PolicyRecord(given.id, given.arn, policy.Attached(policy.compiled(given.document), arn=given.arn, version=given.version))
    return None


def placed(said: pb.Record) -> dict[str, UnitRecord | ControlPolicyRecord]:
    """What the message of an account says of its organization, by id."""
    found: dict[str, UnitRecord | ControlPolicyRecord] = {}
    for unit in said.account.placement.units:
        parent = unit.parent_id if unit.HasField("parent_id") else None
        of_root = (unit.management_id, frozenset(unit.types))
        found[unit.id] = UnitRecord(unit.id, unit.organization_id, parent, tuple(unit.scp_ids), tuple(unit.rcp_ids), *of_root)
    for one in said.account.placement.policies:
        found[one.id] = ControlPolicyRecord(one.id, policy.Attached(policy.compiled(one.document), arn=one.arn, name=one.name))
    return found


def _account_record(said: pb.AccountRecord) -> AccountRecord:
    registers = frozenset(said.registers)
    if not said.HasField("placement"):
        return AccountRecord(said.id, "ACTIVE" if said.status == REGISTERS else said.status, registers=registers)
    place = said.placement
    scps, rcps = tuple(place.scp_ids), tuple(place.rcp_ids)
    return AccountRecord(said.id, place.status, place.units[0].id, scps, rcps, registers=registers)


def _placement(account: AccountRecord, lookup: Lookup) -> pb.PlacementRecord:
    assert account.unit_id is not None
    units = units_of(account.unit_id, lookup)
    holders: list[AccountRecord | UnitRecord] = [account, *units]
    if units[-1].management_id == account.id:  # which nothing restricts, and whoever has it need not see what restricts others
        holders = []
    ids = dict.fromkeys(id_ for holder in holders for id_ in (*holder.scp_ids, *holder.rcp_ids))
    made = pb.PlacementRecord(
        status=account.status,
        units=[_unit(one, told=bool(holders)) for one in units],
        scp_ids=account.scp_ids if holders else (),
        rcp_ids=account.rcp_ids if holders else (),
    )
    for id_ in ids:
        record = lookup(id_)
        if not isinstance(record, ControlPolicyRecord):
            raise Unavailable(f"The policy {id_} of the organization could not be loaded.")
        one = record.attached
        made.policies.add(id=id_, arn=one.arn, name=one.name, document=one.program.text)
    return made


def _unit(record: UnitRecord, *, told: bool) -> pb.UnitRecord:
    return pb.UnitRecord(
        id=record.id,
        organization_id=record.organization_id,
        parent_id=record.parent_id,
        scp_ids=record.scp_ids if told else (),
        rcp_ids=record.rcp_ids if told else (),
        management_id=record.management_id,
        types=sorted(record.types),
    )


def subject(who: Subject) -> pb.SubjectRecord:
    """The message of a subject, without the id of its key."""
    session = who.session
    return pb.SubjectRecord(id=who.id, account_id=who.account_id, session=_session(session) if session is not None else None)


def subject_of(said: pb.SubjectRecord) -> Subject:
    """The subject of a message."""
    return Subject(said.id, said.account_id, session=_facts(said.session) if said.HasField("session") else None)


def _principal(record: PrincipalRecord) -> pb.PrincipalRecord:
    return pb.PrincipalRecord(
        id=record.id,
        account_id=record.account_id,
        kind=record.kind,
        name=record.name,
        arn=record.arn,
        tags=_tags(record.tags),
        inline=_inline(record.inline),
        policy_ids=record.policy_ids,
        group_ids=record.group_ids,
        boundary_id=record.boundary_id,
        trust_policy=record.trust.program.text if record.trust is not None else None,
        max_session_seconds=record.max_session_seconds,
    )


def _principal_record(said: pb.PrincipalRecord) -> PrincipalRecord:
    trust = policy.Attached(program=policy.compiled(said.trust_policy), name=_TRUST) if said.HasField("trust_policy") else None
    return PrincipalRecord(
        id=said.id,
        account_id=said.account_id,
        kind=said.kind,
        name=said.name,
        arn=said.arn,
        tags={tag.key: tag.value for tag in said.tags},
        inline=_attached(said.inline),
        policy_ids=tuple(said.policy_ids),
        group_ids=tuple(said.group_ids),
        boundary_id=said.boundary_id if said.HasField("boundary_id") else None,
        trust=trust,
        max_session_seconds=said.max_session_seconds,
    )


_TRUST = "AssumeRolePolicyDocument"


def _tags(tags: Mapping[str, str]) -> list[pb.RecordTag]:
    return [pb.RecordTag(key=key, value=value) for key, value in tags.items()]


def _inline(attached: Iterable[policy.Attached]) -> list[pb.RecordPolicy]:
    return [pb.RecordPolicy(name=one.name, document=one.program.text) for one in attached]


def _attached(said: Iterable[pb.RecordPolicy]) -> tuple[policy.Attached, ...]:
    return tuple(policy.Attached(policy.compiled(one.document), name=one.name) for one in said)


def _session(facts: SessionFacts) -> pb.SessionRecord:
    return pb.SessionRecord(
        kind=facts.kind,
        name=facts.name,
        tags=_tags(facts.tags),
        source_identity=facts.source_identity,
        policies=_inline(facts.policies),
        policy_ids=facts.policy_ids,
        issued_at=_stamp(facts.issued_at),
        expires_at=_stamp(facts.expires_at),
        mfa=facts.mfa,
        mfa_at=_stamp(facts.mfa_at),
        provider=facts.provider,
        context=[
            pb.RecordKey(key=key, values=(value,) if isinstance(value, str) else value, multivalued=not isinstance(value, str))
            for key, value in facts.context.items()
        ],
    )


def _facts(said: pb.SessionRecord) -> SessionFacts:
    return SessionFacts(
        kind=said.kind,
        name=said.name,
        tags={tag.key: tag.value for tag in said.tags},
        source_identity=said.source_identity,
        policies=_attached(said.policies),
        policy_ids=tuple(said.policy_ids),
        issued_at=_moment(said, "issued_at"),
        expires_at=_moment(said, "expires_at"),
        mfa=said.mfa if said.HasField("mfa") else None,
        mfa_at=_moment(said, "mfa_at"),
        provider=said.provider,
        context={one.key: tuple(one.values) if one.multivalued else one.values[0] for one in said.context},
    )


def _stamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _moment(said: pb.SessionRecord, name: str) -> datetime | None:
    return getattr(said, name).ToDatetime(UTC) if said.HasField(name) else None
