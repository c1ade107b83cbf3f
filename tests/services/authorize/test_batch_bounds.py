"""Batches and inline policies at their limits: no more than their share, and an answer for every question."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sekisho import policy
from sekisho.calls import turns
from sekisho.credentials import accounts
from sekisho.policy import compile as compiling
from sekisho.policy.shares import ENTRY, Shares
from sekisho.services.authorize import decisions
from tests.deadlines import Deadline
from tests.harness import House
from tests.services.authorize.conftest import Ask
from tests.services.conftest import Refused

DECISIONS = "sekisho.services.authorize.decisions"
BATCHES = "sekisho.services.authorize.batches"


def resource_policy(number: int, size: int = 0) -> str:
    """One that allows everybody; all of a size are different."""
    statement = {"Sid": f"n{number}", "Effect": "Allow", "Principal": "*", "Action": "orders:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}).ljust(size)


def questions(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"action": "orders:Ship", "resource": "*", **fields} for _ in range(count)]


def test_an_inline_policy_is_as_long_as_a_bucket_policy(ask: Ask, refused: Refused) -> None:
    assert ask(resource_policy=resource_policy(1, 20_480)).outcome == 1
    code, message = refused("Authorize", action="a:B", resource="*", resource_policy=resource_policy(1, 20_481))
    assert code == "ValidationError"
    assert message.startswith("1 validation error detected: Value '")
    assert message.endswith("' at 'resourcePolicy' failed to satisfy constraint: Member must have length less than or equal to 20480")


def test_a_batch_is_bounded_in_bytes(refused: Refused) -> None:
    context = [{"key": "orders:Note", "values": ["x" * 8000]}]
    code, message = refused("AuthorizeBatch", requests=questions(140, context=context))
    assert (code, message) == ("BatchTooLarge", "the batch has 1125320 bytes; at most 1048576 are allowed")


def test_the_different_policies_of_a_batch_are_bounded(house: House, refused: Refused) -> None:
    fourteen = [{**one, "resource_policy": resource_policy(i, 20_000)} for i, one in enumerate(questions(14))]
    assert refused("AuthorizeBatch", requests=fourteen) == (
        "BatchTooLarge",
        "the resource policies of the batch have 280000 characters together; at most 262144 are allowed",
    )
    items = house.call("AuthorizeBatch", requests=questions(40, resource_policy=resource_policy(1, 20_000))).items
    assert [one.decision.outcome for one in items] == [1] * 40


@pytest.mark.parametrize(
    ("ends_at", "answered"),
    [(1, 0), (3, 0), (6, 0), (9, 0), (13, 2), (15, 4), (16, 5)],
    ids=["reading_the_first", "reading", "composing_the_first", "composing", "deciding", "deciding_the_last", "in_time"],
)
def test_each_question_after_the_deadline_is_an_error(house: House, monkeypatch: pytest.MonkeyPatch, ends_at: int, answered: int) -> None:
    """Five are read, then five composed, then five decided."""
    house.call("GetUser")
    Deadline(monkeypatch, BATCHES, ends_at=ends_at)
    items = house.call("AuthorizeBatch", requests=questions(5)).items
    assert [one.WhichOneof("item") for one in items] == ["decision"] * answered + ["error"] * (5 - answered)
    assert {(one.error.code, one.error.message) for one in items[answered:]} == ({("RequestTimeout", "over")} if answered < 5 else set())


def test_the_deadline_holds_while_a_decision_is_explained(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    house.call("GetUser")
    for ends_at in (1, 2, 3):
        deadline = Deadline(monkeypatch, DECISIONS, ends_at=ends_at)
        asked = {"action": "orders:Ship", "resource": "*", "resource_policy": resource_policy(1)}
        assert refused("Explain", request=asked) == ("RequestTimeout", "over")
        assert deadline.looks == ends_at


def test_inline_policies_do_not_displace_those_of_identities(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "MAX_CACHED_CHARACTERS", 10_000)
    text = resource_policy(-1)
    before = policy.compiled(text)
    for number in range(10):
        ask(resource_policy=resource_policy(number, 2000))
    assert policy.compiled(text) is before


def test_one_accounts_inline_policies_do_not_displace_anothers(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    shares: Shares[policy.Attached] = Shares(10 * (2000 + ENTRY))
    monkeypatch.setattr(decisions, "_inline", shares)
    made = []

    def compiled(text: str) -> policy.Attached:
        made.append(text[:70].partition('"n')[2].partition('"')[0])
        return policy.Attached(policy.compiled(text))

    monkeypatch.setattr(decisions, "_resource_policy", compiled)
    other = House(house.node, accounts.create(house.node.database, house.node.ring))
    for number in range(3):
        other.call("Authorize", action="orders:Ship", resource="*", resource_policy=resource_policy(number, 2000))
    for number in range(100, 200):
        house.call("Authorize", action="orders:Ship", resource="*", resource_policy=resource_policy(number, 2000))
    made.clear()
    for number in range(3):
        other.call("Authorize", action="orders:Ship", resource="*", resource_policy=resource_policy(number, 2000))
    assert made == []
    assert shares.characters(house.account_id) == 7 * (2000 + ENTRY)


@pytest.mark.parametrize("what", ["compiled", "decided"])
def test_accounts_take_turns_at_batches(house: House, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """A batch of a second account comes while the first question of another is worked on: it does not wait for the other nineteen."""
    monkeypatch.setattr(turns, "SLICE", 0.0)
    monkeypatch.setattr(decisions, "_inline", Shares(decisions._MOST_INLINE, decisions._turns.turn))
    other = House(house.node, accounts.create(house.node.database, house.node.ring))
    done, name = list[str](), {"compiled": "_resource_policy", "decided": "seen"}[what]
    work = getattr(decisions, name)

    def worked(*given: Any) -> Any:
        if not done:
            limit = time.monotonic() + 60
            while not decisions._turns.waiting:
                assert time.monotonic() < limit
                time.sleep(0.001)
        owner = given[0].account_id if what == "decided" else "other" if "n9" in given[0] else house.account_id
        done.append("first" if owner == house.account_id else "second")
        return work(*given)

    monkeypatch.setattr(decisions, name, worked)
    with ThreadPoolExecutor(2) as pool:
        many, two = questions(20), questions(2)
        if what == "compiled":
            many = [{**one, "resource_policy": resource_policy(n)} for n, one in enumerate(many, 100)]
            two = [{**one, "resource_policy": resource_policy(n)} for n, one in enumerate(two, 900)]
        first = pool.submit(house.call, "AuthorizeBatch", requests=many)
        limit = time.monotonic() + 60
        while not decisions._turns.taken:
            assert time.monotonic() < limit
            time.sleep(0.001)
        second = pool.submit(other.call, "AuthorizeBatch", requests=two)
        assert [len(batch.result(60).items) for batch in (first, second)] == [20, 2]
    assert done == ["first", "second", "first", "second", *["first"] * 18]
