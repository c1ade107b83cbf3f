"""`sekisho demo`: the tour ends well, and would say so if it did not."""

import contextlib
from typing import Any
from unittest import mock

import pytest

from sekisho.cli.demo import Answer, _as_expected
from sekisho.client import Decision, Layer, Matched, Outcome
from tests.cli.command import sekisho


def test_ten_decisions_with_their_reasons() -> None:
    done = sekisho("demo")
    assert done.returncode == 0, (done.stdout, done.stderr)
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[-1] == "10 of 10 answers as expected."
    assert [line.split()[0] for line in lines if "✔" in line or "✘" in line] == [str(number) for number in range(1, 11)]
    assert "identity policy refund-orders, statement `LargeRefundsBySeniors` allows it" in lines
    assert "identity policy guard-customers, statement `NeverWithoutSecondFactor` denies it" in lines
    assert "the permissions boundary does not allow it" in lines
    assert sum("temporary credentials ASIA" in line for line in lines) == 3


ALLOWED = Decision(Outcome.ALLOWED, Layer.IDENTITY, (Matched(Layer.IDENTITY, "", "", "p", "Read", 0),))
SILENT = Decision(Outcome.IMPLICITLY_DENIED, Layer.BOUNDARY)
EXPECTED: dict[str, tuple[Decision, dict[str, str], bool]] = {
    "outcome and statement": (ALLOWED, {"outcome": "Allowed", "because": "Read"}, True),
    "another statement": (ALLOWED, {"outcome": "Allowed", "because": "Write"}, False),
    "another outcome": (SILENT, {"outcome": "ExplicitlyDenied"}, False),
    "outcome and layer": (SILENT, {"outcome": "ImplicitlyDenied", "layer": "boundary"}, True),
    "another layer": (SILENT, {"outcome": "ImplicitlyDenied", "layer": "identity"}, False),
    "no statement": (SILENT, {"outcome": "ImplicitlyDenied", "because": "Read"}, False),
}


@pytest.mark.parametrize("case", EXPECTED)
def test_what_counts_as_expected(case: str) -> None:
    decision, expect, is_expected = EXPECTED[case]
    assert _as_expected(decision, expect) is is_expected


def test_an_answer_that_was_not_expected_is_a_failure() -> None:
    class Tour:
        def __init__(self, *_: Any) -> None:
            """A tour that goes wrong at its second stop."""

        def prepare(self) -> list[str]:
            return []

        def questions(self) -> list[Answer]:
            return [
                Answer("Amara reads", "arn:aws:iam::111122223333:user/amara", "orders:GetOrder order/1", ALLOWED, True),
                Answer("Ben reads", "arn:aws:iam::111122223333:user/ben", "orders:GetOrder order/1", SILENT, False),
            ]

    server = contextlib.nullcontext(mock.Mock(grpc="127.0.0.1:1"))
    with mock.patch("sekisho.cli.throwaway.server", return_value=server), mock.patch("sekisho.cli.demo.Tour", Tour):
        done = sekisho("demo")
    assert done.returncode == 1
    assert "not as expected: Ben reads" in done.stdout
    assert done.stdout.endswith("1 of 2 answers as expected.\n")
