"""A plan: the resources on which a principal may do an action, as a condition on their ARN and tags. `decide`, with the resource left open.

Layer by layer this is what `decide` does, with trees for answers. A tree that is made is exact: it is true of just those resources that
`decide` allows. Where that cannot be said, or would take a tree or a decision that is too large, Inexpressible says why.
"""

import enum
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sekisho.errors import ValidationError
from sekisho.policy import keys, weights
from sekisho.policy.budget import Budget, TooMuchWork
from sekisho.policy.compile import Bucket, Program
from sekisho.policy.decide import MANY, MAX_POLICIES, applying, implied_context, refuse_excess
from sekisho.policy.keys import Values
from sekisho.policy.layers import Attached, Layers, Request, places
from sekisho.policy.principals import DIRECT, LIMITED, NONE, OUTSIDERS
from sekisho.policy.residual import nodes, shapes
from sekisho.policy.residual.nodes import Node, Unsaid, all_of, negated, some_of
from sekisho.policy.residual.resources import MAX_ARN, MAX_TAG_KEY, MAX_TAG_VALUE, MAX_TAGS, Inexpressible, Resources
from sekisho.policy.residual.shapes import ANY, RUN, Shape
from sekisho.policy.residual.statements import matched
from sekisho.policy.rules import Rule

MAX_SIZE = 2_000
"""Nodes and listed texts of a tree: a database plans a query with each of them."""


MAX_WORK = 20_000
"""The same of all conditions before what follows from others is left out."""


class Kind(enum.StrEnum):
    """What a plan comes to."""

    ALWAYS_ALLOWED = "ALWAYS_ALLOWED"
    ALWAYS_DENIED = "ALWAYS_DENIED"
    CONDITIONAL = "CONDITIONAL"


@dataclass(frozen=True, slots=True)
class Plan:
    """Of the resources whose ARN matches one of the scopes, those are allowed that the condition is true of, and no others.

    `longest` are the characters that their ARNs have at most: about a longer one, these policies would take too long to decide.
    """

    scopes: tuple[Shape, ...]
    condition: Node
    longest: int = MAX_ARN

    @property
    def kind(self) -> Kind:
        """Whether it allows all of them, none, or some."""
        if isinstance(self.condition, bool):
            return Kind.ALWAYS_ALLOWED if self.condition else Kind.ALWAYS_DENIED
        return Kind.CONDITIONAL


def plan(request: Request, layers: Layers, resources: Resources, proceed: Callable[[], None] = lambda: None) -> Plan:
    """The plan of a request whose resource does not matter, but whose `resource_account` does: it owns all of the resources.

    The context has no tags of the resource. `proceed` is called now and then, and may raise. Raises Inexpressible.
    """
    if request.action.lower() == "sts:getcalleridentity" and request.principal.kind != "anonymous":
        return Plan(resources.scopes, condition=True)
    request = replace(request, resource="*")
    try:
        refuse_excess(request)
        layers = applying(request, layers)
        context = implied_context(request)
        longest = _longest(request, layers, context, resources)
        if longest < min(map(shapes.least, resources.scopes)):
            return Plan(resources.scopes, condition=False)
        condition = _Allowed(request, layers, context, resources, proceed).node()
    except (TooMuchWork, ValidationError) as error:
        raise Inexpressible(str(error)) from None
    if isinstance(condition, Unsaid):
        raise Inexpressible(condition.reason)
    _refuse_large(condition)
    return Plan(resources.scopes, condition, longest)


def _refuse_large(node: Node) -> None:
    size = nodes.size(node)
    if size > MAX_SIZE:
        raise Inexpressible(f"the condition has {size} parts; at most {MAX_SIZE} are said")


def _longest(request: Request, layers: Layers, context: Values, resources: Resources) -> int:
    """The characters of the longest ARN that can be decided about. A decision weighs all policies that apply, by the length of the ARN and
    by the largest of the keys, before it allows anything; where that could be a tag, it cannot be said which resources are allowed.
    """
    tags = {f"{prefix}:resourcetag/{i:x>{MAX_TAG_KEY}}": "x" * MAX_TAG_VALUE for prefix in resources.prefixes for i in range(MAX_TAGS)}
    keys.size({**context, **tags})  # which refuses what is too large
    attached = list(places(request, layers))
    count = len(attached) - (layers.resource is not None)
    if count > MAX_POLICIES:
        raise TooMuchWork(f"{count} policies apply; at most {MAX_POLICIES} are allowed")
    buckets = [place.bucket(request.action) for place in attached]
    if count <= MANY and all(heavy is None for _, _, heavy in buckets):
        return MAX_ARN
    longest = [_affordable(buckets, values, strict=count > MANY) for values in (context, {**context, **tags})]
    if longest[0] != longest[1]:
        raise TooMuchWork("the policies could take too long for resources with long tags")
    return longest[0]


def _affordable(buckets: list[Bucket], context: Values, *, strict: bool) -> int:
    """The characters of the longest ARN that can be afforded; -1 where none can."""

    def excess(length: int) -> bool:
        counted = Budget()
        try:
            for bucket in buckets:
                _charge(bucket, "x" * length, context, counted, strict=strict)
        except TooMuchWork:
            return True
        return False

    return bisect_left(range(MAX_ARN + 1), True, key=excess) - 1


def _charge(bucket: Bucket, resource: str, context: Values, counted: Budget, *, strict: bool) -> None:
    """Charge what a decision charges for one policy."""
    deny, allow, heavy = bucket
    if heavy is not None:
        counted.charge(heavy, resource, context)
    elif strict:
        counted.spend(weights.POLICY)
        for side in (deny, allow):
            if side is not None:
                counted.charge(side[-1], resource, context)


class _Allowed:
    """The condition of one question, layer by layer."""

    def __init__(self, request: Request, layers: Layers, context: Values, resources: Resources, proceed: Callable[[], None]) -> None:
        self._request, self._layers, self._context = request, layers, context
        self._resources, self._proceed = resources, proceed
        self._action = request.action.lower()
        self._denied: list[Node] = []
        self._size = 0

    def node(self) -> Node:
        """Everything that must be true of a resource."""
        request, layers = self._request, self._layers
        for level in layers.rcps or ():
            for attached in level:
                self._resource_rules(attached)
        permitted = [self._identity_rules(level) for level in layers.scps or ()]
        direct, limited, named = self._worth()
        identity = self._identity_rules(layers.identity)
        boundary = layers.boundary is None or self._identity_rules(layers.boundary)
        session = layers.session is None or self._identity_rules(layers.session)

        principal = request.principal
        outsider = principal.kind in OUTSIDERS
        same = not outsider and principal.account != "" and (request.owner or principal.account) == principal.account
        if principal.kind == "root" and self._action == "sts:assumerole":
            return False  # root credentials cannot assume a role
        unlimited = direct if same else False
        return all_of(
            (
                negated(some_of(self._denied)),
                *permitted,
                some_of((named, negated(self._needs_resource_policy()))) if same else named,
                outsider or some_of((limited if same else False, identity)),
                some_of((unlimited, boundary)),
                some_of((unlimited, session)),
            )
        )

    def _worth(self) -> tuple[Node, Node, Node]:
        """The resources whose policy names the principal itself, names it within its limits or itself, names it at all."""
        if self._layers.resource is None:
            return False, False, False
        found = self._resource_rules(self._layers.resource)
        at_least = [some_of([node for worth, node in found if worth >= least]) for least in (DIRECT, LIMITED, NONE + 1)]
        return at_least[0], at_least[1], at_least[2]

    def _identity_rules(self, group: Iterable[Attached]) -> Node:
        """The resources that some Allow of the group matches; those that a Deny matches are kept aside."""
        allowed: list[Node] = []
        for attached in group:
            for rule in self._rules(attached.program, of_resource=False):
                node = self._matched(rule)
                (self._denied if rule.deny else allowed).append(node)
        return some_of(allowed)

    def _resource_rules(self, attached: Attached) -> list[tuple[int, Node]]:
        """The Allows of a resource's policy that name the principal, each with what that is worth."""
        principal, bounded = self._request.principal, self._layers.boundary is not None
        granted = []
        for rule in self._rules(attached.program, of_resource=True):
            grantees = rule.grantees
            if rule.deny:
                if grantees is None or grantees.denies(principal, bounded=bounded):
                    self._denied.append(self._matched(rule))
            elif grantees is not None and (worth := grantees.grant(principal)) > NONE:
                granted.append((worth, self._matched(rule)))
        return granted

    def _rules(self, program: Program, *, of_resource: bool) -> Iterable[Rule]:
        for rule in program.about(self._action, of_resource=of_resource):
            self._proceed()
            yield rule

    def _matched(self, rule: Rule) -> Node:
        """The resources that a rule matches; Inexpressible once the rules come to more than a plan can be made of."""
        node = matched(rule, self._context, self._resources)
        self._size += nodes.size(node)
        if self._size > MAX_WORK:
            raise Inexpressible(f"the policies come to more than {MAX_WORK} conditions")
        return node

    def _needs_resource_policy(self) -> Node:
        """The resources whose own policy must allow within the account, too: what `layers.needs_resource_policy` says of each."""
        service, kind = {"sts:": ("iam", "role/"), "kms:": ("kms", "key/")}.get(self._action[:4], ("", ""))
        if self._action.startswith("sts:assumerole"):
            return True
        if not service:
            return False
        sixth: Shape = ("", *(RUN, ":") * 5, kind, ANY)
        return all_of((self._resources.arn((ANY, f":{service}:", ANY)), self._resources.arn(shapes.normal(sixth))))
