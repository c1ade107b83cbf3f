"""Ways to free an account of an organization of control policies: what is asked for each, and how the account stands afterwards.

The management account moves a member, takes policies off it or rewrites them, turns off a type of policies, or removes the member; a member
leaves by itself. Each is one hop, whose calls are all of one action; nothing else of the member changes by it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sekisho import arn, policy
from sekisho.analysis.escalation.actors import EVERYTHING
from sekisho.analysis.escalation.asking import Thing
from sekisho.analysis.escalation.changes import denies
from sekisho.analysis.escalation.estate import Estate
from sekisho.analysis.escalation.rules import RULES, Rule, Way
from sekisho.world import RCP, SCP, AccountRecord, ControlPolicyRecord, Lookup, Record, UnitRecord, placement
from sekisho.world.placement import Placement, units_of

FREEING: Mapping[str, Rule] = {rule.gives: rule for rule in RULES if rule.way is Way.FREE}

DELEGABLE = frozenset(("detach", "rewrite", "disable"))
"""Methods that the organization's own policy can open to members, too."""

MOST = 6
"""Of one method on one account, that are followed of those that somebody is permitted: those that leave the fewest policies."""

NOTHING = policy.Attached(
    policy.compiled('{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeNobody","Resource":"*"}]}'),
    name="nothing",
)
"""A resource control policy that somebody would write: it can only deny, so of what there is not."""

_TYPE = "organizations:policytype"


@dataclass(frozen=True, slots=True)
class Realm:
    """An organization. `units` are its root and its units, `types` the types of its own policies, and `tags` those of its things, by id;
    `lookup` finds the records of all units and of what is attached to them. `delegating` is its own policy, for members;
    `left_out` says, in words, what was too much to load.
    """

    id: str
    management_id: str
    units: tuple[str, ...]
    types: Mapping[str, str]
    tags: Mapping[str, Mapping[str, str]]
    lookup: Lookup
    delegating: policy.Attached | None = None
    left_out: tuple[str, ...] = ()

    def thing(self, kind: str, id_: str) -> Thing:
        """A thing of the organization as its operations' permissions see it."""
        tags = self.tags.get(id_, {})
        if kind == "policy":
            type_ = self.types[id_]
            return Thing(arn.organizations(self.management_id, kind, self.id, type_.lower(), id_), tags, {_TYPE: type_})
        return Thing(arn.organizations(self.management_id, kind, self.id, id_), tags)

    def target(self, id_: str) -> Thing:
        """A root, a unit or an account, which is told by its id."""
        return self.thing(_KINDS.get(id_.partition("-")[0], "account"), id_)


_KINDS = {"r": "root", "ou": "ou"}


class Freeing(NamedTuple):
    """A way to free an account: what is `asked` for, and the account as it stands then, which `place` says as well."""

    rule: Rule
    asked: tuple[Thing, ...]
    said: str
    estate: Estate
    place: Placement | None


class _Step(NamedTuple):
    """One call: what it asks for, what it says, and the records that it changes, given those before."""

    asked: tuple[Thing, ...]
    said: str
    changes: Mapping[str, Record]


def ways(estate: Estate, realm: Realm) -> Iterator[Freeing]:
    """The ways to free an account of an organization of policies, those of a method that leave the fewest first; none where it is bound by
    nothing.
    """
    account = estate.lookup(estate.account_id)
    place = placement(account, estate.lookup) if isinstance(account, AccountRecord) else None
    if not isinstance(account, AccountRecord) or account.unit_id is None or place is None or not _binding(place):
        return
    stands = _Stands(estate, realm, account, units_of(account.unit_id, estate.lookup))
    for name, rule in FREEING.items():
        seen: set[Placement | None] = {place}
        found: list[Freeing] = []
        for steps in _TRIED[name](stands):
            after = _after(estate, realm, steps)
            moved = after.lookup(estate.account_id)
            assert isinstance(moved, AccountRecord)
            then = placement(moved, after.lookup)
            if then not in seen:
                seen.add(then)
                asked = tuple(thing for step in steps for thing in step.asked)
                found.append(Freeing(rule, asked, " and ".join(step.said for step in steps), after, then))
        yield from sorted(found, key=lambda one: (_binding(one.place), len(one.asked)))


def _binding(place: Placement | None) -> int:
    """The number of policies that may hold something back."""
    if place is None:
        return 0
    limiting = sum(one.program.text != EVERYTHING.program.text for level in place.scps or () for one in level)
    return limiting + sum(denies(one) and one.program.text != NOTHING.program.text for level in place.rcps or () for one in level)


def _after(estate: Estate, realm: Realm, steps: Sequence[_Step]) -> Estate:
    changed = {id_: record for step in steps for id_, record in step.changes.items()}

    def lookup(id_: str) -> Record | None:
        return changed.get(id_) or estate.lookup(id_) or realm.lookup(id_)

    return replace(estate, lookup=lookup)


@dataclass(frozen=True, slots=True)
class _Stands:
    """An account, and the units above it, the root last."""

    estate: Estate
    realm: Realm
    account: AccountRecord
    units: list[UnitRecord]

    @property
    def held(self) -> tuple[AccountRecord | UnitRecord, ...]:
        """All that policies are attached to which bind the account."""
        return (self.account, *self.units)

    def attached(self, id_: str) -> policy.Attached | None:
        """A policy of the organization's own."""
        record = self.estate.lookup(id_) if id_ in self.realm.types else None
        return record.attached if isinstance(record, ControlPolicyRecord) else None


_Tries = Iterator[Sequence[_Step]]


def _moved(at: _Stands) -> _Tries:
    source = at.realm.target(at.units[0].id)
    for unit in at.realm.units:
        if unit != at.account.unit_id:
            asked = (at.realm.target(at.account.id), source, at.realm.target(unit))
            yield [_Step(asked, f"has moved {at.account.id} to {unit}", {at.account.id: replace(at.account, unit_id=unit)})]


def _detached(at: _Stands) -> _Tries:
    """Each policy that denies something off what it is on, and all of those; an account or unit keeps its last SCP."""
    singles, every = [], []
    for record in at.held:
        left = record
        for id_ in (*record.scp_ids, *record.rcp_ids):
            attached = at.attached(id_)
            if attached is not None and denies(attached):
                asked = (at.realm.thing("policy", id_), at.realm.target(record.id))
                said = f"has taken {id_} off {record.id}"
                if (gone := _without(record, id_)) is not None:
                    singles.append(_Step(asked, said, {record.id: gone}))
                if (fewer := _without(left, id_)) is not None:
                    left = fewer
                    every.append(_Step(asked, said, {record.id: left}))
    yield from _each_and_all(singles, every)


def _without(record: AccountRecord | UnitRecord, id_: str) -> AccountRecord | UnitRecord | None:
    if id_ in record.rcp_ids:
        return replace(record, rcp_ids=tuple(one for one in record.rcp_ids if one != id_))
    left = tuple(one for one in record.scp_ids if one != id_)
    return replace(record, scp_ids=left) if left else None


def _rewritten(at: _Stands) -> _Tries:
    steps = []
    for id_ in dict.fromkeys(id_ for record in at.held for id_ in (*record.scp_ids, *record.rcp_ids)):
        if (attached := at.attached(id_)) is not None:
            text = EVERYTHING if at.realm.types[id_] == SCP else NOTHING
            made = policy.Attached(text.program, arn=attached.arn, name=attached.name)
            steps.append(_Step((at.realm.thing("policy", id_),), f"has rewritten {id_}", {id_: ControlPolicyRecord(id_, made)}))
    yield from _each_and_all(steps, steps)


def _disabled(at: _Stands) -> _Tries:
    root, singles, every = at.units[-1], [], []
    left = root
    for type_ in (one for one in (SCP, RCP) if one in root.types):
        asked = (at.realm.target(root.id)._replace(keys={_TYPE: type_}),)
        left = replace(left, types=left.types - {type_})
        singles.append(_Step(asked, f"has disabled {type_}", {root.id: replace(root, types=root.types - {type_})}))
        every.append(_Step(asked, f"has disabled {type_}", {root.id: left}))
    yield from _each_and_all(singles, every)


def _removed(at: _Stands) -> _Tries:
    """A delegated administrator is not removed, and does not leave."""
    if not at.account.administers:
        gone = replace(at.account, unit_id=None, scp_ids=(), rcp_ids=(), tag_policy_ids=())
        yield [_Step((at.realm.target(at.account.id),), f"has removed {at.account.id} from its organization", {at.account.id: gone})]


def _left(at: _Stands) -> _Tries:
    for (step,) in _removed(at):
        yield [step._replace(asked=(Thing("*"),), said="has left its organization")]


def _each_and_all(singles: Sequence[_Step], every: Sequence[_Step]) -> Iterator[Sequence[_Step]]:
    for step in singles:
        yield [step]
    if len(every) > 1:
        yield every


_TRIED = {
    "move": _moved,
    "detach": _detached,
    "rewrite": _rewritten,
    "disable": _disabled,
    "remove": _removed,
    "leave": _left,
}


def doers(freeing: Freeing, realm: Realm, accounts: Iterable[str]) -> Iterator[str]:
    """The accounts whose principals may have a part in it, of those who are asked about."""
    for account in accounts:
        manages = account == realm.management_id
        if freeing.rule.gives == "leave":
            if account == freeing.estate.account_id:
                yield account
        elif manages or (realm.delegating is not None and freeing.rule.gives in DELEGABLE):
            yield account
