"""The bell that wakes the thread that polls."""

import os
import select

import pytest

from sekisho.edges.grpc.lean.bell import Bell


def rung(bell: Bell) -> bool:
    """True when a poll would be woken."""
    return bool(select.select([bell.number], [], [], 0.0)[0])


def test_a_bell_is_rung_until_it_is_heard() -> None:
    bell = Bell()
    assert not rung(bell)
    bell.hear()
    for _ in range(3):
        bell.ring()
    assert rung(bell)
    bell.hear()
    assert not rung(bell)
    bell.close()


def test_a_bell_is_no_child_s_and_waits_for_nobody() -> None:
    bell = Bell()
    assert not os.get_inheritable(bell.number)
    assert not os.get_blocking(bell.number)
    os.eventfd_write(bell.number, 2**64 - 2)  # as often as it can be
    bell.ring()
    assert rung(bell)
    bell.close()


def test_a_bell_that_has_ended_is_not_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another file's."""
    bell, wrote = Bell(), list[int]()
    number = bell.number
    bell.close()
    assert bell.number == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    monkeypatch.setattr(os, "eventfd_write", lambda number, _value: wrote.append(number))
    bell.ring()
    assert wrote == []
    bell.number = 0
    bell.ring()
    assert wrote == [0]
