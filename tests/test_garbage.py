"""The collector in tests: what was there before them is set aside, what they make is not."""

import gc
import weakref

from tests import garbage


class Made:
    """Something that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_what_was_loaded_is_set_aside() -> None:
    """A hundred thousand objects at the least, whichever tests were picked."""
    assert gc.isenabled()
    assert gc.get_freeze_count() > 100_000
    assert not any(found is garbage.__dict__ for found in gc.get_objects())


def test_what_a_test_leaves_in_a_circle_is_collected() -> None:
    made = weakref.ref(Made())
    gc.collect()
    assert made() is None
