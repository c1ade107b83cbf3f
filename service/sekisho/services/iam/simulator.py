"""What a simulation answers: the decisions of the product's own evaluator, said as IAM's policy simulator says them.

A statement is named by its policy and its place in the text. Beside AWS's simulator, trust policies count for sts:AssumeRole.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sekisho import arn, policy
from sekisho.api.iam.v1 import simulations_pb2 as pb
from sekisho.policy import evaluate, layers, positions
from sekisho.policy.decide import implied_context
from sekisho.policy.principals import NONE
from sekisho.services.iam import context_keys
from sekisho.services.iam.errors import PolicyEvaluation
from sekisho.services.iam.policy_sources import SourcePolicy

Group = tuple[SourcePolicy, ...]

_DECISIONS = {
    policy.Outcome.ALLOWED: "allowed",
    policy.Outcome.EXPLICITLY_DENIED: "explicitDeny",
    policy.Outcome.IMPLICITLY_DENIED: "implicitDeny",
}
_RESTRICTIVE = ("allowed", "implicitDeny", "explicitDeny")
"""The least restrictive first."""

_IDENTITY, _RESOURCE, _BOUNDARY = "IAM Policy", "Resource Policy", "Permissions Boundary Policy"
"""Where policies come from, as EvalDecisionDetails and the statements say it, whatever words AWS's model has for it."""

_SOURCES = {policy.Layer.RESOURCE: _RESOURCE, policy.Layer.TRUST: _RESOURCE, policy.Layer.BOUNDARY: _BOUNDARY}


@dataclass(frozen=True, slots=True)
class Simulation:
    """Who asks, with which policies and keys; `trusts` are trust policies by the role's ARN, `owner` has what names no account."""

    principal: policy.Principal
    context: policy.Context
    identity: Group
    boundary: Group | None = None
    resource_policy: SourcePolicy | None = None
    scps: tuple[Group, ...] | None = None
    trusts: Mapping[str, SourcePolicy] = field(default_factory=dict)
    owner: str = ""

    def result(self, action: str, resources: tuple[str, ...]) -> pb.EvaluationResult:
        """About one action: on everything when no resource is named, else on each."""
        if not resources:
            one = self._one(action, "*")
            shown = pb.EvaluationResult(eval_action_name=action, eval_resource_name="*", eval_decision=one.eval_resource_decision)
        else:
            each = [self._one(action, resource) for resource in resources]
            one = _together(each)
            shown = pb.EvaluationResult(
                eval_action_name=action,
                eval_resource_name=resources[0] if len(resources) == 1 else "*",
                eval_decision=one.eval_resource_decision,
                eval_decision_details=one.eval_decision_details,
                resource_specific_results=each,
            )
        shown.matched_statements.extend(one.matched_statements)
        shown.missing_context_values.extend(one.missing_context_values)
        if one.HasField("permissions_boundary_decision_detail"):
            shown.permissions_boundary_decision_detail.CopyFrom(one.permissions_boundary_decision_detail)
        if self.scps is not None:
            asked = [self._request(action, resource) for resource in resources or ("*",)]
            allowed = all(_standing(level, request) == "allowed" for level in self.scps for request in asked)
            shown.organizations_decision_detail.allowed_by_organizations = allowed
        return shown

    def _request(self, action: str, resource: str) -> policy.Request:
        owner = arn.account_of(resource) or self.owner or self.principal.account
        return policy.Request(self.principal, action, resource, owner, self.context)

    def _one(self, action: str, resource: str) -> pb.ResourceSpecificResult:
        request = self._request(action, resource)
        of_resource = self.resource_policy or (self.trusts.get(resource) if layers.is_trust(action, resource) else None)
        asked = policy.Layers(
            identity=_attached(self.identity),
            resource=of_resource.attached if of_resource is not None else None,
            boundary=_attached(self.boundary) if self.boundary is not None else None,
            scps=tuple(map(_attached, self.scps)) if self.scps is not None else None,
        )
        decision = policy.decide(request, asked)
        if decision.error:
            raise PolicyEvaluation(f"The simulation of {action} could not be carried out: {decision.error}")
        known = {one.attached: one for one in (*self.identity, *(self.boundary or ()), *([of_resource] if of_resource is not None else []))}
        shown = pb.ResourceSpecificResult(
            eval_resource_name=resource,
            eval_resource_decision=_DECISIONS[decision.outcome],
            matched_statements=[
                _statement(known[match.attached], match.statement.index, _SOURCES.get(match.layer, _IDENTITY))
                for match in (_allowing(request, asked) if decision.allowed else decision.matched)
                if match.attached in known
            ],
            missing_context_values=_missing(known, request),
        )
        if self.boundary is not None:
            allowed = _standing(self.boundary, request) == "allowed"
            shown.permissions_boundary_decision_detail.allowed_by_permissions_boundary = allowed
        if request.owner != self.principal.account:
            shown.eval_decision_details[_IDENTITY] = _standing(self.identity, request)
            shown.eval_decision_details[_RESOURCE] = _resource_standing(of_resource, request)
            if self.boundary is not None:
                shown.eval_decision_details[_BOUNDARY] = _standing(self.boundary, request)
        return shown


def _together(each: list[pb.ResourceSpecificResult]) -> pb.ResourceSpecificResult:
    """The results of several resources as one: the most restrictive decision, and the statements that made it."""
    worst = max((one.eval_resource_decision for one in each), key=_RESTRICTIVE.index)
    deciding = [one for one in each if one.eval_resource_decision == worst]
    statements = {one.SerializeToString(deterministic=True): one for result in deciding for one in result.matched_statements}
    whole = pb.ResourceSpecificResult(
        eval_resource_decision=worst,
        matched_statements=statements.values(),
        missing_context_values=dict.fromkeys(name for one in each for name in one.missing_context_values),
    )
    for one in each:
        for kind, standing in one.eval_decision_details.items():
            before = whole.eval_decision_details.get(kind, "allowed")
            whole.eval_decision_details[kind] = max(before, standing, key=_RESTRICTIVE.index)
    if each[0].HasField("permissions_boundary_decision_detail"):
        allowed = all(one.permissions_boundary_decision_detail.allowed_by_permissions_boundary for one in each)
        whole.permissions_boundary_decision_detail.allowed_by_permissions_boundary = allowed
    return whole


def _attached(group: Iterable[SourcePolicy]) -> tuple[policy.Attached, ...]:
    return tuple(one.attached for one in group)


def _allowing(request: policy.Request, asked: policy.Layers) -> Iterator[policy.Match]:
    """Every Allow that matches, not only the first of each layer."""
    context = implied_context(request)
    for place in layers.places(request, asked):
        allow = place.bucket(request.action)[1]
        if place.layer is policy.Layer.BOUNDARY or place.layer is policy.Layer.SCP or allow is None:
            continue
        for rule in evaluate.matching(allow, request.resource, context):
            if not place.of_resource or (rule.grantees is not None and rule.grantees.grant(request.principal) > NONE):
                yield policy.Match(place.layer, place.level, place.attached, rule.statement)


def _standing(group: Group, request: policy.Request) -> str:
    """What policies of an identity say by themselves."""
    context = implied_context(request)
    buckets = [one.attached.program.identity_bucket(request.action) for one in group]
    if any(deny is not None and evaluate.first(deny, request.resource, context) is not None for deny, _, _ in buckets):
        return "explicitDeny"
    allowed = any(allow is not None and evaluate.first(allow, request.resource, context) is not None for _, allow, _ in buckets)
    return "allowed" if allowed else "implicitDeny"


def _resource_standing(one: SourcePolicy | None, request: policy.Request) -> str:
    """What the policy of a resource says by itself."""
    if one is None:
        return "implicitDeny"
    context = implied_context(request)
    deny, allow, _ = one.attached.program.resource_bucket(request.action)
    if deny is not None and any(evaluate.denying(deny, request.resource, context, request.principal, bounded=False)):
        return "explicitDeny"
    granted = allow is not None and evaluate.granting(allow, request.resource, context, request.principal)[0] > NONE
    return "allowed" if granted else "implicitDeny"


def _missing(policies: Iterable[policy.Attached], request: policy.Request) -> list[str]:
    """The keys that statements about the action ask for and the request lacks."""
    context, action = implied_context(request), request.action.lower()
    found: dict[str, str] = {}
    for attached in policies:
        for rule in attached.program.rules:
            if rule.covers_action(action):
                for name in context_keys.of_rule(rule):
                    found.setdefault(name.lower(), name)
    return [name for key, name in found.items() if key not in context]


def _statement(source: SourcePolicy, index: int, source_type: str) -> pb.Statement:
    """A statement by its place. It begins where AWS's reader stands when it comes to it: behind the brace of the only statement, behind the
    bracket of a list's first, behind the end of the one before; and ends behind its own brace.
    """
    places = positions.locate(source.text)
    ends = json.JSONDecoder()
    begins = places.values["Statement",] + 1
    if index:
        _, begins = ends.raw_decode(source.text, places.values["Statement", index - 1])
    _, end = ends.raw_decode(source.text, places.at(("Statement", index)).offset)
    start, stop = places.point(begins), places.point(end)
    return pb.Statement(
        source_policy_id=source.id,
        source_policy_type=source_type,
        start_position=pb.Position(line=start.line, column=start.column),
        end_position=pb.Position(line=stop.line, column=stop.column),
    )
