"""Registered resources in memory: a cold one costs one statement, a warm one none; bounded, as new as the log says, and kept on disk."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.client.local import LocalAuthorizer
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import Unavailable
from sekisho.memory import lines, records, snapshot
from sekisho.memory.records import Records
from sekisho.policy import Attached, compiled
from sekisho.store.db import Database
from sekisho.world import AccountRecord, ResourceRecord, UnitRecord
from tests import harness
from tests.harness import House
from tests.inside import inside
from tests.nodes import two

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DENY = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"orders:Ship","Resource":"*"}]}'
TAGS = [{"key": f"k{number}", "value": "v"} for number in range(20)]


def order(house: House, number: int | str) -> str:
    return f"arn:aws:orders::{house.account_id}:order/{number}"


def ask(house: House, number: int | str, **more: Any) -> int:
    found = house.call("Authorize", action="orders:Ship", resource=order(house, number), **more)
    outcome: int = found.outcome
    return outcome


@pytest.fixture
def nodes(database_url: str, tmp_path: Path) -> Iterator[tuple[House, House]]:
    with two(database_url, tmp_path) as made:
        yield made


def counted(house: House) -> list[str]:
    """The statements about resources that a house's memory asks from here on."""
    house.node.feed.stop()
    found: list[str] = []

    def note(*said: Any) -> None:
        if "resource" in said[2]:
            found.append(said[2])

    event.listen(house.node.world.loads.engine, "before_cursor_execute", note)
    return found


def test_a_cold_resource_costs_one_statement_and_a_warm_one_none(database_url: str, tmp_path: Path) -> None:
    with harness.house(database_url, tmp_path) as house:
        for number in (1, 2):
            house.call("PutResource", resource_arn=order(house, number), tags=TAGS, resource_policy=DENY)
        assert ask(house, 1) == pb.OUTCOME_EXPLICITLY_DENIED  # with which the account and the caller are warm
        asked = counted(house)
        for number, statements in ((2, 1), (2, 0), (3, 1), (3, 0), (1, 0)):
            asked.clear()
            assert ask(house, number) == (pb.OUTCOME_ALLOWED if number == 3 else pb.OUTCOME_EXPLICITLY_DENIED)
            assert len(asked) == statements, (number, asked)


def test_a_change_on_one_node_is_known_on_the_other(nodes: tuple[House, House]) -> None:
    here, there = nodes
    assert ask(there, 1) == pb.OUTCOME_ALLOWED
    steps: list[tuple[str, dict[str, Any], int]] = [
        ("PutResource", {"resource_arn": order(here, 1), "resource_policy": DENY}, pb.OUTCOME_EXPLICITLY_DENIED),
        ("resource:DeleteResourcePolicy", {"resource_arn": order(here, 1)}, pb.OUTCOME_ALLOWED),
        ("resource:PutResourcePolicy", {"resource_arn": order(here, 1), "resource_policy": DENY}, pb.OUTCOME_EXPLICITLY_DENIED),
        ("DeleteResource", {"resource_arn": order(here, 1)}, pb.OUTCOME_ALLOWED),
        ("PutResource", {"resource_arn": order(here, 1), "resource_policy": DENY}, pb.OUTCOME_EXPLICITLY_DENIED),
    ]
    for name, fields, outcome in steps:
        here.call(name, **fields)
        assert ask(there, 1, at_least=here.revision) == outcome, name


def test_a_change_touches_its_resource_and_the_account_only_with_the_first_and_the_last(nodes: tuple[House, House]) -> None:
    here, _ = nodes
    watched = here.node.world

    def touched(name: str, **fields: Any) -> set[str]:
        before = watched.point
        here.call(name, **fields)
        since = watched.since(before)
        assert since is not None
        return {id_ for entry in since.entries for id_ in entry.ids}

    first, second, bucket = order(here, 1), order(here, 2), "arn:aws:s3:::photos"
    assert touched("PutResource", resource_arn=first) == {first, here.account_id}
    assert touched("PutResource", resource_arn=second, tags=TAGS) == {second}
    assert touched("PutResource", resource_arn=bucket) == {f"{bucket}#{here.account_id}", here.account_id}
    assert touched("resource:TagResources", resource_arns=[first, second], tags=TAGS) == {first}, "the other has them already"
    assert touched("resource:UntagResources", resource_arns=[first], tag_keys=["k1"]) == {first}
    assert touched("resource:PutResourcePolicy", resource_arn=first, resource_policy=DENY) == {first}
    assert touched("DeleteResource", resource_arn=first) == {first}
    assert touched("DeleteResource", resource_arn=second) == {second, here.account_id}


def test_a_flood_of_arns_that_are_not_registered_is_bounded_and_forgets_nobody_else() -> None:
    kept = Records(1 << 20)
    kept.keep_absent("AKIAIOSFODNN7EXAMPLE")
    kept.keep("111122223333", AccountRecord("111122223333", "ACTIVE"))
    for number in range(3 * records.MOST_ABSENT):
        kept.keep_absent(f"arn:aws:orders::111122223333:order/{number}")
    assert kept.is_absent("AKIAIOSFODNN7EXAMPLE")
    assert kept.get_record("111122223333") is not None
    assert len(kept.all()[1]) == records.MOST_ABSENT + 1
    assert not kept.is_absent("arn:aws:orders::111122223333:order/0")
    kept.keep_absent("arn:aws:orders::111122223333:" + "x" * 2_000)
    assert len(kept.all()[1]) == records.MOST_ABSENT + 1
    kept.evict(f"arn:aws:orders::111122223333:order/{3 * records.MOST_ABSENT - 1}")
    assert len(kept.all()[1]) == records.MOST_ABSENT


def test_records_of_resources_are_bounded_in_bytes() -> None:
    kept = Records(1 << 20)
    large = {f"{number}" * 40: "v" * 256 for number in range(50)}
    for number in range(1_000):
        kept.keep(f"arn:{number}", ResourceRecord(f"arn:{number}", "111122223333", large, Attached(compiled(DENY))))
    count, size = kept.size
    assert size <= 1 << 20
    assert count < 25, "each takes about 50 KB"
    kept.clear()
    kept.keep("a", AccountRecord("111122223333", "ACTIVE"))
    small = kept.size[1]
    kept.keep("a", AccountRecord("111122223333", "ACTIVE", registers=frozenset(f"s{number}" for number in range(100))))
    assert kept.size[1] >= small + 100 * 60


def test_a_snapshot_keeps_resources_and_what_is_not_registered(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "keyring.json")
    named = "arn:aws:orders::111122223333:order/1#x"
    record = ResourceRecord(named, "111122223333", {"Env": "a b"}, Attached(compiled(DENY), arn=named, name="resource policy"))
    line = lines.written(record, ring)
    assert line is not None
    assert lines.read(line, ring) == record
    account = AccountRecord("111122223333", "ACTIVE", registers=frozenset(("orders", "s3")))
    line = lines.written(account, ring)
    assert line is not None
    assert lines.read(line, ring) == account
    assert snapshot.MAX_BYTES > 0


def test_without_a_database_what_is_in_memory_is_decided_and_the_rest_is_not_guessed(database_url: str, tmp_path: Path) -> None:
    with harness.house(database_url, tmp_path) as house:
        house.call("PutResource", resource_arn=order(house, 1), resource_policy=DENY)
        house.call("PutResource", resource_arn=order(house, 2), resource_policy=DENY)
        assert ask(house, 1) == pb.OUTCOME_EXPLICITLY_DENIED
        house.node.feed.stop()

        def gone(self: Database, **_: Any) -> Any:
            raise Unavailable("the database is gone")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Database, "read", gone)
            assert ask(house, 1) == pb.OUTCOME_EXPLICITLY_DENIED
            with pytest.raises(Unavailable):
                ask(house, 2)


def test_a_local_copy_leaves_what_may_be_registered_to_the_server(tmp_path: Path) -> None:
    with inside(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as place, place.client() as client:
        house = place.house
        own, carts, foreign = order(house, 1), f"arn:aws:carts::{house.account_id}:cart/1", "arn:aws:orders::999988887777:order/1"

        def local(authorizer: LocalAuthorizer, resource: str, **more: Any) -> tuple[bool, bool]:
            found = authorizer.authorize(action="orders:Ship", resource=resource, **more)
            return found.allowed, found.decision_id.startswith("local-")

        with LocalAuthorizer(client, patience=60) as authorizer:
            assert authorizer.wait_until_ready(60)
            assert local(authorizer, own) == (True, True)
            house.call("PutResource", resource_arn=own, resource_policy=DENY)
            assert local(authorizer, own, at_least=house.revision) == (False, False)
            assert local(authorizer, order(house, 2), at_least=house.revision) == (True, False)
            assert local(authorizer, carts, at_least=house.revision) == (True, True)
            assert local(authorizer, "*", at_least=house.revision) == (True, True)
            house.call("DeleteResource", resource_arn=own)
            assert local(authorizer, foreign, resource_account=house.account_id, at_least=house.revision)[1] is False
            assert local(authorizer, own, at_least=house.revision) == (True, True)


def test_a_client_that_does_not_know_of_resources_decides_nothing(tmp_path: Path) -> None:
    """What the release before reads of the account is its status alone, and with any but ACTIVE it asks the server."""
    from sekisho.world import messages

    said = messages.message("111122223333", AccountRecord("111122223333", "ACTIVE", registers=frozenset(("orders",))), lambda _: None)
    assert said is not None
    assert said.account.status == "REGISTERS_RESOURCES"
    assert messages.record(said) == AccountRecord("111122223333", "ACTIVE", registers=frozenset(("orders",)))
    root = UnitRecord("r-ab12", "o-1234567890", management_id="444455556666")
    for account, status in (
        (AccountRecord("111122223333", "CLOSED", registers=frozenset(("orders",))), "CLOSED"),
        (AccountRecord("111122223333", "ACTIVE", "r-ab12", registers=frozenset(("orders",))), "IN_ORGANIZATION"),
    ):
        told = messages.message("111122223333", account, {"r-ab12": root}.get)
        assert told is not None
        assert told.account.status == status
        assert messages.record(told) == account


def test_memory_answers_as_the_rows_say_through_random_changes(nodes: tuple[House, House]) -> None:
    """Two nodes, one of which only reads, against a model that is as simple as a dictionary."""
    here, there = nodes
    chance = random.Random(17)
    model: dict[int, tuple[dict[str, str], bool]] = {}
    condition = {"StringEquals": {"aws:ResourceTag/k": "yes"}}
    statement = {"Effect": "Deny", "Principal": "*", "Action": "orders:Ship", "Resource": "*", "Condition": condition}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for _ in range(80):
        number = chance.randrange(4)
        if number not in model or chance.random() < 0.3:
            denies, value = chance.random() < 0.5, chance.choice(("yes", "no"))
            before = model.get(number, ({}, False))
            policy: dict[str, Any] = {"resource_policy": document} if denies else {}
            here.call("PutResource", resource_arn=order(here, number), tags=[{"key": "k", "value": value}], **policy)
            model[number] = ({"k": value}, denies or before[1])
        elif chance.random() < 0.5:
            here.call("resource:TagResources", resource_arns=[order(here, number)], tags=[{"key": "K", "value": "yes"}])
            model[number] = ({"k": "yes"}, model[number][1])
        else:
            here.call("DeleteResource", resource_arn=order(here, number))
            del model[number]
        for asked in range(4):
            tags, denies = model.get(asked, ({}, False))
            wanted = pb.OUTCOME_EXPLICITLY_DENIED if denies and tags.get("k") == "yes" else pb.OUTCOME_ALLOWED
            assert ask(there, asked, at_least=here.revision) == wanted
