"""Access from within: what a user or role can do with one resource, by all layers of policies. Pure, and without the solver.

Each action is asked of `policy.decide` with what is known of the principal and the resource, and nothing that only a request would say.
Where that denies, every statement is weighed once more: what speaks of known keys alone is settled, what asks for something of the request
is open. If even the best outcome of what is open permits nothing, nothing is possible, and that is proved; else it is a `Case` for the
solver, whose request the evaluator confirms.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sekisho import arn, policy
from sekisho.policy.decide import applying, implied_context
from sekisho.policy.definitions import ServiceDefinition
from sekisho.policy.keys import Values
from sekisho.policy.layers import needs_resource_policy
from sekisho.policy.principals import DIRECT, LIMITED, NONE, OUTSIDERS, SESSIONS
from sekisho.policy.rules import Rule

_FIXED = frozenset(
    f"aws:{name}"
    for name in (
        *("principalarn", "principalaccount", "principaltype", "principalorgid", "principalorgpaths", "principalisawsservice"),
        *("username", "resourceaccount", "resourceorgid", "resourceorgpaths"),
    )
)
"""Keys that have one value, or none, in every request of a principal about a resource; tags beside them."""
_TAGS = ("aws:principaltag/", "aws:resourcetag/")
USER_ID = "aws:userid"

MOST_ACTIONS = 1_000
"""Actions that are asked about for one principal and one resource."""


class Outlook(enum.Enum):
    """The outlook of a request that the evaluator denies as it is: denied whatever else it says, or open."""

    NEVER = "never"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Case:
    """A request that is permitted or not by what it says beside: `fixed` are the keys that are known. All is text, to be sent."""

    principal: policy.Principal
    action: str
    resource: str
    owner: str
    fixed: Mapping[str, str | tuple[str, ...]]
    identity: tuple[str, ...]
    of_resource: str | None
    boundary: tuple[str, ...] | None
    scps: tuple[tuple[str, ...], ...] | None
    rcps: tuple[tuple[str, ...], ...] | None


def case_of(request: policy.Request, layers: policy.Layers) -> Case:
    """A request that is open, as a case."""
    applied = applying(request, layers)
    fixed = {key: value for key, value in implied_context(request).items() if is_fixed(key, request.action)}
    return Case(
        request.principal,
        request.action,
        request.resource,
        request.owner or request.principal.account,
        fixed,
        _texts(applied.identity),
        applied.resource.program.text if applied.resource is not None else None,
        _texts(applied.boundary) if applied.boundary is not None else None,
        tuple(map(_texts, applied.scps)) if applied.scps is not None else None,
        tuple(map(_texts, applied.rcps)) if applied.rcps is not None else None,
    )


def layers_of(case: Case) -> policy.Layers:
    """The layers of a case, compiled again."""
    return policy.Layers(
        _attached(case.identity),
        policy.Attached(policy.compiled(case.of_resource)) if case.of_resource is not None else None,
        _attached(case.boundary) if case.boundary is not None else None,
        None,
        tuple(map(_attached, case.scps)) if case.scps is not None else None,
        tuple(map(_attached, case.rcps)) if case.rcps is not None else None,
    )


def sessions(request: policy.Request, layers: policy.Layers) -> Iterator[policy.Request]:
    """The request, and for a session of a role the same of each session that the resource's policies name, and of one that none does.

    Whoever assumes a role chooses the name, and a Principal element may allow or deny one session alone.
    """
    principal = request.principal
    if principal.kind not in SESSIONS:
        yield request
        return
    start, _, own = principal.arn.rpartition("/")
    named = named_sessions(principal, applying(request, layers))
    unnamed = own
    while unnamed in named:
        unnamed += "-"
    for name in (unnamed, *named):
        said = {
            key: f"{value.rpartition(':')[0]}:{name}" for key, value in request.context.items() if key == USER_ID and isinstance(value, str)
        }
        yield replace(request, principal=replace(principal, arn=f"{start}/{name}"), context=policy.Context({**request.context, **said}))


def named_sessions(principal: policy.Principal, layers: policy.Layers) -> list[str]:
    """The names of a role's sessions that the resource's policies tell from its others, by a Principal element; of those that can be."""
    start = principal.arn.rpartition("/")[0]
    attached = [*(one for level in layers.rcps or () for one in level), *((layers.resource,) if layers.resource is not None else ())]
    elements = [rule.statement.principals for one in attached for rule in one.program.rules]
    listed = {name for element in elements if element is not None for name in element.aws}
    named = (name.rpartition("/")[2] for name in listed if name.rpartition("/")[0] == start)
    return sorted(filter(arn.is_session_name, named))


def _texts(group: Iterable[policy.Attached]) -> tuple[str, ...]:
    return tuple(one.program.text for one in group)


def _attached(texts: Iterable[str]) -> tuple[policy.Attached, ...]:
    return tuple(policy.Attached(policy.compiled(text)) for text in texts)


def is_fixed(key: str, action: str) -> bool:
    """Whether a condition key, in lower case, has one value in all requests of one principal about one resource."""
    return key in _FIXED or key.startswith(_TAGS) or key.startswith(f"{action.partition(':')[0].lower()}:resourcetag/")


def actions(layers: policy.Layers, resource: str, definition: ServiceDefinition | None) -> Iterator[tuple[str, str]]:
    """Actions that some Allow is about, as findings tell them, each with one that is asked about.

    Where the service is defined they are the actions of the resource's type. Elsewhere nobody knows which there are: they are those that
    Allows write, and of a pattern one action that it matches.
    """
    service = resource.split(":", 3)[2].lower()
    programs = [one.program for one in layers.identity]
    kind = definition.type_of(resource) if definition is not None else None
    if definition is not None and kind is not None:
        for action in definition.actions:
            told = f"{definition.name}:{action.name}"
            if kind.name in action.resources and _is_spoken_of(programs, layers.resource, told):
                yield told, told
        return
    found: dict[str, str] = {}
    for program, of_resource in [*((one, False) for one in programs), *(((layers.resource.program, True),) if layers.resource else ())]:
        for rule in program.rules:
            if not rule.deny and (rule.grantees is not None) is of_resource:
                found |= _written(rule, service)
    yield from found.items()


def _is_spoken_of(programs: Sequence[policy.Program], resource: policy.Attached | None, action: str) -> bool:
    if any((one.identity.get(action) or one.identity_bucket(action))[1] is not None for one in programs):
        return True
    return resource is not None and (resource.program.resource.get(action) or resource.program.resource_bucket(action))[1] is not None


def _written(rule: Rule, service: str) -> dict[str, str]:
    """The action patterns of a statement that are about a service, in its spelling, each with an action that it matches."""
    if rule.statement.not_action:
        spared = f"{service}:Any"
        return {"*": spared} if rule.covers_action(spared.lower()) else {}
    found = {}
    for pattern in rule.statement.actions:
        before, colon, name = pattern.partition(":")
        if not colon or "*" in before or "?" in before:
            before, name = service, name or "*"
        made = f"{before}:{name.replace('*', '' if name.strip('*') else 'Any').replace('?', 'x')}"
        if before.lower() == service and rule.covers_action(made.lower()):
            found[pattern] = made
    return found


def outlook(request: policy.Request, layers: policy.Layers) -> Outlook:
    """What is possible of a request that was denied, whatever else it says."""
    layers, context = applying(request, layers), implied_context(request)
    asked = _Weighed(request, context, bounded=layers.boundary is not None)
    identity = asked.best(layers.identity)
    worth = asked.worth(layers.resource)
    boundary = layers.boundary is None or asked.best(layers.boundary)
    levels = [asked.best(level) for level in layers.scps or ()]  # each, for the Denies in it
    for level in layers.rcps or ():
        for attached in level:
            asked.worth(attached)
    principal = request.principal
    same = principal.kind not in OUTSIDERS and (request.owner or principal.account) == principal.account
    if asked.is_denied or not all(levels):
        return Outlook.NEVER
    if worth == NONE and (not same or needs_resource_policy(request.action, request.resource)):
        return Outlook.NEVER
    if not identity and not (same and worth >= LIMITED):
        return Outlook.NEVER
    return Outlook.OPEN if boundary or (same and worth == DIRECT) else Outlook.NEVER


class _Weighed:
    """Statements about one request, settled or open."""

    def __init__(self, request: policy.Request, context: Values, *, bounded: bool) -> None:
        self._request, self._context, self._bounded = request, context, bounded
        self.is_denied = False

    def best(self, group: Iterable[policy.Attached]) -> bool:
        """Whether some Allow of policies of identities matches, or may."""
        found = False
        for attached in group:
            for rule in attached.program.about(self._request.action, of_resource=False):
                if rule.deny:
                    self.is_denied = self.is_denied or self._is_settled(rule)
                else:
                    found = found or self._may_match(rule)
        return found

    def worth(self, attached: policy.Attached | None) -> int:
        """The most that a resource's policy is worth to the principal, or may be."""
        found = NONE
        principal = self._request.principal
        for rule in attached.program.about(self._request.action, of_resource=True) if attached is not None else ():
            if rule.deny:
                if rule.grantees is None or rule.grantees.denies(principal, bounded=self._bounded):
                    self.is_denied = self.is_denied or self._is_settled(rule)
            elif rule.grantees is not None:
                worth = rule.grantees.grant(principal)
                if worth > found and self._may_match(rule):
                    found = worth
        return found

    def _is_settled(self, rule: Rule) -> bool:
        """Whether a statement matches, whatever a request says."""
        if not all(self._is_fixed(key) for key in rule.keys):
            return False
        return rule.covers_resource(self._request.resource, self._context) and (rule.test is None or rule.test(self._context))

    def _may_match(self, rule: Rule) -> bool:
        linked = any(not self._is_fixed(variable.key) for variable in rule.places)
        if not linked and not rule.covers_resource(self._request.resource, self._context):
            return False
        for key, _, made in rule.tests:
            known = self._is_fixed(key) and all(self._is_fixed(variable.key) for variable in made.referred)
            if known and not made.test(self._context):
                return False
        return True

    def _is_fixed(self, key: str) -> bool:
        return is_fixed(key, self._request.action)
