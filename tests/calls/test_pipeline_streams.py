"""Streams on a node of fakes: for whom one goes on, and until when."""

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sekisho.calls import answers, audit, freshness, permission, pipeline
from sekisho.calls.call import Call
from sekisho.calls.waits import Wait
from sekisho.errors import AccessDenied, RequestTimeout, SekishoError, ServiceFailure, Unauthenticated
from sekisho.sigv4 import ExpiredToken, InvalidClientTokenId
from tests.calls.fakes import ACCOUNT, NOW, FakeNode, deploying
from tests.calls.grounds import Ground

BEGUN = ["prove", "read", "freshness", "compose", "authorize"]
AGAIN = ["compose", "authorize"]


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Ground:
    return Ground(monkeypatch)


def yielding(ground: Ground, *messages: Any) -> list[Call]:
    """Have the function yield these, and call what of them can be called instead; the call that it gets."""
    calls: list[Call] = []

    def function(call: Call, _request: Any) -> Iterator[Any]:
        ground.step("function")
        calls.append(call)
        for message in messages:
            yield message() if callable(message) else message

    ground.patched.setattr(ground, "function", function)
    return calls


def test_messages_come_as_they_are_made_and_whoever_waits_is_let_wait(ground: Ground) -> None:
    wait = Wait(5.0)
    calls = yielding(ground, "a", wait, "b")
    stream = ground.stream()
    assert ground.steps == []
    assert next(stream) == "a"
    assert ground.steps == [*BEGUN, "function"]
    assert list(stream) == [wait, "b"]
    assert ground.steps == [*BEGUN, "function"]  # nothing has changed, so nobody is asked again
    assert ground.node.entries == []
    assert (calls[0].request_id, calls[0].operation.name) == ("r-1", "WatchChanges")


@pytest.mark.parametrize("seconds", [None, 5.0, 100.0])
def test_a_stream_begins_within_what_a_call_may_take_and_then_has_what_its_caller_gives_it(ground: Ground, seconds: float | None) -> None:
    began, first = time.monotonic(), list[float]()
    ground.patched.setattr(freshness, "wait", lambda call, _request: first.append(call.deadline))
    ground.patched.setattr(permission, "permission", lambda call, _request: first.append(call.deadline))
    calls = yielding(ground, "a")
    assert list(ground.stream(seconds)) == ["a"]
    ended = time.monotonic()
    assert first[0] == first[1]
    assert began + min(30, seconds or 30) <= first[0] <= ended + min(30, seconds or 30)
    if seconds is None:
        assert calls[0].deadline == math.inf
    else:
        assert began + seconds <= calls[0].deadline <= ended + seconds


def test_the_function_has_the_secret_that_its_answers_are_signed_with(ground: Ground) -> None:
    asked: list[Any] = []

    def secret(call: Call, proof: Any) -> str:
        asked.append((call.acting is not None, proof))
        return "shared"

    ground.patched.setattr(answers, "secret", secret)
    calls = yielding(ground, "a")
    list(ground.stream())
    assert (calls[0].secret, asked) == ("shared", [(True, ground)])


def test_each_message_is_of_its_own_moment(ground: Ground) -> None:
    calls = yielding(ground, "a", "b")
    stream = ground.stream()
    next(stream)
    (call,) = calls
    call.now = NOW
    next(stream)
    assert call.now > NOW
    assert call.now.tzinfo is not None


def test_the_caller_is_asked_again_once_each_time_that_the_world_has_moved_on(ground: Ground) -> None:
    move = ground.node.world.move
    yielding(ground, "a", lambda: move() or "b", "c", lambda: move() or Wait(1.0), "d", "e")
    stream = ground.stream()
    told = []
    for message in stream:
        told.append((message if isinstance(message, str) else "wait", ground.steps[:]))
        ground.steps.clear()
    assert told == [
        ("a", [*BEGUN, "function"]),
        ("b", AGAIN),
        ("c", []),
        ("wait", []),
        ("d", AGAIN),
        ("e", []),
    ]


@pytest.mark.parametrize(("step", "again"), [("freshness", False), ("compose", True), ("authorize", True), ("function", True)])
def test_what_comes_while_the_caller_is_authorized_may_take_it_back(ground: Ground, step: str, again: bool) -> None:
    taken = ground.step

    def moving(name: str) -> None:
        if name == step:
            ground.node.world.move()
        taken(name)

    ground.step = moving  # type: ignore[method-assign]
    yielding(ground, "a")
    stream = ground.stream()
    next(stream)
    assert ground.steps == [*BEGUN, "function", *(AGAIN if again else [])]


def test_a_stream_ends_when_what_permitted_it_is_taken_back(ground: Ground) -> None:
    move = ground.node.world.move
    yielding(ground, "a", lambda: move() or "b")
    stream = ground.stream()
    next(stream)
    denied = AccessDenied("no more")
    ground.fails["authorize"] = [denied]
    with pytest.raises(AccessDenied) as caught:
        next(stream)
    assert caught.value is denied
    assert caught.value.__cause__ is None
    assert ground.node.entries == [("add", ("event", "r-1", ground.message, "AccessDenied"))]


def test_a_stream_ends_at_its_deadline(ground: Ground) -> None:
    calls = yielding(ground, "a", Wait(1.0), "b")
    stream = ground.stream(60.0)
    next(stream)
    calls[0].deadline = time.monotonic()
    assert isinstance(next(stream), Wait)  # the edge waits no longer than the call has
    with pytest.raises(RequestTimeout):
        next(stream)
    assert ground.node.entries == [("add", ("event", "r-1", ground.message, "RequestTimeout"))]


def test_a_stream_that_comes_too_late_is_not_begun(ground: Ground) -> None:
    with pytest.raises(RequestTimeout):
        next(ground.stream(0.0))
    assert ground.steps == []


@pytest.mark.parametrize(("left", "ends"), [(timedelta(days=1), False), (None, False), (-timedelta(days=1), True)])
def test_a_stream_ends_with_the_credentials_of_its_caller(ground: Ground, left: timedelta | None, ends: bool) -> None:
    yielding(ground, "a")
    began = datetime.now(UTC)
    ground.subject = deploying(expires_at=began + left if left is not None else None)
    if not ends:
        assert list(ground.stream()) == ["a"]
        return
    with pytest.raises(ExpiredToken, match=r"^The security token included in the request is expired$"):
        next(ground.stream())
    assert ground.steps[-1] == "function"


@pytest.mark.parametrize(("left", "ends"), [(timedelta(0), True), (timedelta.resolution, False), (-timedelta.resolution, True)])
def test_credentials_have_ended_in_the_moment_of_their_end(left: timedelta, ends: bool) -> None:
    subject = deploying(expires_at=NOW + left)
    call = FakeNode().call("WatchChanges", subject)
    if ends:
        with pytest.raises(ExpiredToken):
            pipeline._refuse_expired(call, subject)
    else:
        pipeline._refuse_expired(call, subject)
        pipeline._refuse_expired(call, None)


def test_what_nobody_foresaw_ends_a_stream_with_its_cause(ground: Ground) -> None:
    def broken() -> Any:
        raise KeyError("inside")

    yielding(ground, "a", broken)
    stream = ground.stream()
    next(stream)
    with pytest.raises(ServiceFailure) as caught:
        next(stream)
    assert isinstance(caught.value.__cause__, KeyError)
    assert ground.node.entries == [("add", ("event", "r-1", ground.message, "ServiceFailure"))]


@pytest.mark.parametrize(
    ("step", "error"), [("prove", InvalidClientTokenId()), ("freshness", AccessDenied("no")), ("authorize", AccessDenied("no"))]
)
def test_nothing_follows_a_step_of_a_stream_that_fails(ground: Ground, step: str, error: SekishoError) -> None:
    yielding(ground, "a")
    ground.fails[step] = [error]
    with pytest.raises(type(error)) as caught:
        next(ground.stream())
    assert caught.value is error
    owed = ["owed"] if isinstance(error, Unauthenticated) else []
    assert ground.steps == [*BEGUN[: BEGUN.index(step) + 1], *owed]


def test_the_record_of_a_stream_that_failed_is_its_callers(ground: Ground) -> None:
    found: list[Any] = []
    ground.patched.setattr(audit, "event", lambda call, *_: found.append(call.account_id))
    ground.fails["authorize"] = [AccessDenied("no")]
    yielding(ground, "a")
    with pytest.raises(AccessDenied):
        next(ground.stream())
    assert found == [ACCOUNT]
