"""Charges for policies in memory: never less than what is really held, whatever they are made of."""

import gc
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from sekisho import policy
from sekisho.memory import records, vitals
from sekisho.memory.reader import Reader
from sekisho.memory.records import Records
from sekisho.world import AccountRecord, OidcProviderRecord, PolicyRecord, Record, SessionFacts, Subject
from tests.clock import now

Statement = dict[str, Any]
PLAIN: Statement = {"Effect": "Allow", "Action": "a:b", "Resource": "*"}

SHAPES: dict[str, Callable[[int], list[Statement]]] = {
    "statements": lambda salt: [{**PLAIN, "Action": f"a{salt}:{n}"} for n in range(60)],
    "actions": lambda salt: [{**PLAIN, "Action": [f"a{salt}:{n}*x" for n in range(250)]}],
    "resources": lambda salt: [{**PLAIN, "Resource": [f"arn:aws:s3:::{salt}-{n}*x" for n in range(250)]}],
    "conditions": lambda salt: [{**PLAIN, "Condition": {"StringLike": {f"a{salt}:{n}": f"{n}*" for n in range(250)}}}],
    "values": lambda salt: [{**PLAIN, "Condition": {"StringLike": {"a:b": [f"{salt}-{n}*" for n in range(250)]}}}],
    "addresses": lambda salt: [{**PLAIN, "Condition": {"IpAddress": {"aws:SourceIp": [f"10.{salt}.{n}.0/24" for n in range(250)]}}}],
}


def document(shape: str, salt: int) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": SHAPES[shape](salt)})


@pytest.mark.parametrize("shape", SHAPES)
def test_a_policy_is_charged_no_less_than_it_holds(shape: str) -> None:
    texts = [document(shape, salt) for salt in range(8)]
    made = []
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for text in texts:
            program = policy.compile_policy(policy.parse(text), text=text)
            program.identity_bucket("a:b")
            made.append(policy.Attached(program))
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert records.cost_of(made) >= held


def test_a_statement_with_many_patterns_leaves_less_room_for_others() -> None:
    attached = policy.Attached(policy.compiled(document("actions", 0)), arn="arn:aws:iam::111122223333:policy/p")
    kept = Records(10_000_000)
    kept.keep("ANPA1", PolicyRecord("ANPA1", attached.arn, attached))
    assert kept.size == (1, 2_048 + 4_096 + 1_536 * 248)  # fixed, a statement, and 250 actions and a resource but for three


class Kept:
    """A memory of one account that keeps nothing, and the bytes that were charged."""

    charged = 0

    def cached_record(self, id_: str) -> Record | None:
        return AccountRecord(id_, "ACTIVE")

    def is_absent(self, _id: str) -> bool:
        return False

    def get_finding(self, _key: object) -> Any:
        return None

    def keep_finding(self, _key: object, _value: object, _owner: str, _origins: object, cost: int) -> None:
        self.charged = cost

    def snapshot(self, *, wanted: str) -> Any:
        raise AssertionError(wanted)

    def load_record(self, id_: str, _session: object) -> Record | None:
        raise AssertionError(id_)


def test_a_composed_session_is_charged_its_own_policies() -> None:
    """They are no record's, and whoever issues sessions makes as many as it likes."""
    own = policy.Attached(policy.compiled(document("actions", 1)))
    charged = []
    for policies in ((), (own,)):
        memory = Kept()
        session = SessionFacts("federation", "ann", policies=policies)
        Reader(memory).acting(Subject("111122223333", "111122223333", session=session), now())
        charged.append(memory.charged)
    assert charged[1] - charged[0] >= 4_096 + 1_536 * 248


def test_look_ups_that_memory_answers_are_counted() -> None:
    before = hits()
    with Reader(Kept()) as reader:  # as much of a memory as is asked
        assert hits() == before
        for id_ in ("111122223333", "444455556666"):
            assert reader.get_record(id_) == AccountRecord(id_, "ACTIVE")
    assert hits() == before + 2


def hits() -> float:
    """Look-ups of records that memory has answered in this process."""
    return vitals.RECORD_HITS.numbers[0]


def test_a_provider_is_charged_for_its_clients() -> None:
    """An account chooses how many there are, and how long they are."""
    charged = []
    for clients in ((), ("c" * 255,), ("c" * 255,) * 100):
        kept = Records(10_000_000)
        kept.keep("arn", OidcProviderRecord("arn", "111122223333", "arn", "login.example.com", clients, ("0" * 40,)))
        charged.append(kept.size[1])
    assert charged[1] - charged[0] >= 4 * 255
    assert charged[2] - charged[0] == 100 * (charged[1] - charged[0])
