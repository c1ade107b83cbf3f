"""The four doors through which a question comes to the evaluator; each gives its answer in the same terms, or None where it cannot ask."""

from collections.abc import Callable, Hashable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from sekisho import arn, policy, world
from sekisho.api.authorize.v1 import decisions_pb2
from sekisho.calls import permission
from sekisho.calls.call import Call, Node
from sekisho.cli import expectations
from sekisho.cli.marks import Marked
from sekisho.operations import Resource
from sekisho.services.authorize import decisions
from sekisho.services.iam.policy_sources import SourcePolicy
from sekisho.services.iam.simulator import Simulation
from tests.harness import BY_NAME
from tests.world.cases import HOME, NOW, Case, attach

T = TypeVar("T")
Answer = tuple[str, str, tuple[tuple[str, int], ...], tuple[str, ...]]
"""The outcome, the layer that decided, layer and index of each statement that determined it, and the keys that were missing."""


class Memory:
    """Memory that holds the records of a case, and never moves; `compositions` counts how often it was looked at."""

    def __init__(self, case: Case) -> None:
        self.get_record = case.records.get
        self.point = SimpleNamespace(token="revision")
        self.compositions = 0

    def consistent(self, compose: Callable[[Any], T]) -> tuple[T, Any]:
        """The result of a composition."""
        self.compositions += 1
        return compose(self), self.point

    def acting(self, subject: world.Subject, now: datetime) -> world.Acting:
        """The subject, composed."""
        return world.acting(subject, self.get_record, now)

    def get_finding(self, key: Hashable) -> None:
        """Nothing is remembered."""


def call(case: Case, operation: str) -> Call:
    """A call of the case's subject, authenticated."""
    memory = Memory(case)
    node = SimpleNamespace(world=memory, accesses=SimpleNamespace(note=lambda *_: None), decision_log=None)
    acting = world.acting(case.subject, case.records.get, NOW)
    made = Call(node=cast(Node, node), operation=BY_NAME[operation], request_id="", now=NOW, deadline=0.0, acting=acting)
    made.point = cast(Any, memory.point)
    return made


def answer(decision: policy.Decision) -> Answer:
    """A decision of the evaluator in the terms of the doors."""
    matched = tuple((match.layer.value, match.statement.index) for match in decision.matched)
    return decision.outcome.value, decision.layer.value if decision.layer else "", matched, decision.missing_keys


def authorize(case: Case) -> Answer:
    """The operation's answer to the subject itself."""
    context = [
        {"key": key, "values": (value,) if isinstance(value, str) else value, "multivalued": not isinstance(value, str)}
        for key, value in case.given.items()
    ]
    request = decisions_pb2.AuthorizeRequest(
        action=case.action,
        resource=case.resource,
        resource_account=case.owner,
        resource_tags=case.tags,
        resource_policy=case.resource_policy,
        context=context,
    )
    found = decisions.authorize(call(case, "Authorize"), request)
    outcomes = {code: outcome.value for outcome, code in decisions.OUTCOMES.items()}
    named = {code: layer.value for layer, code in decisions.LAYERS.items()} | {0: ""}
    matched = tuple((named[match.layer], match.index) for match in found.matched)
    return outcomes[found.outcome], named[found.layer], matched, tuple(found.missing_keys)


def own_permission(case: Case) -> Answer | None:
    """The decision of our own checks; they take the owner from the ARN, and know no other for what names none than the caller's account."""
    if case.owner != (arn.account_of(case.resource) or HOME):
        return None
    resource_policy = attach("resource policy", case.resource_policy) if case.resource_policy else None
    resource = Resource(case.resource, tags=case.tags)
    _, decision = permission.decide(call(case, "Authorize"), case.action, resource, case.given, resource_policy)
    return answer(decision)


def simulate(case: Case) -> Answer | None:
    """The simulator's decision, which it must show; it knows users and roles, but no sessions and no root user."""
    if case.subject.session is not None or case.subject.id == HOME:
        return None
    composed: list[world.Question] = []

    def compose(question: Callable[[Any, Any], world.Question]) -> world.Question:
        composed.append(question(case.records.get, NOW))
        return composed[-1]

    simulation = Simulation(
        subject=case.subject,
        keys={**case.given, **{f"aws:resourcetag/{key.lower()}": value for key, value in case.tags.items()}},
        identity=tuple(_source(name, text) for name, text in case.identity.items()),
        boundary=(_source("limit", case.boundary),) if case.boundary else None,
        resource_policy=_source("resource policy", case.resource_policy) if case.resource_policy else None,
        owner=case.owner,
    )
    shown = simulation.result(case.action, (case.resource,), compose)
    found = answer(policy.decide(*composed[0]))
    assert {"allowed": "Allowed", "explicitDeny": "ExplicitlyDenied", "implicitDeny": "ImplicitlyDenied"}[shown.eval_decision] == found[0]
    return found


def _source(name: str, text: str) -> SourcePolicy:
    return SourcePolicy(attach(name, text), text, "input", name)


def policy_test(case: Case, folder: Path) -> Answer | None:
    """The decision of `sekisho policy test`; its records have names for ids, and it knows no session policies and no root user."""
    session = case.subject.session
    by_id = "AIDA" in case.resource_policy or "AROA" in case.resource_policy
    if case.subject.id == HOME or by_id or (session is not None and session.policies):
        return None
    (one,) = (*case.account.users, *case.account.roles)
    question: dict[str, Any] = {
        "story": "",
        "action": case.action,
        "resource": case.resource,
        "resource_account": case.owner,
        "tags": dict(case.tags),
        "context": {key: value if isinstance(value, str) else list(value) for key, value in case.given.items()},
        "expect": "Allowed",
    }
    if session is None:
        question["principal"] = f"{'user' if case.account.users else 'role'}{one.path}{one.name}"
    else:
        question["session"] = "s"
    if case.resource_policy:
        (folder / "policies").mkdir(exist_ok=True)
        (folder / "policies" / "of-resource.json").write_text(case.resource_policy)
        question["resource_policy"] = "of-resource"
    sessions = {"s": {"role": one.name, "name": session.name, "tags": dict(session.tags)}} if session is not None else {}
    marked = Marked(folder / "q.test.yaml", {"questions": [question], "sessions": sessions}, {}, {})
    (found,) = expectations.suite(marked, expectations.Records(HOME, folder, case.account), "", NOW).questions
    return answer(policy.decide(found.request, found.layers))
