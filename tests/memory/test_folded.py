"""Records of a snapshot that nobody has asked for yet, as lines."""

import pytest

from sekisho.errors import SekishoError
from sekisho.memory.folded import NOTHING, Folded
from sekisho.world import AccountRecord, Record


def opened(line: bytes) -> Record:
    """The account of a line; `lost` cannot be opened, `broken` is a defect."""
    if line == b"lost":
        raise SekishoError("its key was forgotten")
    if line == b"broken":
        raise ValueError(line)
    return AccountRecord(line.decode(), "ACTIVE")


def test_lines_are_opened_by_what_was_given() -> None:
    folded = Folded({"a": b"a"}, opened)
    assert folded.opened(b"a") == AccountRecord("a", "ACTIVE")
    assert folded.opened(b"lost") is None
    with pytest.raises(ValueError, match="broken"):
        folded.opened(b"broken")


def test_lines_alone_are_folded() -> None:
    folded = Folded({"a": b"a", "b": AccountRecord("b", "ACTIVE"), "c": b"c"}, opened)
    assert (folded.get_line("a"), folded.get_line("b"), folded.get_line("none")) == (b"a", None, None)
    assert folded.all() == {"a": b"a", "c": b"c"}


def test_what_is_handed_out_is_a_copy() -> None:
    folded = Folded({"a": b"a"}, opened)
    handed = folded.all()
    folded.evict("a")
    assert handed == {"a": b"a"}


def test_there_are_lines_until_all_are_forgotten() -> None:
    folded = Folded({"a": b"a", "b": b"b"}, opened)
    assert bool(folded) is True
    folded.evict("a")
    folded.evict("a")
    assert (bool(folded), folded.all()) == (True, {"b": b"b"})
    folded.clear()
    assert bool(folded) is False
    assert bool(NOTHING) is False
    assert NOTHING.opened(b"a") is None
