"""The scan's questions: it waits for no call, and no document holds it up."""

import time
from collections.abc import Iterator

import pytest

from sekisho import policy
from sekisho.analysis.inside import Case
from sekisho.analysis.solver.process import Solver, Unanswered
from sekisho.errors import ServiceUnavailable, Throttling
from sekisho.journal.analyzers.asking import Questions
from sekisho.journal.analyzers.zones import Trusted
from tests.journal.analyzers.estate import OPEN, OWNER

HERE = Trusted(frozenset((OWNER,)), "", (), "hash")
ANN = policy.Principal("user", f"arn:aws:iam::{OWNER}:user/ann", OWNER)
CASE = Case(ANN, "orders:Read", "*", OWNER, {}, (), OPEN, None, None, None)


@pytest.fixture
def questions() -> Iterator[Questions]:
    """Those of a process that ends with the test."""
    made = Questions()
    yield made
    made.close()


def test_the_scan_waits_for_no_call(questions: Questions) -> None:
    assert questions.ask("public", OPEN, deadline=time.monotonic() + 60).answer == "yes"
    questions._of(scan=False)._busy = True  # with somebody's question, for ever
    with pytest.raises(Throttling):
        questions.ask("public", OPEN, deadline=time.monotonic())
    (grant,) = questions.looked(OPEN, "", OWNER, HERE) or ()
    assert grant.is_public


def test_who_asks_when_the_server_ends_is_told_so(questions: Questions) -> None:
    questions.close()
    with pytest.raises(ServiceUnavailable, match=r"^The server is ending\.$"):
        questions.ask("public", OPEN, deadline=time.monotonic() + 60)


def test_the_start_of_a_process_is_not_of_the_time_of_a_look(questions: Questions, monkeypatch: pytest.MonkeyPatch) -> None:
    started = Solver._started

    def slowly(self: Solver) -> object:
        made = started(self)
        real = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: real() + 30)
        return made

    monkeypatch.setattr(Solver, "_started", slowly)
    assert questions.looked(OPEN, "", OWNER, HERE)


def test_a_document_that_is_none_any_more_is_not_known(questions: Questions) -> None:
    assert questions.looked("{", "", OWNER, HERE) is None
    assert questions.looked(OPEN, "", OWNER, HERE)


def test_a_solver_that_does_not_start_holds_up_no_scan(questions: Questions, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Solver) -> object:
        raise Unanswered("the process that answers does not start")

    monkeypatch.setattr(Solver, "_started", refuse)
    assert questions.inside(CASE).answer == "unknown"
    assert questions.looked(OPEN, "", OWNER, HERE) is None


def test_after_the_end_no_process_is_started(questions: Questions) -> None:
    questions.ask("public", OPEN, deadline=time.monotonic() + 60)
    questions.close()
    with pytest.raises(ServiceUnavailable):
        questions.looked(OPEN, "", OWNER, HERE)
    with pytest.raises(ServiceUnavailable):
        questions.ask("public", OPEN, deadline=time.monotonic() + 60)
