"""The answers of a simulation: the decisions of the product's own evaluator, said as IAM's policy simulator says them.

A statement is named by its policy and its place in the text. Beside AWS's simulator, trust policies count for sts:AssumeRole.
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sekisho import arn, policy, world
from sekisho.api.iam.v1 import simulations_pb2 as pb
from sekisho.errors import ValidationError
from sekisho.policy import layers, positions, steps, weights
from sekisho.policy.budget import Budget, TooMuchWork
from sekisho.services.iam.errors import PolicyEvaluation
from sekisho.services.iam.policy_sources import SourcePolicy
from sekisho.world import Acting, Keys, Lookup, Question, Subject, acting

Group = tuple[SourcePolicy, ...]
Compose = Callable[[Callable[[Lookup, datetime], Question]], Question]
"""Runs a composition on the records of one world, at the time of the call."""

Known = Mapping[policy.Attached, SourcePolicy]
"""The policies whose statements are shown."""
Names = Mapping[str, str]
"""Keys that statements about an action ask for, in lower case and as they are documented."""

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


MOST_BYTES = 2 * 1024 * 1024
"""Bytes of the results of one page; an answer may have twice as many."""

_MAX_WORK = 5_000_000_000.0  # ns that the results of one page may take; `_SHOWN` and the like are of the same machine as `weights`
_TIMES = 3  # a policy is asked by the decision, for all that allows, and for its own standing
_DECISION = 100_000.0  # ns of composing a question and of the message that answers it
_RULE = 300.0  # ns of looking at one statement for its keys
_SHOWN = 10_000.0  # ns of a statement that is shown
_READ = 400.0  # ns a character of a text in which statements are located

_TOLD = 64  # results that are put together between two steps
_MOST_SHOWN = 64  # statements of one result
_LEAST_SHOWN = 4  # ... of many resources
_MOST_SHOWN_TOGETHER = 4096  # statements of all resources of one action


def _budget() -> Budget:
    counted = Budget()
    counted.left, counted.strict = _MAX_WORK, True
    return counted


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
    work: Budget = field(default_factory=_budget)
    extents: dict[str, positions.Extents] = field(default_factory=dict)
    """Where statements stand, by the policy's text."""

    def question(self, action: str, resource: str, lookup: Lookup, now: datetime) -> Question:
        """The inputs of one decision; ValidationError when the context is larger than any may be."""
        of_resource = self._of_resource(action, resource)
        asked = world.Asked(
            action=action,
            resource=resource,
            resource_account=arn.account_of(resource) or self.owner,
            resource_policy=of_resource.attached if of_resource is not None else None,
            override=self.keys,
            registered=False,  # as AWS's simulator, which is given the policy of the resource
        )
        who = self.subject if isinstance(self.subject, Acting) else acting(self.subject, lookup, now)
        supposed = replace(
            who,
            identity=_attached(self.identity),
            boundary=_attached(self.boundary) if self.boundary is not None else None,
            session=None,
            scps=tuple(map(_attached, self.scps)) if self.scps is not None else None,
            # AWS's simulator leaves resource control policies out.
            placement=who.placement._replace(rcps=None) if who.placement is not None else None,
        )
        return world.question(supposed, asked, lookup, now)

    def _of_resource(self, action: str, resource: str) -> SourcePolicy | None:
        return self.resource_policy or (self.trusts.get(resource) if layers.is_trust(action, resource) else None)

    def result(self, action: str, resources: tuple[str, ...], compose: Compose) -> pb.EvaluationResult:
        """The decisions about one action: on everything when no resource is named, else on each."""
        each, permitted, size = [], True, 0
        known = _known((*self.identity, *(self.boundary or ()), *((self.resource_policy,) if self.resource_policy is not None else ())))
        self._charge_keys((*known, *itertools.chain.from_iterable(map(_attached, self.scps or ()))), action)
        names = policy.asked_keys(known, action)
        most = max(_LEAST_SHOWN, min(_MOST_SHOWN, _MOST_SHOWN_TOGETHER // max(1, len(resources))))
        for resource in resources or ("*",):
            request, asked = self._compose(action, resource, compose)
            each.append(self._one(request, asked, known, names, most))
            size += each[-1].ByteSize()
            if size > MOST_BYTES:
                raise TooMuchWork("the results of one action are too large")
            permitted = permitted and all(_standing(level, request) == "allowed" for level in self.scps or ())
        one = _together(each) if resources else each[0]
        del one.matched_statements[_MOST_SHOWN:]
        shown = pb.EvaluationResult(
            eval_action_name=action,
            eval_resource_name=resources[0] if len(resources) == 1 else "*",
            eval_decision=one.eval_resource_decision,
            eval_decision_details=one.eval_decision_details if resources else None,
            matched_statements=one.matched_statements,
            missing_context_values=one.missing_context_values,
        )
        for first in range(0, len(each) if resources else 0, _TOLD):
            steps.step()
            shown.resource_specific_results.extend(each[first : first + _TOLD])
        if one.HasField("permissions_boundary_decision_detail"):
            shown.permissions_boundary_decision_detail.CopyFrom(one.permissions_boundary_decision_detail)
        if self.scps is not None:
            shown.organizations_decision_detail.allowed_by_organizations = permitted
        return shown

    def _compose(self, action: str, resource: str, compose: Compose) -> Question:
        try:
            return compose(lambda lookup, now: self.question(action, resource, lookup, now))
        except ValidationError as error:
            raise PolicyEvaluation(f"The simulation of {action} could not be carried out: {error.message}") from None

    def _charge_keys(self, policies: Iterable[policy.Attached], action: str) -> None:
        """Charge what it takes to find all statements about an action, once for the decision and once for the keys that they ask for."""
        for attached in policies:
            self.work.spend(2 * attached.program.lookup(action) + _RULE * len(attached.program.rules))

    def _charge(self, request: policy.Request, asked: policy.Layers, names: Names) -> None:
        """Charge one decision, with all that is told of it: each policy is asked as often as `_TIMES`."""
        self.work.spend(_DECISION + weights.LOOKED * len(names))
        for place in layers.places(request, asked):
            self.work.spend(_TIMES * weights.POLICY)
            *sides, _ = place.bucket(request.action)
            for side in sides:
                if side is not None:
                    weight = side[-1]
                    for _ in range(_TIMES):
                        self.work.charge(weight, request.resource, request.context)

    def _one(self, request: policy.Request, asked: policy.Layers, known: Known, names: Names, most: int) -> pb.ResourceSpecificResult:
        steps.step()
        of_resource = self._of_resource(request.action, request.resource)
        decision = policy.decide(request, asked)
        if decision.error:
            raise PolicyEvaluation(f"The simulation of {request.action} could not be carried out: {decision.error}")
        if of_resource is not None and of_resource.attached not in known:  # a trust policy, which only this resource has
            self._charge_keys([of_resource.attached], request.action)
            known = {**known, of_resource.attached: of_resource}
            asked_keys = policy.asked_keys([of_resource.attached], request.action)
            names = {**names, **{key: name for key, name in asked_keys.items() if key not in names}}
        self._charge(request, asked, names)
        matched = _allowing(request, asked) if decision.allowed else decision.matched
        shown = pb.ResourceSpecificResult(
            eval_resource_name=request.resource,
            eval_resource_decision=_DECISIONS[decision.outcome],
            matched_statements=[
                self._statement(known[match.attached], match.statement.index, _SOURCES.get(match.layer, _IDENTITY))
                for match in itertools.islice((match for match in matched if match.attached in known), most)
            ],
            missing_context_values=policy.lacked(names, request),
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

    def _statement(self, source: SourcePolicy, index: int, source_type: str) -> pb.Statement:
        """A statement by its place. It begins where AWS's reader stands when it comes to it: behind the brace of the only statement, behind
        the bracket of a list's first, behind the end of the one before; and ends behind its own brace.
        """
        steps.step()
        self.work.spend(_SHOWN + _READ * len(source.text) * (source.text not in self.extents))
        found = self.extents.get(source.text)
        if found is None:
            found = self.extents[source.text] = positions.Extents(source.text)
        start = found.point(found.end(("Statement", index - 1)) if index else found.begin(("Statement",)) + 1)
        stop = found.point(found.end(("Statement", index)))
        return pb.Statement(
            source_policy_id=source.id,
            source_policy_type=source_type,
            start_position=pb.Position(line=start.line, column=start.column),
            end_position=pb.Position(line=stop.line, column=stop.column),
        )


def _together(each: list[pb.ResourceSpecificResult]) -> pb.ResourceSpecificResult:
    """The results of several resources as one: the most restrictive decision, and the statements that made it."""
    worst = max((one.eval_resource_decision for one in each), key=_RESTRICTIVE.index)
    deciding = [one for one in each if one.eval_resource_decision == worst]
    statements = {}
    for result in deciding:
        steps.step()
        statements.update({one.SerializeToString(deterministic=True): one for one in result.matched_statements})
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


def _known(group: Iterable[SourcePolicy]) -> Known:
    return {one.attached: one for one in group}


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
