"""The new enemy: what is revoked is asked for with the revision of the revocation, on a worker picked at random, and is never allowed.

Source: R. Pang et al., "Zanzibar: Google's Consistent, Global Authorization System", USENIX ATC 2019, section 2.2.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls import freshness
from sekisho.credentials import accounts
from sekisho.node import assembly
from sekisho.store import db
from tests.harness import House, house
from tests.services.iam.documents import allow

ROUNDS = 60
"""`make campaign` has ten thousand; without the check, twenty are enough (below)."""
WORKERS = 3
SHIP = allow("orders:Ship")


@pytest.fixture
def workers(database_url: str, tmp_path: Path) -> Iterator[list[House]]:
    with together(database_url, tmp_path) as made:
        yield made


@contextmanager
def together(url: str, folder: Path) -> Iterator[list[House]]:
    """Nodes on one database, each with a cache and a feed of its own."""
    with ExitStack() as stack:
        first = stack.enter_context(house(url, folder))
        known = accounts.NewAccount(first.account_id, first.root.access_key_id, first.root.secret_access_key)
        made = [first]
        for number in range(1, WORKERS):
            database = stack.enter_context(db.Database(url))
            opened = assembly.opened(database, first.node.ring, folder / f"spool-{number}.db", audience="sekisho")
            made.append(House(stack.enter_context(opened), known))
        first.call("CreateUser", user_name="ann")
        yield made


def stale_allows(workers: list[House], rounds: int, seed: int) -> list[int]:
    """The rounds in which somebody was allowed what had been revoked. Each begins with a worker that knows the permission."""
    dice, stale = random.Random(seed), []
    for number in range(rounds):
        writer, asked = dice.choice(workers), dice.choice(workers)
        question: dict[str, Any] = {"principal_arn": f"arn:aws:iam::{writer.account_id}:user/ann", "action": "orders:Ship", "resource": "*"}
        writer.call("PutUserPolicy", user_name="ann", policy_name="p", policy_document=SHIP)
        assert asked.call("Authorize", **question, at_least=writer.revision).outcome == pb.OUTCOME_ALLOWED
        writer.call("DeleteUserPolicy", user_name="ann", policy_name="p")
        if asked.call("Authorize", **question, at_least=writer.revision).outcome == pb.OUTCOME_ALLOWED:
            stale.append(number)
    return stale


def test_nothing_that_was_revoked_is_allowed_to_whoever_insists_on_the_revision(workers: list[House]) -> None:
    assert stale_allows(workers, ROUNDS, seed=1) == []


def test_without_the_check_somebody_is_allowed_within_twenty_rounds(workers: list[House]) -> None:
    """The test above can fail: the permission is asked for with the check, what follows its revocation without."""
    waits = 0
    wait = freshness.wait

    def every_other(call: object, request: object) -> None:
        nonlocal waits
        if isinstance(request, pb.AuthorizeRequest):
            waits += 1
            if waits % 2:
                wait(call, request)  # type: ignore[arg-type]  # as it was called

    with mock.patch.object(freshness, "wait", every_other):
        assert stale_allows(workers, 20, seed=1) != []
