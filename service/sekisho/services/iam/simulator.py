"""The answers of a simulation: the decisions of the product's own evaluator, said as IAM's policy simulator says them.

A statement is named by its policy and its place in the text. Beside AWS's simulator, trust policies count for sts:AssumeRole.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from sekisho import arn, policy, world
from sekisho.api.iam.v1 import simulations_pb2 as pb
from sekisho.errors import ValidationError
from sekisho.policy import layers, positions
from sekisho.services.iam.errors import PolicyEvaluation
from sekisho.services.iam.policy_sources import SourcePolicy
from sekisho.world import Acting, Keys, Lookup, Question, Subject, acting

Group = tuple[SourcePolicy, ...]
Compose = Callable[[Callable[[Lookup, datetime], Question]], Question]
"""Runs a composition on the records of one world, at the time of the call."""

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
    """A principal and the policies that it is supposed to have, with keys that override its own.

    The policies stand for all that the subject has. `trusts` are trust policies by the role's ARN, `owner` has what names no account.
    """

    subject: Subject | Acting
    keys: Keys
    identity: Group
    boundary: Group | None = None
    resource_policy: SourcePolicy | None = None
    scps: tuple[Group, ...] | None = None
    trusts: Mapping[str, SourcePolicy] = field(default_factory=dict)
    owner: str = ""

    def question(self, action: str, resource: str, lookup: Lookup, now: datetime) -> Question:
        """The inputs of one decision; ValidationError when the context is larger than any may be."""
        of_resource = self._of_resource(action, resource)
        asked = world.Asked(
            action=action,
            resource=resource,
            resource_account=arn.account_of(resource) or self.owner,
            resource_policy=of_resource.attached if of_resource is not None else None,
            override=self.keys,
        )
        who = self.subject if isinstance(self.subject, Acting) else acting(self.subject, lookup, now)
        supposed = replace(
            who,
            identity=_attached(self.identity),
            boundary=_attached(self.boundary) if self.boundary is not None else None,
            session=None,
            scps=tuple(map(_attached, self.scps)) if self.scps is not None else None,
        )
        return world.question(supposed, asked, lookup, now)

    def _of_resource(self, action: str, resource: str) -> SourcePolicy | None:
        return self.resource_policy or (self.trusts.get(resource) if layers.is_trust(action, resource) else None)

    def result(self, action: str, resources: tuple[str, ...], compose: Compose) -> pb.EvaluationResult:
        """The decisions about one action: on everything when no resource is named, else on each."""
        each, permitted = [], True
        for resource in resources or ("*",):
            request, asked = self._composed(action, resource, compose)
            each.append(self._one(request, asked))
            permitted = permitted and all(_standing(level, request) == "allowed" for level in self.scps or ())
        one = _together(each) if resources else each[0]
        shown = pb.EvaluationResult(
            eval_action_name=action,
            eval_resource_name=resources[0] if len(resources) == 1 else "*",
            eval_decision=one.eval_resource_decision,
            eval_decision_details=one.eval_decision_details if resources else None,
            resource_specific_results=each if resources else None,
            matched_statements=one.matched_statements,
            missing_context_values=one.missing_context_values,
        )
        if one.HasField("permissions_boundary_decision_detail"):
            shown.permissions_boundary_decision_detail.CopyFrom(one.permissions_boundary_decision_detail)
        if self.scps is not None:
            shown.organizations_decision_detail.allowed_by_organizations = permitted
        return shown

    def _composed(self, action: str, resource: str, compose: Compose) -> Question:
        try:
            return compose(lambda lookup, now: self.question(action, resource, lookup, now))
        except ValidationError as error:
            raise PolicyEvaluation(f"The simulation of {action} could not be carried out: {error.message}") from None

    def _one(self, request: policy.Request, asked: policy.Layers) -> pb.ResourceSpecificResult:
        of_resource = self._of_resource(request.action, request.resource)
        decision = policy.decide(request, asked)
        if decision.error:
            raise PolicyEvaluation(f"The simulation of {request.action} could not be carried out: {decision.error}")
        known = {one.attached: one for one in (*self.identity, *(self.boundary or ()), *([of_resource] if of_resource is not None else []))}
        shown = pb.ResourceSpecificResult(
            eval_resource_name=request.resource,
            eval_resource_decision=_DECISIONS[decision.outcome],
            matched_statements=[
                _statement(known[match.attached], match.statement.index, _SOURCES.get(match.layer, _IDENTITY))
                for match in (_allowing(request, asked) if decision.allowed else decision.matched)
                if match.attached in known
            ],
            missing_context_values=policy.lacked(known, request),
        )
        if self.boundary is not None:
            allowed = _standing(self.boundary, request) == "allowed"
            shown.permissions_boundary_decision_detail.allowed_by_permissions_boundary = allowed
        if request.owner != request.principal.account:
            shown.eval_decision_details[_IDENTITY] = _standing(self.identity, request)
            group = (of_resource,) if of_resource is not None else ()
            shown.eval_decision_details[_RESOURCE] = _standing(group, request, policy.Layer.RESOURCE)
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
    if asked.resource is not None:
        yield from policy.standing((asked.resource,), request, layer=policy.Layer.RESOURCE).allows
    yield from policy.standing(asked.identity, request).allows


def _standing(group: Iterable[SourcePolicy], request: policy.Request, layer: policy.Layer = policy.Layer.IDENTITY) -> str:
    """What policies say by themselves."""
    return _DECISIONS[policy.standing(_attached(group), request, layer=layer).outcome]


@lru_cache(maxsize=32)  # a policy is located once, however many statements of it are shown
def _located(text: str) -> positions.Positions:
    return positions.locate(text)


def _statement(source: SourcePolicy, index: int, source_type: str) -> pb.Statement:
    """A statement by its place. It begins where AWS's reader stands when it comes to it: behind the brace of the only statement, behind the
    bracket of a list's first, behind the end of the one before; and ends behind its own brace.
    """
    places = _located(source.text)
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
