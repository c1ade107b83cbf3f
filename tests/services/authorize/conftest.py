"""A house for each module, an account for each test, and questions to it."""

from collections.abc import Callable
from typing import Any

import pytest

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from tests.harness import House
from tests.services.conftest import house, refused, shared  # noqa: F401  # fixtures, found by their names here

Ask = Callable[..., pb.AuthorizeResponse]


@pytest.fixture
def ask(house: House) -> Ask:  # noqa: F811  # the fixture
    """Asks whether somebody may ship an order; by default the root user asks."""

    def question(**fields: Any) -> pb.AuthorizeResponse:
        defaults = {"action": "orders:Ship", "resource": f"arn:aws:orders::{house.account_id}:order/1"}
        made: pb.AuthorizeResponse = house.call("Authorize", **{**defaults, **fields})
        return made

    return question
