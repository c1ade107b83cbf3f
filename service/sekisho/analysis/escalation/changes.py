"""What a method changes of the policies of a principal: on what it is done, with which condition keys, and what the policies are then."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sekisho import policy
from sekisho.analysis.escalation.actors import EVERYTHING, Actor
from sekisho.analysis.escalation.asking import Thing
from sekisho.analysis.escalation.estate import Estate, Managed
from sekisho.world import GroupRecord, Keys, PolicyRecord

Policies = tuple[policy.Attached, ...]

MOST_GROUPS = 10
"""Groups of a user, and versions of a policy besides the one in force.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""
MOST_OTHERS = 4


@dataclass(frozen=True, slots=True)
class Change:
    """A change that is made `on` something, with the condition keys of its request, and `besides` with further actions on the same.

    Afterwards the policies are `identity`, unless that is None; `rebinds`: the boundary is `boundary` then, or none.
    """

    on: Thing
    said: str
    keys: dict[str, str] = field(default_factory=dict)
    identity: Policies | None = None
    rebinds: bool = False
    boundary: Policies | None = None
    besides: tuple[str, ...] = ()


class Holdings:
    """What the principals of an account have: as things, and as policies."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self._by_arn: Mapping[str, Managed] = {one.arn: one for one in estate.policies}
        self._names = {(one.kind, one.name.lower()) for one in estate.principals}

    def exists(self, kind: str, key: str) -> bool:
        """Whether a user or role bears a name, which is given in lower case."""
        return (kind, key) in self._names

    def thing(self, actor: Actor) -> Thing:
        """The principal as something that actions are done to."""
        boundary = self._boundary(actor)
        keys: Keys = {"iam:permissionsboundary": boundary.arn} if boundary is not None else {}
        return Thing(actor.record.arn, actor.record.tags, keys)

    def groups(self, actor: Actor) -> Iterator[tuple[Thing, Policies]]:
        """The groups that a user is in, with their policies."""
        for id_ in actor.record.group_ids:
            if id_ in self.estate.groups:
                yield Thing(self.estate.groups[id_]), self.of_group(id_)

    def of_group(self, id_: str) -> Policies:
        """The policies of a group."""
        group = self.estate.lookup(id_)
        if not isinstance(group, GroupRecord):
            return ()
        managed = (self.estate.lookup(policy_id) for policy_id in group.policy_ids)
        return (*group.inline, *(one.attached for one in managed if isinstance(one, PolicyRecord)))

    def managed(self, attached: policy.Attached) -> Managed | None:
        """The policy of the account that an attachment is of; None for what the account cannot change."""
        found = self._by_arn.get(attached.arn)
        own = f"arn:aws:iam::{self.estate.account_id}:policy/"
        return found if found is not None and found.arn.startswith(own) else None

    def boundary_of(self, actor: Actor) -> policy.Attached | None:
        """The policy that bounds an actor, as it acts."""
        return actor.who.boundary[0] if actor.who.boundary else None

    def _boundary(self, actor: Actor) -> PolicyRecord | None:
        found = self.estate.lookup(actor.record.boundary_id) if actor.record.boundary_id is not None else None
        return found if isinstance(found, PolicyRecord) else None


Makes = Callable[[Holdings, Actor, Sequence[policy.Attached]], Iterator[Change]]


def put(have: Holdings, actor: Actor, _sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    """A policy of its own making, on itself."""
    yield Change(have.thing(actor), "has a new inline policy", identity=(*actor.who.identity, EVERYTHING))


def attach(have: Holdings, actor: Actor, sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    """A managed policy that allows everything, on itself."""
    for one in sufficient:
        yield Change(have.thing(actor), f"has {one.arn}", {"iam:policyarn": one.arn}, (*actor.who.identity, one))


def of_groups(makes: Makes) -> Makes:
    """The same on each of its groups."""

    def made(have: Holdings, actor: Actor, sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
        for thing, _ in have.groups(actor):
            for change in makes(have, actor, sufficient):
                yield Change(thing, f"{change.said} by its group {thing.arn}", change.keys, change.identity)

    return made


def version(have: Holdings, actor: Actor, _sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    """Another text for a policy that it has, or that bounds it."""
    bound = have.boundary_of(actor)
    for attached in dict.fromkeys(actor.who.identity):
        if (managed := have.managed(attached)) is not None:
            yield _replaced(actor, managed, attached, EVERYTHING, f"has a new version of {managed.arn}", _room(managed))
    if bound is not None and bound not in actor.who.identity and (managed := have.managed(bound)) is not None:
        said = f"is bounded by a new version of {managed.arn}"
        yield Change(_of(managed), said, rebinds=True, boundary=(EVERYTHING,), besides=_room(managed))


def older(have: Holdings, actor: Actor, _sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    """A version that is there of a policy that it has."""
    for attached in dict.fromkeys(actor.who.identity):
        if (managed := have.managed(attached)) is not None:
            for other in managed.others:
                yield _replaced(actor, managed, attached, other, f"has {other.version} of {other.arn}")


def join(have: Holdings, actor: Actor, _sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    """The policies of a group that it is not in."""
    if len(actor.record.group_ids) >= MOST_GROUPS:
        return
    for id_, named in have.estate.groups.items():
        if id_ not in actor.record.group_ids:
            yield Change(Thing(named), f"is in {named}", identity=(*actor.who.identity, *have.of_group(id_)))


def leave(have: Holdings, actor: Actor, _sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    """Without the policies of a group that denies something."""
    for thing, policies in have.groups(actor):
        if any(map(denies, policies)):
            yield Change(thing, f"is not in {thing.arn}", identity=_without(actor, policies))


def delete(have: Holdings, actor: Actor, _sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    """Without an inline policy that denies something."""
    for one in actor.record.inline:
        if one in actor.who.identity and denies(one):
            yield Change(have.thing(actor), f"does not have the inline policy {one.name}", identity=_without(actor, (one,)))


def detach(have: Holdings, actor: Actor, _sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    """Without a managed policy that denies something."""
    for id_ in actor.record.policy_ids:
        found = have.estate.lookup(id_)
        if isinstance(found, PolicyRecord) and found.attached in actor.who.identity and denies(found.attached):
            said = f"does not have {found.arn}"
            yield Change(have.thing(actor), said, {"iam:policyarn": found.arn}, _without(actor, (found.attached,)))


def unbind(have: Holdings, actor: Actor, _sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    """No boundary."""
    if actor.who.boundary is not None:
        yield Change(have.thing(actor), "has no boundary", rebinds=True)


def rebind(have: Holdings, actor: Actor, sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    """A boundary that bounds nothing."""
    for one in sufficient if actor.who.boundary is not None else ():
        yield Change(have.thing(actor), f"is bounded by {one.arn}", {"iam:permissionsboundary": one.arn}, rebinds=True, boundary=(one,))


def denies(attached: policy.Attached) -> bool:
    """Whether a policy denies anything."""
    return any(rule.deny for rule in attached.program.rules)


OWN: Mapping[str, Makes] = {
    "put": put,
    "attach": attach,
    "version": version,
    "older": older,
    "join": join,
    "leave": leave,
    "delete": delete,
    "detach": detach,
    "unbind": unbind,
    "rebind": rebind,
}
OTHERS: Mapping[str, Makes] = {"put": put, "attach": attach, "version": version}


def _new_put(_have: Holdings, _sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    yield Change(Thing(""), "has a new inline policy", identity=(EVERYTHING,))


def _new_attach(_have: Holdings, sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    for one in sufficient:
        yield Change(Thing(""), f"has {one.arn}", {"iam:policyarn": one.arn}, (one,))


def _new_join(have: Holdings, _sufficient: Sequence[policy.Attached]) -> Iterator[Change]:
    for id_, named in have.estate.groups.items():
        yield Change(Thing(named), f"is in {named}", identity=have.of_group(id_))


NEW: Mapping[str, Callable[[Holdings, Sequence[policy.Attached]], Iterator[Change]]] = {
    "put": _new_put,
    "attach": _new_attach,
    "join": _new_join,
}


def _replaced(
    actor: Actor, managed: Managed, before: policy.Attached, after: policy.Attached, said: str, besides: tuple[str, ...] = ()
) -> Change:
    """Another text of a policy, wherever the principal has it; it may be bounded by it, too."""
    rest = tuple(after if one == before else one for one in actor.who.identity)
    bounds = before in (actor.who.boundary or ())
    return Change(_of(managed), said, identity=rest, rebinds=bounds, boundary=(after,) if bounds else None, besides=besides)


def _of(managed: Managed) -> Thing:
    return Thing(managed.arn, managed.tags)


def _room(managed: Managed) -> tuple[str, ...]:
    """What else it takes to make a version of a policy that has as many as it can have."""
    return ("iam:DeletePolicyVersion",) if len(managed.others) >= MOST_OTHERS else ()


def _without(actor: Actor, gone: Policies) -> Policies:
    """The policies but for these, each taken away once: what a principal has in several ways it has still."""
    left = list(actor.who.identity)
    for one in gone:
        if one in left:
            left.remove(one)
    return tuple(left)
