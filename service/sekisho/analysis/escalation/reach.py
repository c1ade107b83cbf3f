"""Whose policies speak of an action on a resource, found by the resource.

For an action, everybody's Allows are kept by how their resources begin. So who could be permitted it on something is a look at the
beginnings of its ARN, not at everybody. It only leaves out who cannot be; the evaluator is asked about the rest.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from sekisho.analysis.escalation.actors import Actor
from sekisho.analysis.escalation.asking import Asker
from sekisho.policy.rules import ResourceTest, Rule
from sekisho.policy.variables import Variable
from sekisho.world import NO_KEYS

_Entry = tuple[int, ResourceTest | None]
"""Whom somebody is like, and what tells whether a resource is meant; None where that takes asking."""


class Reach:
    """By actions: actors by whom they are like, under the beginnings of the resources that their Allows name."""

    def __init__(self, asker: Asker, actions: Iterable[str]) -> None:
        self._asker = asker
        self._actions = tuple(dict.fromkeys(actions))
        self._noted: set[int] = set()
        self._starts: dict[str, dict[str, list[_Entry]]] = {action: defaultdict(list) for action in self._actions}
        self._speaking: dict[str, list[int]] = {action: [] for action in self._actions}

    def note(self, actor: Actor) -> None:
        """Take in what an actor's policies say, once for all who are like it."""
        if actor.alike in self._noted:
            return
        self._noted.add(actor.alike)
        for action in self._actions:
            if self._asker.says(actor, action):
                self._speaking[action].append(actor.alike)
                for start, test in _starts(actor, action.lower()):
                    self._starts[action][start].append((actor.alike, test))

    def about(self, action: str, resource: str) -> Iterator[int]:
        """Those whose Allows of an action may be about a resource, each once."""
        starts = self._starts[action]
        found: dict[int, None] = {}
        for length in range(len(resource) + 1):
            for alike, test in starts.get(resource[:length], ()):
                if alike not in found and (test is None or test(resource, NO_KEYS)):
                    found[alike] = None
        return iter(found)

    def speaking(self, action: str) -> Iterator[int]:
        """Those with an Allow of an action, on whatever."""
        return iter(self._speaking[action])


def _starts(actor: Actor, action: str) -> Iterator[tuple[str, ResourceTest | None]]:
    for attached in actor.who.identity:
        for rule in attached.program.rules:
            if not rule.deny and rule.covers_action(action):
                yield from _of_rule(rule)


def _of_rule(rule: Rule) -> Iterator[tuple[str, ResourceTest | None]]:
    if rule.statement.not_resource or rule.statement.resources is None:
        yield "", None
        return
    for parts, covers in zip(rule.resources, rule.covers, strict=True):
        start = parts[0] if parts and isinstance(parts[0], str) else ""
        yield start, None if any(isinstance(part, Variable) for part in parts) else covers
