"""Things that a service would be asked to do something to, which need not exist: resources on which an actor's policies could permit it.

Nobody knows here which functions or instances a company has, so those are tried that the actor's own Allows are about: the usual form of an
ARN, each pattern with its wildcards filled in, and the beginning of one pattern with the end of another. What is found is asked of the
evaluator like everything else; what is not found is not reported.
"""

import re
from collections.abc import Iterable, Iterator

from sekisho import arn
from sekisho.analysis.escalation.actors import Actor
from sekisho.policy.patterns import ANY
from sekisho.policy.rules import Rule
from sekisho.policy.variables import Part, Variable

MOST = 48
"""ARNs that are tried for one thing."""

REGION_KEY = "aws:requestedregion"


def candidates(actor: Actor, actions: Iterable[str], form: str) -> Iterator[str]:
    """ARNs of things, each once, the usual `form` first; all are of its service, and of its kind."""
    usual = form.split(":", 5)
    patterns = [parts for rule in _allows(actor, actions) for parts in rule.resources]
    made = [form]
    for parts in patterns:
        made.append(_filled(parts, actor))
        made += [_filled((*parts[:-1], "x", other[-1]), actor) for other in patterns if _joins(parts, other)]
    tried: set[str] = set()
    for text in made:
        segments = text.split(":", 5)
        if len(segments) != 6 or segments[:3] != usual[:3] or kind_of(segments[5]) != kind_of(usual[5]):
            continue
        for place in (3, 4):
            if segments[place] in ("x", ""):
                segments[place] = usual[place]
        found = ":".join(segments)
        if found not in tried and len(tried) < MOST:
            tried.add(found)
            yield found


def kind_of(resource: str) -> str:
    """What stands before the first slash or colon of an ARN's last part."""
    return re.split("[/:]", resource, maxsplit=1)[0]


def regions(actor: Actor, actions: Iterable[str]) -> tuple[str, ...]:
    """The regions that policies of the actor name, after the usual one."""
    who = actor.who
    groups = (who.identity, who.boundary or (), *(who.scps or ()))
    found = [arn.REGION]
    for attached in (one for group in groups for one in group):
        for rule in attached.program.rules:
            if any(rule.covers_action(action.lower()) for action in actions):
                found += [value for key, condition, _ in rule.tests if key == REGION_KEY for value in condition.values if "*" not in value]
    return tuple(dict.fromkeys(found))[:8]


def asks_for_tags(actor: Actor, actions: Iterable[str]) -> bool:
    """True of an actor whose policies ask, for one of these actions, for tags of what it is done to."""
    who, lowered = actor.who, [action.lower() for action in actions]
    groups = (who.identity, who.boundary or (), *(who.scps or ()))
    rules = (rule for group in groups for attached in group for rule in attached.program.rules)
    return any(":resourcetag/" in key for rule in rules if any(map(rule.covers_action, lowered)) for key in rule.keys)


def _allows(actor: Actor, actions: Iterable[str]) -> Iterator[Rule]:
    lowered = [action.lower() for action in actions]
    for attached in actor.who.identity:
        for rule in attached.program.rules:
            if not rule.deny and not rule.statement.not_resource and any(map(rule.covers_action, lowered)):
                yield rule


def _joins(first: tuple[Part, ...], other: tuple[Part, ...]) -> bool:
    """Whether the last part of an ARN can begin as one pattern and end as another."""
    end = other[-1] if len(other) > 1 else None
    return len(first) > 1 and first[-1] is ANY and first is not other and isinstance(end, str) and ":" not in end


def _filled(parts: Iterable[Part], actor: Actor) -> str:
    """A text that fits a pattern, empty where a variable in it has no value."""
    text = []
    for part in parts:
        value = actor.who.keys.get(part.key, part.default) if isinstance(part, Variable) else part if isinstance(part, str) else "x"
        if not isinstance(value, str):
            return ""
        text.append(value)
    return "".join(text)
