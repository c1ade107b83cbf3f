"""The decision: an explicit Deny in any layer, then RCP, SCP, resource policy, identity policies, permissions boundary, session policies.

    outsiders (services, anonymous, federated)   the resource policy alone grants
    same account                                 resource policy or identity policies; what a resource policy's Allow is worth
                                                 depends on whom it names (`principals`)
    across accounts                              both
    role trust, KMS keys                         the resource policy must allow, in the same account too

`None` is a layer that does not limit; an empty one lets nothing through. RCPs only ever deny: the full-access one beside them cannot be
detached. Whatever layers are given apply, except that service-linked roles are exempt from SCPs and RCPs; that the management account is
exempt is for the caller, who knows the organization, to say.

Without a `resource_account` the ARN's own account counts, and where the ARN has none, the principal's.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace

from sekisho.policy import evaluate, keys
from sekisho.policy.keys import Values
from sekisho.policy.layers import (
    Attached,
    Decision,
    Layer,
    Layers,
    Match,
    Outcome,
    Place,
    Request,
    needs_resource_policy,
    places,
    resource_layer,
)
from sekisho.policy.principals import DIRECT, LIMITED, NONE, OUTSIDERS
from sekisho.policy.rules import Rule

Hit = tuple[Attached, Rule]


class _Denied(Exception):  # noqa: N818  # leaves the layers at once, as `StopIteration` leaves a loop
    """A Deny matches."""


MAX_RESOURCE = 8192  # characters; AWS's ARNs have at most 2,048

_MAX_EXAMINED = 64  # rules of a policy that are asked whether they lack a certain key

_TYPES = {
    "root": "Account",
    "user": "User",
    "federated-user": "FederatedUser",
    "role": "AssumedRole",
    "assumed-role": "AssumedRole",
    "service-linked-role": "AssumedRole",
    "anonymous": "Anonymous",
}


def decide(request: Request, layers: Layers) -> Decision:
    """Decide; never raises, and what cannot be decided is denied."""
    try:
        return _decide(request, layers)
    except Exception as error:
        return Decision(Outcome.IMPLICITLY_DENIED, None, error=f"{type(error).__name__}: {error}"[:512])


def implied_context(request: Request) -> Values:
    """The request's context with what the request itself says of principal and resource, where the context does not."""
    context, principal = request.context, request.principal
    if "aws:principalarn" in context and "aws:principaltype" in context and "aws:principalaccount" in context:
        if "aws:resourceaccount" in context or not (owner := request.owner):
            return context
        return {**context, "aws:resourceaccount": owner}
    implied = {
        "aws:principalarn": "" if principal.kind in OUTSIDERS else principal.entity_arn,
        "aws:principalaccount": "anonymous" if principal.kind == "anonymous" else principal.account,
        "aws:principaltype": _TYPES.get(principal.kind, ""),
        "aws:resourceaccount": request.owner,
    }
    return {**{key: value for key, value in implied.items() if value}, **context}


def applying(request: Request, layers: Layers) -> Layers:
    """The layers as they apply to the kind of principal."""
    kind = request.principal.kind
    if kind == "root" and layers.boundary is not None:
        return replace(layers, boundary=None)
    if kind == "federated-user" and layers.session is None:
        # Without a session policy only a resource policy that names the session gives it anything:
        # https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
        return replace(layers, session=())
    return layers


def _decide(request: Request, layers: Layers) -> Decision:
    if request.action.lower() == "sts:getcalleridentity" and request.principal.kind != "anonymous":
        return Decision(Outcome.ALLOWED, None)  # needs no permission and cannot be denied
    if len(request.resource) > MAX_RESOURCE:
        raise evaluate.TooMuchWork(f"the resource has {len(request.resource)} characters; at most {MAX_RESOURCE} are allowed")
    layers = applying(request, layers)
    context = implied_context(request)
    try:
        return _undenied(request, layers, context)
    except _Denied:
        return _explicit(request, layers, context)


def _undenied(request: Request, layers: Layers, context: Values) -> Decision:
    """The decision where no Deny matches; _Denied where one does."""
    permitted = _organization(request, layers, context)
    worth, grant = NONE, None
    if layers.resource is not None:
        worth, grant = _of_resource(layers.resource, request, layers, context)
    identity = _of_identity(layers.identity, request, layers, context)
    within_boundary = layers.boundary is None or _of_identity(layers.boundary, request, layers, context) is not None
    within_session = layers.session is None or _of_identity(layers.session, request, layers, context) is not None

    principal = request.principal
    outsider = principal.kind in OUTSIDERS
    same = not outsider and principal.account != "" and (request.owner or principal.account) == principal.account
    asks_identity = not outsider and not (same and worth >= LIMITED)
    unlimited = same and worth == DIRECT
    denier: Layer | None = None
    if not permitted:
        denier = Layer.SCP
    elif principal.kind == "root" and request.action.lower() == "sts:assumerole":
        denier = Layer.TRUST  # root credentials cannot assume a role
    elif worth == NONE and (not same or needs_resource_policy(request.action, request.resource)):
        denier = resource_layer(request)
    elif asks_identity and identity is None:
        denier = Layer.IDENTITY
    elif not (unlimited or within_boundary):
        denier = Layer.BOUNDARY
    elif not (unlimited or within_session):
        denier = Layer.SESSION
    if denier is not None:
        return Decision(Outcome.IMPLICITLY_DENIED, denier, (), _wanted(denier, request, layers, context))
    return _allowed(request, layers, grant, identity if asks_identity else None)


def _allowed(request: Request, layers: Layers, grant: Rule | None, identity: Hit | None) -> Decision:
    matched: tuple[Match, ...] = ()
    if grant is not None and layers.resource is not None:
        matched = (Match(resource_layer(request), 0, layers.resource, grant.statement),)
    if identity is not None:
        matched = (*matched, Match(Layer.IDENTITY, 0, identity[0], identity[1].statement))
    return Decision(Outcome.ALLOWED, matched[-1].layer, matched)


def _organization(request: Request, layers: Layers, context: Values) -> bool:
    """Whether every level of SCPs allows; _Denied also where an RCP denies."""
    if request.principal.kind == "service-linked-role":
        return True
    for level in layers.rcps or ():
        for attached in level:
            _of_resource(attached, request, layers, context)
    permitted = True
    for level in layers.scps or ():
        if _of_identity(level, request, layers, context) is None:
            permitted = False
    return permitted


def _of_identity(group: tuple[Attached, ...], request: Request, layers: Layers, context: Values) -> Hit | None:
    """An Allow of the group that matches; _Denied where a Deny does."""
    action, resource = request.action, request.resource
    hit: Hit | None = None
    for attached in group:
        program = attached.program
        deny, allow, heavy = program.identity.get(action) or program.identity_bucket(action)
        if heavy is not None:
            _afford(request, layers, context)
        if deny is not None and evaluate.first(deny, resource, context) is not None:
            raise _Denied
        if hit is None and allow is not None:
            rule = evaluate.first(allow, resource, context)
            if rule is not None:
                hit = attached, rule
    return hit


def _of_resource(attached: Attached, request: Request, layers: Layers, context: Values) -> tuple[int, Rule | None]:
    """What the policy of a resource is worth to the principal; _Denied where a Deny matches."""
    program = attached.program
    deny, allow, heavy = program.resource.get(request.action) or program.resource_bucket(request.action)
    if heavy is not None:
        _afford(request, layers, context)
    if deny is not None:
        for _ in evaluate.denying(deny, request.resource, context, request.principal, bounded=layers.boundary is not None):
            raise _Denied
    return evaluate.granting(allow, request.resource, context, request.principal) if allow is not None else (NONE, None)


def _afford(request: Request, layers: Layers, context: Values) -> None:
    needed = sum(evaluate.steps(place.bucket(request.action), request.resource, context) for place in places(request, layers))
    if needed > evaluate.MAX_STEPS:
        raise evaluate.TooMuchWork(f"the policies could take {needed} steps for this request; at most {evaluate.MAX_STEPS} are allowed")


def _explicit(request: Request, layers: Layers, context: Values) -> Decision:
    found = [(place, rule) for place in places(request, layers) for rule in denials(place, request, layers, context)]
    matched = tuple(Match(place.layer, place.level, place.attached, rule.statement) for place, rule in found)
    missing = dict.fromkeys(key for _, rule in found for key in lacking(rule, context))
    return Decision(Outcome.EXPLICITLY_DENIED, matched[0].layer, matched, tuple(missing))


def _wanted(denier: Layer, request: Request, layers: Layers, context: Values) -> tuple[str, ...]:
    """The keys that Allows of the denying layer asked for in vain."""
    wanted: dict[str, None] = {}
    for place in withholding(denier, request, layers, context):
        side = place.bucket(request.action)[1]
        for key, rules in side[4].items() if side is not None else ():
            if key not in context:
                asking = (rule for rule in rules[:_MAX_EXAMINED] if _concerns(rule, place, request, context))
                names = (name for rule in asking for name in lacking(rule, context) if name.lower() == key)
                wanted.update(dict.fromkeys(itertools.islice(names, 1)))
    return tuple(wanted)


def _concerns(rule: Rule, place: Place, request: Request, context: Values) -> bool:
    """Whether an Allow is about the resource, as far as its variables have values, and about the principal."""
    about = rule.covers_resource(request.resource, context) or (rule.guard is not None and not rule.guard(context))
    return about and (not place.of_resource or (rule.grantees is not None and rule.grantees.grant(request.principal) > NONE))


def denials(place: Place, request: Request, layers: Layers, context: Values) -> Iterator[Rule]:
    """The Denies at one place that match."""
    deny = place.bucket(request.action)[0]
    if deny is None:
        return iter(())
    if place.of_resource:
        return evaluate.denying(deny, request.resource, context, request.principal, bounded=layers.boundary is not None)
    return evaluate.matching(deny, request.resource, context)


def withholding(denier: Layer, request: Request, layers: Layers, context: Values) -> Iterator[Place]:
    """The policies of the layer that denied; of SCPs those at levels that let nothing through."""
    for place in places(request, layers):
        if place.layer is not denier:
            continue
        level = layers.scps[place.level] if denier is Layer.SCP and layers.scps is not None else ()
        if not level or _of_identity(level, request, layers, context) is None:
            yield place


def nearly(place: Place, request: Request, context: Values) -> Iterator[Rule]:
    """The Allows at one place that fail by their conditions alone."""
    allow = place.bucket(request.action)[1]
    for rule in evaluate.covering(allow, request.resource, context) if allow is not None else ():
        if rule.test is not None and not rule.test(context) and _concerns(rule, place, request, context):
            yield rule


def lacking(rule: Rule, context: Values) -> Iterator[str]:
    """The keys, in their documented spelling, that the request lacks and on which the rule's outcome hung."""
    for variable in rule.referred:
        if variable.default is None and variable.key not in context:
            yield keys.canonical(variable.key)
    for condition, test in rule.tests:
        if condition.key.lower() not in context and test(context) is rule.deny:
            yield keys.canonical(condition.key)
