"""Notes of a call that may be begun again: what was noted before is read through them."""

from datetime import UTC, datetime
from unittest import mock

from sekisho.journal.last_use import Use
from sekisho.journal.postponed import Postponed

USE = Use(datetime(2026, 1, 1, tzinfo=UTC), "sts", "eu-west-1")


def test_the_last_use_is_what_others_noted_until_the_notes_are_settled() -> None:
    accesses, last_use = mock.Mock(), mock.Mock()
    last_use.of.return_value = USE
    postponed = Postponed(accesses, last_use)
    postponed.last_use.note("AKIA1", USE)
    assert postponed.last_use.of("AKIA1") == USE
    last_use.note.assert_not_called()
    postponed.settle()
    last_use.note.assert_called_once_with("AKIA1", USE)
