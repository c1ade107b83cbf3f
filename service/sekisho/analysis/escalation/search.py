"""The shortest paths, by a breadth-first search from where they end.

The search begins with the administrators, or with the one principal that is looked for, and asks of each that has no path yet whether it
is permitted a method that leads to somebody who has one. So a method is asked about once for each two principals at most, and only by those
with a policy that speaks of its action; all who are alike are asked as one. What a principal can make of itself alone is followed from it
before, a few steps far. Who has no path then may have one by somebody who gives it permissions (`returning`), which is longer than others.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from sekisho.analysis.escalation import returning
from sekisho.analysis.escalation.actors import Actor, Actors, by_name, is_account, names
from sekisho.analysis.escalation.asking import Asker
from sekisho.analysis.escalation.estate import Estate
from sekisho.analysis.escalation.paths import Found, Hop, Path, begun, chained
from sekisho.analysis.escalation.reach import Reach
from sekisho.analysis.escalation.rules import Rule, Way
from sekisho.analysis.escalation.ways import ASSUME_ROLE, ASSUMING, OF, Ways
from sekisho.world import NO_KEYS, Keys

MOST_STATES = 12
"""What one principal can make of itself that is followed, in so many steps at most."""
MOST_STEPS = 3

MOST_HOPS = 32
"""Hops of a path that is looked for: somebody can make a chain of as many as there are users, and would be shown its square."""

Key = tuple[str, ...]

_TOWARDS = tuple(rule for way in (Way.BECOME, Way.PASS) for rule in OF[way] if rule is not ASSUMING)
_ACTIONS = (ASSUME_ROLE, *(rule.demands[0].action for way in Way if way is not Way.FREE for rule in OF[way]))
"""The actions by which others are looked for: the first of each method."""


@dataclass(frozen=True, slots=True)
class _Step:
    """The next hops of an actor, mostly one, and where they lead; None when the path ends there."""

    hops: tuple[Hop, ...]
    to: Key | None


def find(
    estate: Estate,
    *,
    goal: str = "",
    supposed: Keys = NO_KEYS,
    proceed: Callable[[], None] = lambda: None,
) -> Found:
    """The shortest path of each principal of an account to an administrator or, with `goal`, to the principal of that ARN.

    `supposed` are condition keys that are taken to have these values, as the simulator takes them. `proceed` is called every few decisions,
    and whatever it raises ends the search. ValueError when the account has no such principal.
    """
    return _Search(estate, goal, frozenset(), supposed, proceed).found()


@dataclass(frozen=True, slots=True)
class Reached:
    """Hops of an actor, and the ARN of the actor at their end."""

    hops: tuple[Hop, ...]
    end: str


def find_reached(
    estate: Estate, *, goals: frozenset[str] = frozenset(), supposed: Keys = NO_KEYS, proceed: Callable[[], None] = lambda: None
) -> tuple[Found, Mapping[str, Reached]]:
    """The same as `find`, and what each actor reaches, an administrator itself without a hop, by its ARN; a session that has to be that one
    has its own. With `goals`, that is whichever of those actors is the nearest.
    """
    search = _Search(estate, "", goals, supposed, proceed)
    return search.found(), search.reached()


class _Search:
    def __init__(self, estate: Estate, goal: str, goals: frozenset[str], supposed: Keys, proceed: Callable[[], None]) -> None:
        self._estate, self._goal, self._goals, self._proceed = estate, goal, goals, proceed
        self._supposed = supposed
        self._is_sought = bool(goal or goals)
        made = self._made = Actors(estate, proceed)
        self._asker = Asker(estate, supposed, proceed)
        self._ways = Ways(estate, made, self._asker)
        self._reach = Reach(self._asker, _ACTIONS)
        self._principals = made.all()
        self._actors = [*self._principals, *made.sessions()]
        self._by_name = by_name(self._actors)
        self._known: dict[Key, Actor] = {}
        self._steps: dict[Key, _Step | None] = {}
        self._waiting: dict[int, dict[Key, Actor]] = defaultdict(dict)
        """Actors without a path, by whom they are like."""
        self._before: dict[Key, list[tuple[Key, Hop]]] = defaultdict(list)
        """By what an actor has become of itself: from what, and by which hop."""
        self._of: dict[str, dict[str, list[Actor]]] = defaultdict(lambda: defaultdict(list))
        """Each principal as it is, and as it can become of itself, by its id and its session."""
        self._left_out: list[str] = []

    def found(self) -> Found:
        administrators = [actor for actor in self._actors if self._ways.is_administrator(actor)]
        ends = administrators
        if self._is_sought:
            ends = [actor for actor in self._actors if actor.record.arn == self._goal or actor.named in self._goals]
        if self._is_sought and not ends:
            raise ValueError(f"the account has no user or role `{self._goal or min(self._goals)}`")
        self._known = {actor.key: actor for actor in ends}
        self._steps = dict.fromkeys(self._known, None)
        follow = {actor.key for actor in administrators}
        level: dict[Key, _Step] = {}
        for actor in self._actors:
            if actor.key not in self._steps:
                level |= self._follow(actor) if actor.key not in follow else self._keep(actor)
        self._nearer(level, ends)
        if not self._is_sought:
            self._first(level)
        self._spread(level)
        if not self._is_sought:
            self._spread(self._given_back())
        return self._result(administrators)

    def _spread(self, level: dict[Key, _Step]) -> None:
        """Keep the steps of a level, and of all that becomes those who were reached, level by level."""
        for _ in range(MOST_HOPS):
            if not level:
                break
            reached = self._settle(level)
            level = {}
            for key in reached:
                for before, hop in self._before.get(key, ()):
                    if before not in self._steps:
                        level.setdefault(before, _Step((hop,), key))
            self._nearer(level, [self._known[key] for key in reached if not self._known[key].changed])
        if level:
            self._left_out.append(f"there are paths of more than {MOST_HOPS} steps")

    def _given_back(self) -> dict[Key, _Step]:
        """Those without a path who become somebody that makes an administrator of them."""
        gifts: dict[Key, dict[str, Hop]] = defaultdict(dict)
        waiting = [actor for actor in self._actors if actor.key not in self._steps]
        for target, giver, hop in returning.given(self._ways, self._reach, self._waiting, waiting, self._proceed):
            gifts[target.key].setdefault(giver.named, hop)
        by_givers: dict[frozenset[str], list[Key]] = defaultdict(list)
        for key, hops in gifts.items():
            by_givers[frozenset(hops)].append(key)
        level: dict[Key, _Step] = {}
        for givers, keys in list(by_givers.items())[: returning.MOST]:
            found, reached = find_reached(self._estate, goals=givers, supposed=self._supposed, proceed=self._proceed)
            self._asker.decisions += found.decisions
            for key in keys:
                named = self._known[key].named
                way = reached.get(named)
                if way is not None and not any(hop.rule.way is Way.OWN and hop.by == named for hop in way.hops):
                    level[key] = _Step((*way.hops, gifts[key][way.end]), None)
        if len(by_givers) > returning.MOST:
            self._left_out.append(f"more than {returning.MOST} sets of principals of {self._estate.account_id} give others permissions")
        return level

    def _keep(self, actor: Actor) -> dict[Key, _Step]:
        self._known[actor.key] = actor
        self._reach.note(actor)
        self._waiting[actor.alike][actor.key] = actor
        self._of[actor.record.id][actor.session].append(actor)
        return {}

    def _follow(self, actor: Actor) -> dict[Key, _Step]:
        """Note an actor and what it can make of itself; the hops that end a path already."""
        level: dict[Key, _Step] = {}
        queue = deque([(actor, 0)])
        self._keep(actor)
        while queue:
            node, depth = queue.popleft()
            self._proceed()
            following = []
            for hop, after in self._ways.own(node):
                if not self._is_sought and self._ways.is_administrator(after):
                    level[node.key] = _Step((hop,), None)
                    break
                if depth < MOST_STEPS and (after.who.identity, after.who.boundary) != (node.who.identity, node.who.boundary):
                    following.append((hop, after))
            else:
                queue.extend((after, depth + 1) for after in self._states(node, following))
        return level

    def _states(self, node: Actor, following: Iterable[tuple[Hop, Actor]]) -> Iterator[Actor]:
        """What is new of what an actor can make of itself."""
        for hop, after in following:
            if after.key not in self._known:
                if len(self._of[node.record.id][node.session]) > MOST_STATES:
                    self._left_out.append(f"{node.named} can change its own permissions in more than {MOST_STATES} ways")
                    return
                self._keep(after)
                yield after
            self._before[after.key].append((node.key, hop))

    def _first(self, level: dict[Key, _Step]) -> None:
        """Add who makes an administrator of somebody else, or of somebody new, and becomes that."""
        for rule in OF[Way.NEW]:
            for alike in self._reach.speaking(rule.demands[0].action):
                self._give(level, alike, rule, None)
        for target in self._actors:
            self._proceed()
            about: dict[tuple[str, str], list[int]] = {}
            for rule in OF[Way.RAISE]:
                for thing in self._ways.raised_on(rule, target) if rule.kind == target.record.kind else ():
                    asked = (rule.demands[0].action, thing)
                    if asked not in about:
                        about[asked] = list(self._reach.about(*asked))
                    for alike in about[asked]:
                        self._give(level, alike, rule, target)

    def _give(self, level: dict[Key, _Step], alike: int, rule: Rule, target: Actor | None) -> None:
        left = self._left(level, alike)
        trust = target.record.trust if target is not None and rule.by == "trust" else None
        individual = trust is not None and self._asker.is_individual(trust)
        for some in [[actor] for actor in left] if individual else [left]:
            if some:
                self._proceed()
                hop = self._ways.new(some[0], rule) if target is None else self._ways.raising(some[0], rule, target)
                if hop is not None:
                    self._assign(level, some, hop, target)

    def _left(self, level: dict[Key, _Step], alike: int) -> list[Actor]:
        """Those of whom decisions are the same who have no path yet, and no step in this level."""
        waiting = self._waiting.get(alike)
        return [actor for key, actor in waiting.items() if key not in level] if waiting else []

    def _nearer(self, level: dict[Key, _Step], reached: Sequence[Actor]) -> None:
        """Add who becomes one of those who were reached."""
        for target in reached:
            for rule in _TOWARDS:
                served = rule.service and (target.session or self._ways.trust_in(rule.service, target) is None)
                if rule.kind == target.record.kind and not served:
                    self._towards(level, rule, target)
            if target.record.kind == "role":
                if not target.session:
                    self._using(level, target)
                self._assuming(level, target)

    def _towards(self, level: dict[Key, _Step], rule: Rule, target: Actor) -> None:
        action = rule.demands[0].action
        own = rule.demands[0].on == "target"
        for alike in self._reach.about(action, target.record.arn) if own else self._reach.speaking(action):
            self._step(level, alike, rule, target)

    def _using(self, level: dict[Key, _Step], role: Actor) -> None:
        """Add who uses what acts as a role already."""
        for rule in OF[Way.HELD]:
            if self._ways.trust_in(rule.service, role) is not None:
                for alike in self._reach.speaking(rule.demands[0].action):
                    self._step(level, alike, rule, role)
                for actor in self._let_in(rule):
                    if actor.key not in level and actor.key not in self._steps:
                        self._one(level, actor, role, rule)

    def _let_in(self, rule: Rule) -> Iterable[Actor]:
        """Those whom policies of registered resources let do something of a rule, whatever their own say."""
        named = self._ways.registered.named(rule)
        if "*" in named:
            return [actor for of in self._of.values() for actors in of.values() for actor in actors]
        return [actor for name in sorted(named) for actor in self._called(name)]

    def _called(self, name: str) -> Iterator[Actor]:
        """Those whom a name in a Principal element means, with what they make of themselves: a role's name means all its sessions."""
        found = self._by_name.get(name)
        if found is not None:
            of = self._of[found.record.id]
            yield from chain(*of.values()) if name in (found.record.id, found.record.arn) else of[found.session]

    def _step(self, level: dict[Key, _Step], alike: int, rule: Rule, target: Actor) -> None:
        left = self._left(level, alike)
        if rule.service and self._ways.registered.is_individual(rule):
            for actor in left:
                self._one(level, actor, target, rule)
        elif left and not (rule.service and not self._ways.serves(left[0], rule)):
            self._proceed()
            hop = self._ways.towards(left[0], rule, target)
            if hop is not None:
                self._assign(level, left, hop, target)

    def _assuming(self, level: dict[Key, _Step], role: Actor) -> None:
        """Add who assumes a role: those whom its trust policy names and, where it means everybody or the account, who is permitted."""
        trust = role.record.trust
        if trust is None:
            return
        for name in sorted(names(trust)):
            for actor in self._called(name):
                if actor.key not in level and actor.key not in self._steps:
                    self._one(level, actor, role)
        meant = [one for rule in trust.program.rules if (one := rule.statement.principals) is not None]
        everyone = any(one.any or one.everyone for one in meant)
        if not everyone and not any(is_account(name) for one in meant for name in one.aws):
            return
        individual = self._asker.is_individual(trust)
        for alike in list(self._waiting) if everyone else self._reach.about(ASSUME_ROLE, role.record.arn):
            left = self._left(level, alike)
            if individual:
                for actor in left:
                    self._one(level, actor, role)
            elif left:
                self._step(level, alike, ASSUMING, role)

    def _one(self, level: dict[Key, _Step], actor: Actor, role: Actor, rule: Rule = ASSUMING) -> None:
        self._proceed()
        hop = self._ways.towards(actor, rule, role)
        if hop is not None:
            self._assign(level, [actor], hop, role)

    @staticmethod
    def _assign(level: dict[Key, _Step], actors: Sequence[Actor], hop: Hop, target: Actor | None) -> list[Actor]:
        """Give a hop to all of these actors but the target itself; those who are left."""
        to = None if target is None or hop.rule.way in (Way.RAISE, Way.NEW) else target.key
        left = []
        for actor in actors:
            if target is not None and (actor.record.id, actor.session) == (target.record.id, target.session):
                left.append(actor)
            else:
                level[actor.key] = _Step((replace(hop, by=actor.named),), to)
        return left

    def _settle(self, level: dict[Key, _Step]) -> list[Key]:
        """Keep the steps of a level; whoever has a path itself needs no other that begins with a change of itself."""
        for key, step in level.items():
            self._steps[key] = step
        for key in level:
            settled = self._known[key]
            for actor in [settled] if settled.changed else self._of[settled.record.id][settled.session]:
                alike = self._waiting.get(actor.alike)
                if alike is not None and alike.pop(actor.key, None) is not None and not alike:
                    del self._waiting[actor.alike]
        return list(level)

    def _result(self, administrators: Sequence[Actor]) -> Found:
        found = list(filter(None, map(self._path, self._principals)))
        plain = {actor.record.id for actor in administrators if not actor.session}
        left_out = (*self._estate.left_out, *self._made.names.left_out, *self._left_out, *self._ways.registered.left_out)
        return Found(
            account_id=self._estate.account_id,
            administrators=tuple(sorted(one.named for one in administrators if not one.session or one.record.id not in plain)),
            paths=tuple(sorted(found, key=lambda path: (len(path.hops), path.source))),
            principals=len(self._principals),
            decisions=self._asker.decisions,
            goal=self._goal,
            left_out=tuple(dict.fromkeys(left_out)),
        )

    def reached(self) -> Mapping[str, Reached]:
        """The ends of actors that have a path, or are at its end, and the hops to them."""
        found = {}
        for actor in self._actors:
            if actor.key in self._steps:
                steps = list(self._steps_of(actor.key))
                last = steps[-1].to if steps else actor.key
                end = self._known[last].named if last is not None else steps[-1].hops[-1].becomes
                found[actor.named] = Reached(tuple(hop for step in steps for hop in step.hops), end)
        return found

    def _path(self, actor: Actor) -> Path | None:
        """The path of a principal: of a role that in whatever session or, where there is none, in one that policies speak of."""
        hops = self._hops(actor.key)
        names = self._made.names.of(actor.record) if actor.record.kind == "role" and hops is None else ()
        found = {name: self._hops((actor.record.id, name)) for name in names}
        if hops is None and () not in found.values():
            named = [(name, one) for name, one in found.items() if one is not None]
            session, hops = min(named, key=lambda one: len(one[1]), default=("", None))
            hops = begun(hops, session) if hops is not None else None
        return Path(actor.record.arn, chained(hops)) if hops else None

    def _hops(self, key: Key) -> tuple[Hop, ...] | None:
        """The hops of an actor, none where it need not go any; None where it has no path."""
        return tuple(hop for step in self._steps_of(key) for hop in step.hops) if key in self._steps else None

    def _steps_of(self, key: Key) -> Iterator[_Step]:
        step = self._steps[key]
        while step is not None:
            yield step
            step = self._steps[step.to] if step.to is not None else None
