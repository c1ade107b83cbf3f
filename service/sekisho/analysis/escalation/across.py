"""Paths across accounts: who can become an administrator of another account of the organization.

Between accounts there are two ways. A role's trust policy lets in another account, or a principal of it, and a principal there is permitted
sts:AssumeRole on the role by its own policies; so it is, too, that the management account gets into members that were made in its
organization. Or the policy of a registered resource that acts as a role lets them use it, and their own policies do as well.
For each account the search goes backwards from whoever becomes an administrator of it: first who assumes one of those from another account,
then who can become that principal in its own account, and again from there, a few accounts far. Each hop is what the evaluator decided.

Where control policies hold an account back, the same is searched once more for each way to free it of them (`freeing`) that somebody is
permitted, as if that were done. Whoever frees it has then the path that it has afterwards, behind the hop that frees; one on each path.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import NamedTuple

from sekisho import arn, policy, world
from sekisho.analysis.escalation import freeing, things
from sekisho.analysis.escalation.actors import Actor, Actors, by_name, is_account, reads_principal
from sekisho.analysis.escalation.asking import CONNECTION, Asker, Grant, Thing, places, side
from sekisho.analysis.escalation.estate import Estate
from sekisho.analysis.escalation.freeing import Freeing, Realm
from sekisho.analysis.escalation.paths import Found, Hop, Path
from sekisho.analysis.escalation.registered import Registered, fits
from sekisho.analysis.escalation.rules import RULES, Rule, Way
from sekisho.analysis.escalation.search import find
from sekisho.analysis.escalation.ways import OF, Ways
from sekisho.policy.principals import account_named
from sekisho.world import NO_KEYS, Keys, Lookup, Placement, Record, ResourceRecord

ASSUME_ROLE = "sts:AssumeRole"
MOST_CROSSED = 4
"""Times that a path goes into another account."""
MOST_FREED = 20_000
"""Users and roles that are looked at again, once for each way to free their account: as many as are looked at without."""
_ASSUMING = next(rule for rule in RULES if rule.by == "trust" and len(rule.demands) == 1)

Proceed = Callable[[], None]
Hops = tuple[Hop, ...]


def find_across(
    account_id: str,
    estates: Sequence[Estate],
    realm: Realm | None = None,
    *,
    supposed: Keys = NO_KEYS,
    proceed: Proceed = lambda: None,
) -> Found:
    """The shortest path of each principal to an administrator of each other account that it reaches; `account_id` is who asks. With a
    `realm`, control policies may be taken away on the way.
    """
    search = _Across(estates, realm, supposed, proceed)
    inside = {estate.account_id: search.inside(estate) for estate in estates}
    paths: list[Path] = []
    left_out = [text for found in inside.values() for text in found.left_out]
    for estate in estates:
        reached, cut = search.into(estate, inside[estate.account_id])
        paths += [Path(source, hops) for source, hops in reached.items()]
        if cut:
            left_out.append(f"there are paths into {estate.account_id} through more than {MOST_CROSSED} accounts")
    if search.left < 0:
        left_out.append("control policies can be taken off accounts in more ways than one analysis follows")
    return Found(
        account_id=account_id,
        administrators=tuple(one for found in inside.values() for one in found.administrators),
        paths=tuple(sorted(paths, key=lambda path: (len(path.hops), path.source, path.hops[-1].becomes))),
        principals=sum(found.principals for found in inside.values()),
        decisions=search.decisions,
        left_out=tuple(dict.fromkeys(left_out)),
    )


class _Entry(NamedTuple):
    """Who becomes a role from another account, how, and what permits it."""

    actor: Actor
    rule: Rule
    grants: tuple[Grant, ...]
    presumes: str = ""


class _Across:
    def __init__(self, estates: Sequence[Estate], realm: Realm | None, supposed: Keys, proceed: Proceed) -> None:
        self._estates = {estate.account_id: estate for estate in estates}
        self._realm, self._supposed, self._proceed = realm, supposed, proceed
        self._actors = {estate.account_id: Actors(estate).all() for estate in estates}
        self._by_name = {name: actor for actors in self._actors.values() for name, actor in by_name(actors).items()}
        self._assuming = {account: [actor for actor in actors if _says(actor, ASSUME_ROLE)] for account, actors in self._actors.items()}
        self._entries: dict[str, list[_Entry]] = {}  # by the ARN of a role, who becomes it from other accounts
        self._registered: dict[str, tuple[Ways, Registered]] = {}
        self._towards: dict[tuple[str, frozenset[str]], Mapping[str, Hops]] = {}
        self.decisions = 0
        self.left = MOST_FREED

    def _freed(self, estate: Estate) -> "_Across":
        """The same organization, in which an account stands as it does in the estate."""
        made = copy(self)
        account, actors = estate.account_id, Actors(estate).all()
        made._estates = self._estates | {account: estate}
        made._actors = self._actors | {account: actors}
        made._by_name = {**self._by_name, **by_name(actors)}
        made._assuming = self._assuming | {account: [actor for actor in actors if _says(actor, ASSUME_ROLE)]}
        made._entries = {}
        made._registered = {key: found for key, found in self._registered.items() if key != account}
        made._towards = {key: found for key, found in self._towards.items() if key[0] != account}
        made.decisions = 0
        return made

    def inside(self, estate: Estate) -> Found:
        """The paths within an account."""
        found = find(estate, supposed=self._supposed, proceed=self._proceed)
        self.decisions += found.decisions
        return found

    def into(self, estate: Estate, inside: Found) -> tuple[dict[str, Hops], bool]:
        """The paths from other accounts to administrators of one, and those that begin with freeing it of control policies; and whether
        there may be longer ones.
        """
        known, own = _within(inside)
        cut = self._spread(known, list(known))
        freed = self._freers(estate, known)
        if freed:
            known |= freed
            level = list(freed)
            for account in sorted({arn.account_of(named) for named in freed}):
                level += self._near(known, account, frozenset(one for one in freed if arn.account_of(one) == account))
            cut = self._spread(known, level) or cut
        return {source: hops for source, hops in known.items() if source not in own}, cut

    def _spread(self, known: dict[str, Hops], level: list[str]) -> bool:
        """Add who becomes those of a level, and who becomes those; whether there may be more than was followed."""
        for _ in range(MOST_CROSSED):
            entered: dict[str, dict[str, Hops]] = defaultdict(dict)
            for target in sorted(level, key=lambda one: len(known[one])):
                for actor, rule, grants, presumes in self._entering(target):
                    source = actor.record.arn
                    if source not in known and source not in entered[actor.record.account_id]:
                        hop = Hop(rule, source, target, target, grants, presumes=presumes)
                        entered[actor.record.account_id][source] = (hop, *known[target])
            level = []
            for account, found in sorted(entered.items()):
                known |= found
                level += [*found, *self._near(known, account, frozenset(found))]
            if not level:
                break
        return bool(level)

    def _near(self, known: dict[str, Hops], account: str, goals: frozenset[str]) -> list[str]:
        """Add who becomes some principals within their account; those who are new."""
        new = []
        for source, hops in self._nearing(account, goals).items():
            if source not in known:
                known[source] = (*hops, *known[hops[-1].becomes])
                new.append(source)
        return new

    def _freers(self, estate: Estate, known: Mapping[str, Hops]) -> dict[str, Hops]:
        """Who frees an account and has a path into it then, of those who have none; with the shortest."""
        found: dict[str, Hops] = {}
        searched: dict[Placement | None, Mapping[str, Hops]] = {}
        for way in freeing.ways(estate, self._realm) if self._realm is not None else ():
            doing = [(actor, grants) for actor, grants in self._permitted(way) if actor.record.arn not in known]
            if doing and way.place not in searched:
                self.left -= len(estate.principals)
                if self.left < 0:
                    break
                searched[way.place] = self._after(way.estate)
            for actor, grants in doing:
                source = actor.record.arn
                hops = searched[way.place].get(source)
                if hops is not None and (source not in found or len(found[source]) > len(hops) + 1):
                    found[source] = (Hop(way.rule, source, way.asked[0].arn, source, grants, way.said), *hops)
        return dict(sorted(found.items(), key=lambda one: len(one[1])))

    def _after(self, estate: Estate) -> Mapping[str, Hops]:
        """The paths to administrators of an account that stands as it does in the estate."""
        freed = self._freed(estate)
        after, _ = _within(freed.inside(estate))
        freed._spread(after, list(after))
        self.decisions += freed.decisions
        return after

    def _permitted(self, way: Freeing) -> Iterator[tuple[Actor, tuple[Grant, ...]]]:
        """Who may do all that it takes to free an account, with what permits it."""
        assert self._realm is not None
        action = way.rule.demands[0].action
        for account in freeing.doers(way, self._realm, self._estates):
            manages = account == self._realm.management_id or way.rule.gives == "leave"
            answers: dict[object, tuple[Grant, ...] | None] = {}
            for actor in self._actors[account]:
                key = actor.alike if manages else actor.record.id
                if key not in answers:
                    answers[key] = self._all(actor, action, way.asked, manages=manages) if _says(actor, action) else None
                grants = answers[key]
                if grants is not None:
                    yield actor, grants

    def _all(self, actor: Actor, action: str, wanted: Iterable[Thing], *, manages: bool) -> tuple[Grant, ...] | None:
        """The grants of an action on all that is wanted of the organization: to the account that manages it by its own policies, to others
        besides by the organization's.
        """
        assert self._realm is not None
        found: list[Grant] = []
        own = self._estates[actor.record.account_id]
        for thing in wanted:
            asked = world.Asked(
                action=action,
                resource=thing.arn,
                account=actor.record.account_id,
                resource_account=actor.record.account_id,
                tags=thing.tags,
                tag_prefixes=("aws", "organizations"),
                environment=CONNECTION,
                given=thing.keys,
                override=self._supposed,
                registered=False,
            )
            grant = self._grant(actor, asked, own.lookup)
            if grant is not None and not manages:
                there = asked._replace(resource_account=self._realm.management_id, resource_policy=self._realm.delegating)
                grant = self._grant(actor, there, _both(self._estates[self._realm.management_id], own))
            if grant is None:
                return None
            found.append(grant)
        return tuple(found)

    def _nearing(self, account: str, goals: frozenset[str]) -> Mapping[str, Hops]:
        """The paths within an account to some of its principals."""
        if not goals:
            return {}
        key = (account, goals)
        if key not in self._towards:
            found = find(self._estates[account], goals=goals, supposed=self._supposed, proceed=self._proceed)
            self.decisions += found.decisions
            self._towards[key] = {path.source: path.hops for path in found.paths}
        return self._towards[key]

    def _entering(self, target: str) -> list[_Entry]:
        """The principals of other accounts that become a role, each with what permits it."""
        if target not in self._entries:
            self._entries[target] = [*self._assumed(target), *self._used(target)]
        return self._entries[target]

    def _assumed(self, target: str) -> Iterator[_Entry]:
        role = self._by_name.get(target)
        if role is None or role.record.trust is None:
            return
        trust, answers = role.record.trust, dict[object, Grant | None]()
        individual = reads_principal(trust)
        for actor in self._trusted(trust, role.record.account_id, self._assuming):
            key = (actor.record.id,) if individual else (actor.record.account_id, actor.alike)
            if key not in answers:
                answers[key] = self._decided(actor, role, trust)
            grant = answers[key]
            if grant is not None:
                yield _Entry(actor, _ASSUMING, (grant,))

    def _used(self, target: str) -> Iterator[_Entry]:
        """Who uses a registered resource that acts as a role."""
        role = self._by_name.get(target)
        if role is None or role.record.kind != "role":
            return
        ways, registered = self._of_account(role.record.account_id)
        for rule in OF[Way.HELD]:
            granting = registered.granting(rule)
            if not granting or ways.trust_in(rule.service, role) is None:
                continue
            for actor in self._let_in(rule, granting, role.record.account_id):
                grants = self._all_of(actor, rule, granting)
                if grants is not None:
                    yield _Entry(actor, rule, grants, f"something acts as the role for {rule.service}")

    def _of_account(self, account: str) -> tuple[Ways, Registered]:
        if account not in self._registered:
            estate = self._estates[account]
            ways = Ways(estate, Actors(estate), Asker(estate, self._supposed, self._proceed))
            self._registered[account] = ways, ways.registered
        return self._registered[account]

    def _let_in(self, rule: Rule, granting: Iterable[ResourceRecord], owner: str) -> Iterable[Actor]:
        action = rule.demands[0].action
        saying = {account: [actor for actor in actors if _says(actor, action)] for account, actors in self._actors.items()}
        policies = [one.policy for one in granting if one.policy is not None]
        found = {actor.record.id: actor for one in policies for actor in self._trusted(one, owner, saying)}
        return found.values()

    def _all_of(self, actor: Actor, rule: Rule, granting: Iterable[ResourceRecord]) -> tuple[Grant, ...] | None:
        """The grants of all that a rule takes, each word of it on one and the same registered resource."""
        found: dict[str, Grant] = {}
        for label in dict.fromkeys(demand.on for demand in rule.demands):
            actions = [demand.action for demand in rule.demands if demand.on == label]
            for one in granting:
                grants = [self._on_registered(actor, action, one) for action in actions] if fits(one, label) else [None]
                if None not in grants:
                    found |= {grant.action: grant for grant in grants if grant is not None}
                    break
            else:
                return None
        return tuple(found[demand.action] for demand in rule.demands)

    def _on_registered(self, actor: Actor, action: str, one: ResourceRecord) -> Grant | None:
        asked = world.Asked(
            action=action,
            resource=one.id,
            account=actor.record.account_id,
            tag_prefixes=("aws", action.partition(":")[0]),
            environment=CONNECTION,
            given={things.REGION_KEY: one.id.split(":", 4)[3] or arn.REGION},
            override=self._supposed,
        )
        return self._grant(actor, asked, _both(self._estates[one.account_id], self._estates[actor.record.account_id]))

    def _trusted(self, trust: policy.Attached, owner: str, saying: Mapping[str, Sequence[Actor]]) -> Iterable[Actor]:
        """Those of other accounts whom a trust policy, or that of a resource, may mean; of whole accounts, those who are `saying`."""
        found: dict[str, Actor] = {}
        for rule in trust.program.rules:
            meant = rule.statement.principals
            if rule.deny or meant is None:
                continue
            for account, actors in saying.items():
                whole = meant.everyone or rule.statement.not_principal or account in map(account_named, meant.aws)
                if account != owner and whole:
                    found |= {actor.record.id: actor for actor in actors}
            for name in meant.aws:
                named = self._by_name.get(name) if name != "*" and not is_account(name) else None
                if named is not None and named.record.account_id != owner:
                    found[named.record.id] = named
        return found.values()

    def _decided(self, actor: Actor, role: Actor, trust: policy.Attached) -> Grant | None:
        asked = world.Asked(
            action=ASSUME_ROLE,
            resource=role.record.arn,
            resource_account=role.record.account_id,
            resource_policy=trust,
            tags=role.record.tags,
            tag_prefixes=("aws", "iam"),
            environment=CONNECTION,
            override=self._supposed,
            registered=False,
        )
        own, theirs = self._estates[actor.record.account_id], self._estates[role.record.account_id]
        return self._grant(actor, asked, _both(theirs, own))

    def _grant(self, actor: Actor, asked: world.Asked, lookup: Lookup) -> Grant | None:
        self._proceed()
        self.decisions += 1
        decision = policy.decide(*world.question(actor.who, asked, lookup, self._estates[actor.record.account_id].now))
        return Grant(asked.action, asked.resource, places(decision.matched)) if decision.allowed else None


def _within(inside: Found) -> tuple[dict[str, Hops], frozenset[str]]:
    """The paths that are found within an account, an administrator's without a hop; and whose they are."""
    known: dict[str, Hops] = dict.fromkeys(inside.administrators, ()) | {path.source: path.hops for path in inside.paths}
    return known, frozenset(known)


def _both(owner: Estate, actor: Estate) -> Lookup:
    """The records of the account that owns a resource, which says how that stands, and of the one that acts."""

    def lookup(id_: str) -> Record | None:
        return owner.lookup(id_) or actor.lookup(id_)

    return lookup


def _says(actor: Actor, action: str) -> bool:
    """True where an Allow of an actor's own policies is about an action."""
    return any(side(attached, action) is not None for attached in actor.who.identity)
