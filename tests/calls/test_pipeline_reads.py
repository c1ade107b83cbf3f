"""Reads on a node of fakes: out of memory as long as the world stands still, and in one snapshot where it moves on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sekisho.calls import pipeline
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied, ServiceFailure
from sekisho.memory import cold
from sekisho.store.changes import Point
from tests.calls.fakes import FakeNode
from tests.calls.grounds import SINCE, Ground

BEGUN = ["prove", "read", "renewed"]
ASKED = ["compose", "authorize"]
IN_SNAPSHOT = ["snapshot begins", "sync", *ASKED]


class Moving(Ground):
    """A node of fakes whose world moves on at a step, as often as `moves` says."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        super().__init__(patched)
        self.moves: dict[str, int] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.opening = False

    def step(self, name: str) -> None:
        if self.moves.get(name):
            self.moves[name] -= 1
            self.node.world.move()
        super().step(name)

    @contextmanager
    def _opened(self, name: str) -> Iterator[Any]:
        self.step(f"{name} begins")
        try:
            yield name
        finally:
            self.step(f"{name} ends")

    def function(self, call: Call, request: Any) -> Any:
        if self.opening:
            assert call.session is call.session
        self.calls.append((call.database_session, call.point))
        self.step("function")
        return call.operation.response()

    def revision(self, moved: int) -> str:
        """Of the world that has moved on so often."""
        return Point(SINCE.number + moved, SINCE.nonce).token


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Moving:
    return Moving(monkeypatch)


def test_a_read_that_needs_rows_opens_one_snapshot(ground: Moving) -> None:
    ground.opening = True
    reply = ground.run("GetUser")
    assert ground.steps == [*BEGUN, *ASKED, "snapshot begins", "sync", "function", "snapshot ends"]
    assert (ground.calls, reply.revision) == ([("snapshot", SINCE)], SINCE.token)


@pytest.mark.parametrize("step", ["compose", "authorize"])
def test_whom_an_older_world_permitted_is_asked_again(ground: Moving, step: str) -> None:
    ground.moves = {step: 1}
    reply = ground.run("GetUser")
    assert ground.steps == [*BEGUN, *ASKED, *IN_SNAPSHOT, "function", "snapshot ends"]
    assert [session for session, _ in ground.calls] == ["snapshot"]
    assert reply.revision == ground.revision(1)


def test_what_was_read_of_a_newer_world_is_not_shown(ground: Moving) -> None:
    ground.moves = {"function": 1}
    reply = ground.run("GetUser")
    assert ground.steps == [*BEGUN, *ASKED, "function", *IN_SNAPSHOT, "function", "snapshot ends"]
    assert [session for session, _ in ground.calls] == [None, "snapshot"]
    assert reply.revision == ground.revision(1)


def test_what_was_read_in_a_snapshot_is_of_its_moment_whatever_comes(ground: Moving) -> None:
    ground.opening, ground.moves = True, {"function": 1}
    reply = ground.run("GetUser")
    assert ground.steps.count("function") == 1
    assert reply.revision == ground.revision(0)


def test_a_snapshot_of_a_newer_world_is_none_for_whom_an_older_one_permitted(ground: Moving) -> None:
    ground.opening, ground.moves = True, {"sync": 1}
    reply = ground.run("GetUser")
    assert ground.steps == [*BEGUN, *ASKED, "snapshot begins", "sync", "snapshot ends", *IN_SNAPSHOT, "function", "snapshot ends"]
    assert reply.revision == ground.revision(1)


def test_a_world_that_does_not_stand_still_is_held_in_the_end(ground: Moving) -> None:
    """Once out of memory, twice in a snapshot, and then it is kept from moving until the caller is authorized."""
    ground.moves = {"authorize": 4}
    reply = ground.run("GetUser")
    ended = [*IN_SNAPSHOT, "snapshot ends"]
    held = ["steady begins", *IN_SNAPSHOT, "steady ends", "function", "snapshot ends"]
    assert ground.steps == [*BEGUN, *ASKED, *ended, *ended, *held]
    assert reply.revision == ground.revision(3)  # of its snapshot
    assert [session for session, _ in ground.calls] == ["snapshot"]


@pytest.mark.parametrize("moved", [1, 2])
def test_a_world_that_stands_still_again_is_not_held(ground: Moving, moved: int) -> None:
    ground.moves = {"authorize": moved}
    reply = ground.run("GetUser")
    assert ground.steps.count("snapshot begins") == moved
    assert "steady begins" not in ground.steps
    assert reply.revision == ground.revision(moved)


def test_of_a_caller_who_is_composed_again_nothing_is_left(ground: Moving) -> None:
    ground.moves, ground.fails["compose"] = {"function": 1}, []
    seen: list[Any] = []
    proving: list[Call] = []
    opened = ground._opened

    def snapshot(_deadline: float) -> Any:
        return opened("snapshot")

    def sync(*_: Any, **__: Any) -> Any:
        (call,) = proving
        seen.append((call.acting, call.point, call.snapshot))
        return ground.point_at("sync")

    world: Any = ground.node.world
    world.snapshot, world.sync = snapshot, sync
    prove = ground.prove

    def proved(call: Call) -> Any:
        proving.append(call)
        return prove(call)

    ground.prove = proved  # type: ignore[method-assign]
    ground.run("GetUser")
    assert seen == [(None, None, None)]


def test_a_read_is_noted_once_however_often_it_is_done(ground: Moving) -> None:
    ground.moves = {"authorize": 4}
    ground.run("GetUser")
    assert ground.node.entries == [("note", ("read", "r-1", ground.message))]


def test_a_read_whose_record_cannot_be_made_fails(ground: Moving) -> None:
    def full(_entry: Any) -> None:
        raise OSError

    ground.node.spool.note = full
    with pytest.raises(ServiceFailure):
        ground.run("GetUser")


def test_a_read_that_nobody_signed_is_in_no_record() -> None:
    node = FakeNode()
    call = node.call("GetUser", None)
    pipeline._note(call, call.operation.request())
    assert node.entries == []


@pytest.mark.parametrize(("name", "moved"), [("Authorize", 1), ("GetSessionToken", 1)])
def test_a_decision_is_of_the_world_that_its_caller_was_composed_from(ground: Moving, name: str, moved: int) -> None:
    fields: dict[str, Any] = {"action": "a:b", "resource": "*"} if name == "Authorize" else {}
    ground.moves = {"freshness": 1, "function": 1}
    assert ground.run(name, **fields).revision == ground.revision(moved)


def test_what_nobody_signs_is_of_the_newest_world(ground: Moving) -> None:
    ground.moves = {"function": 1}
    fields: dict[str, Any] = {
        "role_arn": "arn:aws:iam::111122223333:role/r",
        "role_session_name": "session",
        "web_identity_token": "a.b.c.d",
    }
    assert ground.run("AssumeRoleWithWebIdentity", **fields).revision == ground.revision(1)


def test_credentials_do_not_leave_before_their_record_is_on_the_disk(ground: Moving) -> None:
    given: list[Any] = []

    def full(*entries: Any, timeout: float) -> None:
        given.append((entries, timeout))
        raise AccessDenied("no room")

    ground.node.spool.append = full
    with pytest.raises(AccessDenied, match="no room"):
        ground.run("GetSessionToken", 20.0)
    ((entries, timeout),) = given
    assert [entry[:2] for entry in entries] == [("event", "r-1")]
    assert 0 < timeout <= 20


@pytest.mark.parametrize(("name", "first"), [("CreateUser", "transaction begins"), ("GetSessionToken", "freshness")])
def test_a_thread_that_must_not_wait_writes_and_issues_nothing(ground: Moving, name: str, first: str) -> None:
    fields: dict[str, Any] = {"user_name": "ann"} if name == "CreateUser" else {}
    with cold.unwaiting(), pytest.raises(cold.Cold):
        ground.run(name, **fields)
    assert ground.steps == ["prove", "read"]
    assert first not in ground.steps


def test_a_write_is_synchronized_from_where_the_world_was_before_it(ground: Moving) -> None:
    since: list[Any] = []
    world: Any = ground.node.world
    world.sync = lambda session, **given: since.append((session, given))
    ground.moves = {"transaction begins": 1}
    ground.run("CreateUser", user_name="ann")
    assert since == [("session", {"since": SINCE})]


def test_who_writes_without_a_caller_takes_no_account(ground: Moving) -> None:
    call = ground.node.call("CreateUser", None)
    request = call.operation.request(user_name="ann")
    primary: Any = ground.node.primary
    ground.fails["sync"] = [AccessDenied("enough")]
    with pytest.raises(AccessDenied):
        pipeline._write_once(call, request, None, primary)
    assert ground.accounts[0] == ()
