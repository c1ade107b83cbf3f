"""What a simulation answers: the decisions of the product's own evaluator, said as IAM's policy simulator says them.

A statement is named by its policy and its place in the text. Beside AWS's simulator, trust policies count for sts:AssumeRole.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sekisho import arn, policy
from sekisho.api.iam.v1 import simulations_pb2 as pb
from sekisho.iam.errors import PolicyEvaluation
from sekisho.iam.policy_sources import SourcePolicy
from sekisho.policy import layers, positions

Group = tuple[SourcePolicy, ...]

_DECISIONS = {
    policy.Outcome.ALLOWED: "allowed",
    policy.Outcome.EXPLICITLY_DENIED: "explicitDeny",
    policy.Outcome.IMPLICITLY_DENIED: "implicitDeny",
}
_RESTRICTIVE = ("allowed", "implicitDeny", "explicitDeny")
"""The least restrictive first."""

_IDENTITY, _RESOURCE = "IAM Policy", "Resource Policy"  # the keys of EvalDecisionDetails


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
                _statement(known[match.attached], match.statement.index, of_resource)
                for match in (_allowing(request, asked) if decision.allowed else decision.matched)
                if match.attached in known
            ],
            missing_context_values=policy.lacked(known, request),
        )
        if self.boundary is not None:
            allowed = _standing(self.boundary, request) == "allowed"
            shown.permissions_boundary_decision_detail.allowed_by_permissions_boundary = allowed
        if request.owner != self.principal.account:
            shown.eval_decision_details[_IDENTITY] = _standing(self.identity, request)
            group = (of_resource,) if of_resource is not None else ()
            shown.eval_decision_details[_RESOURCE] = _standing(group, request, policy.Layer.RESOURCE)
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
    if asked.resource is not None:
        yield from policy.standing((asked.resource,), request, layer=policy.Layer.RESOURCE).allows
    yield from policy.standing(asked.identity, request).allows


def _standing(group: Iterable[SourcePolicy], request: policy.Request, layer: policy.Layer = policy.Layer.IDENTITY) -> str:
    """What policies say by themselves."""
    return _DECISIONS[policy.standing(_attached(group), request, layer=layer).outcome]


def _statement(source: SourcePolicy, index: int, of_resource: SourcePolicy | None) -> pb.Statement:
    start, stop = positions.extent(source.text, ("Statement", index))
    return pb.Statement(
        source_policy_id=source.id,
        source_policy_type="resource" if source is of_resource else source.source_type,
        start_position=pb.Position(line=start.line, column=start.column),
        end_position=pb.Position(line=stop.line, column=stop.column),
    )
