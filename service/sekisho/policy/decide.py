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

import enum
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from sekisho import arn
from sekisho.policy import evaluate, keys
from sekisho.policy.compile import Bucket, Program, Rule
from sekisho.policy.document import Statement
from sekisho.policy.keys import Values
from sekisho.policy.principals import DIRECT, LIMITED, NONE, OUTSIDERS, Principal


class Layer(enum.StrEnum):
    """The kinds of policies, in the order in which they are asked."""

    RCP = "rcp"
    SCP = "scp"
    RESOURCE = "resource"
    TRUST = "trust"  # the resource policy of a role
    IDENTITY = "identity"
    BOUNDARY = "boundary"
    SESSION = "session"


class Outcome(enum.Enum):
    """What a decision comes to."""

    ALLOWED = "Allowed"
    IMPLICITLY_DENIED = "ImplicitlyDenied"
    EXPLICITLY_DENIED = "ExplicitlyDenied"


@dataclass(frozen=True, slots=True)
class Attached:
    """A program where it is attached: a managed policy's ARN and version, or an inline policy's name."""

    program: Program
    arn: str = ""
    version: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """May this principal do this action on this resource, now?"""

    principal: Principal
    action: str
    resource: str
    resource_account: str | None
    context: Values


@dataclass(frozen=True, slots=True)
class Layers:
    """The policies that decide. SCPs and RCPs are by level, the root of the organization first."""

    identity: tuple[Attached, ...] = ()
    resource: Attached | None = None
    boundary: tuple[Attached, ...] | None = None
    session: tuple[Attached, ...] | None = None
    scps: tuple[tuple[Attached, ...], ...] | None = None
    rcps: tuple[tuple[Attached, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A statement that determined a decision, and where it stands; `level` is that of an SCP or RCP, 0 elsewhere."""

    layer: Layer
    level: int
    attached: Attached
    statement: Statement


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome and its reasons.

    `layer` denied or granted. `matched` are all Denies that matched, or an Allow of each layer that granted. `missing_keys` are condition
    keys that the request lacked and that statements of the denying layer asked for. `error` says why nothing could be decided.
    """

    outcome: Outcome
    layer: Layer | None
    matched: tuple[Match, ...] = ()
    missing_keys: tuple[str, ...] = ()
    error: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the principal may."""
        return self.outcome is Outcome.ALLOWED


Hit = tuple[Attached, Rule]
Place = tuple[Layer, int, Attached]

_DENIED: Final = "denied"
_MAX_EXAMINED = 256  # rules of a layer that are searched for missing keys

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
        if "aws:resourceaccount" in context or not (owner := _owner(request)):
            return context
        return {**context, "aws:resourceaccount": owner}
    implied: dict[str, keys.Value] = {}
    if principal.kind not in OUTSIDERS:
        implied["aws:principalarn"] = principal.entity_arn
    account = "anonymous" if principal.kind == "anonymous" else principal.account
    for key, value in (
        ("aws:principalaccount", account),
        ("aws:principaltype", _TYPES.get(principal.kind, "")),
        ("aws:resourceaccount", _owner(request)),
    ):
        if value:
            implied[key] = value
    return {**implied, **context}


def needs_resource_policy(action: str, resource: str) -> bool:
    """Whether the policy of the resource must allow, also within the account: trust policies of roles, key policies of KMS keys."""
    lowered = action.lower()
    if lowered.startswith("sts:"):
        return lowered.startswith("sts:assumerole") or is_trust(action, resource)
    return lowered.startswith("kms:") and ":kms:" in resource and resource.split(":", 5)[-1].startswith("key/")


def is_trust(action: str, resource: str) -> bool:
    """Whether the resource policy that an action asks is a role's trust policy."""
    return action[:4].lower() == "sts:" and ":iam:" in resource and resource.split(":", 5)[-1].startswith("role/")


def _owner(request: Request) -> str:
    return request.resource_account or arn.account_of(request.resource)


_SHAPED = {
    "root": lambda layers: layers if layers.boundary is None else replace(layers, boundary=None),  # no boundary applies to it
    # Without a session policy only a resource policy that names the session gives it anything:
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
    "federated-user": lambda layers: layers if layers.session is not None else replace(layers, session=()),
}


def places(request: Request, layers: Layers) -> Iterator[Place]:
    """Every policy that applies, in the order in which the layers are asked."""
    if request.principal.kind != "service-linked-role":
        for layer, levels in ((Layer.RCP, layers.rcps), (Layer.SCP, layers.scps)):
            yield from ((layer, i, attached) for i, level in enumerate(levels or ()) for attached in level)
    if layers.resource is not None:
        yield resource_layer(request), 0, layers.resource
    for layer, group in ((Layer.IDENTITY, layers.identity), (Layer.BOUNDARY, layers.boundary), (Layer.SESSION, layers.session)):
        yield from ((layer, 0, attached) for attached in group or ())


def resource_layer(request: Request) -> Layer:
    """What to call the resource policy of a request."""
    return Layer.TRUST if is_trust(request.action, request.resource) else Layer.RESOURCE


def bucket_at(place: Place, action: str) -> Bucket:
    """What the policy at a place says about an action, by the face of it that counts there."""
    program = place[2].program
    return program.resource_bucket(action) if place[0] in _OF_RESOURCES else program.identity_bucket(action)


_OF_RESOURCES = frozenset((Layer.RCP, Layer.RESOURCE, Layer.TRUST))


def _decide(request: Request, layers: Layers) -> Decision:
    principal, action = request.principal, request.action
    lowered = action.lower()
    if lowered == "sts:getcalleridentity" and principal.kind != "anonymous":
        return Decision(Outcome.ALLOWED, None)  # needs no permission and cannot be denied
    if principal.kind in _SHAPED:
        layers = _SHAPED[principal.kind](layers)
    context = implied_context(request)
    denier: Layer | None = None
    if principal.kind != "service-linked-role":
        for level in layers.rcps or ():
            for attached in level:
                if _of_resource(attached, request, layers, context) is None:
                    return _explicit(request, layers, context)
        for level in layers.scps or ():
            hit = _of_identity(level, request, layers, context)
            if hit is None:
                denier = Layer.SCP
            elif hit is _DENIED:
                return _explicit(request, layers, context)
    worth, grant = NONE, None
    if layers.resource is not None:
        found = _of_resource(layers.resource, request, layers, context)
        if found is None:
            return _explicit(request, layers, context)
        worth, grant = found
    identity = _of_identity(layers.identity, request, layers, context)
    boundary = session = None
    if layers.boundary is not None:
        boundary = _of_identity(layers.boundary, request, layers, context)
    if layers.session is not None:
        session = _of_identity(layers.session, request, layers, context)
    if identity is _DENIED or boundary is _DENIED or session is _DENIED:
        return _explicit(request, layers, context)
    outsider = principal.kind in OUTSIDERS or not principal.account
    same = not outsider and (_owner(request) or principal.account) == principal.account
    by_identity = not outsider and not (same and worth >= LIMITED)
    if denier is None:
        if worth == NONE and (not same or needs_resource_policy(lowered, request.resource)):
            denier = resource_layer(request)
        elif by_identity and identity is None:
            denier = Layer.IDENTITY
        elif lowered == "sts:assumerole" and principal.kind == "root":
            denier = Layer.TRUST  # root credentials cannot assume a role
        elif not (same and worth == DIRECT):
            if layers.boundary is not None and boundary is None:
                denier = Layer.BOUNDARY
            elif layers.session is not None and session is None:
                denier = Layer.SESSION
    if denier is not None:
        return Decision(Outcome.IMPLICITLY_DENIED, denier, (), _wanted(denier, request, layers, context))
    matched: tuple[Match, ...] = ()
    if grant is not None and layers.resource is not None:
        matched = (Match(resource_layer(request), 0, layers.resource, grant.statement),)
    if by_identity and isinstance(identity, tuple):
        matched += (Match(Layer.IDENTITY, 0, identity[0], identity[1].statement),)
    return Decision(Outcome.ALLOWED, matched[-1].layer, matched)


def _of_identity(group: tuple[Attached, ...], request: Request, layers: Layers, context: Values) -> Hit | str | None:
    """An Allow of the group that matches, None without one, _DENIED when a Deny matches."""
    action, resource = request.action, request.resource
    hit: Hit | None = None
    for attached in group:
        program = attached.program
        bucket = program.identity.get(action) or program.identity_bucket(action)
        deny, allow, heavy = bucket
        if heavy is not None:
            _afford(request, layers, context)
        if deny is not None and evaluate.first(deny, resource, context) is not None:
            return _DENIED
        if hit is None and allow is not None:
            rule = evaluate.first(allow, resource, context)
            if rule is not None:
                hit = attached, rule
    return hit


def _of_resource(attached: Attached, request: Request, layers: Layers, context: Values) -> tuple[int, Rule | None] | None:
    """What the policy of a resource grants, None when a Deny matches."""
    program = attached.program
    deny, allow, heavy = program.resource.get(request.action) or program.resource_bucket(request.action)
    if heavy is not None:
        _afford(request, layers, context)
    if deny is not None:
        for _ in evaluate.denying(deny, request.resource, context, request.principal, bounded=layers.boundary is not None):
            return None
    return evaluate.granting(allow, request.resource, context, request.principal) if allow is not None else (NONE, None)


def _afford(request: Request, layers: Layers, context: Values) -> None:
    needed = sum(evaluate.steps(bucket_at(place, request.action), request.resource, context) for place in places(request, layers))
    if needed > evaluate.MAX_STEPS:
        raise evaluate.TooMuchWork(f"the policies could take {needed} steps for this request; at most {evaluate.MAX_STEPS} are allowed")


def denials(place: Place, request: Request, layers: Layers, context: Values) -> Iterator[Rule]:
    """The Denies at one place that match."""
    deny = bucket_at(place, request.action)[0]
    if deny is None:
        return iter(())
    if place[0] in _OF_RESOURCES:
        return evaluate.denying(deny, request.resource, context, request.principal, bounded=layers.boundary is not None)
    return evaluate.matching(deny, request.resource, context)


def _explicit(request: Request, layers: Layers, context: Values) -> Decision:
    found = [(place, rule) for place in places(request, layers) for rule in denials(place, request, layers, context)]
    matched = tuple(Match(*place, rule.statement) for place, rule in found)
    missing = dict.fromkeys(key for _, rule in found for key in lacking(rule, context))
    return Decision(Outcome.EXPLICITLY_DENIED, matched[0].layer, matched, tuple(missing))


def _wanted(denier: Layer, request: Request, layers: Layers, context: Values) -> tuple[str, ...]:
    """The keys that Allows of the denying layer asked for in vain."""
    found = (rule for place in places(request, layers) if place[0] is denier for rule in nearly(place, request, context))
    return tuple(dict.fromkeys(key for rule in itertools.islice(found, _MAX_EXAMINED) for key in lacking(rule, context)))


def nearly(place: Place, request: Request, context: Values) -> Iterator[Rule]:
    """The Allows at one place that fail by their conditions alone."""
    allow = bucket_at(place, request.action)[1]
    for rule in evaluate.covering(allow, request.resource, context) if allow is not None else ():
        named = place[0] not in _OF_RESOURCES or (rule.grantees is not None and rule.grantees.grant(request.principal) > NONE)
        if named and rule.test is not None and not rule.test(context):
            yield rule


def lacking(rule: Rule, context: Values) -> Iterator[str]:
    """The keys, in their documented spelling, that the request lacks and on which the rule's outcome hung."""
    for variable in rule.referred:
        if variable.default is None and variable.key not in context:
            yield keys.canonical(variable.key)
    for condition, test in rule.tests:
        if condition.key.lower() not in context and test(context) is rule.deny:
            yield keys.canonical(condition.key)
