"""One program's Side against one request: the rules that match.

`first` and `granting` are the inner loops of every decision: they make nothing but their answer. An entry without a resource test was found
by an index that has settled it, an entry without a condition test has no conditions.
"""

from collections.abc import Iterator

from sekisho.policy.compile import Bucket, Entry, Rule, Side
from sekisho.policy.keys import Values
from sekisho.policy.principals import DIRECT, NONE, Principal

MAX_STEPS = 1_000_000
"""Comparisons, and steps of slow patterns, that one decision may take at the worst."""


class TooMuchWork(Exception):  # noqa: N818  # says what happened, as `StopIteration` does; decide turns it into a denial
    """The policies of a request could take more steps than a decision is given."""


def first(side: Side, resource: str, context: Values) -> Rule | None:
    """Some rule of the side that matches."""
    rest, exact, prefixes = side
    entries = exact(resource)
    if entries is not None:
        for _, test, rule in entries:
            if test is None or test(context):
                return rule
    for length, find in prefixes:
        entries = find(resource[:length])
        if entries is not None:
            for covers, test, rule in entries:
                if (covers is None or covers(resource, context)) and (test is None or test(context)):
                    return rule
    for covers, test, rule in rest:
        if (covers is None or covers(resource, context)) and (test is None or test(context)):
            return rule
    return None


def covering(side: Side, resource: str, context: Values) -> Iterator[Rule]:
    """The rules about the resource, each once, in the order of the document, whatever their conditions."""
    found = {rule.statement.index: rule for covers, _, rule in _entries(side, resource) if covers is None or covers(resource, context)}
    return iter([found[index] for index in sorted(found)])


def matching(side: Side, resource: str, context: Values) -> Iterator[Rule]:
    """All rules that match, in the order of the document."""
    return (rule for rule in covering(side, resource, context) if rule.test is None or rule.test(context))


def denying(side: Side, resource: str, context: Values, principal: Principal, *, bounded: bool) -> Iterator[Rule]:
    """The Denies of a resource's side that match and name the principal; one that names nobody denies everybody."""
    for rule in matching(side, resource, context):
        if rule.grantees is None or rule.grantees.denies(principal, bounded=bounded):
            yield rule


def granting(side: Side, resource: str, context: Values, principal: Principal) -> tuple[int, Rule | None]:
    """The most that an Allow of a resource's side is worth to the principal, and the rule."""
    best, chosen = NONE, None
    for covers, test, rule in _entries(side, resource):
        grantees = rule.grantees
        if grantees is not None and (covers is None or covers(resource, context)):
            worth = grantees.grant(principal)
            if worth > best and (test is None or test(context)):
                best, chosen = worth, rule
                if best == DIRECT:
                    break
    return best, chosen


def steps(bucket: Bucket, resource: str, context: Values) -> int:
    """The most steps that a bucket may take for a request; 0 for all but the heaviest."""
    if bucket[2] is None:
        return 0
    weight, slow = bucket[2]
    several = [len(value) for value in context.values() if isinstance(value, tuple)]
    characters = len(resource) + sum(len(value) if isinstance(value, str) else sum(map(len, value)) for value in context.values())
    return weight * max(several, default=1) + slow * characters


def _entries(side: Side, resource: str) -> Iterator[Entry]:
    rest, exact, prefixes = side
    yield from exact(resource) or ()
    for length, find in prefixes:
        yield from find(resource[:length]) or ()
    yield from rest
