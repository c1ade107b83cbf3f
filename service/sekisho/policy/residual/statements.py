"""One statement, where the resource is not known: the resources that it is about and whose conditions are met."""

from collections.abc import Iterator

from sekisho.policy import variables
from sekisho.policy.keys import Values
from sekisho.policy.patterns import ANY, Wildcard
from sekisho.policy.residual import shapes
from sekisho.policy.residual.conditions import condition
from sekisho.policy.residual.nodes import Node, TagExists, TagText, Unsaid, all_of, negated, some_of
from sekisho.policy.residual.resources import Resources
from sekisho.policy.rules import Rule


def matched(rule: Rule, context: Values, resources: Resources) -> Node:
    """The resources that a statement matches, its action and principal left aside."""
    found: list[Node] = []
    for node in _asked(rule, context, resources):
        if node is False:
            return False
        found.append(node)
    return all_of(found)


def _asked(rule: Rule, context: Values, resources: Resources) -> Iterator[Node]:
    """All that must be true, what costs least first."""
    later = []
    for key, written, made in rule.tests:
        if resources.tag(key) is None and not made.referred:
            yield made.test(context)
        else:
            later.append((key, written, made))
    yield _covered(rule, context, resources)
    for key, written, made in later:
        yield condition(key, written, made, deny=rule.deny, dynamic=rule.dynamic, context=context, resources=resources)


def _covered(rule: Rule, context: Values, resources: Resources) -> Node:
    """The resources that a statement is about; without a Resource element it is about all."""
    if rule.statement.resources is None:
        return True
    covered = some_of([_named(parts, context, resources) for parts in rule.resources])
    if not rule.statement.not_resource:
        return covered
    return all_of((negated(covered), _settled(rule, context, resources)))


def _settled(rule: Rule, context: Values, resources: Resources) -> Node:
    """Where an Allow has a value for every variable in its NotResource; a Deny spares nothing by one that has none."""
    if rule.deny:
        return True
    wanted: list[Node] = []
    for variable in rule.places:
        tag = resources.tag(variable.key)
        if tag is None or variable.default is not None:
            wanted.append(tag is not None or isinstance(context.get(variable.key, variable.default), str))
        else:
            wanted.append(TagExists(tag))
    return all_of(wanted)


def _named(parts: tuple[variables.Part, ...], context: Values, resources: Resources) -> Node:
    """The resources that one pattern names."""
    if not any(resources.tag(variable.key) is not None for variable in variables.referred(parts)):
        tokens = variables.resolve(parts, context)
        return resources.arn(shapes.of_resource(tokens)) if tokens is not None else False
    stem = parts[:-1] if parts[-1] is ANY else parts
    made: list[str | TagText] = []
    for part in stem:
        if isinstance(part, Wildcard):
            return Unsaid("a pattern of a resource has a tag of the resource beside a wildcard")
        if isinstance(part, str):
            made.append(part)
        elif (tag := resources.tag(part.key)) is not None:
            made.append(TagText(tag, part.default))
        else:
            known = context.get(part.key, part.default)
            if not isinstance(known, str):
                return False
            made.append(known)
    return resources.arn_of_tags(tuple(made), open_end=stem is not parts)
