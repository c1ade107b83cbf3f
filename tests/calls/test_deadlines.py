"""A call whose deadline has passed is not begun."""

import pytest

from sekisho.calls import pipeline
from sekisho.calls.call import Call, Peer
from sekisho.errors import RequestTimeout
from sekisho.world import Subject
from tests.harness import BY_NAME, House
from tests.services.conftest import house, shared  # noqa: F401  # fixtures, found by their names here


class Untouched:
    """A proof that nobody may look at."""

    def prove(self, call: Call) -> Subject:
        """Fail the test."""
        raise AssertionError("the proof was looked at")


@pytest.mark.parametrize("name", ["Authorize", "GetUser", "CreateUser", "AssumeRole"])
def test_nobody_is_authenticated_after_the_deadline(house: House, name: str) -> None:  # noqa: F811  # the fixture
    operation = BY_NAME[name]
    arrival = pipeline.Arrival(operation.request, Untouched(), Peer(), "late", seconds=0.0)
    with pytest.raises(RequestTimeout):
        pipeline.run(house.node, operation, arrival)
