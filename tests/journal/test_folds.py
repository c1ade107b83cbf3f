"""Folds by themselves: what was taken out makes room for others."""

from datetime import UTC, datetime

import pytest

from sekisho.journal import folds
from sekisho.journal.folds import Folds

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def kinds(made: Folds, *names: str) -> list[tuple[str, ...]]:
    """The keys of all folds, after one more denial of each of these kinds."""
    for name in names:
        assert made.fold("one", (name,), "{}", NOW)
    return list(made.keys)


def test_a_fold_that_was_taken_makes_room_for_one_kind_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds, "OF_ACCOUNT", 3)
    made = Folds()
    assert kinds(made, "a", "b", "c", "d") == [("one", "a"), ("one", "b"), ("one", "c"), ("one",)]
    for key in (("one", "a"), ("one",)):
        made.take(key)
    assert kinds(made, "e", "f") == [("one", "b"), ("one", "c"), ("one", "e"), ("one",)]
