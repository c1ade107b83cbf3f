"""What survives a full collection is not looked at again, and records need no collector."""

import gc
import json
from collections.abc import Iterator

import pytest

from sekisho import policy
from sekisho.node import collector
from sekisho.policy import cases
from sekisho.world import PolicyRecord


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """No collection but those of the test; what tests/garbage.py has set aside, and the test has taken back, is set aside again."""
    aside = gc.get_freeze_count()
    gc.disable()
    yield
    if gc.get_freeze_count() < aside:
        gc.freeze()
    gc.enable()


def looked_at() -> int:
    """How many objects the next full collection would look at."""
    return sum(len(gc.get_objects(generation)) for generation in range(3))


def test_survivors_are_set_aside() -> None:
    with collector.survivors_set_aside():
        assert looked_at() < 5_000
        world = [[number] for number in range(100_000)]
        assert looked_at() > 100_000
        gc.collect()
        assert looked_at() < 5_000
        assert gc.get_freeze_count() > 100_000
        aside = gc.get_freeze_count()
        world.clear()
        assert gc.get_freeze_count() <= aside - 100_000  # freed without a collection
    assert gc.get_freeze_count() == 0


def test_a_young_collection_sets_nothing_aside() -> None:
    with collector.survivors_set_aside():
        before = gc.get_freeze_count()
        kept = [[number] for number in range(1000)]
        gc.collect(0)
        gc.collect(1)
        assert gc.get_freeze_count() < before + len(kept)  # threads of other tests may free some


def test_records_are_in_no_cycles() -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["orders:Get*", "orders:List"],
                "Resource": ["arn:aws:orders:::${aws:PrincipalTag/team}/*", "arn:aws:orders:::x*y?z"],
                "Condition": {"StringLike": {"aws:PrincipalTag/team": "a*"}, "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1/128"]}},
            },
            {"Effect": "Deny", "NotAction": "orders:*", "NotResource": "arn:aws:orders:::secret", "Condition": {"Null": {"a:b": "true"}}},
        ],
    }
    asked = {
        "id": "one",
        "request": {
            "principal": "arn:aws:iam::111122223333:user/ann",
            "principal_type": "user",
            "action": "orders:GetOrder",
            "resource": "arn:aws:orders:::atlas/1",
            "context": {"aws:PrincipalTag/team": ["atlas"], "aws:SourceIp": ["10.1.2.3"]},
        },
    }
    request = cases.read(json.dumps(asked)).request
    gc.collect()
    for number in range(100):
        text = json.dumps(document | {"Id": f"policy {number}"})
        attached = policy.Attached(policy.compile_policy(policy.parse(text), text=text), arn=f"arn:aws:iam::111122223333:policy/p{number}")
        record = PolicyRecord(f"ANPA{number:017d}", attached.arn, attached)
        decision = policy.decide(request, policy.Layers(identity=(record.attached,)))
        assert decision.allowed
    del attached, record, decision
    assert gc.collect() < 100  # threads of other tests may leave some
