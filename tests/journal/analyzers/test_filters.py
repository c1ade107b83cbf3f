"""Which properties findings have that rules may filter by."""

import pytest

from sekisho.journal.analyzers import filters

PROPERTIES = {
    "resource": True, "principal.AWS": True, "condition.aws:SourceIp": True, "principal.": False, "condition.": False,
    "something longer than both": False, "": False,
}  # fmt: skip


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_is_one_of_those_that_there_are(name: str) -> None:
    assert filters.is_property(name) is PROPERTIES[name]
