"""PlanResources: on which of many resources somebody may do an action, as a condition."""

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho import policy, world
from sekisho.api.authorize.v1 import plans_pb2 as pb
from sekisho.calls.call import Call
from sekisho.calls.turns import Turn
from sekisho.errors import AccessDenied, FailedPrecondition
from sekisho.filters.rows import Expression, where
from sekisho.memory import cold
from sekisho.memory.reader import Reader
from sekisho.operations import operation
from sekisho.policy import residual
from sekisho.policy.residual import ArnIn, Inexpressible, Plan, Resources
from sekisho.services.authorize import decisions, looks, organizations, plan_messages, scopes
from sekisho.services.authorize.scopes import Scope
from sekisho.store.db import remaining
from sekisho.store.tables import RegisteredResource
from sekisho.world import AccountRecord, Acting, Asked, Question, Subject

MOST_OWN = 100
"""Registered resources with policies of their own within one plan: each is decided about by itself, and named."""


class PlanNotExpressible(FailedPrecondition):
    """No condition says exactly which of the resources are allowed; the message says why."""


@operation
def plan_resources(call: Call, request: pb.PlanResourcesRequest) -> pb.PlanResourcesResponse:
    """The condition is made of policies, and shows them: of the caller's own account alone, and of its own organization."""
    cold.may_wait()
    scope = scopes.read(call, request, request.resource_account)
    asked_as = looks.question(request, resource="*", resource_account=scope.owner)
    subject, asked = decisions.read_question(call, asked_as)
    looks.refuse_tags(asked.given)
    if subject.account_id != call.account_id:
        raise AccessDenied(f"The account {subject.account_id} has not consented that account {call.account_id} sees how it is decided.")
    asked = asked._replace(registered=False)

    def compose(reader: Reader) -> tuple[Acting, Question, list[str]]:
        who, question = decisions.compose_question(call, subject, asked, reader)
        owner = reader.get_record(scope.owner)
        return who, question, scope.services(owner.registers) if isinstance(owner, AccountRecord) else []

    (who, question, registered), call.point = call.node.world.consistent(compose)
    own: list[tuple[str, Question]] = []
    if registered:
        if request.resource_policy:
            raise PlanNotExpressible(f"resources of `{registered[0]}` are registered, and each has the policy that is registered of it")
        found, call.point = looks.both(call, f"{scope.owner}:policies", _own_policies(call, subject, asked, scope, registered))
        who, question, own = found
    made, layers = question
    if layers.rcps is not None and organizations.is_foreign(call, made, policy.Layer.RCP):
        raise AccessDenied(f"The organization of account {scope.owner} has not consented that account {call.account_id} sees its policies.")
    if own and scope.owner != call.account_id:
        raise AccessDenied(f"The account {scope.owner} has not consented that account {call.account_id} sees its resources.")
    with decisions.turn(call) as turn:
        plan = with_own(call, made_plan(call, question, scope, turn), own, turn)
    return pb.PlanResourcesResponse(
        kind=plan_messages.KINDS[plan.kind],
        scopes=map(plan_messages.pattern, plan.scopes),
        condition=plan_messages.condition(plan.condition),
        longest=plan.longest,
        plan_json=residual.to_json(plan),
        revision=call.point.token,
        principal_arn=who.arn,
        resource_account=scope.owner,
    )


def made_plan(call: Call, question: Question, scope: Scope, turn: Turn) -> Plan:
    """The plan of a question, made by turns; PlanNotExpressible where there is none."""

    def proceed() -> None:
        remaining(call.deadline)
        turn.pause()

    try:
        return residual.plan(*question, Resources(scope.shapes), proceed)
    except Inexpressible as error:
        raise PlanNotExpressible(error.reason) from None


def with_own(call: Call, plan: Plan, own: list[tuple[str, Question]], turn: Turn) -> Plan:
    """The plan with resources by name that have a policy of their own, each decided about by itself."""
    if not own:
        return plan
    allowed = []
    for arn, (made, layers) in own:
        remaining(call.deadline)
        turn.pause()
        if policy.decide(made, layers).allowed:
            allowed.append(arn)
    others = residual.negated(ArnIn(tuple(sorted(arn for arn, _ in own))))
    by_name = ArnIn(tuple(sorted(allowed))) if allowed else False
    return Plan(plan.scopes, residual.some_of((residual.all_of((plan.condition, others)), by_name)), plan.longest)


def _own_policies(
    call: Call, subject: Subject, asked: Asked, scope: Scope, services: list[str]
) -> Callable[[Session, Reader], tuple[Acting, Question, list[tuple[str, Question]]]]:
    """A look at the question, and at that of each registered resource that has a policy of its own."""

    def look(session: Session, reader: Reader) -> tuple[Acting, Question, list[tuple[str, Question]]]:
        who, question = decisions.compose_question(call, subject, asked, reader)
        arns = session.scalars(
            select(RegisteredResource.arn)
            .where(RegisteredResource.account_id == scope.owner, RegisteredResource.policy.is_not(None))
            .where(RegisteredResource.service.in_(services), within(scope))
            .limit(MOST_OWN + 1)
        ).all()
        if len(arns) > MOST_OWN:
            raise PlanNotExpressible(f"more than {MOST_OWN} of the resources are registered with policies of their own")
        own = []
        for arn in arns:
            remaining(call.deadline)
            own.append((arn, world.question(who, asked._replace(resource=arn, registered=True), reader.get_record, call.now)))
        return who, question, own

    return look


def within(scope: Scope) -> Expression:
    """The registered resources of a scope."""
    return where(Plan(scope.shapes, condition=True), arn=RegisteredResource.arn.expression, tags=_no_tag)


def _no_tag(key: str) -> Expression:
    raise LookupError(key)
