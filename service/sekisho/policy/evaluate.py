"""One program's Side against one request: the rules that match.

`first` and `granting` are the inner loops of every decision: they make nothing but their answer. An entry without a resource test was found
by an index that has settled it, an entry without a condition test has no conditions.
"""

from bisect import bisect_right
from collections.abc import Iterator

from sekisho.policy.index import Entries, Entry, Pivot, Side
from sekisho.policy.keys import Values
from sekisho.policy.principals import DIRECT, NONE, Principal
from sekisho.policy.rules import Rule


def first(side: Side, resource: str, context: Values) -> Rule | None:
    """Some rule of the side that matches."""
    exact, (starts, nodes), pivots, rest, _, _ = side
    entries = exact(resource)
    if entries is not None:
        for _, test, rule in entries:
            if test is None or test(context):
                return rule
    at = bisect_right(starts, resource) - 1 if starts else -1
    while at >= 0:
        start, entries, at = nodes[at]
        if resource.startswith(start):
            for covers, test, rule in entries:
                if (covers is None or covers(resource, context)) and (test is None or test(context)):
                    return rule
    if pivots:
        for rule in _at_pivots(pivots, resource, context):
            return rule
    for covers, test, rule in rest:
        if (covers is None or covers(resource, context)) and (test is None or test(context)):
            return rule
    return None


def covering(side: Side, resource: str, context: Values) -> Iterator[Rule]:
    """The rules about the resource, each once, whatever their conditions, and those of which a missing variable keeps that open."""
    seen: set[int] = set()
    for covers, _, rule in _entries(side, resource, None):
        about = covers is None or covers(resource, context) or rule.is_open(context)
        if about and rule.statement.index not in seen:
            seen.add(rule.statement.index)
            yield rule


def matching(side: Side, resource: str, context: Values) -> Iterator[Rule]:
    """All rules that match, each once, in the order of the document."""
    found = {
        rule.statement.index: rule
        for covers, test, rule in _entries(side, resource, context)
        if (covers is None or covers(resource, context)) and (test is None or test(context))
    }
    return iter([found[index] for index in sorted(found)])


def denying(side: Side, resource: str, context: Values, principal: Principal, *, bounded: bool) -> Iterator[Rule]:
    """The Denies of a resource's side that match and name the principal; one that names nobody denies everybody."""
    for rule in matching(side, resource, context):
        if rule.grantees is None or rule.grantees.denies(principal, bounded=bounded):
            yield rule


def granting(side: Side, resource: str, context: Values, principal: Principal) -> tuple[int, Rule | None]:
    """The most that an Allow of a resource's side is worth to the principal, and the rule."""
    best, chosen = NONE, None
    for covers, test, rule in _entries(side, resource, context):
        grantees = rule.grantees
        if grantees is not None and (covers is None or covers(resource, context)):
            worth = grantees.grant(principal)
            if worth > best and (test is None or test(context)):
                best, chosen = worth, rule
                if best == DIRECT:
                    break
    return best, chosen


def _at_pivots(pivots: tuple[Pivot, ...], resource: str, context: Values) -> Iterator[Rule]:
    for pivot in pivots:
        for covers, test, rule in _turned(pivot, context):
            if (covers is None or covers(resource, context)) and (test is None or test(context)):
                yield rule


def _turned(pivot: Pivot, context: Values) -> Entries:
    """The entries that the value of a pivot's key leaves: none without a value, all where it is no single value that can be read."""
    key, read, find, every = pivot
    value = context.get(key)
    if value is None:
        return ()
    if not isinstance(value, str):
        return every
    wanted = value if read is None else read(value)
    return every if wanted is None else find(wanted) or ()


def _entries(side: Side, resource: str, context: Values | None) -> Iterator[Entry]:
    """The entries that the indexes leave; without a context, also those that a condition would rule out."""
    exact, (starts, nodes), pivots, rest, _, _ = side
    yield from exact(resource) or ()
    at = bisect_right(starts, resource) - 1
    while at >= 0:
        start, entries, at = nodes[at]
        if resource.startswith(start):
            yield from entries
    for pivot in pivots:
        yield from pivot[3] if context is None else _turned(pivot, context)
    yield from rest
