"""A revision in a field with `(at_least)` is waited for, wherever in the request it stands."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto

from sekisho.calls import freshness
from sekisho.operations import OPERATIONS
from tests.calls.fakes import NEVER, FakeNode
from tests.harness import House
from tests.services.conftest import Refused, house, refused, shared  # noqa: F401  # fixtures, found by their names here

QUESTION = {"action": "orders:Ship", "resource": "*"}
ASKED: dict[str, Callable[[str], dict[str, Any]]] = {
    "Authorize": lambda token: {**QUESTION, "at_least": token},
    "AuthorizeBatch": lambda token: {"requests": [QUESTION, {**QUESTION, "at_least": token}]},
    "Explain": lambda token: {"request": {**QUESTION, "at_least": token}},
}


@pytest.fixture(autouse=True)
def _anew() -> None:
    """Have each test read the descriptors itself."""
    freshness._reader.cache_clear()


@pytest.mark.parametrize("name", ASKED)
def test_a_revision_is_looked_at_wherever_it_stands(house: House, refused: Refused, name: str) -> None:  # noqa: F811  # the fixtures
    code, message = refused(name, **ASKED[name]("nonsense"))
    assert (code, message) == ("InvalidRevision", "`nonsense` is not a revision")
    house.call("CreateUser", user_name="ann")
    house.call(name, **ASKED[name](house.revision))
    house.call(name, **ASKED[name](""))


def test_requests_without_such_a_field_are_not_read() -> None:
    found = [name for (_, name), found in OPERATIONS.items() if freshness._reader(found.request.DESCRIPTOR) is not None]
    plans = ["ListAllowedActions", "PlanResources", "ListAllowedPrincipals", "ListAllowedResources"]
    assert sorted(found) == sorted([*ASKED, *plans, "GetSnapshot"])  # the last is a stream


class Feed:
    """Notes what is waited for."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, float]] = []

    def wait_for(self, token: str, deadline: float) -> None:
        self.waits.append((token, deadline))


NAMED: list[tuple[str, dict[str, Any], set[str]]] = [
    ("Authorize", {"at_least": "a"}, {"a"}),
    ("Authorize", {"at_least": ""}, set()),
    ("AuthorizeBatch", {"requests": [{"at_least": "a"}, {"at_least": "b"}, {}, {"at_least": "a"}]}, {"a", "b"}),
    ("AuthorizeBatch", {}, set()),
    ("Explain", {"request": {"at_least": "a"}}, {"a"}),
    ("Explain", {}, set()),
    ("GetUser", {"user_name": "a"}, set()),
]


@pytest.mark.parametrize(("name", "fields", "tokens"), NAMED)
def test_each_revision_is_waited_for_once_until_the_deadline(name: str, fields: dict[str, Any], tokens: set[str]) -> None:
    feed = Feed()
    call = FakeNode(feed=feed).call(name, None)
    freshness.wait(call, call.operation.request(**fields))
    assert sorted(feed.waits) == [(token, NEVER) for token in sorted(tokens)]


def test_a_message_that_may_be_of_its_own_kind_inside_is_read_to_an_end() -> None:
    """Of the messages that a file of protobuf itself declares, which have no revisions."""
    assert freshness._reader(DescriptorProto.DESCRIPTOR) is None
