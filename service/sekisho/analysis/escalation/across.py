"""Paths across accounts: who can become an administrator of another account of the organization.

For each account the search goes backwards from whoever becomes an administrator of it: first who becomes one of those from another account
(`between`), then who can become that principal in its own account, and again from there, a few accounts far. Each hop is what the evaluator
decided.

Where control policies hold an account back, the same is searched once more for each way to free it of them (`freeing`) that somebody is
permitted, as if that were done. Whoever frees it has then the path that it has afterwards, behind the hop that frees; one on each path.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from itertools import chain

from sekisho import arn, policy, world
from sekisho.analysis.escalation import freeing, sessions
from sekisho.analysis.escalation.actors import Actor, reads_principal
from sekisho.analysis.escalation.asking import CONNECTION, Grant, Thing
from sekisho.analysis.escalation.between import Between, Proceed, both
from sekisho.analysis.escalation.estate import Estate
from sekisho.analysis.escalation.freeing import Freeing, Realm
from sekisho.analysis.escalation.paths import Found, Hop, Path, begun, chained
from sekisho.analysis.escalation.search import Reached, find_reached
from sekisho.world import NO_KEYS, ControlPolicyRecord, Keys, Placement

MOST_CROSSED = 4
"""Times that a path goes into another account."""
MOST_FREED = 20_000
"""Users and roles that are looked at again, once for each way to free their account: as many as are looked at without."""
MOST_GRANTS = 100_000
"""Answers about things of the organization that are remembered."""

Hops = tuple[Hop, ...]
Inside = tuple[Found, Mapping[str, Reached]]


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
    spoken = sessions.mentioned(chain(_of_realm(realm), *map(sessions.policies_of, estates)))
    estates = [replace(estate, mentions=spoken) for estate in estates]
    search = _Across(estates, realm, supposed, proceed)
    inside = {estate.account_id: search.inside(estate) for estate in estates}
    paths: list[Path] = []
    left_out = [*(realm.left_out if realm is not None else ()), *(text for found, _ in inside.values() for text in found.left_out)]
    for estate in estates:
        reached, cut = search.into(estate, inside[estate.account_id])
        paths += reached
        if cut:
            left_out.append(f"there are paths into {estate.account_id} through more than {MOST_CROSSED} accounts")
    left_out += search.left_out
    if search.left < 0:
        left_out.append("control policies can be taken off accounts in more ways than one analysis follows")
    return Found(
        account_id=account_id,
        administrators=tuple(one for found, _ in inside.values() for one in found.administrators),
        paths=tuple(sorted(paths, key=lambda path: (len(path.hops), path.source, path.hops[-1].becomes))),
        principals=sum(found.principals for found, _ in inside.values()),
        decisions=search.decisions,
        left_out=tuple(dict.fromkeys(left_out)),
    )


class _Across:
    def __init__(self, estates: Sequence[Estate], realm: Realm | None, supposed: Keys, proceed: Proceed) -> None:
        self._between = Between({estate.account_id: estate for estate in estates}, supposed, proceed)
        self._realm, self._supposed, self._proceed = realm, supposed, proceed
        self._grants: dict[tuple[object, ...], Grant | None] = {}  # on things of the organization, of those who are alike
        self._towards: dict[tuple[str, frozenset[str]], Mapping[str, Reached]] = {}
        self._searched = 0
        self.left = MOST_FREED
        self.left_out: dict[str, None] = {}

    @property
    def decisions(self) -> int:
        """Decisions that were made."""
        return self._searched + self._between.decisions

    def _freed(self, estate: Estate) -> "_Across":
        """The same organization, in which an account stands as it does in the estate."""
        made = copy(self)
        made._between = self._between.freed(estate)
        made._towards = {key: found for key, found in self._towards.items() if key[0] != estate.account_id}
        made._searched = 0
        return made

    def inside(self, estate: Estate) -> Inside:
        """The paths within an account."""
        found, reached = find_reached(estate, supposed=self._supposed, proceed=self._proceed)
        self._searched += found.decisions
        return found, reached

    def into(self, estate: Estate, inside: Inside) -> tuple[list[Path], bool]:
        """The paths from other accounts to administrators of one, and those that begin with freeing it of control policies; and whether
        there may be longer ones.
        """
        known = _within(inside)
        own = frozenset(self._between.of(named).record.arn for named in known)
        cut = self._spread(known, list(known))
        freed = self._freers(estate, known)
        if freed:
            known |= freed
            level = list(freed)
            for account in sorted({arn.account_of(named) for named in freed}):
                level += self._near(known, account, frozenset(one for one in freed if arn.account_of(one) == account))
            cut = self._spread(known, level) or cut
        return list(self._paths(known, own)), cut

    def _paths(self, known: Mapping[str, Hops], own: Container[str]) -> Iterator[Path]:
        """The paths of those who have none within the account: of a role that in whatever session or, without one, in a certain one."""
        principals = dict.fromkeys(self._between.of(named).record.arn for named in known)
        for source in principals:
            if source in own:
                continue
            hops = known.get(source)
            if hops is None:
                found = [named for named in self._between.sessions(self._between.of(source)) if named in known]
                named = min(found, key=lambda one: len(known[one]))
                hops = begun(known[named], self._between.of(named).session)
            yield Path(source, chained(hops))

    def _spread(self, known: dict[str, Hops], level: list[str]) -> bool:
        """Add who becomes those of a level, and who becomes those; whether there may be more than was followed."""
        for _ in range(MOST_CROSSED):
            entered: dict[str, dict[str, Hops]] = defaultdict(dict)
            for target in sorted(level, key=lambda one: len(known[one])):
                for actor, entry in self._between.entering(target):
                    source = actor.named
                    if source not in known and source not in entered[actor.record.account_id]:
                        on = self._between.of(target).record.arn
                        hop = Hop(entry.rule, source, on, entry.becomes, entry.grants, presumes=entry.presumes)
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
        for source, reached in self._nearing(account, goals).items():
            if source not in known:
                known[source] = (*reached.hops, *known[reached.end])
                new.append(source)
        return new

    def _freers(self, estate: Estate, known: Mapping[str, Hops]) -> dict[str, Hops]:
        """Those who free an account and have a path into it then, of those who have none; each with the shortest."""
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
                source = actor.named
                hops = searched[way.place].get(source)
                if hops is not None and (source not in found or len(found[source]) > len(hops) + 1):
                    found[source] = (Hop(way.rule, source, way.asked[0].arn, source, grants, way.said), *hops)
        return dict(sorted(found.items(), key=lambda one: len(one[1])))

    def _after(self, estate: Estate) -> Mapping[str, Hops]:
        """The paths to administrators of an account that stands as it does in the estate."""
        freed = self._freed(estate)
        after = _within(freed.inside(estate))
        freed._spread(after, list(after))
        self._searched += freed.decisions
        return after

    def _permitted(self, way: Freeing, known: Container[str]) -> Iterator[tuple[Actor, tuple[Grant, ...]]]:
        """Those who may do all that it takes to free an account, but for those who are known, each with what permits it."""
        assert self._realm is not None
        action, delegating = way.rule.demands[0].action, self._realm.delegating
        individual = delegating is not None and reads_principal(delegating)
        for account in freeing.doers(way, self._realm, self._between.estates):
            manages = account == self._realm.management_id or way.rule.gives == "leave"
            answers: dict[object, tuple[Grant, ...] | None] = {}
            for actor in self._between.saying(account, action):
                if actor.named in known:
                    continue
                key = actor.alike if manages or not individual else actor.key
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
        own = self._between.estates[actor.record.account_id]
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
        grant = self._between.grant(actor, asked, own.lookup)
        if grant is None or manages:
            return grant
        there = asked._replace(resource_account=self._realm.management_id, resource_policy=self._realm.delegating)
        return self._between.grant(actor, there, both(self._between.estates[self._realm.management_id], own))

    def _nearing(self, account: str, goals: frozenset[str]) -> Mapping[str, Reached]:
        """The paths within an account to some of its principals."""
        if not goals:
            return {}
        key = (account, goals)
        if key not in self._towards:
            estate = self._between.estates[account]
            found, self._towards[key] = find_reached(estate, goals=goals, supposed=self._supposed, proceed=self._proceed)
            self._searched += found.decisions
        return self._towards[key]


def _within(inside: Inside) -> dict[str, Hops]:
    """The paths that are found within an account, an administrator's without a hop."""
    _, reached = inside
    return {source: one.hops for source, one in reached.items()}


def _of_realm(realm: Realm | None) -> Iterator[policy.Attached]:
    """The control policies of an organization, wherever they are attached."""
    for id_ in realm.types if realm is not None else ():
        record = realm.lookup(id_) if realm is not None else None
        if isinstance(record, ControlPolicyRecord):
            yield record.attached
