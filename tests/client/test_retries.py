"""What is tried again, how often, and what never is."""

import time
from typing import Any

import pytest

from sekisho import client as sekisho
from sekisho.api.authorize.v1 import decisions_pb2
from sekisho.client import Client, Retries
from sekisho.client.retries import Budget
from sekisho.client.transport import OPTIONS
from tests.client.conftest import CREDENTIALS
from tests.client.fake import Fake, plain, said

ALLOWED = decisions_pb2.AuthorizeResponse(outcome=decisions_pb2.OUTCOME_ALLOWED).SerializeToString()


def test_a_decision_is_asked_again_when_the_server_is_unavailable(client: Client, fake: Fake) -> None:
    fake.replies = [said("UNAVAILABLE"), plain("UNAVAILABLE"), ALLOWED]
    assert client.authorize(action="orders:GetOrder", resource="*").allowed
    assert len(fake.arrived) == 3


def test_a_write_is_repeated_when_the_server_says_that_nothing_was_written(client: Client, fake: Fake) -> None:
    fake.replies = [said("UNAVAILABLE"), b""]
    client.iam.create_user(user_name="alice")
    assert len(fake.arrived) == 2


def test_a_write_is_not_repeated_when_a_proxy_failed(client: Client, fake: Fake) -> None:
    fake.replies = [plain("UNAVAILABLE"), b""]
    with pytest.raises(sekisho.Unavailable):
        client.iam.create_user(user_name="alice")
    assert len(fake.arrived) == 1


def test_credentials_are_not_issued_twice_when_a_proxy_failed(client: Client, fake: Fake) -> None:
    fake.replies = [plain("UNAVAILABLE"), b""]
    with pytest.raises(sekisho.Unavailable):
        client.sts.assume_role(role_arn="arn:aws:iam::111122223333:role/r", role_session_name="session")
    assert len(fake.arrived) == 1


@pytest.mark.parametrize("status", ["INTERNAL", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "PERMISSION_DENIED", "UNAUTHENTICATED"])
def test_other_failures_are_final(client: Client, fake: Fake, status: str) -> None:
    fake.replies = [said(status), ALLOWED]
    with pytest.raises(sekisho.Error):
        client.authorize(action="orders:GetOrder", resource="*")
    assert len(fake.arrived) == 1


def test_four_tries_at_most(client: Client, fake: Fake) -> None:
    fake.replies = [said("UNAVAILABLE")]
    with pytest.raises(sekisho.Unavailable):
        client.authorize(action="orders:GetOrder", resource="*")
    assert len(fake.arrived) == 4


def test_a_budget_ends_the_repetitions_of_a_client(client: Client, fake: Fake) -> None:
    fake.replies = [said("UNAVAILABLE")]
    for _ in range(8):
        with pytest.raises(sekisho.Unavailable):
            client.authorize(action="orders:GetOrder", resource="*")
    assert len(fake.arrived) == 8 + 10


def test_no_repetition_past_the_deadline(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.replies = [said("UNAVAILABLE"), ALLOWED]
    monkeypatch.setattr("sekisho.client.transport.random.random", lambda: 1.0)
    monkeypatch.setattr("sekisho.client.transport.time.sleep", lambda seconds: pytest.fail(f"waits for {seconds} seconds"))
    patient = Client(fake.endpoint, CREDENTIALS, retries=Retries(first=31.0, longest=31.0), timeout=30.0)
    with patient, pytest.raises(sekisho.Unavailable):
        patient.authorize(action="orders:GetOrder", resource="*")
    assert len(fake.arrived) == 1


def test_all_tries_share_one_deadline(client: Client, fake: Fake) -> None:
    fake.replies = [said("UNAVAILABLE"), ALLOWED]
    fake.before = lambda: time.sleep(0.5)
    client.authorize(action="orders:GetOrder", resource="*", timeout=15.0)
    first, second = (call.seconds for call in fake.arrived)
    assert second < first - 0.2  # gRPC rounds what it sends by a tenth of a second
    assert first < 15.2


def test_without_a_timeout_a_call_has_the_clients(client: Client, fake: Fake) -> None:
    fake.replies = [b""]
    client.iam.get_user()
    assert 10.0 < fake.arrived[0].seconds < 20.2


def test_the_deadline_holds_when_the_server_is_silent(fake: Fake) -> None:
    fake.replies = [ALLOWED]
    fake.before = lambda: time.sleep(1.0)
    with Client(fake.endpoint, CREDENTIALS) as hasty, pytest.raises(sekisho.TimedOut):
        hasty.authorize(action="orders:GetOrder", resource="*", timeout=0.05)
    assert len(fake.arrived) <= 1


@pytest.mark.parametrize(("repetition", "chance", "seconds"), [(1, 0.0, 0.05), (1, 1.0, 0.1), (2, 1.0, 0.2), (3, 0.5, 0.3), (9, 1.0, 2.0)])
def test_waits_double_up_to_the_longest(repetition: int, chance: float, seconds: float) -> None:
    assert Retries(first=0.1, longest=2.0).wait(repetition, lambda: chance) == pytest.approx(seconds)


def test_the_last_try_comes_after_the_connection_was_tried_again() -> None:
    """Otherwise one that met a worker in the moment of its end fails with all of its tries."""
    retries, options = Retries(), dict[str, Any](OPTIONS)
    soonest = sum(retries.wait(repetition, lambda: 0.0) for repetition in range(1, retries.attempts))
    assert soonest > 2 * 1.2 * options["grpc.initial_reconnect_backoff_ms"] / 1000


def test_answered_calls_fill_the_budget_again() -> None:
    budget = Budget(1.0, refund=0.5)
    assert budget.take()
    assert not budget.take()
    budget.give_back()
    assert not budget.take()
    budget.give_back()
    assert budget.take()
    for _ in range(9):
        budget.give_back()
    assert budget.take()
    assert not budget.take()
