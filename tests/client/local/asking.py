"""A question, who answered it, and waiting for a copy."""

import time
from collections.abc import Callable
from typing import Any

from sekisho import client
from tests.inside import Inside
from tests.services.iam.documents import allow

SHIP = allow("orders:Ship")


def question(place: Inside, user: str = "ann") -> dict[str, Any]:
    return {"principal": f"arn:aws:iam::{place.house.account_id}:user/{user}", "action": "orders:Ship", "resource": "*"}


def local(found: client.Decision) -> bool:
    return found.decision_id.startswith("local-")


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)
