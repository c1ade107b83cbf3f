"""The threads of a class of calls: shared by accounts, bounded in what waits, and honest at the end."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.calls import rests
from sekisho.credentials import key_ids
from sekisho.credentials.oidc import key_sets
from sekisho.edges import doubts
from sekisho.edges import lanes as lanes_module
from sekisho.edges.lanes import PACE, UNSIGNED, Claim, Lane, Lanes
from sekisho.errors import Throttling
from sekisho.policy import steps
from sekisho.sigv4 import InvalidClientTokenId
from tests import harness


def working(done: list[str], name: str) -> Callable[[], None]:
    """A call that takes some processor time, and says when it was answered."""

    def work() -> None:
        sum(range(20_000))
        done.append(name)

    return work


def test_a_call_does_not_stand_behind_the_flood_of_another_account() -> None:
    lane, gate, done = Lane("test", threads=1, waiting=1000), threading.Event(), list[str]()
    lane.submit_for("other", gate.wait)
    floods = [lane.submit_for("flood", working(done, "flood")) for _ in range(300)]
    quiet = [lane.submit_for("quiet", working(done, "quiet")) for _ in range(3)]
    gate.set()
    for future in (*quiet, *floods):
        future.result(timeout=60)
    assert done[:10].count("quiet") == 3
    lane.shutdown()


def test_calls_that_nobody_signs_have_threads_of_their_own() -> None:
    """More than wait at once for an identity provider."""
    lanes = Lanes("test", decide=6, control=2)
    assert lanes.of(harness.BY_NAME["AssumeRoleWithWebIdentity"]) is lanes.unsigned
    assert lanes.of(harness.BY_NAME["AssumeRole"]) is lanes.control
    assert UNSIGNED - 1 > key_sets.MOST_WAITING
    lanes.close()


def test_calls_of_one_account_are_answered_in_their_order() -> None:
    lane, done = Lane("test", threads=1, waiting=1000), list[str]()
    for future in [lane.submit(working(done, str(number))) for number in range(50)]:
        future.result(timeout=60)
    assert done == [str(number) for number in range(50)]
    lane.shutdown()


def test_as_many_threads_as_there_are_serve_what_waits() -> None:
    lane, together = Lane("test", threads=4, waiting=10), threading.Barrier(4)
    for future in [lane.submit(together.wait, 60) for _ in range(4)]:
        future.result(timeout=60)
    lane.shutdown()


def test_a_lane_that_got_no_thread_gets_one_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has as many threads as it may have answers again when it may have more, what has waited first."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    lane = Lane("test", threads=2, waiting=10)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        waiting = [lane.submit(str, number) for number in range(3)]
    later = lane.submit(str, 3)
    assert [future.result(timeout=60) for future in (*waiting, later)] == ["0", "1", "2", "3"]
    lane.shutdown()


def test_reserved_threads_are_for_other_accounts() -> None:
    """However many calls an account sends: whoever comes next does not wait for the end of one of them."""
    lane, gate, running = Lane("test", threads=3, waiting=100, reserved=1), threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        running.release()
        gate.wait(60)

    floods = [lane.submit_for("flood", hold) for _ in range(10)]
    assert running.acquire(timeout=60)
    assert running.acquire(timeout=60)
    for _ in range(20):
        assert lane.submit_for("quiet", lambda: "answered").result(timeout=60) == "answered"
    assert not running.acquire(blocking=False)
    gate.set()
    for future in floods:
        future.result(timeout=60)
    lane.shutdown()


@pytest.mark.parametrize(("name", "most"), [("Authorize", 4), ("CreateUser", 8)])
def test_an_account_has_two_thirds_of_the_threads_of_its_class(name: str, most: int) -> None:
    lanes, gate, running = Lanes("test", decide=6, control=12), threading.Event(), threading.Semaphore(0)
    lane = lanes.of(harness.BY_NAME[name])

    def hold() -> None:
        running.release()
        gate.wait(60)

    floods = [lane.submit_for("flood", hold) for _ in range(20)]
    for _ in range(most):
        assert running.acquire(timeout=60)
    assert lane.submit_for("quiet", lambda: "answered").result(timeout=60) == "answered"
    assert not running.acquire(blocking=False)
    gate.set()
    for future in floods:
        future.result(timeout=60)
    lanes.close()


def test_batches_of_any_accounts_leave_single_questions_their_threads() -> None:
    lanes, gate = Lanes("test", decide=2, control=2), threading.Event()
    batches = [lanes.of(harness.BY_NAME["AuthorizeBatch"]).submit_for(f"account {n}", gate.wait, 60) for n in range(20)]
    answer = lanes.of(harness.BY_NAME["Authorize"]).submit_for("quiet", lambda: "answered").result(timeout=60)
    assert (answer, [future.done() for future in batches]) == ("answered", [False] * 20)
    gate.set()
    for future in batches:
        future.result(timeout=60)
    lanes.close()


def test_what_waits_for_a_thread_of_its_account_is_answered_at_the_end() -> None:
    lane, done = Lane("test", threads=3, waiting=100, reserved=2), list[str]()
    futures = [lane.submit_for("one", working(done, str(number))) for number in range(20)]
    lane.shutdown()
    for future in futures:
        future.result(timeout=60)
    assert done == [str(number) for number in range(20)]


def test_no_call_is_lost_beside_accounts_that_are_full() -> None:
    lane, done = Lane("test", threads=4, waiting=10_000, reserved=2), list[str]()
    futures: list[Future[None]] = []

    def send(account: str) -> None:
        futures.extend(lane.submit_for(account, working(done, account)) for _ in range(200))

    senders = [threading.Thread(target=send, args=(account,)) for account in "abc" * 2]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    lane.shutdown()
    for future in futures:
        future.result(timeout=60)
    assert {account: done.count(account) for account in "abc"} == {"a": 400, "b": 400, "c": 400}


def test_what_is_too_much_is_refused_to_whoever_sends_it() -> None:
    lane, gate, began = Lane("test", threads=1, waiting=10), threading.Event(), threading.Event()

    def first() -> None:
        began.set()
        gate.wait()

    lane.submit_for("other", first)
    assert began.wait(60)

    def call() -> str:
        lane.enter()
        return "answered"

    flood = [lane.submit_for("flood", call) for _ in range(14)]
    quiet = lane.submit_for("quiet", call)
    gate.set()
    assert quiet.result(timeout=60) == "answered"
    refused = [number for number, future in enumerate(flood) if isinstance(future.exception(timeout=60), Throttling)]
    assert refused == [0, 1, 2, 3]
    lane.shutdown()


def test_a_closed_lane_cancels_what_waits_and_takes_nothing() -> None:
    lane, gate, began = Lane("test", threads=1, waiting=10), threading.Event(), threading.Event()

    def first() -> None:
        began.set()
        gate.wait()

    running: Future[Any] = lane.submit(first)
    assert began.wait(60)
    waiting = lane.submit(first)
    lane.shutdown(cancel_futures=True)
    gate.set()
    running.result(timeout=60)
    assert waiting.cancelled()
    with pytest.raises(RuntimeError):
        lane.submit(first)


def test_an_error_is_the_callers() -> None:
    lane = Lane("test", threads=1, waiting=10)

    def wrong() -> None:
        raise KeyError("x")

    assert isinstance(lane.submit(wrong).exception(timeout=60), KeyError)
    assert lane.submit(lambda: 1).result(timeout=60) == 1
    lane.shutdown()


def test_keys_that_are_known_do_not_wait_for_strangers() -> None:
    """However many keys are made up, for whatever account: the lanes of known keys are free, and an address has one thread of two."""
    lanes, gate, running = Lanes("test", decide=2, control=2), threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        running.release()
        gate.wait(60)

    floods = [lane.submit_claimed(Claim("victim", True), "192.0.2.1", hold) for lane in (lanes.decide, lanes.control) for _ in range(20)]
    assert running.acquire(timeout=60)
    for lane in (lanes.decide, lanes.batches, lanes.control):
        assert lane.submit_claimed(Claim("victim"), "192.0.2.1", lambda: "known").result(timeout=60) == "known"
    for address in ("192.0.2.2", "192.0.2.3"):
        assert lanes.decide.submit_claimed(Claim("victim", True), address, lambda: "cold").result(timeout=60) == "cold"
    assert not running.acquire(blocking=False)
    gate.set()
    for future in floods:
        future.result(timeout=60)
    lanes.close()


def test_whoever_shares_the_address_of_a_flood_comes_next() -> None:
    lane, done = Lane("test", threads=1, waiting=250), list[str]()
    lane.strangers, gate, began = lane, threading.Event(), threading.Event()

    def first() -> None:
        began.set()
        gate.wait(60)

    held = lane.submit_for("other", first)
    assert began.wait(60)
    floods = [lane.submit_claimed(Claim("", True), "192.0.2.1", working(done, "flood")) for _ in range(100)]
    quiet = lane.submit_claimed(Claim("111122223333", True), "192.0.2.1", working(done, "quiet"))
    gate.set()
    for future in (held, quiet, *floods):
        future.result(timeout=60)
    assert done.index("quiet") <= 1
    lane.shutdown()


def test_the_flood_of_one_who_claims_an_account_in_vain_stands_before_none_of_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubts, "here", doubts.Doubts())
    lane, done = Lane("test", threads=1, waiting=100), list[str]()
    gate, began = threading.Event(), threading.Event()

    def first() -> None:
        began.set()
        gate.wait(60)

    def call(name: str) -> Callable[[], None]:
        def work() -> None:
            lane.enter()
            working(done, name)()

        return work

    lane.submit_claimed(Claim("111122223333"), "192.0.2.1", rests.owe).result(timeout=60)
    held = lane.submit_for("other", first)
    assert began.wait(60)
    flood, quiet = (Claim("111122223333"), "192.0.2.1", call("flood")), (Claim("111122223333"), "192.0.2.2", call("quiet"))
    floods = [lane.submit_claimed(*flood) for _ in range(100)]
    calls = [lane.submit_claimed(*quiet) for _ in range(10)]
    floods += [lane.submit_claimed(*flood) for _ in range(100)]
    gate.set()
    for future in (held, *calls):
        future.result(timeout=60)
    refused = [future.exception(timeout=60) for future in floods]
    assert sum(isinstance(error, Throttling) for error in refused) == 110
    assert done[:20].count("quiet") == 10
    lane.shutdown()


def test_a_thread_rests_after_a_key_that_was_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is given before, and whoever was authenticated owes nothing."""
    slept, rested = list[float](), threading.Semaphore(0)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        rested.release()

    monkeypatch.setattr(lanes_module, "time", SimpleNamespace(thread_time=time.thread_time, sleep=sleep))
    lane = Lane("test", threads=1, waiting=10, pace=7.0)
    assert [lane.submit(str, number).result(timeout=60) for number in range(3)] == ["0", "1", "2"]
    lane.submit(rests.owe).result(timeout=60)
    assert rested.acquire(timeout=60)
    assert lane.submit(str, 3).result(timeout=60) == "3"
    assert slept == [7.0]
    lane.shutdown()
    other = Lane("test", threads=1, waiting=10)
    other.submit(rests.owe).result(timeout=60)
    assert other.submit(str, 4).result(timeout=60) == "4"
    assert slept == [7.0]
    other.shutdown()


def test_threads_of_lanes_rest_at_the_steps_of_what_they_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = list[str]()
    monkeypatch.setattr(rests, "Rests", lambda: SimpleNamespace(step=lambda: taken.append(threading.current_thread().name)))
    lanes = Lanes("test", decide=1, control=1)
    for lane in lanes:
        lane.submit(steps.step).result(timeout=60)
    assert len(taken) == len(set(taken)) == len(list(lanes))
    lanes.close()


def test_who_cannot_be_authenticated_owes_a_rest(tmp_path: Path) -> None:
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as house:
        rests.settle()
        house.call("GetCallerIdentity")
        assert not rests.settle()
        with pytest.raises(InvalidClientTokenId):
            house.call("GetCallerIdentity", _as=sigv4.Credentials(key_ids.long_term(house.account_id), "s" * 40))
        assert rests.settle()


@pytest.mark.parametrize(
    ("given", "batches", "decide", "control", "streams"),
    [
        ({"decide": 7, "control": 9}, (3, 2), (7, 5), (9, 6), (8, 6)),
        ({"decide": 1, "control": 1, "streams": 9}, (2, 1), (1, 1), (1, 1), (11, 8)),
    ],
)
def test_the_threads_of_each_class_of_calls(
    given: dict[str, int], batches: tuple[int, int], decide: tuple[int, int], control: tuple[int, int], streams: tuple[int, int]
) -> None:
    """The number of all, and of those that an account has at once."""
    lanes = Lanes("bay", **given)
    found = {lane.name: (lane._threads, lane._most_running, lane._most, lane._pace) for lane in lanes}
    assert found == {
        "bay-decide": (*decide, 2000, 0.0),
        "bay-batches": (*batches, 500, 0.0),
        "bay-control": (*control, 500, 0.0),
        "bay-unsigned": (8, 7, 250, 0.0),
        "bay-strangers": (2, 1, 250, PACE),
        "bay-pages": (2, 1, 64, 0.0),
        "bay-streams": (*streams, 4000, 0.0),
    }
    assert {lane.name for lane in lanes if lane.strangers is lanes.strangers} == {"bay-decide", "bay-batches", "bay-control"}
    assert {lane.name for lane in lanes if lane.strangers is None} == {"bay-unsigned", "bay-strangers", "bay-pages", "bay-streams"}


@pytest.mark.parametrize(
    ("operation", "lane"),
    [
        ("Authorize", "decide"),
        ("AuthorizeBatch", "batches"),
        ("CreateUser", "control"),
        ("GetUser", "control"),
        ("AssumeRoleWithWebIdentity", "unsigned"),
        ("WatchChanges", "streams"),
    ],
)
def test_the_lane_of_an_operation(operation: str, lane: str) -> None:
    lanes = Lanes("bay", decide=2, control=2)
    assert lanes.of(harness.BY_NAME[operation]) is getattr(lanes, lane)


def test_all_lanes_are_closed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lane, "_grow", lambda lane: None)
    lanes = Lanes("bay", decide=2, control=2)
    waiting = [lane.submit(str) for lane in lanes]
    lanes.close()
    assert [future.cancelled() for future in waiting] == [True] * 7
    for lane in lanes:
        with pytest.raises(RuntimeError):
            lane.submit(str)
