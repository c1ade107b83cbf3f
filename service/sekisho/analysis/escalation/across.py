"""Paths across accounts: who can become an administrator of another account of the organization.

Between accounts there are two ways. A role's trust policy lets in another account, or a principal of it, and a principal there is permitted
sts:AssumeRole on the role by its own policies; so it is, too, that the management account gets into members that were made in its
organization. Or the policy of a registered resource that acts as a role lets them use it, and their own policies do as well.
For each account the search goes backwards from whoever becomes an administrator of it: first who assumes one of those from another account,
then who can become that principal in its own account, and again from there, a few accounts far. Each hop is what the evaluator decided.

Where control policies hold an account back, the same is searched once more for each way to free it of them (`freeing`) that somebody is
permitted, as if that were done. Whoever frees it has then the path that it has afterwards, behind the hop that frees; one on each path.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
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
MOST_GRANTS = 100_000
"""Answers about things of the organization that are remembered."""
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
    left_out = [*(realm.left_out if realm is not None else ()), *(text for found in inside.values() for text in found.left_out)]
    for estate in estates:
        reached, cut = search.into(estate, inside[estate.account_id])
        paths += [Path(source, hops) for source, hops in reached.items()]
        if cut:
            left_out.append(f"there are paths into {estate.account_id} through more than {MOST_CROSSED} accounts")
    left_out += search.left_out
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
    """How somebody becomes a role from another account, and what permits it."""

    rule: Rule
    grants: tuple[Grant, ...]
    presumes: str = ""


class _Across:
    def __init__(self, estates: Sequence[Estate], realm: Realm | None, supposed: Keys, proceed: Proceed) -> None:
        self._estates = {estate.account_id: estate for estate in estates}
        self._realm, self._supposed, self._proceed = realm, supposed, proceed
        self._actors = {estate.account_id: Actors(estate).all() for estate in estates}
        self._by_name = {name: actor for actors in self._actors.values() for name, actor in by_name(actors).items()}
        self._sayings: dict[tuple[str, str], list[Actor]] = {}  # by account and action, who says something about it
        self._entries: dict[tuple[object, ...], _Entry | None] = {}  # by a role's ARN and who is alike; who that is would be too many
        self._grants: dict[tuple[object, ...], Grant | None] = {}  # on things of the organization, of those who are alike
        self._registered: dict[str, tuple[Ways, Registered]] = {}
        self._towards: dict[tuple[str, frozenset[str]], Mapping[str, Hops]] = {}
        self.decisions = 0
        self.left = MOST_FREED
        self.left_out: dict[str, None] = {}

    def _freed(self, estate: Estate) -> "_Across":
        """The same organization, in which an account stands as it does in the estate."""
        made = copy(self)
        account, actors = estate.account_id, Actors(estate).all()
        made._estates = self._estates | {account: estate}
        made._actors = self._actors | {account: actors}
        made._by_name = {**self._by_name, **by_name(actors)}
        made._sayings = {key: found for key, found in self._sayings.items() if key[0] != account}
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
                for actor, (rule, grants, presumes) in self._entering(target):
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
        followed: Counter[str] = Counter()
        for way in freeing.ways(estate, self._realm) if self._realm is not None else ():
            doing = list(self._permitted(way, known))
            if doing and way.place not in searched:
                if followed[way.rule.gives] == freeing.MOST:
                    said = f"{way.rule.name} frees {estate.account_id} of control policies in more than {freeing.MOST} ways"
                    self.left_out[said] = None
                    continue
                followed[way.rule.gives] += 1
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

    def _permitted(self, way: Freeing, known: Container[str]) -> Iterator[tuple[Actor, tuple[Grant, ...]]]:
        """Who may do all that it takes to free an account, with what permits it, but for those who are known."""
        assert self._realm is not None
        action, delegating = way.rule.demands[0].action, self._realm.delegating
        individual = delegating is not None and reads_principal(delegating)
        for account in freeing.doers(way, self._realm, self._estates):
            manages = account == self._realm.management_id or way.rule.gives == "leave"
            answers: dict[object, tuple[Grant, ...] | None] = {}
            for actor in self._saying(account, action):
                if actor.record.arn in known:
                    continue
                key = actor.alike if manages or not individual else actor.record.id
                if key not in answers:
                    answers[key] = self._all((account, key), actor, action, way.asked, manages=manages)
                grants = answers[key]
                if grants is not None:
                    yield actor, grants

    def _all(self, who: Hashable, actor: Actor, action: str, wanted: Iterable[Thing], *, manages: bool) -> tuple[Grant, ...] | None:
        """The grants of an action on all that is wanted of the organization, to all who are `who` the actor is."""
        found: list[Grant] = []
        for thing in wanted:
            key = (who, action, thing.arn, *thing.keys.items())
            if key not in self._grants:
                if len(self._grants) >= MOST_GRANTS:
                    self._grants.clear()
                self._grants[key] = self._on_thing(actor, action, thing, manages=manages)
            grant = self._grants[key]
            if grant is None:
                return None
            found.append(grant)
        return tuple(found)

    def _on_thing(self, actor: Actor, action: str, thing: Thing, *, manages: bool) -> Grant | None:
        """The grant of an action on a thing of the organization: to the account that manages it by its own policies, to others besides by
        the organization's.
        """
        assert self._realm is not None
        own = self._estates[actor.record.account_id]
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
        if grant is None or manages:
            return grant
        there = asked._replace(resource_account=self._realm.management_id, resource_policy=self._realm.delegating)
        return self._grant(actor, there, _both(self._estates[self._realm.management_id], own))

    def _saying(self, account: str, action: str) -> Sequence[Actor]:
        """Those of an account of whose own policies an Allow is about an action."""
        key = (account, action)
        if key not in self._sayings:
            self._proceed()
            self._sayings[key] = [one for one in self._actors[account] if any(side(said, action) is not None for said in one.who.identity)]
        return self._sayings[key]

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

    def _entering(self, target: str) -> Iterator[tuple[Actor, _Entry]]:
        """The principals of other accounts that become a role, each with what permits it."""
        self._proceed()
        role = self._by_name.get(target)
        if role is not None and role.record.kind == "role":
            yield from self._assumed(role)
            yield from self._used(role)

    def _assumed(self, role: Actor) -> Iterator[tuple[Actor, _Entry]]:
        trust = role.record.trust
        if trust is None:
            return
        individual = reads_principal(trust)
        for actor in self._trusted(trust, role.record.account_id, ASSUME_ROLE):
            key = (role.record.arn, actor.record.id if individual else (actor.record.account_id, actor.alike))
            if key not in self._entries:
                grant = self._decided(actor, role, trust)
                self._entries[key] = _Entry(_ASSUMING, (grant,)) if grant is not None else None
            entry = self._entries[key]
            if entry is not None:
                yield actor, entry

    def _used(self, role: Actor) -> Iterator[tuple[Actor, _Entry]]:
        """Who uses a registered resource that acts as a role."""
        account = role.record.account_id
        ways, registered = self._of_account(account)
        for rule in OF[Way.HELD]:
            granting = registered.granting(rule)
            if not granting or ways.trust_in(rule.service, role) is None:
                continue
            for actor in self._let_in(rule, granting, account):
                key = (account, rule.name, actor.record.id)  # whichever role it acts as
                if key not in self._entries:
                    grants = self._all_of(actor, rule, granting)
                    presumes = f"something acts as the role for {rule.service}"
                    self._entries[key] = _Entry(rule, grants, presumes) if grants is not None else None
                entry = self._entries[key]
                if entry is not None:
                    yield actor, entry

    def _of_account(self, account: str) -> tuple[Ways, Registered]:
        if account not in self._registered:
            estate = self._estates[account]
            ways = Ways(estate, Actors(estate), Asker(estate, self._supposed, self._proceed))
            self._registered[account] = ways, ways.registered
        return self._registered[account]

    def _let_in(self, rule: Rule, granting: Iterable[ResourceRecord], owner: str) -> Iterable[Actor]:
        policies = [one.policy for one in granting if one.policy is not None]
        found = {actor.record.id: actor for one in policies for actor in self._trusted(one, owner, rule.demands[0].action)}
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

    def _trusted(self, trust: policy.Attached, owner: str, action: str) -> Iterable[Actor]:
        """Those of other accounts whom a trust policy, or that of a resource, may mean; of whole accounts, those who say the action."""
        found: dict[str, Actor] = {}
        for rule in trust.program.rules:
            meant = rule.statement.principals
            if rule.deny or meant is None:
                continue
            for account in self._actors:
                whole = meant.everyone or rule.statement.not_principal or account in map(account_named, meant.aws)
                if account != owner and whole:
                    found |= {actor.record.id: actor for actor in self._saying(account, action)}
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
