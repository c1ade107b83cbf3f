"""Counts of calls as they leave an edge."""

from types import SimpleNamespace

import pytest

from sekisho.edges import answers
from sekisho.edges.answers import Answers
from tests.harness import BY_NAME


def test_calls_are_counted_by_code_and_their_seconds_by_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "time", SimpleNamespace(perf_counter=lambda: 107.0))
    operation = BY_NAME["GetUser"]
    package = operation.service.package
    counted = Answers("bay", operation)
    for code, began in (("OK", 100.0), ("OK", 104.0), ("NOT_FOUND", 106.0)):
        counted.count(code, began)
    assert [list(answers.CALLS.labels("bay", package, "GetUser", code).numbers) for code in ("OK", "NOT_FOUND")] == [[2.0], [1.0]]
    spread = answers.SECONDS.labels("bay", package, "GetUser").numbers
    assert (spread[0], sum(spread[1:])) == (7.0 + 3.0 + 1.0, 3.0)


def test_what_was_counted_once_is_found_without_its_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Answers("bay", BY_NAME["GetUser"])
    counted.count("OK", 0.0)
    counted.count("NOT_FOUND", 0.0)
    for family in (answers.CALLS, answers.SECONDS):
        monkeypatch.setattr(family, "labels", lambda *_: pytest.fail("asked again"))
    counted.count("OK", 0.0)
    counted.count("NOT_FOUND", 0.0)
