"""The rules of one effect about one action, found by what a request has: its resource, or the value of a key that they ask for.

    exact       by the whole text of a resource
    prefixes    by the literal beginning of a resource pattern, in order: the last that is not after a resource is the only one to look at,
                it and those that it begins with
    pivots      for any resource: by what a condition demands of a key (`anchors`), looked up, or else asked of the key's value alone
    rest        all others, one after another

An index only leaves out what cannot match. What it finds is still asked, but for a resource that its key has settled. Beside it stand the
rules by the keys that they ask for: a denial looks there for the keys that the request lacked.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from sekisho.policy import anchors, conditions, variables
from sekisho.policy.document import Condition
from sekisho.policy.patterns import ANY
from sekisho.policy.rules import ResourceTest, Rule

Entry = tuple[ResourceTest | None, conditions.Test | None, Rule]  # None: holds already
Entries = tuple[Entry, ...]
Pivot = tuple[str, anchors.Reader | None, Callable[[str | int], Entries | None], Entries]  # key, how to read it, find, all
Prefixes = tuple[tuple[str, ...], tuple[tuple[str, Entries, int], ...]]  # in order; each with the place of the one that it begins with
Asked = Mapping[str, tuple[Rule, ...]]
Side = tuple[Callable[[str], Entries | None], Prefixes, tuple[Pivot, ...], Entries, Asked]

_K = TypeVar("_K")

MAX_PIVOTS = 8
_MANY = 8  # fewer entries than this are sooner asked than looked up


def side(rules: Sequence[Rule], *, indexed: bool) -> Side | None:
    """Index rules of one effect; None when there are none. Without `indexed` all of them are the rest."""
    if not rules:
        return None
    rest: list[Entry] = []
    exact: dict[str, list[Entry]] = {}
    prefixed: list[tuple[str, Entry]] = []
    for rule in rules:
        if rule.statement.resources is None or ((ANY,) in rule.resources and not rule.statement.not_resource):
            rest.append((None, rule.test, rule))
        elif rule.statement.not_resource or not indexed:
            rest.append((rule.covers_resource, rule.test, rule))
        else:
            for parts, covers in zip(rule.resources, rule.covers, strict=True):
                _place((covers, rule.test, rule), parts, rest, exact, prefixed)
    pivots: tuple[Pivot, ...] = ()
    if indexed and len(rest) >= _MANY:
        pivots, rest = _pivots(rest)
        scans, rest = _scans(rest)
        pivots += scans
    return _frozen(exact).get, _by_prefix(prefixed), pivots, tuple(rest), _asked(rules)


def _asked(rules: Sequence[Rule]) -> Asked:
    asked: dict[str, list[Rule]] = {}
    for rule in rules:
        wanted = [variable.key for variable in rule.referred if variable.default is None]
        for key in dict.fromkeys([*wanted, *(condition.key.lower() for condition in rule.statement.conditions)]):
            asked.setdefault(key, []).append(rule)
    return {key: tuple(asking) for key, asking in asked.items()}


def _place(
    entry: Entry, parts: tuple[variables.Part, ...], rest: list[Entry], exact: dict[str, list[Entry]], prefixed: list[tuple[str, Entry]]
) -> None:
    first = parts[0] if parts and isinstance(parts[0], str) else ""
    if first and len(parts) == 1:
        exact.setdefault(first, []).append((None, *entry[1:]))
    elif first:
        prefixed.append((first, (None, *entry[1:]) if parts[1:] == (ANY,) else entry))
    else:
        rest.append(entry)


def _by_prefix(prefixed: Iterable[tuple[str, Entry]]) -> Prefixes:
    table: dict[str, list[Entry]] = {}
    for prefix, entry in prefixed:
        table.setdefault(prefix, []).append(entry)
    starts = tuple(sorted(table))
    nodes: list[tuple[str, Entries, int]] = []
    open_: list[int] = []  # the places of those that the next one may begin with, each of which begins with the one before
    for place, start in enumerate(starts):
        while open_ and not start.startswith(starts[open_[-1]]):
            open_.pop()
        nodes.append((start, tuple(table[start]), open_[-1] if open_ else -1))
        open_.append(place)
    return starts, tuple(nodes)


def _pivots(rest: Sequence[Entry]) -> tuple[tuple[Pivot, ...], list[Entry]]:
    """Turn each entry on its rarest anchor; a pivot stands for all anchors of one kind."""
    known = {rule: tuple(_anchors(rule)) for _, _, rule in rest}
    sizes = Counter(anchor for _, _, rule in rest for anchor in known[rule])
    tables: dict[anchors.Kind, dict[str | int, list[Entry]]] = {}
    left: list[Entry] = []
    for entry in rest:
        anchor = min(known[entry[2]], key=sizes.__getitem__, default=())
        if not anchor or sizes[anchor] == len(rest) or len({kind for kind, _ in anchor} | tables.keys()) > MAX_PIVOTS:
            left.append(entry)
            continue
        for kind, value in anchor:
            tables.setdefault(kind, {}).setdefault(value, []).append(entry)
    pivots = tuple(
        (kind[0], anchors.reader(kind), _frozen(table).get, tuple(entry for entries in table.values() for entry in entries))
        for kind, table in tables.items()
    )
    return pivots, left


def _scans(rest: Sequence[Entry]) -> tuple[tuple[Pivot, ...], list[Entry]]:
    """Gather entries by a key that a condition demands: its value is fetched once, and conditions that are alike are asked once."""
    made = {(at, rule.dynamic): anchors.fits(at, dynamic=rule.dynamic) for _, _, rule in rest for at in rule.statement.conditions}
    alike = Counter(at for _, _, rule in rest for at in rule.statement.conditions)
    keys: dict[str, dict[Condition, tuple[conditions.Fits, list[Entry]]]] = {}
    left: list[Entry] = []
    for entry in rest:
        rule = entry[2]
        demands = [(at, fits) for at in rule.statement.conditions if (fits := made[at, rule.dynamic]) is not None]
        if demands:
            rarest, fits = min(demands, key=lambda demand: alike[demand[0]])
            keys.setdefault(rarest.key.lower(), {}).setdefault(rarest, (fits, []))[1].append(entry)
        else:
            left.append(entry)
    pivots: list[Pivot] = []
    for key, asked in keys.items():
        entries = tuple(entry for _, same in asked.values() for entry in same)
        if len(entries) < _MANY or len(pivots) == MAX_PIVOTS:
            left += entries
        else:
            pivots.append((key, None, _scan([(fits, tuple(same)) for fits, same in asked.values()]), entries))
    return tuple(pivots), left


def _scan(asked: Sequence[tuple[conditions.Fits, Entries]]) -> Callable[[str | int], Entries]:
    def find(value: str | int) -> Entries:
        text = str(value)
        return tuple([entry for fits, entries in asked if fits(text) for entry in entries])

    return find


def _anchors(rule: Rule) -> Iterator[anchors.Anchor]:
    for condition in rule.statement.conditions:
        yield from anchors.anchors(condition, dynamic=rule.dynamic)


def _frozen(table: dict[_K, list[Entry]]) -> dict[_K, Entries]:
    return {key: tuple(entries) for key, entries in table.items()}
