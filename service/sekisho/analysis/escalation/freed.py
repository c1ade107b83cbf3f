"""Paths that begin with freeing an account: the ways to free it are searched, those of whoever has no path yet first."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from sekisho.analysis.escalation import freeing
from sekisho.analysis.escalation.actors import Actor
from sekisho.analysis.escalation.estate import Estate
from sekisho.analysis.escalation.freeing import FREEING, Freeing, Realm, Step
from sekisho.analysis.escalation.freers import Doers
from sekisho.analysis.escalation.paths import Hop
from sekisho.world import Placement

Hops = tuple[Hop, ...]


class Freed:
    """The searches of one account as it stands when it is freed. `after` makes one; `share` is how many users and roles they look at;
    `proceed` is called on the way.

    `is_whole`: whoever has a path after some steps has it after more of them (see `freeing`).
    """

    def __init__(
        self, estate: Estate, after: Callable[[Estate], Mapping[str, Hops]], share: int, proceed: Callable[[], None], *, is_whole: bool
    ) -> None:
        self._estate, self._after, self._share, self._is_whole = estate, after, share, is_whole
        self._proceed = proceed
        self._searched: dict[Placement | None, Mapping[str, Hops]] = {}
        self._followed: Counter[tuple[str, ...]] = Counter()
        self._in_vain: dict[str, frozenset[int]] = {}
        """By the ARNs of those who have no path after all that they could do together, the steps."""
        self.found: dict[str, Hops] = {}
        self._costs: dict[str, tuple[int, int]] = {}
        self.spent = 0
        self.left_out: dict[str, None] = {}

    def search(self, realm: Realm, steps: Sequence[Step], doers: Sequence[Doers]) -> None:
        """Find the paths of those who are permitted some steps: one for each first, then one with fewer steps where that is left."""
        tried: dict[tuple[int, ...], Freeing | None] = {}

        def freed(numbers: tuple[int, ...]) -> Freeing | None:
            if numbers not in tried:
                self._proceed()
                tried[numbers] = freeing.freed(self._estate, realm, steps, numbers)
            return tried[numbers]

        ways: dict[tuple[int, ...], Freeing] = {}
        largest: dict[int, tuple[int, ...]] = {}
        for at, group in enumerate(doers):
            for way in map(freed, freeing.tries(steps, group.steps)):
                if way is not None:
                    ways.setdefault(way.numbers, way)
            whole = freed(freeing.largest(steps, group.steps))
            largest[at] = whole.numbers if whole is not None else ()
            if sum(steps[number].mixed for number in group.steps) > freeing.MOST_MIXED:
                self._leave_out(f"more than {freeing.MOST_MIXED} policies can be taken off {{}} that allow something, too")
        ordered = sorted(ways.values(), key=lambda one: one.cost)
        for is_first in (True, False):
            for way in ordered:
                self._proceed()
                doing = [(at, group) for at, group in enumerate(doers) if group.steps.keys() >= set(way.numbers)]
                self._follow(way, steps, [(group, largest[at]) for at, group in doing], is_first=is_first)

    def _leave_out(self, said: str) -> None:
        self.left_out[said.format(self._estate.account_id)] = None

    def _follow(self, way: Freeing, steps: Sequence[Step], doing: Sequence[tuple[Doers, tuple[int, ...]]], *, is_first: bool) -> None:
        numbers = frozenset(way.numbers)
        left = [
            (group, largest, actor)
            for group, largest in doing
            for actor in group.actors
            if not numbers <= self._in_vain.get(actor.named, frozenset())
        ]
        is_wanted = any(self._is_wanted(way, actor, is_first=is_first) for _, _, actor in left)
        if way.place not in self._searched and (not is_wanted or not self._has_room(way, is_first=is_first)):
            return
        if way.place not in self._searched:
            self._searched[way.place] = self._after(way.estate)
        for group, largest, actor in left:
            hops = self._searched[way.place].get(actor.named)
            if hops is not None:
                self._keep(actor, way, (*_hops(way, steps, group, actor), *hops))
            elif self._is_whole and way.numbers == largest:
                self._in_vain[actor.named] = numbers

    def _is_wanted(self, way: Freeing, actor: Actor, *, is_first: bool) -> bool:
        cost = self._costs.get(actor.named)
        return cost is None if is_first else cost is not None and len(way.numbers) < cost[1]

    def _has_room(self, way: Freeing, *, is_first: bool) -> bool:
        """True of a way that is followed still, which is counted."""
        cost = len(self._estate.principals)
        if self._followed[way.methods] >= freeing.MOST:
            named = " and ".join(FREEING[one].name for one in way.methods)
            said = f"{named} frees {{}} of control policies in more than {freeing.MOST} ways"
        elif self.spent + cost > self._share:
            said = "control policies can be taken off {} in more ways than one analysis follows"
        else:
            self._followed[way.methods] += 1
            self.spent += cost
            return True
        if is_first:
            self._leave_out(said)
        return False

    def _keep(self, actor: Actor, way: Freeing, hops: Hops) -> None:
        cost = len(hops), len(way.numbers)
        if actor.named not in self.found or cost < self._costs[actor.named]:
            self.found[actor.named], self._costs[actor.named] = hops, cost


def _hops(way: Freeing, steps: Sequence[Step], group: Doers, actor: Actor) -> Iterator[Hop]:
    """A hop for each method."""
    for method in way.methods:
        some = [number for number in way.numbers if steps[number].rule is FREEING[method]]
        grants = tuple(grant for number in some for grant in group.steps[number])
        said = " and ".join(steps[number].said for number in some)
        yield Hop(FREEING[method], actor.named, steps[some[0]].asked[0].arn, actor.named, grants, said)
