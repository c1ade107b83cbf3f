"""The reasons of a decision: every Deny that matched, the keys that the request lacked, the Allows that nearly matched.

They change no outcome, and are left out where finding them would take too long.
"""

from collections.abc import Iterator, Mapping

from sekisho.policy import evaluate, keys, variables, weights
from sekisho.policy.budget import Budget, TooMuchWork
from sekisho.policy.conditions import Compiled
from sekisho.policy.document import Condition
from sekisho.policy.keys import Values
from sekisho.policy.layers import (
    BOUNDARY,
    EXPLICITLY_DENIED,
    IDENTITY,
    RESOURCE,
    SCP,
    TRUST,
    Decision,
    Layer,
    Layers,
    Match,
    Place,
    Request,
    places,
    resource_layer,
)
from sekisho.policy.principals import NONE
from sekisho.policy.rules import Rule
from sekisho.policy.variables import Variable

_MAX_EXAMINED = 64  # rules of a policy that are asked whether they lack a certain key


def explicit(request: Request, layers: Layers, context: Values, first: Match, counted: Budget) -> Decision:
    """The decision with all Denies that match and the keys that they lacked, as far as these can be afforded."""
    matched: list[Match] = []
    missing: dict[str, None] = {}
    try:
        for place in places(request, layers):
            if not matched and place.attached is not first.attached:
                continue  # nothing before the first matched
            if counted.strict:
                counted.spend(weights.POLICY)
            for rule in denials(place, request, layers, context, counted):
                if rule.places:
                    counted.charge(rule.about, request.resource, context)
                else:
                    counted.spend(rule.told)
                matched.append(Match(*place, rule.statement))
                missing.update(dict.fromkeys(lacking(rule, request.resource, context)))
    except TooMuchWork:
        matched = matched or [first]
    return Decision(EXPLICITLY_DENIED, first.layer, tuple(matched), tuple(missing))


def wanted(denier: Layer, request: Request, layers: Layers, context: Values, counted: Budget) -> tuple[str, ...]:
    """The keys that Allows of the denying layer asked for in vain, as far as finding them can be afforded."""
    found: dict[str, None] = {}
    try:
        for place in withholding(denier, request, layers, context, counted):
            if counted.strict:
                counted.spend(weights.POLICY)
            allow = place.bucket(request.action)[1]
            if allow is not None:
                _add_wanted(allow[4], place, request, context, counted, found)
    except TooMuchWork:
        pass
    return tuple(found)


def _add_wanted(
    asked: Mapping[str, tuple[Rule, ...]],
    place: Place,
    request: Request,
    context: Values,
    counted: Budget,
    found: dict[str, None],
) -> None:
    """Add the keys that one policy's Allows asked for, each as the first of the rules spells it that lacked it."""
    known: dict[Rule, dict[str, str]] = {}  # what a rule lacked, by the key in lower case
    for key, rules in asked.items():
        counted.spend(weights.LOOKED + weights.LOOKED * len(rules[:_MAX_EXAMINED]))
        if key in context:
            continue
        for rule in rules[:_MAX_EXAMINED]:
            names = known.get(rule)
            if names is None:
                counted.charge(rule.about, request.resource, context)
                lacked = lacking(rule, request.resource, context) if _concerns(rule, place, request, context) else ()
                names = known[rule] = {}
                for name in lacked:
                    names.setdefault(name.lower(), name)
            if key in names:
                found[names[key]] = None
                break


def _concerns(rule: Rule, place: Place, request: Request, context: Values) -> bool:
    """Whether an Allow is about the resource, as far as its variables have values, and about the principal."""
    about = rule.covers_resource(request.resource, context) or rule.is_open(context)
    return about and (not place.of_resource or (rule.grantees is not None and rule.grantees.grant(request.principal) > NONE))


def denials(place: Place, request: Request, layers: Layers, context: Values, counted: Budget) -> Iterator[Rule]:
    """The Denies at one place that match."""
    deny, _, heavy = place.bucket(request.action)
    if deny is None:
        return iter(())
    if heavy is not None or counted.strict:
        counted.charge(deny[-1], request.resource, context)
    if place.of_resource:
        return evaluate.denying(deny, request.resource, context, request.principal, bounded=layers.boundary is not None)
    return evaluate.matching(deny, request.resource, context)


def withholding(denier: Layer, request: Request, layers: Layers, context: Values, counted: Budget) -> Iterator[Place]:
    """The policies of the layer that denied; of SCPs those at levels that let nothing through."""
    if denier is SCP:
        yield from _silent_levels(request, layers, context, counted)
    elif denier is RESOURCE or denier is TRUST:
        if layers.resource is not None and resource_layer(request) is denier:
            yield Place(denier, 0, layers.resource)
    else:
        group = layers.identity if denier is IDENTITY else layers.boundary if denier is BOUNDARY else layers.session
        for attached in group or ():
            yield Place(denier, 0, attached)


def _silent_levels(request: Request, layers: Layers, context: Values, counted: Budget) -> Iterator[Place]:
    """The SCPs of levels that let nothing through."""
    for i, level in enumerate(layers.scps or ()):
        here = [Place(SCP, i, attached) for attached in level]
        if not any(_allows(place, request, context, counted) for place in here):
            yield from here


def _allows(place: Place, request: Request, context: Values, counted: Budget) -> bool:
    """Whether an Allow at one place matches."""
    _, allow, heavy = place.bucket(request.action)
    if counted.strict:
        counted.spend(weights.POLICY)
    if allow is None:
        return False
    if heavy is not None or counted.strict:
        counted.charge(allow[-1], request.resource, context)
    return evaluate.first(allow, request.resource, context) is not None


def nearly(place: Place, request: Request, context: Values, counted: Budget) -> Iterator[Rule]:
    """The Allows at one place that fail by their conditions alone, or for want of a variable's value."""
    allow = place.bucket(request.action)[1]
    if allow is None:
        return
    counted.charge(allow[-1], request.resource, context)
    for rule in evaluate.covering(allow, request.resource, context):
        counted.charge(rule.about, request.resource, context)
        met = rule.covers_resource(request.resource, context) and (rule.test is None or rule.test(context))
        if not met and _concerns(rule, place, request, context):
            yield rule


def lacking(rule: Rule, resource: str, context: Values) -> Iterator[str]:
    """The keys, in their documented spelling, that the request lacks and on which the rule's outcome hung."""
    if rule.places:
        for variable in unresolved(rule, resource, context):
            if variable.key not in context:
                yield keys.canonical(variable.key)
    for key, condition, made in rule.tests:
        if made.referred:
            if (absent := _absent(key, condition, made, context)) and made.test(context) is rule.deny:
                yield from map(keys.canonical, absent)
        elif key not in context and made.test(context) is rule.deny:
            yield keys.canonical(condition.key)


def _absent(key: str, condition: Condition, made: Compiled, context: Values) -> list[str]:
    """What a request lacks of the keys that a condition with variables asks for."""
    absent = [variable.key for variable in made.referred if variable.default is None and variable.key not in context]
    return absent if key in context else [*absent, condition.key]


def unresolved(rule: Rule, resource: str, context: Values) -> list[Variable]:
    """The variables without a value that decided whether the rule is about the resource."""
    absent = [variable for variable in rule.places if variables.resolve((variable,), context) is None]
    spared = rule.deny and rule.statement.not_resource  # the other way round: what names such a variable spares nothing
    return absent if absent and rule.covers_resource(resource, context) is spared else []
