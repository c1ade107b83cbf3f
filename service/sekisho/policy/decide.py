"""The decision: an explicit Deny in any layer, then RCP, SCP, resource policy, identity policies, permissions boundary, session policies.

    outsiders (services, anonymous, federated)   the resource policy alone grants
    same account                                 resource policy or identity policies; what a resource policy's Allow is worth
                                                 depends on whom it names (`principals`)
    across accounts                              both
    role trust, KMS keys                         the resource policy must allow, in the same account too

`None` is a layer that does not limit; an empty one lets nothing through. RCPs only ever deny: the full-access one beside them cannot be
detached. Whatever layers are given apply, but for those that a kind of principal is exempt from (`_EXEMPT`); that the management account
and other accounts' principals are exempt is for the caller, who knows the organization, to say.

Without a `resource_account` the ARN's own account counts, and where the ARN has none, the principal's.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
"""

from dataclasses import replace
from typing import Any

from sekisho.policy import budget, evaluate, keys, reasons, weights
from sekisho.policy.budget import Budget, TooMuchWork
from sekisho.policy.compile import MAX_ACTION_LENGTH
from sekisho.policy.index import Side
from sekisho.policy.keys import Values
from sekisho.policy.layers import (
    ALLOWED,
    BOUNDARY,
    IDENTITY,
    IMPLICITLY_DENIED,
    RCP,
    SCP,
    SESSION,
    TRUST,
    Attached,
    Decision,
    Layer,
    Layers,
    Match,
    Place,
    Request,
    needs_resource_policy,
    resource_layer,
)
from sekisho.policy.principals import DIRECT, LIMITED, NONE, OUTSIDERS
from sekisho.policy.rules import Rule

Hit = tuple[Attached, Rule]


class _Denied(Exception):  # noqa: N818  # leaves the layers at once, as `StopIteration` leaves a loop
    """A Deny matches: the first that was found."""

    def __init__(self, match: Match) -> None:
        self.match = match


MAX_RESOURCE = budget.LARGEST_RESOURCE
MAX_POLICIES = 500  # AWS's quotas admit some 200, and inline policies of a few statements
MANY = 64  # policies; of more, light ones are weighed as well

_TYPES = {
    "root": "Account",
    "user": "User",
    "federated-user": "FederatedUser",
    "role": "AssumedRole",
    "assumed-role": "AssumedRole",
    "service-linked-role": "AssumedRole",
    "anonymous": "Anonymous",
}

_EXEMPT: dict[str, dict[str, Any]] = {  # kind of principal -> layers that do not apply to it, whatever is attached
    "root": {"boundary": None},
    # SCPs affect users, roles and root users of the organization's accounts, and no one else; RCPs affect whoever comes to its resources:
    # https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html, ..._rcps.html
    **{kind: {"scps": None} for kind in OUTSIDERS},
    "service-linked-role": {"scps": None, "rcps": None},
}


def decide(request: Request, layers: Layers) -> Decision:
    """Decide; never raises, and what cannot be decided is denied."""
    try:
        return _decide(request, layers)
    except Exception as error:
        return Decision(IMPLICITLY_DENIED, None, error=f"{type(error).__name__}: {error}"[:512])


def implied_context(request: Request) -> Values:
    """The request's context with what the request itself says of principal and resource, where the context does not."""
    context = request.context
    if "aws:principalarn" in context and "aws:principaltype" in context and "aws:principalaccount" in context:
        if "aws:resourceaccount" in context or not (owner := request.owner):
            return context
        return {**context, "aws:resourceaccount": owner}
    principal = request.principal
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
    if kind in _EXEMPT and any(getattr(layers, layer) is not None for layer in _EXEMPT[kind]):
        return replace(layers, **_EXEMPT[kind])
    if kind == "federated-user" and layers.session is None:
        # Without a session policy only a resource policy that names the session gives it anything:
        # https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
        return replace(layers, session=())
    return layers


def _decide(request: Request, layers: Layers) -> Decision:
    if request.action.lower() == "sts:getcalleridentity" and request.principal.kind != "anonymous":
        return Decision(ALLOWED, None)  # needs no permission and cannot be denied
    if len(request.resource) > MAX_RESOURCE or len(request.action) > MAX_ACTION_LENGTH or len(request.principal.arn) > MAX_RESOURCE:
        refuse_excess(request)
    keys.size(request.context)  # which refuses what is too large
    layers = applying(request, layers)
    context = implied_context(request)
    counted = Budget()
    count = _count(layers)
    if count > MANY:
        if count > MAX_POLICIES:
            raise TooMuchWork(f"{count} policies apply; at most {MAX_POLICIES} are allowed")
        counted.strict = True
    try:
        return _undenied(request, layers, context, counted)
    except _Denied as denied:
        return reasons.explicit(request, layers, context, denied.match, counted.for_reasons())


def refuse_excess(request: Request) -> None:
    """TooMuchWork or ValidationError for a request of which a part is longer than any may be."""
    for name, text, most in (
        ("resource", request.resource, MAX_RESOURCE),
        ("action", request.action, MAX_ACTION_LENGTH),
        ("ARN of the principal", request.principal.arn, MAX_RESOURCE),
    ):
        if len(text) > most:
            raise TooMuchWork(f"the {name} has {len(text)} characters; at most {most} are allowed")
    keys.size(request.context)


def _count(layers: Layers) -> int:
    """How many policies apply."""
    count = len(layers.identity) + len(layers.boundary or ()) + len(layers.session or ())
    if layers.scps:
        count += sum(map(len, layers.scps))
    if layers.rcps:
        count += sum(map(len, layers.rcps))
    return count


def _charge_light(deny: Side | None, allow: Side | None, request: Request, context: Values, counted: Budget) -> None:
    """Charge what does not count where there are few policies."""
    counted.spend(weights.POLICY)
    for side in (deny, allow):
        if side is not None:
            counted.charge(side[-1], request.resource, context)


def _undenied(request: Request, layers: Layers, context: Values, counted: Budget) -> Decision:
    """The decision where no Deny matches; _Denied where one does."""
    permitted = (layers.scps is None and layers.rcps is None) or _organization(request, layers, context, counted)
    worth, grant = NONE, None
    if layers.resource is not None:
        place = Place(resource_layer(request), 0, layers.resource)
        worth, grant = _of_resource(place, request, context, counted, bounded=layers.boundary is not None)
    identity = _of_identity(layers.identity, IDENTITY, request, context, counted)
    within_boundary = layers.boundary is None or _of_identity(layers.boundary, BOUNDARY, request, context, counted) is not None
    within_session = layers.session is None or _of_identity(layers.session, SESSION, request, context, counted) is not None

    principal = request.principal
    outsider = principal.kind in OUTSIDERS
    same = not outsider and principal.account != "" and (request.owner or principal.account) == principal.account
    asks_identity = not outsider and not (same and worth >= LIMITED)
    unlimited = same and worth == DIRECT
    denier: Layer | None = None
    if not permitted:
        denier = SCP
    elif principal.kind == "root" and request.action.lower() == "sts:assumerole":
        denier = TRUST  # root credentials cannot assume a role
    elif worth == NONE and (not same or needs_resource_policy(request.action, request.resource)):
        denier = resource_layer(request)
    elif asks_identity and identity is None:
        denier = IDENTITY
    elif not (unlimited or within_boundary):
        denier = BOUNDARY
    elif not (unlimited or within_session):
        denier = SESSION
    if denier is not None:
        missing = reasons.wanted(denier, request, layers, context, counted.for_reasons())
        return Decision(IMPLICITLY_DENIED, denier, (), missing)
    return _allowed(request, layers, grant, identity if asks_identity else None)


def _allowed(request: Request, layers: Layers, grant: Rule | None, identity: Hit | None) -> Decision:
    matched: tuple[Match, ...] = ()
    if grant is not None and layers.resource is not None:
        matched = (Match(resource_layer(request), 0, layers.resource, grant.statement),)
    if identity is not None:
        matched = (*matched, Match(IDENTITY, 0, identity[0], identity[1].statement))
    return Decision(ALLOWED, matched[-1][0], matched)


def _organization(request: Request, layers: Layers, context: Values, counted: Budget) -> bool:
    """Whether every level of SCPs allows; _Denied also where an RCP denies."""
    for i, level in enumerate(layers.rcps or ()):
        for attached in level:
            _of_resource(Place(RCP, i, attached), request, context, counted, bounded=layers.boundary is not None)
    permitted = True
    for i, level in enumerate(layers.scps or ()):
        if _of_identity(level, SCP, request, context, counted, i) is None:
            permitted = False
    return permitted


def _of_identity(
    group: tuple[Attached, ...], layer: Layer, request: Request, context: Values, counted: Budget, level: int = 0
) -> Hit | None:
    """An Allow of the group that matches; _Denied where a Deny does."""
    action, resource = request.action, request.resource
    hit: Hit | None = None
    for attached in group:
        program = attached.program
        deny, allow, heavy = program.identity.get(action) or program.identity_bucket(action)
        if heavy is not None:
            counted.charge(heavy, resource, context)
        elif counted.strict:
            _charge_light(deny, allow, request, context, counted)
        if deny is not None:
            rule = evaluate.first(deny, resource, context)
            if rule is not None:
                raise _Denied(Match(layer, level, attached, rule.statement))
        if hit is None and allow is not None:
            rule = evaluate.first(allow, resource, context)
            if rule is not None:
                hit = attached, rule
    return hit


def _of_resource(place: Place, request: Request, context: Values, counted: Budget, *, bounded: bool) -> tuple[int, Rule | None]:
    """What the policy of a resource is worth to the principal; _Denied where a Deny matches."""
    deny, allow, heavy = place.bucket(request.action)
    if heavy is not None:
        counted.charge(heavy, request.resource, context)
    elif counted.strict:
        _charge_light(deny, allow, request, context, counted)
    if deny is not None:
        for rule in evaluate.denying(deny, request.resource, context, request.principal, bounded=bounded):
            raise _Denied(Match(*place, rule.statement))
    return evaluate.granting(allow, request.resource, context, request.principal) if allow is not None else (NONE, None)
