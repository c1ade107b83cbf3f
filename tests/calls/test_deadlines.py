"""A call whose deadline has passed is not begun, and what it has begun to write is not kept."""

import time
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.calls import audit, pipeline, proofs
from sekisho.calls.call import Call, Peer
from sekisho.errors import RequestTimeout
from sekisho.services.iam.errors import NoSuchEntity
from sekisho.world import Subject
from tests import clock
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


def test_nothing_is_written_once_the_deadline_has_passed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """The function has done its part: whoever called has ceased to wait by the time that it would be committed."""
    events = audit.events

    def late(call: Call, *arguments: Any) -> Any:
        call.deadline = time.monotonic()
        return events(call, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(audit, "events", late)
        with pytest.raises(RequestTimeout):
            house.call("CreateUser", user_name="late")
    with pytest.raises(NoSuchEntity):
        house.call("GetUser", user_name="late")
    house.call("CreateUser", user_name="late")


def test_a_stream_without_a_deadline_goes_on(house: House) -> None:  # noqa: F811
    operation = BY_NAME["WatchChanges"]
    metadata = sigv4.sign_call(house.root, operation.path, b"", house.node.audience, clock.now())
    proof = proofs.of_metadata(metadata, operation.path, b"", house.node.audience)
    first = next(pipeline.stream(house.node, operation, pipeline.Arrival(operation.request, proof, Peer(), "endless")))
    assert isinstance(first, operation.response)
