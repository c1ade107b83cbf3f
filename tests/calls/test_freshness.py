"""A revision in a field with `(at_least)` is waited for, wherever in the request it stands."""

from collections.abc import Callable
from typing import Any

import pytest

from sekisho.calls import freshness
from sekisho.operations import OPERATIONS
from tests.harness import House
from tests.services.conftest import Refused, house, refused, shared  # noqa: F401  # fixtures, found by their names here

QUESTION = {"action": "orders:Ship", "resource": "*"}
ASKED: dict[str, Callable[[str], dict[str, Any]]] = {
    "Authorize": lambda token: {**QUESTION, "at_least": token},
    "AuthorizeBatch": lambda token: {"requests": [QUESTION, {**QUESTION, "at_least": token}]},
    "Explain": lambda token: {"request": {**QUESTION, "at_least": token}},
}


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
