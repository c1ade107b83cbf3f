"""The rules of one effect about one action, found by what a request has: its resource, or the value of a key that they ask for.

    exact       by the whole text of a resource
    prefixes    by the literal beginning of a resource pattern, in order: the last that is not after a resource is the only one to look at,
                it and those that it begins with
    pivots      for any resource: by what a condition demands of a key (`anchors`), looked up, or else asked of the key's value alone
    rest        all others, one after another

An index only leaves out what cannot match. What it finds is still asked, but for a resource that its key has settled. Beside it stand the
rules by the keys that they ask for: a denial looks there for the keys that the request lacked. And the whole is weighed: the most that
stands under one resource, the heaviest chain of prefixes, and all of the pivots and the rest.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from sekisho.policy import anchors, budget, conditions, steps, variables, weights
from sekisho.policy.budget import Weight
from sekisho.policy.comparisons import Fits
from sekisho.policy.document import Condition
from sekisho.policy.patterns import ANY
from sekisho.policy.rules import ResourceTest, Rule

Entry = tuple[ResourceTest | None, conditions.Test | None, Rule]  # None: holds already
Entries = tuple[Entry, ...]
Pivot = tuple[str, anchors.Reader | None, Callable[[str | int], Entries | None], Entries]  # key, how to read it, find, all
Prefixes = tuple[tuple[str, ...], tuple[tuple[str, Entries, int], ...]]  # in order; each with the place of the one that it begins with
Asked = Mapping[str, tuple[Rule, ...]]
Side = tuple[Callable[[str], Entries | None], Prefixes, tuple[Pivot, ...], Entries, Asked, Weight]

_Weighed = tuple[Entry, Weight]
_K = TypeVar("_K")

MAX_PIVOTS = 8
_MANY = 8  # fewer entries than this are sooner asked than looked up


def side(rules: Sequence[Rule], *, indexed: bool, of_resource: bool) -> Side | None:
    """Index rules of one effect; None when there are none. Without `indexed` all of them are the rest."""
    if not rules:
        return None
    rest: list[_Weighed] = []
    exact: dict[str, list[_Weighed]] = {}
    prefixed: dict[str, list[_Weighed]] = {}
    for rule in rules:
        steps.step()
        own = budget.plus(rule.weight, weights.ENTRY + (weights.NAMED if of_resource else 0))
        if rule.statement.resources is None or ((ANY,) in rule.resources and not rule.statement.not_resource):
            rest.append(((None, rule.test, rule), own))
        elif rule.statement.not_resource or not indexed:
            rest.append(((rule.covers_resource, rule.test, rule), budget.total((own, *rule.reach))))
        else:
            for parts, covers, reach in zip(rule.resources, rule.covers, rule.reach, strict=True):
                _place((covers, rule.test, rule), own, reach, parts, rest, exact, prefixed)
    prefixes, chain = _by_prefix(prefixed)
    weighed = [chain, budget.most(_together(entries) for entries in exact.values()), _readings(rules)]
    pivots: tuple[Pivot, ...] = ()
    if indexed and len(rest) >= _MANY:
        pivots, weight, rest = _pivots(rest)
        scans, scanning, rest = _scans(rest)
        pivots += scans
        weighed += [weight, scanning]
    weight = budget.total((*weighed, *(weight for _, weight in rest)))
    return _frozen(exact).get, prefixes, pivots, tuple(entry for entry, _ in rest), _asked(rules), weight


def _together(entries: Sequence[_Weighed]) -> Weight:
    return entries[0][1] if len(entries) == 1 else budget.total(weight for _, weight in entries)


def _readings(rules: Iterable[Rule]) -> Weight:
    """What reading the values of keys weighs, which happens once for all who ask."""
    found = {condition.reading for rule in rules for condition in rule.conditions if condition.reading is not None}
    of_all = sum(weights.READINGS[kind] for _, kind, several in found if several)
    return Weight(sum(weights.READINGS[kind] for _, kind, _ in found), of_all)


def _asked(rules: Sequence[Rule]) -> Asked:
    asked: dict[str, list[Rule]] = {}
    for rule in rules:
        for key in dict.fromkeys(rule.keys):
            asked.setdefault(key, []).append(rule)
    return {key: tuple(asking) for key, asking in asked.items()}


def _place(
    entry: Entry,
    own: Weight,
    reach: Weight,
    parts: tuple[variables.Part, ...],
    rest: list[_Weighed],
    exact: dict[str, list[_Weighed]],
    prefixed: dict[str, list[_Weighed]],
) -> None:
    first = parts[0] if parts and isinstance(parts[0], str) else ""
    if first and len(parts) == 1:
        exact.setdefault(first, []).append(((None, *entry[1:]), own))
    elif first:
        own = budget.plus(own, weights.link(first))
        settled = parts[1:] == (ANY,)
        weighed = ((None, *entry[1:]), own) if settled else (entry, budget.both(own, reach))
        prefixed.setdefault(first, []).append(weighed)
    else:
        rest.append((entry, budget.both(own, reach)))


def _by_prefix(table: Mapping[str, Sequence[_Weighed]]) -> tuple[Prefixes, Weight]:
    """The table in order, and the weight of the heaviest chain."""
    starts = tuple(sorted(table))
    nodes: list[tuple[str, Entries, int]] = []
    chains: list[Weight] = []
    open_: list[int] = []  # the places of those that the next one may begin with, each of which begins with the one before
    for place, start in enumerate(starts):
        while open_ and not start.startswith(starts[open_[-1]]):
            open_.pop()
        weight = _together(table[start])
        nodes.append((start, tuple(entry for entry, _ in table[start]), open_[-1] if open_ else -1))
        chains.append(budget.both(weight, chains[open_[-1]]) if open_ else weight)
        open_.append(place)
    return (starts, tuple(nodes)), budget.most(chains)


def _pivots(rest: Sequence[_Weighed]) -> tuple[tuple[Pivot, ...], Weight, list[_Weighed]]:
    """Turn each entry on its rarest anchor; a pivot stands for all anchors of one kind. The weight is that of all, whom a list asks."""
    known = {rule: _anchors(rule) for rule in dict.fromkeys(entry[2] for entry, _ in rest)}
    sizes = Counter(anchor for entry, _ in rest for anchor in known[entry[2]])
    tables: dict[anchors.Kind, dict[str | int, list[_Weighed]]] = {}
    left: list[_Weighed] = []
    turned: list[Weight] = []
    for weighed in rest:
        entry, weight = weighed
        anchor = min(known[entry[2]], key=sizes.__getitem__, default=())
        if not anchor or sizes[anchor] == len(rest) or len({kind for kind, _ in anchor} | tables.keys()) > MAX_PIVOTS:
            left.append(weighed)
            continue
        turned.append(weight)
        for kind, value in anchor:
            tables.setdefault(kind, {}).setdefault(value, []).append(weighed)
    pivots = tuple(
        (kind[0], anchors.reader(kind), _frozen(table).get, tuple({entry: None for entries in table.values() for entry, _ in entries}))
        for kind, table in tables.items()
    )
    return pivots, budget.total(turned), left


def _scans(rest: Sequence[_Weighed]) -> tuple[tuple[Pivot, ...], Weight, list[_Weighed]]:
    """Gather entries by a key that a condition demands: its value is fetched once, and conditions that are alike are asked once."""
    alike = Counter(at for entry, _ in rest for at in entry[2].statement.conditions)
    keys: dict[str, dict[Condition, tuple[conditions.Compiled, list[tuple[int, _Weighed]]]]] = {}
    left: list[_Weighed] = []
    for weighed in rest:
        rule = weighed[0][2]
        written = rule.statement.conditions
        demands = [i for i, condition in enumerate(rule.conditions) if condition.fits is not None]
        if demands:
            rarest = min(demands, key=lambda i: alike[written[i]])
            of_key = keys.setdefault(written[rarest].key.lower(), {})
            of_key.setdefault(written[rarest], (rule.conditions[rarest], []))[1].append((rarest, weighed))
        else:
            left.append(weighed)
    pivots: list[Pivot] = []
    weighing: list[Weight] = []
    for key, asked in keys.items():
        gathered = [weighed for _, same in asked.values() for _, weighed in same]
        if len(gathered) < _MANY or len(pivots) == MAX_PIVOTS:
            left += gathered
            continue
        entries = tuple(entry for entry, _ in gathered)
        pivots.append((key, None, _scan(list(asked.values())), entries))
        for condition, same in asked.values():
            weighing.append(budget.plus(condition.weight, -weights.TEST))
            # Of a list of values a Deny is asked in full. An Allow fails at once: a list meets no condition that demands one value.
            weighing += [weight if entry[2].deny else _beside(weight, condition.weight) for _, (entry, weight) in same]
    return tuple(pivots), budget.total(weighing), left


def _beside(weight: Weight, settled: Weight) -> Weight:
    other = budget.less(weight, settled)
    return budget.plus(other, max(0.0, weights.ENTRY + weights.TEST - other.fixed))


def _scan(asked: Sequence[tuple[conditions.Compiled, Sequence[tuple[int, _Weighed]]]]) -> Callable[[str | int], Entries]:
    fits_of = [_anew(same[0][1][0][2], same[0][0]) for _, same in asked]
    entries_of = [tuple((entry[0], entry[2].beside(settled), entry[2]) for settled, (entry, _) in same) for _, same in asked]
    made = list(zip(fits_of, entries_of, strict=True))

    def find(value: str | int) -> Entries:
        text = str(value)
        return tuple([entry for fits, entries in made if fits(text) for entry in entries])

    return find


def _anew(rule: Rule, at: int) -> Fits:
    """What one condition asks of a value, made again: ten thousand that do not lie side by side in memory take eight times as long."""
    fits = conditions.compiled(rule.statement.conditions[at], deny=rule.deny, dynamic=rule.dynamic).fits
    assert fits is not None
    return fits


def _anchors(rule: Rule) -> tuple[anchors.Anchor, ...]:
    """The anchors of a rule, found when the first index asks."""
    if rule.anchors is None:
        rule.anchors = tuple(
            anchor for condition in rule.statement.conditions for anchor in conditions.anchored(condition, dynamic=rule.dynamic)
        )
    return rule.anchors


def _frozen(table: Mapping[_K, Sequence[_Weighed]]) -> dict[_K, Entries]:
    return {key: tuple(entry for entry, _ in entries) for key, entries in table.items()}
