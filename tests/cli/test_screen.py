"""What people see, and what programs do not."""

import io
import sys
import threading
from unittest import mock

import pytest

from sekisho.cli import screen
from sekisho.client import Decision, Layer, Matched, Outcome

POLICY = "arn:aws:iam::111122223333:policy/shop/read-orders"
MANAGED = Matched(Layer.IDENTITY, POLICY, "v2", "", "OwnRegion", 0)
INLINE = Matched(Layer.SESSION, "", "", "session policy", "", 1)
REASONS = {
    "allowed": (Decision(Outcome.ALLOWED, Layer.IDENTITY, (MANAGED,)), f"identity policy {POLICY} v2, statement `OwnRegion` allows it"),
    "denied": (
        Decision(Outcome.EXPLICITLY_DENIED, Layer.IDENTITY, (MANAGED,)),
        f"identity policy {POLICY} v2, statement `OwnRegion` denies it",
    ),
    "two": (
        Decision(Outcome.EXPLICITLY_DENIED, Layer.SESSION, (INLINE, MANAGED)),
        f"session policy session policy, statement 2; identity policy {POLICY} v2, statement `OwnRegion` denies it",
    ),
    "identity": (Decision(Outcome.IMPLICITLY_DENIED, Layer.IDENTITY), "no identity policy allows it"),
    "boundary": (Decision(Outcome.IMPLICITLY_DENIED, Layer.BOUNDARY), "the permissions boundary does not allow it"),
    "nobody": (Decision(Outcome.IMPLICITLY_DENIED), "no policy allows it"),
    "failed": (Decision(Outcome.IMPLICITLY_DENIED, error_code="ValidationError", error_message="no action"), "ValidationError: no action"),
}


@pytest.mark.parametrize("case", REASONS)
def test_reasons(case: str) -> None:
    decision, text = REASONS[case]
    assert screen.reason(decision) == text


def test_every_layer_has_words_for_its_silence() -> None:
    for layer in Layer:
        assert "allow" in screen.reason(Decision(Outcome.IMPLICITLY_DENIED, layer))


def test_a_short_reason_names_the_policy_alone() -> None:
    decision = Decision(Outcome.ALLOWED, Layer.IDENTITY, (MANAGED,))
    assert screen.reason(decision, short=True) == "identity policy read-orders, statement `OwnRegion` allows it"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, *, patience: float) -> str:
    """What is written to standard error while two items are gone through."""
    with (
        mock.patch.object(sys, "stderr", stream),
        mock.patch.object(screen, "PATIENCE", patience),
        mock.patch.dict("os.environ", TERM="xterm"),
    ):
        assert list(screen.tracked([1, 2], "loading shop")) == [1, 2]
    return stream.getvalue()


def test_a_bar_on_a_terminal_when_it_takes_long() -> None:
    assert "loading shop" in shown(Terminal(), patience=-1.0)


def test_no_bar_when_it_is_quick() -> None:
    assert "loading shop" not in shown(Terminal(), patience=1000.0)


class Read(Terminal):
    """A terminal that says when something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        if "starting a server" in text:
            self.written.set()
        return super().write(text)


def test_what_is_waited_for_is_said_where_somebody_looks() -> None:
    stream = Read()
    with (
        mock.patch.object(sys, "stderr", stream),
        mock.patch.object(screen, "PATIENCE", 0.0),
        mock.patch.dict("os.environ", TERM="xterm"),
        screen.waiting("starting a server"),
    ):
        assert stream.written.wait(60)


@pytest.mark.parametrize(("stream", "patience"), [(Terminal(), 1000.0), (io.StringIO(), 0.0)], ids=["quick", "nobody looks"])
def test_what_is_waited_for_is_not_said_otherwise(stream: io.StringIO, patience: float) -> None:
    with mock.patch.object(sys, "stderr", stream), mock.patch.object(screen, "PATIENCE", patience), screen.waiting("starting a server"):
        """Nothing to wait for."""
    assert "starting a server" not in stream.getvalue()


def test_nothing_when_nobody_looks() -> None:
    assert shown(io.StringIO(), patience=-1.0) == ""
