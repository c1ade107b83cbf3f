"""Permissions that come back: somebody becomes another one who gives them to it.

A role that changes its users' policies makes no administrator of itself. Whoever assumes it has its own credentials still, and is one then.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from sekisho.analysis.escalation.actors import Actor
from sekisho.analysis.escalation.changes import Change
from sekisho.analysis.escalation.paths import Hop
from sekisho.analysis.escalation.reach import Reach
from sekisho.analysis.escalation.rules import Rule, Way
from sekisho.analysis.escalation.ways import OF, Ways

Waiting = Mapping[int, Mapping[tuple[str, ...], Actor]]

MOST = 16
"""Sets of givers for whom it is looked who becomes one of them."""


def given(
    ways: Ways, reach: Reach, waiting: Waiting, targets: Iterable[Actor], proceed: Callable[[], None]
) -> Iterator[tuple[Actor, Actor, Hop]]:
    """Each of some actors who can be made an administrator by one change, with who makes it, of those who wait for a path, and the hop."""
    rules = [rule for rule in OF[Way.OWN] if any(alike in waiting for alike in reach.speaking(rule.demands[0].action))]
    for target in targets if rules else ():
        proceed()
        for rule in rules:
            if rule.kind in ("", target.record.kind):
                yield from _gifts(ways, reach, waiting, rule, target)


def _gifts(ways: Ways, reach: Reach, waiting: Waiting, rule: Rule, target: Actor) -> Iterator[tuple[Actor, Actor, Hop]]:
    for change in ways.gifts(rule, target):
        found = list(_givers(ways, reach, waiting, rule, target, change))
        if found and ways.makes_administrator(target, change):
            yield from ((target, giver, hop) for giver, hop in found)


def _givers(ways: Ways, reach: Reach, waiting: Waiting, rule: Rule, target: Actor, change: Change) -> Iterator[tuple[Actor, Hop]]:
    for alike in reach.about(rule.demands[0].action, change.on.arn):
        for giver in waiting.get(alike, {}).values():
            if not giver.changed and giver.key != target.key:
                hop = ways.gives(giver, rule, target, change)
                if hop is None:
                    break  # nor do those who are like it
                yield giver, hop
