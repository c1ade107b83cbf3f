"""Messages that are asked for, on calls of the test's own: when there is room, whose turn it is, and who gives way."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from grpc import _server
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled: no stubs

from sekisho.edges.budgets import Budget
from sekisho.edges.grpc import receives, status
from sekisho.edges.grpc.receives import Receive, Receives
from sekisho.edges.grpc.sizes import MAX_MESSAGE

server: Any = _server
A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
NOW = 100.0


class Caller:
    """A call whose message comes when the test says so."""

    def __init__(self, address: str, *, began: float = NOW) -> None:
        self.state: Any = server._RPCState()
        self.asked: list[Any] = []
        self.cancelled = 0
        self.answer: Future[Any] = Future()
        self.wrong: Exception | None = None
        self.got: list[Any] = []
        self.receive = Receive(address, SimpleNamespace(call=self), self.state, self._then, began=began)

    def _then(self) -> "Future[Any]":
        self.got.append(self.state.request)
        if self.wrong is not None:
            raise self.wrong
        return self.answer

    def start_server_batch(self, operations: tuple[Any, ...], tag: Callable[[Any], Any]) -> None:
        self.asked.append((operations, tag))

    def cancel(self) -> None:
        self.cancelled += 1

    def come(self, message: bytes | None = b"hello") -> Any:
        """Have the message come, or what says that none will."""
        event = SimpleNamespace(batch_operations=[SimpleNamespace(message=lambda: message)])
        return self.asked[0][1](event)

    @property
    def is_asked(self) -> bool:
        return bool(self.asked)


class Place:
    """Receives without their thread, with room for so many messages in all and of one address."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        self.threads: list[Any] = []
        self.refused: list[Caller] = []
        monkeypatch.setattr(receives, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(threading, "Thread", self._thread)
        monkeypatch.setattr(_server, "_abort", self._abort)

    def _thread(self, **given: Any) -> Any:
        self.threads.append(given)
        return SimpleNamespace(start=lambda: self.threads.append("started"))

    def _abort(self, state: Any, call: Any, code: Any, details: bytes) -> None:
        assert (code, details, state.condition._is_owned()) == (cygrpc.StatusCode.resource_exhausted, b"Rate exceeded", True)
        assert {name: len(value) for name, value in state.trailing_metadata}[status.REQUEST_ID] == 36
        state.statused = True
        self.refused.append(call)

    def room(self, total: int, share: int, **given: Any) -> Receives:
        self.budget = Budget(total * MAX_MESSAGE, share * MAX_MESSAGE)
        self.receives = Receives(self.budget, **given)
        return self.receives

    def call(self, address: str, **given: Any) -> Caller:
        """A call that has begun."""
        caller = Caller(address, **given)
        self.receives.ask(caller.receive)
        return caller


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(monkeypatch)


def shed() -> float:
    return float(next(iter(receives._SHED.numbers)))


def test_a_message_has_room_until_its_call_is_over(place: Place) -> None:
    place.room(4, 2)
    caller = place.call(A)
    (operations, _), budget = caller.asked[0], place.budget
    assert [(type(operation), operation._flags) for operation in operations] == [(cygrpc.ReceiveMessageOperation, 0)]
    assert (budget.taken, caller.state.due, caller.got) == (MAX_MESSAGE, {server._RECEIVE_MESSAGE_TOKEN}, [])
    assert caller.come() == (None, ())
    assert (budget.taken, caller.state.due, caller.got, place.receives._unfinished) == (5, set(), [b"hello"], {})
    assert not caller.receive.ended.done()
    caller.answer.set_result("answered")
    assert (budget.taken, caller.receive.ended.result(0)) == (0, None)
    assert budget._taken == {}


def test_a_caller_who_closes_without_a_message_holds_no_room(place: Place) -> None:
    place.room(4, 2)
    caller = place.call(A)
    caller.come(None)
    assert (caller.got, place.budget.taken, caller.receive.ended.done()) == ([None], 0, False)
    caller.answer.set_result(None)
    assert (place.budget.taken, caller.receive.ended.done()) == (0, True)


def test_a_message_is_what_its_call_reads_from_it(place: Place) -> None:
    """Its own size counts where it is one of bytes."""
    place.room(4, 2)
    caller = Caller(A)
    caller.receive.deserializer = lambda data: (data,)
    place.receives.ask(caller.receive)
    caller.come()
    assert (caller.got, place.budget.taken) == ([(b"hello",)], 0)


def test_a_call_that_has_ended_is_not_asked(place: Place) -> None:
    place.room(1, 1)
    caller = Caller(A)
    caller.state.statused = True
    place.receives.ask(caller.receive)
    assert (caller.asked, place.budget.taken, caller.receive.ended.result(0)) == ([], 0, None)
    assert (place.receives._unfinished, place.receives._waiting) == ({}, {})
    assert place.call(A).is_asked


@pytest.mark.parametrize("how", ["shut", "refused"])
def test_a_message_that_nobody_takes_is_over_when_it_comes(place: Place, how: str) -> None:
    place.room(4, 4)
    caller, other = place.call(A), place.call(A)
    if how == "shut":
        caller.wrong = RuntimeError("the lane is closed")
    else:
        caller.receive.refused = True
    assert caller.come() == (None, ())
    assert (caller.got, caller.receive.ended.result(0)) == ([b"hello"] if how == "shut" else [], None)
    assert (place.budget.taken, place.receives._unfinished) == (MAX_MESSAGE, {A: {other.receive: None}})


def test_who_waits_is_asked_when_there_is_room_in_turns_by_address(place: Place) -> None:
    place.room(1, 1)
    first = place.call(A)
    waiting = {name: place.call(address) for name, address in (("a1", A), ("a2", A), ("a3", A), ("b1", B), ("c1", C))}
    order: list[str] = []
    running = first
    for _ in waiting:
        running.come(None)
        running.answer.set_result(None)
        order += [name for name, caller in waiting.items() if caller.is_asked and name not in order]
        running = waiting[order[-1]]
    assert order == ["a1", "b1", "c1", "a2", "a3"]
    assert place.receives._waiting == {}
    assert place.refused == []


def test_the_room_of_an_answered_call_is_the_next_ones(place: Place) -> None:
    place.room(1, 1)
    first, second = place.call(A), place.call(B)
    first.come()
    assert not second.is_asked  # five bytes are held
    first.answer.set_result(None)
    assert second.is_asked


def test_an_address_that_has_its_share_stands_before_no_other(place: Place) -> None:
    place.room(3, 1)
    callers = [place.call(address) for address in (A, A, B, B, C)]
    assert [caller.is_asked for caller in callers] == [True, False, True, False, True]
    assert (place.refused, list(place.receives._waiting)) == ([], [A, B])
    assert list(place.receives._unfinished) == [A, B, C]


def test_all_who_have_room_are_asked_at_once(place: Place) -> None:
    place.room(3, 3)
    held = [place.call(A) for _ in range(3)]
    place.now = NOW + 0.5  # nobody's is old
    others = [place.call(B) for _ in range(2)]
    assert [place.refused, [caller.is_asked for caller in others]] == [held[:2], [False, False]]
    for caller in held[:2]:
        caller.come(None)
    assert [caller.is_asked for caller in others] == [True, True]


def test_whoever_holds_more_gives_up_the_oldest(place: Place) -> None:
    place.room(3, 3)
    held = [place.call(A), place.call(C), place.call(A)]
    before = shed()
    late = place.call(B)
    assert (place.refused, held[0].receive.refused, shed()) == ([held[0]], True, before + 1)
    assert (late.is_asked, place.budget.taken, list(place.receives._unfinished[A])) == (False, 3 * MAX_MESSAGE, [held[2].receive])
    held[0].come(None)  # grpcore drops what has come of it
    assert (late.is_asked, held[0].got, held[0].receive.ended.done()) == (True, [], True)
    assert set(place.receives._unfinished) == {A, B, C}


@pytest.mark.parametrize(("age", "gives_way"), [(1.0, False), (1.01, True)])
def test_one_more_is_given_up_when_it_is_old(place: Place, age: float, gives_way: bool) -> None:
    place.room(1, 1)
    held = place.call(A, began=NOW - age)
    late = place.call(B)
    assert place.refused == ([held] if gives_way else [])
    assert held.receive.refused is gives_way
    assert not late.is_asked


@pytest.mark.parametrize("mine", [1, 2])
def test_who_holds_as_much_is_given_no_room_of_others(place: Place, mine: int) -> None:
    place.room(3, 3)
    for address in (A, B, C)[: 3 - mine]:
        place.call(address, began=NOW - 60)
    for _ in range(mine):
        place.call(C, began=NOW - 60)
    late = place.call(C)
    assert (place.refused, late.is_asked) == ([], False)


def test_nobody_gives_way_where_all_messages_have_come(place: Place) -> None:
    place.room(1, 1)
    held = place.call(A, began=NOW - 60)
    held.come()
    late = place.call(B)
    assert (place.refused, late.is_asked, held.receive.refused) == ([], False, False)


def test_an_address_may_let_so_many_wait(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receives, "WAITING", 2)
    place.room(1, 1)
    held, before = place.call(A), shed()
    waiting = [place.call(A) for _ in range(3)]
    assert (place.refused, shed()) == ([waiting[2]], before + 1)
    assert [caller.receive.ended.done() for caller in (held, *waiting)] == [False, False, False, True]
    assert len(place.receives._waiting[A]) == 2


def test_all_may_let_so_many_wait_and_each_address_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receives, "ALL_WAITING", 3)
    place.room(1, 1)
    place.call(A)
    waiting = [place.call(address) for address in (A, A, B, B, C, C)]
    assert place.refused == [waiting[3], waiting[5]]
    assert [waiting[number].receive.ended.done() for number in range(6)] == [False, False, False, True, False, True]


def test_a_call_that_has_ended_is_not_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receives, "WAITING", 0)
    place.room(1, 1)
    caller, before = Caller(A), shed()
    caller.state.client = server._CANCELLED
    place.receives.ask(caller.receive)
    assert (place.refused, shed(), caller.receive.ended.done(), caller.state.trailing_metadata) == ([], before, True, None)


class Stop:
    """Ends the thread after it has looked so often; `waited` are the seconds between."""

    def __init__(self, looks: int) -> None:
        self.looks, self.waited = looks, list[float]()

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize(("patience", "seconds"), [(10.0, 1.0), (0.25, 0.25)])
def test_those_who_are_late_are_ended(place: Place, patience: float, seconds: float) -> None:
    made = place.room(2, 1, patience=patience)
    late, punctual = place.call(A, began=NOW - patience - 0.01), place.call(B, began=NOW - patience)
    waited = [place.call(A, began=NOW - began) for began in (patience + 2, patience + 1, patience)]
    other = place.call(B, began=NOW - patience - 0.01)
    stop = made._stop = Stop(1)  # type: ignore[assignment]
    made._end_the_late()
    assert stop.waited == [seconds] * 2
    assert [caller.cancelled for caller in (late, punctual, *waited, other)] == [1, 0, 0, 0, 0, 0]
    assert place.refused == [*waited[:2], other]
    assert [caller.receive.ended.done() for caller in (*waited, other)] == [True, True, False, True]
    assert {address: len(queue) for address, queue in made._waiting.items()} == {A: 1}
    assert set(made._unfinished) == {A, B}


def test_who_waits_is_asked_after_the_late_are_gone(place: Place) -> None:
    made = place.room(1, 1)
    waiting = Caller(A)
    made._waiting[A] = deque([waiting.receive])
    made._stop = Stop(1)  # type: ignore[assignment]
    made._end_the_late()
    assert waiting.is_asked


def test_receives_have_one_thread_until_they_are_closed(place: Place) -> None:
    made = place.room(1, 1)
    assert place.threads == [{"target": made._end_the_late, "name": "receives", "daemon": True}, "started"]
    assert (made._patience, made._stop.is_set()) == (10.0, False)
    made.close()
    assert made._stop.is_set()
    made._end_the_late()
