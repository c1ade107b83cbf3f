"""The process that answers: its bounds of memory and time, turns among accounts, and that it comes back."""

import os
import resource
import threading
import time
from collections.abc import Iterator

import pytest

from sekisho.analysis.solver import Access, Answer, PolicyType, Zone
from sekisho.analysis.solver.process import Call, Solver, Unanswered
from sekisho.errors import MalformedPolicyDocument, Throttling
from tests.analysis.solver.documents import allow, policy, to

MORE = Call("new_access", (policy(allow("s3:GetObject")), policy(allow("s3:*")), PolicyType.IDENTITY))
_MIXED = [f"arn:aws:s3:::*{letter}{'?' * 60}*" for letter in "abab"]
HARD = Call("new_access", (policy(allow("s3:*", _MIXED)), policy(allow("s3:*", f"arn:aws:s3:::*{'a?' * 200}*")), PolicyType.IDENTITY))
PATIENCE = 60.0


@pytest.fixture
def solver() -> Iterator[Solver]:
    """A process that ends with the test."""
    made = Solver()
    yield made
    made.close()


def later(seconds: float = PATIENCE) -> float:
    return time.monotonic() + seconds


def test_it_answers_as_the_functions_do(solver: Solver) -> None:
    verdict = solver.ask(MORE, later())
    assert (verdict.answer, verdict.witness.action) == (Answer.YES, "s3:PutObject")
    access = Call("granted", (policy(allow("s3:*")), [Access(("s3:GetObject",))], PolicyType.IDENTITY))
    assert solver.ask(access, later()).answer is Answer.YES
    assert solver.ask(Call("public", (policy(to("*")),)), later()).answer is Answer.YES
    (grant,) = solver.ask(Call("external", (policy(to("*")), "arn:aws:s3:::bucket", "111122223333", Zone(frozenset()))), later())
    assert grant.is_public
    known = policy(to("*", condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}))  # which the process is asked about
    (grant,) = solver.ask(Call("external", (known, "arn:aws:s3:::bucket", "111122223333", Zone(frozenset()))), later())
    assert (grant.is_public, grant.condition) == (False, {"aws:PrincipalOrgID": "o-1"})


def test_errors_are_the_functions_own(solver: Solver) -> None:
    with pytest.raises(MalformedPolicyDocument, match="Syntax errors in policy"):
        solver.ask(Call("public", ("{",)), later())
    assert solver.ask(MORE, later()).answer is Answer.YES


def test_past_its_time_it_is_ended_and_comes_back(solver: Solver, monkeypatch: pytest.MonkeyPatch) -> None:
    solver.ask(MORE, later())
    first = solver.process_id
    monkeypatch.setattr("sekisho.analysis.solver.process.GRACE", -1e9)  # no answer comes in no time
    assert solver.ask(HARD, later()).reason == "the question takes longer than it is given"
    monkeypatch.undo()
    assert solver.process_id is None
    assert solver.ask(MORE, later()).answer is Answer.YES
    assert solver.process_id not in (None, first)


def test_what_is_hard_is_unknown_in_time(solver: Solver) -> None:
    solver.ask(MORE, later())
    verdict = solver.ask(HARD, later(0.2))
    assert verdict.answer is Answer.UNKNOWN
    assert verdict.reason.startswith("the question takes ")


def test_no_time_is_no_answer(solver: Solver) -> None:
    with_other = Solver()
    with_other._busy = True  # somebody's question
    with pytest.raises(Throttling):
        with_other.ask(MORE, later(0))
    with pytest.raises(Unanswered, match="no time left"):
        solver.ask(Call("external", (policy(to("*")), "", "1", Zone(frozenset()))), later(-1))


def test_past_its_memory_it_ends_and_comes_back() -> None:
    small = Solver(memory=64 << 20)  # less than z3 itself takes
    try:
        verdict = small.ask(MORE, later())
        assert (verdict.answer, verdict.witness) == (Answer.UNKNOWN, None)
    finally:
        small.close()


def test_one_that_was_killed_comes_back(solver: Solver) -> None:
    solver.ask(MORE, later())
    assert solver._child is not None
    solver._child.kill()
    solver._child.wait()
    assert solver.ask(MORE, later()).answer is Answer.YES


def test_an_account_waits_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    busy, first = threading.Event(), threading.Event()

    class Slow(Solver):
        def _answer(self, call: Call, deadline: float) -> str:
            order.append(call.name)
            first.set()
            assert busy.wait(PATIENCE)
            return call.name

    slow = Slow(of_one=4)
    asked = [threading.Thread(target=slow.ask, args=(Call("one", ()), later()), kwargs={"account": "1"}) for _ in range(4)]
    asked[0].start()
    assert first.wait(PATIENCE)
    for thread in asked[1:]:
        thread.start()
    until(lambda: slow.waiting == {"1": 3})
    other = threading.Thread(target=slow.ask, args=(Call("other", ()), later()), kwargs={"account": "2"})
    other.start()
    until(lambda: slow.waiting == {"1": 3, "2": 1})
    busy.set()
    for thread in (*asked, other):
        thread.join(PATIENCE)
    assert order.index("other") <= 2, order
    assert sorted(order) == ["one"] * 4 + ["other"]


def test_a_thousand_questions_of_one_account_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Solver(of_one=3, of_all=5)
    slow._busy = True  # somebody's question, for ever
    refused: list[str] = []

    def ask(account: str, deadline: float) -> None:
        try:
            slow.ask(MORE, deadline, account=account)
        except Throttling as error:
            refused.append(str(error))

    waiting = [threading.Thread(target=ask, args=("1", later(1e6)), daemon=True) for _ in range(3)]
    for thread in waiting:
        thread.start()
    until(lambda: slow.waiting == {"1": 3})
    for _ in range(1000):
        ask("1", later())
    assert refused == ["Too many questions about policies are waiting; ask again later."] * 1000
    assert slow.waiting == {"1": 3}
    ask("2", later(0))
    assert refused[-1] == "The question has waited too long for others; ask again later."
    assert slow.waiting == {"1": 3}
    slow.ask = lambda *_args, **_named: None  # type: ignore[method-assign]


def test_a_question_that_is_broken_off_leaves_no_answer_for_the_next(solver: Solver, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise KeyboardInterrupt

    solver.ask(MORE, later())
    monkeypatch.setattr(solver, "_heard", broken)
    with pytest.raises(KeyboardInterrupt):
        solver.ask(MORE, later())
    monkeypatch.undo()
    assert solver.ask(Call("public", (policy(to({"AWS": "111122223333"})),)), later()).answer is Answer.NO


def test_a_child_answers_below_what_decides(solver: Solver) -> None:
    solver.ask(MORE, later())
    assert solver.process_id is not None
    assert os.getpriority(os.PRIO_PROCESS, solver.process_id) >= 5


def test_it_answers_a_server_with_thousands_of_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1200 if hard == resource.RLIM_INFINITY else min(1200, hard)
    if most < 1100:
        pytest.skip("a process may not have so many files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    made = Solver()
    try:
        while taken[-1] < 1030:
            taken.append(os.dup(taken[0]))
        assert made.ask(MORE, later()).answer is Answer.YES
    finally:
        made.close()
        for one in taken:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_child_is_left(solver: Solver) -> None:
    solver.ask(MORE, later())
    number, child = solver.process_id, solver._child
    solver.close()
    assert number is not None
    assert child is not None
    assert [stream.closed for stream in (child.stdin, child.stdout) if stream is not None] == [True, True]
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def until(holds: object) -> None:
    """Wait until it holds."""
    assert callable(holds)
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_process_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    unable = Solver()
    with pytest.raises(Unanswered) as caught:
        unable.start()
    assert str(caught.value) == "the process that answers does not start; its standard error says why"
    assert unable.process_id is None
