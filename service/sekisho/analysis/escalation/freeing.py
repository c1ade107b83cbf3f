"""Ways to free an account of an organization of control policies: what is asked for each, and how the account stands afterwards.

The management account moves a member, takes policies off it or rewrites them, turns off a type of policies, or removes the member; a member
leaves by itself. Nothing else of the member changes by it. What somebody is permitted of taking off, rewriting and turning off is done
together, for it never allows less:

- A level of SCPs allows what one of its Allows is about and none of its Denies. A policy without an Allow takes nothing away when it goes,
  and neither does any other where one stays that allows everything (`FullAWSAccess`). RCPs deny and no more.
- What is written instead of an SCP allows everything, and of an RCP denies nothing: each level allows at least what it did. So who can
  rewrite a policy need not take it off besides, nor where it is the last one of its level.
- A type that is turned off is asked no more.

A hop is a set of permissions, and none of them asks that something be denied; so whoever has a path after some of these steps has it after
all of them, and one search for all that somebody is permitted settles all pairs and triples. Two things are different. Taking off a policy
that allows what nothing else of its level does may close more than it opens: of those each combination is a try of its own. And who is an
administrator is told by what the organization permits anybody (`Ways.is_administrator`), so that it can take more to be one of a freer
account; where something is permitted nobody, each step is a try of its own, too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import NamedTuple

from sekisho import arn, policy
from sekisho.analysis.escalation.actors import EVERYTHING
from sekisho.analysis.escalation.asking import Thing
from sekisho.analysis.escalation.changes import denies
from sekisho.analysis.escalation.estate import Estate
from sekisho.analysis.escalation.rules import RULES, Rule, Way
from sekisho.policy.rules import Rule as PolicyRule
from sekisho.world import RCP, SCP, AccountRecord, ControlPolicyRecord, Lookup, Record, UnitRecord, placement
from sekisho.world.placement import Placement, units_of

FREEING: Mapping[str, Rule] = {rule.gives: rule for rule in RULES if rule.way is Way.FREE}

DELEGABLE = frozenset(("detach", "rewrite", "disable"))
"""Methods that the organization's own policy can open to members, too."""

MOST = 6
"""Tries of one method, or of the same ones together, on one account: those that leave the fewest policies."""

MOST_MIXED = 4
"""Policies that allow what nothing else of their level does: of more, not each combination is a try."""

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


class Step(NamedTuple):
    """One call: what it asks for, what it says, and the records that it changes, of those that there are then: none where it is refused.

    `about` is the policy that it is about. `together`: it is done with others. `mixed`: it may close something, too.
    """

    rule: Rule
    asked: tuple[Thing, ...]
    said: str
    changes: Callable[[Lookup], Mapping[str, Record]]
    about: str = ""
    together: bool = True
    mixed: bool = False


class Freeing(NamedTuple):
    """An account as it stands after some steps, which `place` says as well; of the steps their numbers."""

    numbers: tuple[int, ...]
    methods: tuple[str, ...]
    estate: Estate
    place: Placement | None

    @property
    def cost(self) -> tuple[int, int, int]:
        """The policies that it leaves, the methods and the steps that it takes."""
        return _binding(self.place), len(self.methods), len(self.numbers)


def is_bound(estate: Estate) -> bool:
    """True of an account that control policies may hold back."""
    account = estate.lookup(estate.account_id)
    return isinstance(account, AccountRecord) and _binding(placement(account, estate.lookup)) > 0


def ways(estate: Estate, realm: Realm) -> Sequence[Step]:
    """All that somebody could do to free an account of an organization; nothing where it is bound by nothing."""
    account = estate.lookup(estate.account_id)
    if not is_bound(estate) or not isinstance(account, AccountRecord) or account.unit_id is None:
        return ()
    stands = _Stands(estate, realm, account, units_of(account.unit_id, estate.lookup))
    return [step for made in (_rewritten, _detached, _disabled, _moved, _removed, _left) for step in made(stands)]


def tries(steps: Sequence[Step], permitted: Iterable[int]) -> Iterator[tuple[int, ...]]:
    """The sets of steps that somebody tries who is permitted these: each by itself, those of a method together, and all together."""
    numbers = sorted(permitted)
    yield from ((number,) for number in numbers)
    combined = [number for number in numbers if steps[number].together]
    by_method = [[number for number in combined if steps[number].rule is rule] for rule in FREEING.values()]
    for some in (combined, *by_method):
        rewritten = {steps[number].about for number in some if steps[number].rule.gives == "rewrite"}
        some = [number for number in some if steps[number].rule.gives != "detach" or steps[number].about not in rewritten]
        plain, mixed = [one for one in some if not steps[one].mixed], [one for one in some if steps[one].mixed]
        for size in range(min(len(mixed), MOST_MIXED) + 1):
            yield from (tuple(sorted((*plain, *chosen))) for chosen in combinations(mixed[:MOST_MIXED], size))


def largest(steps: Sequence[Step], permitted: Iterable[int]) -> tuple[int, ...]:
    """The set of all steps that are done together and close nothing, of those that somebody is permitted."""
    numbers = [number for number in sorted(permitted) if steps[number].together and not steps[number].mixed]
    rewritten = {steps[number].about for number in numbers if steps[number].rule.gives == "rewrite"}
    return tuple(one for one in numbers if steps[one].rule.gives != "detach" or steps[one].about not in rewritten)


def freed(estate: Estate, realm: Realm, steps: Sequence[Step], numbers: tuple[int, ...]) -> Freeing | None:
    """The account after those of some steps that can be done, one after the other; None where nothing is different then."""
    changed: dict[str, Record] = {}
    done = []

    def lookup(id_: str) -> Record | None:
        return changed.get(id_) or estate.lookup(id_) or realm.lookup(id_)

    for number in numbers:
        made = steps[number].changes(lookup)
        if made:
            changed |= made
            done.append(number)
    before, account = estate.lookup(estate.account_id), lookup(estate.account_id)
    assert isinstance(before, AccountRecord)
    assert isinstance(account, AccountRecord)
    place = placement(account, lookup)
    if place == placement(before, estate.lookup):
        return None
    methods = tuple(dict.fromkeys(steps[number].rule.gives for number in done))
    return Freeing(tuple(done), methods, replace(estate, lookup=lookup), place)


def _binding(place: Placement | None) -> int:
    """The number of policies that may hold something back."""
    if place is None:
        return 0
    limiting = sum(one.program.text != EVERYTHING.program.text for level in place.scps or () for one in level)
    return limiting + sum(denies(one) and one.program.text != NOTHING.program.text for level in place.rcps or () for one in level)


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


def _moved(at: _Stands) -> Iterator[Step]:
    source = at.realm.target(at.units[0].id)
    for unit in at.realm.units:
        if unit != at.account.unit_id:
            asked = (at.realm.target(at.account.id), source, at.realm.target(unit))
            made = replace(at.account, unit_id=unit)
            yield Step(FREEING["move"], asked, f"has moved {at.account.id} to {unit}", _always(at.account.id, made), together=False)


def _detached(at: _Stands) -> Iterator[Step]:
    """Each policy that denies something off what it is on."""
    for record in at.held:
        for id_ in (*record.scp_ids, *record.rcp_ids):
            attached = at.attached(id_)
            if attached is not None and denies(attached):
                asked = (at.realm.thing("policy", id_), at.realm.target(record.id))
                said = f"has taken {id_} off {record.id}"
                mixed = _allows(attached) and not any(_opens(at.estate.lookup(one)) for one in record.scp_ids if one != id_)
                yield Step(FREEING["detach"], asked, said, partial(_without, record.id, id_), id_, mixed=mixed)


def _without(target: str, id_: str, lookup: Lookup) -> Mapping[str, Record]:
    """An account or unit without a policy, of which SCPs it keeps the last one."""
    record = lookup(target)
    assert isinstance(record, AccountRecord | UnitRecord)
    if id_ in record.rcp_ids:
        return {target: replace(record, rcp_ids=tuple(one for one in record.rcp_ids if one != id_))}
    left = tuple(one for one in record.scp_ids if one != id_)
    return {target: replace(record, scp_ids=left)} if left else {}


def _allows(attached: policy.Attached) -> bool:
    return any(not rule.deny for rule in attached.program.rules)


def _opens(record: Record | None) -> bool:
    """True of a policy that allows everything, and denies nothing."""
    if not isinstance(record, ControlPolicyRecord) or denies(record.attached):
        return False
    return any(_is_everything(rule) for rule in record.attached.program.rules)


def _is_everything(rule: PolicyRule) -> bool:
    said = rule.statement
    every = not said.not_action and "*" in said.actions and not said.not_resource and (said.resources is None or "*" in said.resources)
    return every and not rule.tests


def _rewritten(at: _Stands) -> Iterator[Step]:
    for id_ in dict.fromkeys(id_ for record in at.held for id_ in (*record.scp_ids, *record.rcp_ids)):
        attached = at.attached(id_)
        if attached is not None and (denies(attached) or (at.realm.types[id_] == SCP and not _opens(at.estate.lookup(id_)))):
            text = EVERYTHING if at.realm.types[id_] == SCP else NOTHING
            made = ControlPolicyRecord(id_, policy.Attached(text.program, arn=attached.arn, name=attached.name))
            yield Step(FREEING["rewrite"], (at.realm.thing("policy", id_),), f"has rewritten {id_}", _always(id_, made), id_)


def _disabled(at: _Stands) -> Iterator[Step]:
    root = at.units[-1]
    for type_ in (one for one in (SCP, RCP) if one in root.types):
        asked = (at.realm.target(root.id)._replace(keys={_TYPE: type_}),)
        yield Step(FREEING["disable"], asked, f"has disabled {type_}", partial(_untyped, root.id, type_))


def _untyped(root: str, type_: str, lookup: Lookup) -> Mapping[str, Record]:
    record = lookup(root)
    assert isinstance(record, UnitRecord)
    return {root: replace(record, types=record.types - {type_})}


def _removed(at: _Stands) -> Iterator[Step]:
    """A delegated administrator is not removed, and does not leave."""
    if not at.account.administers:
        said = f"has removed {at.account.id} from its organization"
        yield Step(FREEING["remove"], (at.realm.target(at.account.id),), said, _alone(at), together=False)


def _left(at: _Stands) -> Iterator[Step]:
    if not at.account.administers:
        yield Step(FREEING["leave"], (Thing("*"),), "has left its organization", _alone(at), together=False)


def _alone(at: _Stands) -> Callable[[Lookup], Mapping[str, Record]]:
    return _always(at.account.id, replace(at.account, unit_id=None, scp_ids=(), rcp_ids=(), tag_policy_ids=()))


def _always(id_: str, made: Record) -> Callable[[Lookup], Mapping[str, Record]]:
    return lambda _lookup: {id_: made}


def doers(rule: Rule, account: str, realm: Realm, accounts: Iterable[str]) -> Iterator[str]:
    """The accounts whose principals may have a part in a method on an account, of those who are asked about."""
    for one in accounts:
        if rule.gives == "leave":
            if one == account:
                yield one
        elif one == realm.management_id or (realm.delegating is not None and rule.gives in DELEGABLE):
            yield one
