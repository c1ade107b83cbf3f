"""Words for a decision: AWS's sentence, a short answer for a terminal, and a trace of every statement: what was wanted, what was there.

Source of the sentences: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from sekisho.policy import conditions, keys, operators, variables
from sekisho.policy.budget import MAX_EXPLAINED, Budget, TooMuchWork
from sekisho.policy.decide import applying, implied_context
from sekisho.policy.document import VERSION, Condition
from sekisho.policy.keys import Values
from sekisho.policy.layers import Decision, Layer, Layers, Match, Outcome, Place, Request, places
from sekisho.policy.principals import ACCOUNT, DIRECT, LIMITED, NONE
from sekisho.policy.reasons import lacking, nearly, unresolved, withholding
from sekisho.policy.rules import Rule
from sekisho.policy.variables import Variable

MAX_STATEMENTS = 2000  # of one trace
MAX_ADVICE = 16  # lines of what_would_allow
MAX_VALUES = 64  # listed values of one condition
HIDDEN = "(not shown)"
"""What explanations say in the place of a value that they may not tell."""

_NOUNS: Mapping[Layer, tuple[str, str]] = {  # after "because no", and after "with an explicit deny in"
    Layer.RCP: ("resource control policy", "a resource control policy"),
    Layer.SCP: ("service control policy", "a service control policy"),
    Layer.RESOURCE: ("resource-based policy", "a resource-based policy"),
    Layer.TRUST: ("role trust policy", "the role trust policy"),
    Layer.IDENTITY: ("identity-based policy", "an identity-based policy"),
    Layer.BOUNDARY: ("permissions boundary", "a permissions boundary"),
    Layer.SESSION: ("session policy", "a session policy"),
}
_GRANTS = {NONE: "none", ACCOUNT: "account", LIMITED: "limited", DIRECT: "direct"}


def sentence(request: Request, decision: Decision) -> str:
    """AWS's AccessDenied sentence, without a reason where no layer is one; of an allowed request it says that it is authorized."""
    subject = request.principal.arn or request.principal.provider or "anonymous"
    allowed = "" if decision.allowed else "not "
    stem = f"User: {subject} is {allowed}authorized to perform: {request.action} on resource: {request.resource}"
    if decision.allowed or decision.layer is None:
        return stem
    kind, with_article = _NOUNS[decision.layer]
    if decision.outcome is Outcome.EXPLICITLY_DENIED:
        return f"{stem} with an explicit deny in {with_article}"
    return f"{stem} because no {kind} allows the {request.action} action"


def short(request: Request, layers: Layers, decision: Decision, *, hidden: Collection[str] = ()) -> str:
    """A few lines for a terminal: the decision, the statements that made it, what was missing and what would change it. Of the `hidden`
    keys, which are in lower case, no value is told.
    """
    verdict = {
        Outcome.ALLOWED: "allowed",
        Outcome.IMPLICITLY_DENIED: "denied, because nothing allows it",
        Outcome.EXPLICITLY_DENIED: "denied explicitly",
    }[decision.outcome]
    if decision.error:
        verdict = f"denied, because it could not be decided: {decision.error}"
    subject = request.principal.arn or request.principal.provider or "anonymous"
    lines = [f"{subject} {request.action} {request.resource}: {verdict}"]
    lines += [f"  {match.statement.effect} {_match_name(match)}" for match in decision.matched]
    if decision.missing_keys:
        lines.append(f"  not in the request: {', '.join(decision.missing_keys)}")
    lines += [f"  {advice}" for advice in what_would_allow(request, layers, decision, hidden=hidden)]
    return "\n".join(lines)


def trace(
    request: Request,
    layers: Layers,
    decision: Decision,
    *,
    proceed: Callable[[], object] = lambda: None,
    hidden: Collection[str] = (),
) -> dict[str, Any]:
    """Everything that was asked and how it came out, as JSON values: layers in order, in each its policies, in each its statements.

    `proceed` is called before each policy and each statement, and may raise to end it. Of the `hidden` keys, which are in lower case, no
    value is told.
    """
    traced: dict[str, Any] = {
        "decision": decision.outcome.value,
        "layer": decision.layer.value if decision.layer is not None else None,
        "sentence": sentence(request, decision),
        "matched": [
            {"layer": match.layer.value, "level": match.level, **_policy_name(match), **_statement_name(match)}
            for match in decision.matched
        ],
        "missing_keys": list(decision.missing_keys),
        "what_would_allow": what_would_allow(request, layers, decision, hidden=hidden),
        "layers": [],
        "truncated": False,
    }
    if decision.error:
        traced["error"] = decision.error
        return traced
    layers = applying(request, layers)
    context = implied_context(request)
    told = _told(context, hidden)
    left = MAX_STATEMENTS
    counted = _budget()
    for place in places(request, layers):
        rules = place.attached.program.rules
        proceed()
        statements = []
        for statement in itertools.islice(_statements(rules, place, request, layers, context, told, counted), left):
            proceed()
            statements.append(statement)
        traced["truncated"] = traced["truncated"] or len(rules) > len(statements)
        left -= len(statements)
        if not traced["layers"] or traced["layers"][-1]["layer"] != place.layer.value or traced["layers"][-1]["level"] != place.level:
            traced["layers"].append({"layer": place.layer.value, "level": place.level, "policies": []})
        traced["layers"][-1]["policies"].append({**_policy_name(place), "statements": statements})
    return traced


def what_would_allow(request: Request, layers: Layers, decision: Decision, *, hidden: Collection[str] = ()) -> list[str]:
    """What stands between the request and an allow, at the layer that denied: `needs aws:MultiFactorAuthPresent = true (…)`."""
    if decision.allowed or decision.error or decision.layer is None:
        return []
    layers = applying(request, layers)
    context = implied_context(request)
    if decision.outcome is Outcome.EXPLICITLY_DENIED:
        return [_escape(match, _told(context, hidden)) for match in decision.matched][:MAX_ADVICE]
    if decision.layer is Layer.TRUST and request.principal.kind == "root":
        return ["root credentials cannot assume a role"]
    close = itertools.islice(_close(decision.layer, request, layers, context, _told(context, hidden)), MAX_ADVICE)
    level = "" if decision.layer is not Layer.SCP else " at every level of the organization"
    nothing = f"no {_NOUNS[decision.layer][0]} allows {request.action} on {request.resource}{level}"
    return list(close) or [nothing]


def _told(context: Values, hidden: Collection[str]) -> Values:
    """The context of which explanations tell values; what is decided is decided by the other."""
    return {**context, **{key: HIDDEN for key in hidden if key in context}} if hidden else context


def _budget() -> Budget:
    counted = Budget()
    counted.left, counted.strict = MAX_EXPLAINED, True
    return counted


def _close(denier: Layer, request: Request, layers: Layers, context: Values, told: Values) -> Iterator[str]:
    """What Allows need that are about the request, as far as finding them can be afforded."""
    counted = _budget()
    try:
        for place in withholding(denier, request, layers, context, counted):
            for rule in nearly(place, request, context, counted):
                yield f"needs {' and '.join(dict.fromkeys(_unmet(rule, place, request, context, told)))} ({_rule_name(rule, place)})"
    except TooMuchWork:
        return


def _statements(
    rules: Sequence[Rule], place: Place, request: Request, layers: Layers, context: Values, told: Values, counted: Budget
) -> Iterator[dict[str, Any]]:
    """The traces of a policy's statements, as far as they can be afforded."""
    try:
        for rule in rules:
            counted.charge(rule.about, request.resource, context)
            yield _statement(rule, place, request, layers, context, told)
    except TooMuchWork:
        return


def _statement(rule: Rule, place: Place, request: Request, layers: Layers, context: Values, told: Values) -> dict[str, Any]:
    action = rule.covers_action(request.action.lower())
    resource = rule.covers_resource(request.resource, context)
    principal, grant = _principal(rule, place, request, layers)
    nameless = [] if resource else unresolved(rule, request.resource, context)
    nameless += [variable for made in rule.conditions if not made.test(context) for variable in _valueless(made, context)]
    dynamic = place.attached.program.policy.version == VERSION
    traced = [_condition(condition, told, met=made.test(context), dynamic=dynamic) for _, condition, made in rule.tests]
    met = rule.test is None or rule.test(context)
    why = [
        *([] if action else ["the action is not covered"]),
        *([] if resource else ["the resource is not covered"]),
        *([] if principal else ["the principal is not named"]),
        *(f"variable {name} has no single value" for name in dict.fromkeys(keys.canonical(variable.key) for variable in nameless)),
        *(
            f"not {_phrase(condition, row['wanted'], met=True)}"
            for (_, condition, _), row in zip(rule.tests, traced, strict=True)
            if not row["met"]
        ),
    ]
    return {
        "index": rule.statement.index,
        "sid": rule.statement.sid,
        "line": rule.statement.line,
        "effect": rule.statement.effect,
        "matched": action and resource and principal and met,
        "action": action,
        "resource": resource,
        "principal": principal,
        **({"grant": grant} if grant else {}),
        "conditions": traced,
        "missing_keys": list(dict.fromkeys(lacking(rule, request.resource, context))),
        "why_not": why,
    }


def _principal(rule: Rule, place: Place, request: Request, layers: Layers) -> tuple[bool, str]:
    """Whether the statement means the principal, and what an Allow of a resource is worth to it."""
    if not place.of_resource:
        return rule.deny or (rule.grantees is None and rule.statement.resources is not None), ""
    if rule.grantees is None:
        return rule.deny, ""
    if rule.deny:
        return rule.grantees.denies(request.principal, bounded=layers.boundary is not None), ""
    worth = rule.grantees.grant(request.principal)
    return worth > NONE, _GRANTS[worth]


def _condition(condition: Condition, told: Values, *, met: bool, dynamic: bool) -> dict[str, Any]:
    actual = told.get(condition.key.lower())
    return {
        "operator": condition.operator,
        "key": condition.key,
        "wanted": _listed(condition, told, dynamic=dynamic),
        "actual": None if actual is None else [actual] if isinstance(actual, str) else list(actual[:MAX_VALUES]),
        "met": met,
    }


def _listed(condition: Condition, told: Values, *, dynamic: bool) -> list[str]:
    """The listed values, with the values of variables put in where they have some."""
    form, values = operators.form(condition.operator), condition.values[:MAX_VALUES]
    if not dynamic or form is None or not form.type.variables:
        return list(values)
    return [variables.join(variables.parse(value, variables=True, wildcards=False), told) or value for value in values]


def _unmet(rule: Rule, place: Place, request: Request, context: Values, told: Values) -> Iterator[str]:
    dynamic = place.attached.program.policy.version == VERSION
    for variable in unresolved(rule, request.resource, context):
        yield f"a single value of {keys.canonical(variable.key)}"
    for _, condition, made in rule.tests:
        if not made.test(context):
            for variable in _valueless(made, context):
                yield f"a single value of {keys.canonical(variable.key)}"
            yield _phrase(condition, _listed(condition, told, dynamic=dynamic), met=True)


def _valueless(made: conditions.Compiled, context: Values) -> list[Variable]:
    """The variables of a condition that have no value."""
    return [variable for variable in made.referred if variables.resolve((variable,), context) is None]


def _phrase(condition: Condition, values: list[str], *, met: bool) -> str:
    """A condition in words: how it is met, or how it is not."""
    form, name = operators.form(condition.operator), keys.canonical(condition.key)
    if form is None:
        return f"another operator than `{condition.operator}`, which does not exist"
    if form.row is None:
        absent = any(value.lower() == "true" for value in condition.values) is met
        return f"no {name}" if absent else f"some {name}"
    scope = {operators.FOR_ALL: "every ", operators.FOR_ANY: "some ", "": ""}[form.quantifier]
    if not met and scope:
        scope = "some " if form.quantifier == operators.FOR_ALL else "every "
    listed = " or ".join(values) or "nothing"
    return f"{scope}{name} {form.row.met if met else form.row.unmet} {listed}"


def _escape(match: Match, told: Values) -> str:
    """How a Deny would not match."""
    dynamic = match.attached.program.policy.version == VERSION
    ways = " or ".join(_phrase(condition, _listed(condition, told, dynamic=dynamic), met=False) for condition in match.statement.conditions)
    name = _match_name(match)
    return f"denied unless {ways} ({name})" if ways else f"denied whatever the conditions ({name})"


def _match_name(match: Match) -> str:
    return _name(match.statement.sid, match.statement.index, match)


def _rule_name(rule: Rule, place: Place) -> str:
    return _name(rule.statement.sid, rule.statement.index, place)


def _name(sid: str | None, index: int, place: Match | Place) -> str:
    attached = place.attached
    policy = " ".join(filter(None, (attached.arn or attached.name, attached.version)))
    statement = f"statement `{sid}`" if sid else f"statement {index + 1}"
    return " ".join(filter(None, (statement, f"of the {_NOUNS[place.layer][0]}", policy)))


def _policy_name(place: Match | Place) -> dict[str, str]:
    return {"arn": place.attached.arn, "name": place.attached.name, "version": place.attached.version}


def _statement_name(match: Match) -> dict[str, Any]:
    statement = match.statement
    return {"index": statement.index, "sid": statement.sid, "line": statement.line, "effect": statement.effect}
