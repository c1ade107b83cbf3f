"""What policies are attached to: roots, units and accounts, when they come, change and go."""

from sqlalchemy import func, select

from sekisho.calls.call import Call
from sekisho.services.organizations import managed
from sekisho.store.tables import Organization, PolicyType, Target


def attach(call: Call, organization: Organization, target_id: str, policy_id: str, type_: str) -> None:
    """Attach a policy to a target."""
    known = {"organization_id": organization.id, "type": type_, "created_at": call.now}
    call.add(Target(target_id=target_id, policy_id=policy_id, **known))


def attach_managed(call: Call, organization: Organization, target_id: str) -> None:
    """Attach to something new what AWS attaches to everything."""
    for type_ in sorted(types(call, organization) & managed.ATTACHED.keys()):
        attach(call, organization, target_id, managed.ATTACHED[type_], type_)


def detach_all(call: Call, target_id: str) -> None:
    """Take all policies off something that is about to go."""
    for row in call.session.scalars(select(Target).where(Target.target_id == target_id)).all():
        call.session.delete(row)


def types(call: Call, organization: Organization) -> set[str]:
    """The types of policies that are in force."""
    return set(call.session.scalars(select(PolicyType.type).where(PolicyType.root_id == organization.root_id)))


def count(call: Call, target_id: str, type_: str) -> int:
    """How many policies of a type are attached to a target itself."""
    wanted = Target.target_id == target_id, Target.type == type_
    return call.session.scalar(select(func.count()).select_from(Target).where(*wanted)) or 0
