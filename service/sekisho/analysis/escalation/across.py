"""Paths across accounts: who can become an administrator of another account of the organization.

Between accounts there is one way: a role whose trust policy lets in another account, or a principal of it, and a principal there whose own
policies permit sts:AssumeRole on the role. So it is, too, that the management account gets into members that were made in its organization.
For each account the search goes backwards from whoever becomes an administrator of it: first who assumes one of those from another account,
then who can become that principal in its own account, and again from there, a few accounts far. Each hop is what the evaluator decided.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sekisho import policy, world
from sekisho.analysis.escalation.actors import Actor, Actors, by_name, is_account, reads_principal
from sekisho.analysis.escalation.asking import CONNECTION, Grant, places, side
from sekisho.analysis.escalation.estate import Estate
from sekisho.analysis.escalation.paths import Found, Hop, Path
from sekisho.analysis.escalation.rules import RULES
from sekisho.analysis.escalation.search import find
from sekisho.policy.principals import account_named
from sekisho.world import NO_KEYS, Keys, Record

ASSUME_ROLE = "sts:AssumeRole"
MOST_CROSSED = 4
"""Times that a path goes into another account."""
_ASSUMING = next(rule for rule in RULES if rule.by == "trust" and len(rule.demands) == 1)

Proceed = Callable[[], None]
Hops = tuple[Hop, ...]


def find_across(account_id: str, estates: Sequence[Estate], *, supposed: Keys = NO_KEYS, proceed: Proceed = lambda: None) -> Found:
    """The shortest path of each principal to an administrator of each other account that it reaches; `account_id` is who asks."""
    search = _Across(estates, supposed, proceed)
    inside = {estate.account_id: search.inside(estate) for estate in estates}
    paths: list[Path] = []
    left_out = [text for found in inside.values() for text in found.left_out]
    for estate in estates:
        reached, cut = search.into(inside[estate.account_id])
        paths += [Path(source, hops) for source, hops in reached.items()]
        if cut:
            left_out.append(f"there are paths into {estate.account_id} through more than {MOST_CROSSED} accounts")
    return Found(
        account_id=account_id,
        administrators=tuple(arn for found in inside.values() for arn in found.administrators),
        paths=tuple(sorted(paths, key=lambda path: (len(path.hops), path.source, path.hops[-1].becomes))),
        principals=sum(found.principals for found in inside.values()),
        decisions=search.decisions,
        left_out=tuple(dict.fromkeys(left_out)),
    )


class _Across:
    def __init__(self, estates: Sequence[Estate], supposed: Keys, proceed: Proceed) -> None:
        self._estates = {estate.account_id: estate for estate in estates}
        self._supposed, self._proceed = supposed, proceed
        self._actors = {estate.account_id: Actors(estate).all() for estate in estates}
        self._by_name = {name: actor for actors in self._actors.values() for name, actor in by_name(actors).items()}
        self._assuming: dict[str, list[Actor]] = {
            account: [actor for actor in actors if _says(actor)] for account, actors in self._actors.items()
        }
        self._entries: dict[str, list[tuple[Actor, Grant]]] = {}  # by the ARN of a role, who assumes it from other accounts
        self._towards: dict[tuple[str, frozenset[str]], Mapping[str, Hops]] = {}
        self.decisions = 0

    def inside(self, estate: Estate) -> Found:
        """The paths within an account."""
        found = find(estate, supposed=self._supposed, proceed=self._proceed)
        self.decisions += found.decisions
        return found

    def into(self, inside: Found) -> tuple[dict[str, Hops], bool]:
        """The paths from other accounts to administrators of one; and whether there may be longer ones."""
        known: dict[str, Hops] = dict.fromkeys(inside.administrators, ()) | {path.source: path.hops for path in inside.paths}
        own = frozenset(known)
        level = list(known)
        for _ in range(MOST_CROSSED):
            entered: dict[str, dict[str, Hops]] = defaultdict(dict)
            for target in sorted(level, key=lambda arn: len(known[arn])):
                for actor, grant in self._entering(target):
                    source = actor.record.arn
                    if source not in known and source not in entered[actor.record.account_id]:
                        hop = Hop(_ASSUMING, source, target, target, (grant,))
                        entered[actor.record.account_id][source] = (hop, *known[target])
            level = []
            for account, found in sorted(entered.items()):
                known |= found
                level += found
                for source, hops in self._nearing(account, frozenset(found)).items():
                    if source not in known:
                        known[source] = (*hops, *known[hops[-1].becomes])
                        level.append(source)
            if not level:
                break
        return {source: hops for source, hops in known.items() if source not in own}, bool(level)

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

    def _entering(self, target: str) -> list[tuple[Actor, Grant]]:
        """The principals of other accounts that assume a role, each with what permits it."""
        if target not in self._entries:
            self._entries[target] = list(self._assumed(target))
        return self._entries[target]

    def _assumed(self, target: str) -> Iterator[tuple[Actor, Grant]]:
        role = self._by_name.get(target)
        if role is None or role.record.trust is None:
            return
        trust, answers = role.record.trust, dict[object, Grant | None]()
        individual = reads_principal(trust)
        for actor in self._trusted(trust, role.record.account_id):
            key = (actor.record.id,) if individual else (actor.record.account_id, actor.alike)
            if key not in answers:
                answers[key] = self._decided(actor, role, trust)
            grant = answers[key]
            if grant is not None:
                yield actor, grant

    def _trusted(self, trust: policy.Attached, owner: str) -> Iterable[Actor]:
        """Those of other accounts whom a trust policy may mean."""
        found: dict[str, Actor] = {}
        for rule in trust.program.rules:
            meant = rule.statement.principals
            if rule.deny or meant is None:
                continue
            for account, actors in self._assuming.items():
                whole = meant.everyone or rule.statement.not_principal or account in map(account_named, meant.aws)
                if account != owner and whole:
                    found |= {actor.record.id: actor for actor in actors}
            for name in meant.aws:
                named = self._by_name.get(name) if name != "*" and not is_account(name) else None
                if named is not None and named.record.account_id != owner:
                    found[named.record.id] = named
        return found.values()

    def _decided(self, actor: Actor, role: Actor, trust: policy.Attached) -> Grant | None:
        self._proceed()
        self.decisions += 1
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

        def lookup(id_: str) -> Record | None:
            return own.lookup(id_) or theirs.lookup(id_)

        decision = policy.decide(*world.question(actor.who, asked, lookup, own.now))
        if not decision.allowed:
            return None
        return Grant(ASSUME_ROLE, role.record.arn, places(decision.matched))


def _says(actor: Actor) -> bool:
    """True where an Allow of an actor's own policies is about assuming roles."""
    return any(side(attached, ASSUME_ROLE) is not None for attached in actor.who.identity)
