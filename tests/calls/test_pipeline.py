"""The pipeline's order, step by step, on a node of fakes: what is done before what, and what is left undone when a step fails."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from sekisho import meters
from sekisho.calls import pipeline, tag_policies
from sekisho.calls.call import Call, NoWritePath, Peer
from sekisho.errors import AccessDenied, RequestTimeout, ServiceFailure, ValidationError
from sekisho.operations import PREPARATIONS, VIOLATIONS
from sekisho.sigv4 import InvalidClientTokenId, RequestReplayed
from sekisho.store import used
from sekisho.store.db import WriteConflict
from sekisho.world import Subject
from sekisho.world.placement import Placement
from tests.calls.fakes import ACCOUNT, ANN
from tests.calls.grounds import SINCE, WRITTEN, Ground
from tests.harness import BY_NAME


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Ground:
    return Ground(monkeypatch)


def counted(family: meters.Counter, *labels: str) -> float:
    return float(next(iter(family.labels(*labels).numbers)))


IN_ORDER = {
    "CreateUser": (
        "prove, read, transaction begins, sync, compose, authorize, tags, function, record, transaction ends, "
        f"committed ({WRITTEN}, {{'a'}}, '{ACCOUNT}')"
    ),
    "GetUser": "prove, read, renewed, compose, authorize, function",
    "Authorize": "prove, read, decision, freshness, compose, authorize, function",
    "GetCallerIdentity": "prove, read, decision, freshness, compose, authorize, function",
    "GetSessionToken": "prove, read, freshness, compose, authorize, function",
}
FIELDS: dict[str, dict[str, Any]] = {"CreateUser": {"user_name": "ann"}, "Authorize": {"action": "a:b", "resource": "*"}}


@pytest.mark.parametrize("name", IN_ORDER)
def test_each_step_comes_in_its_order(ground: Ground, name: str) -> None:
    reply = ground.run(name, **FIELDS.get(name, {}))
    assert ", ".join(ground.steps) == IN_ORDER[name]
    assert isinstance(reply.message, BY_NAME[name].response)
    assert reply.revision == (WRITTEN if name == "CreateUser" else SINCE).token
    entries = {
        "GetUser": [("note", ("read", "r-1", ground.message))],
        "GetCallerIdentity": [("note", ("read", "r-1", ground.message))],
        "GetSessionToken": [("append", (("event", "r-1", reply.message),))],
    }
    assert ground.node.entries == entries.get(name, [])
    assert ground.audited == ([("event", "r-1", reply.message)] if name == "CreateUser" else [])


@pytest.mark.parametrize("name", IN_ORDER)
@pytest.mark.parametrize("step", ["prove", "read", "authorize", "function", "record"])
def test_nothing_follows_a_step_that_fails(ground: Ground, name: str, step: str) -> None:
    ground.fails[step] = [AccessDenied("no")]
    if step not in IN_ORDER[name].split(", "):
        return
    with pytest.raises(AccessDenied) as caught:
        ground.run(name, **FIELDS.get(name, {}))
    assert (caught.value.message, caught.value.__cause__) == ("no", None)
    assert ", ".join(ground.steps) == IN_ORDER[name].partition(step)[0] + step
    composed = "compose" in ground.steps
    assert ground.node.entries == ([("add", ("event", "r-1", ground.message, "AccessDenied"))] if composed else [])


def test_what_nobody_foresaw_is_a_failure_with_its_cause(ground: Ground) -> None:
    ground.fails["function"] = [KeyError("inside")]
    with structlog.testing.capture_logs() as logs, pytest.raises(ServiceFailure) as caught:
        ground.run("GetUser")
    said = {"log_level": "error", "exc_info": True, "operation": BY_NAME["GetUser"].path, "request_id": "r-1"}
    assert logs == [{"event": "pipeline.failure", **said}]
    assert caught.value.message == "The request could not be processed because of an unknown error. Request id: r-1"
    assert isinstance(caught.value.__cause__, KeyError)
    assert ground.node.entries == [("add", ("event", "r-1", ground.message, "ServiceFailure"))]


def test_a_failure_before_the_caller_is_composed_is_counted(ground: Ground) -> None:
    before = counted(pipeline.UNRECORDED, "AccessDenied")
    ground.fails["compose"] = [AccessDenied("no")]
    with pytest.raises(AccessDenied):
        ground.run("GetUser")
    assert (counted(pipeline.UNRECORDED, "AccessDenied") - before, ground.node.entries) == (1, [])


def test_a_record_that_cannot_be_made_leaves_the_error(ground: Ground) -> None:
    def full(_entry: Any) -> None:
        raise OSError

    before = counted(pipeline.UNRECORDED, "AccessDenied")
    ground.node.spool.add = full
    ground.fails["authorize"] = [AccessDenied("no")]
    with structlog.testing.capture_logs() as logs, pytest.raises(AccessDenied, match="no"):
        ground.run("GetUser")
    said = {"log_level": "error", "exc_info": True, "operation": BY_NAME["GetUser"].path, "request_id": "r-1"}
    assert logs == [{"event": "pipeline.unrecorded", **said}]
    assert counted(pipeline.UNRECORDED, "AccessDenied") - before == 1


def test_whoever_could_not_be_authenticated_is_counted_and_owes_a_rest(ground: Ground) -> None:
    before = counted(pipeline.UNAUTHENTICATED, "InvalidClientTokenId")
    ground.fails["prove"] = [InvalidClientTokenId()]
    with pytest.raises(InvalidClientTokenId):
        ground.run("GetUser")
    assert (ground.steps, ground.node.entries) == (["prove", "owed"], [])
    ground.fails["function"] = [InvalidClientTokenId()]
    ground.steps.clear()
    with pytest.raises(InvalidClientTokenId):
        ground.run("GetUser")
    assert "owed" not in ground.steps  # it was a proof of somebody else
    assert counted(pipeline.UNAUTHENTICATED, "InvalidClientTokenId") - before == 2


def test_a_call_that_nobody_signs_is_counted_by_its_operation(ground: Ground) -> None:
    path = BY_NAME["AssumeRoleWithWebIdentity"].path
    before = counted(pipeline.UNSIGNED, path, "AccessDenied")
    ground.fails["function"] = [AccessDenied("no")]
    fields: dict[str, Any] = {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/r", "role_session_name": "session", "web_identity_token": "a.b.c.d"}
    with pytest.raises(AccessDenied):
        ground.run("AssumeRoleWithWebIdentity", **fields)
    assert (counted(pipeline.UNSIGNED, path, "AccessDenied") - before, ground.node.entries) == (1, [])
    assert "prove" not in ground.steps
    ground.run("AssumeRoleWithWebIdentity", **fields)
    assert (ground.steps[-1], [kind for kind, _ in ground.node.entries]) == ("function", ["append"])
    assert "compose" not in ground.steps


def test_a_broken_rule_is_said_as_the_service_says_it(ground: Ground) -> None:
    with pytest.raises(ValidationError):
        ground.run("CreateUser", user_name="")
    assert ground.steps == ["prove", "read"]
    said: list[Any] = []

    def violation(error: ValidationError) -> AccessDenied:
        said.append(error)
        return AccessDenied("as the service says it")

    ground.patched.setitem(VIOLATIONS, "iam", violation)
    with pytest.raises(AccessDenied, match="as the service says it") as caught:
        ground.run("CreateUser", user_name="")
    assert (len(said), caught.value.__suppress_context__) == (1, True)


def test_bytes_that_are_no_message() -> None:
    kind = BY_NAME["GetUser"].request
    assert pipeline.parsed(kind, kind(user_name="ann").SerializeToString()) == kind(user_name="ann")
    with pytest.raises(pipeline.MalformedRequest) as caught:
        pipeline.parsed(kind, b"\xff")
    assert caught.value.message == "The request is not a valid sekisho.api.iam.v1.GetUserRequest."
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(("seconds", "left"), [(None, 30), (5.0, 5), (100.0, 30)])
def test_how_long_a_call_may_take(ground: Ground, seconds: float | None, left: float) -> None:
    began = time.monotonic()
    found: list[Any] = []

    def function(call: Call, request: Any) -> Any:
        found.append(call)
        return call.operation.response()

    ground.function = function  # type: ignore[method-assign]
    ground.run("GetUser", seconds)
    (call,) = found
    assert began + left <= call.deadline <= time.monotonic() + left
    assert abs(call.now - datetime.now(UTC)) < timedelta(hours=1)
    assert (call.peer, call.request_id, call.operation.name) == (Peer("192.0.2.1"), "r-1", "GetUser")


def test_after_its_deadline_nothing_is_begun_and_nothing_committed(ground: Ground) -> None:
    with pytest.raises(RequestTimeout):
        ground.run("CreateUser", 0.0, user_name="ann")
    assert ground.steps == []

    def slow(call: Call, request: Any) -> Any:
        call.deadline = time.monotonic()
        return call.operation.response()

    ground.function = slow  # type: ignore[method-assign]
    with pytest.raises(RequestTimeout):
        ground.run("CreateUser", user_name="ann")
    assert "record" not in ground.steps


def test_a_write_that_met_another_is_done_once_more(ground: Ground) -> None:
    ground.fails["transaction ends"] = [WriteConflict("met another")]
    assert ground.run("CreateUser", user_name="ann").revision == WRITTEN.token
    assert [step for step in ground.steps if step in ("compose", "function", "record")] == ["compose", "function", "record"] * 2
    ground.fails["transaction ends"] = [WriteConflict("met another"), WriteConflict("and a third")]
    with pytest.raises(WriteConflict, match="and a third"):
        ground.run("CreateUser", user_name="ann")


def test_a_write_is_alone_in_the_account_of_its_caller(ground: Ground) -> None:
    began = time.monotonic()
    ground.run("CreateUser", 20.0, user_name="ann")
    accounts, deadline, first = ground.accounts
    assert (accounts, first, ground.sessions) == ((ACCOUNT,), "latest", ["session"])
    assert began + 20 <= deadline <= time.monotonic() + 20
    assert ground.recorded.demanded == []


def test_a_node_without_a_way_to_write_does_nothing(ground: Ground) -> None:
    def write(*_: Any, **__: Any) -> Any:
        raise NoWritePath("elsewhere")

    ground.node.primary = SimpleNamespace(sqlite=True, write=write)
    with pytest.raises(NoWritePath):
        ground.run("CreateUser", user_name="ann")
    assert ground.steps == ["prove", "read"]


def placed(ground: Ground) -> None:
    """Have the caller's account stand in an organization."""
    world: Any = ground.node.world
    acting = world.acting
    world.acting = lambda who, now: (replace(acting(who, now)[0], placement=Placement("o-1", "o-1/r/", (), None)), world.point)
    ground.patched.setattr(pipeline, "restricting", lambda account, lookup: frozenset({account.id, lookup(account.id).id, "p-1"}))


def test_a_write_demands_that_what_restricts_it_is_as_it_was(ground: Ground) -> None:
    placed(ground)
    ground.run("CreateUser", user_name="ann")
    assert ground.recorded.demanded == [(SINCE, frozenset({ACCOUNT, "p-1"}))]


@pytest.mark.parametrize("why", ["sqlite", "no organization", "no account", "nothing restricts"])
def test_nothing_is_demanded_where_nothing_can_come_between(ground: Ground, why: str) -> None:
    if why != "no organization":
        placed(ground)
    else:
        ground.patched.setattr(pipeline, "restricting", lambda *_: frozenset({"p-1"}))
    ground.node.primary.sqlite = why == "sqlite"
    if why == "no account":
        record = SimpleNamespace(id=ACCOUNT)
        ground.patched.setattr(tag_policies, "refuse", lambda *_: ground.node.world.put(record))
    if why == "nothing restricts":
        ground.patched.setattr(pipeline, "restricting", lambda *_: frozenset())
    ground.run("CreateUser", user_name="ann")
    assert ground.recorded.demanded == []


def test_the_use_of_a_signature_is_kept_with_the_write(ground: Ground) -> None:
    kept: list[Any] = []
    firsts: list[int | None] = [None, 1_000_000, 1_500_000]
    ground.patched.setattr(used, "first_use", lambda session, use: firsts.pop(0))
    ground.patched.setattr(used, "keep", lambda session, use: kept.append((session, use)))
    use = used.Use(1, ACCOUNT, "ab", 2_000_000, 0.9)

    def prove(call: Call) -> Subject:
        call.use = use
        return ANN

    ground.prove = prove  # type: ignore[method-assign]
    ground.run("CreateUser", user_name="ann")
    assert kept == [("session", use)]
    with pytest.raises(RequestReplayed):
        ground.run("CreateUser", user_name="ann")
    assert ground.steps[-2:] == ["transaction begins", "owed"]
    ground.run("CreateUser", user_name="ann")  # within its grace
    assert len(kept) == 1


def test_what_takes_long_is_done_before_the_transaction_for_whom_it_is_permitted(ground: Ground) -> None:
    prepared: list[Any] = []

    def work() -> str:
        ground.step("work")
        return "done"

    def preparation(call: Call, request: Any) -> Callable[[], str]:
        prepared.append(call.database_session)
        ground.step("preparation")
        return work

    operation, arrival = ground.arrival("CreateUser", user_name="ann")

    def function(call: Call, request: Any) -> Any:
        prepared.append((call.prepared, call.database_session))
        return call.operation.response()

    ground.patched.setitem(PREPARATIONS, function, preparation)
    operation = replace(operation, function=function)
    node: Any = ground.node
    pipeline.run(node, operation, arrival)
    assert ", ".join(ground.steps[2:9]) == "snapshot begins, compose, authorize, preparation, snapshot ends, work, transaction begins"
    assert prepared == ["snapshot", ("done", "session")]
    ground.steps.clear()
    ground.fails["authorize"] = [AccessDenied("no")]
    with pytest.raises(AccessDenied):
        pipeline.run(node, operation, arrival)
    assert "preparation" not in ground.steps
