"""A thread that must not wait never touches the database: what memory has is answered, everything else is Cold before it has an effect."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sekisho import arn, policy, sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.errors import SekishoError
from sekisho.memory import cold
from sekisho.memory.cold import Cold
from sekisho.store.changes import Point
from sekisho.store.db import Database
from sekisho.world import Subject
from tests import harness
from tests.harness import House
from tests.services.iam.documents import allow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHIP = allow("orders:Ship")


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with harness.house(database_url, tmp_path) as made:
        made.node.feed.stop()  # which looks at the database for its own reasons
        yield made


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """A block in which nothing may wait, and whoever asks the database anything fails the test."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the database is asked")

    @contextmanager
    def block() -> Iterator[None]:
        with monkeypatch.context() as patched, cold.unwaiting():
            for name in ("read", "write", "glance"):
                patched.setattr(Database, name, refuse)
            yield

    return block


def test_what_memory_has_is_decided_without_the_database(house: House, untouched: Callable[[], Any]) -> None:
    house.user("ann", SHIP)
    question: dict[str, Any] = {"principal_arn": f"arn:aws:iam::{house.account_id}:user/ann", "action": "orders:Ship", "resource": "*"}
    assert house.call("Authorize", **question).outcome == pb.OUTCOME_ALLOWED
    revision = house.revision
    with untouched():
        assert house.call("Authorize", **question).outcome == pb.OUTCOME_ALLOWED
        assert house.call("Authorize", **question, at_least=revision).outcome == pb.OUTCOME_ALLOWED
        assert len(house.call("AuthorizeBatch", requests=[question, question]).items) == 2


def test_a_revision_that_was_applied_lately_is_not_asked_for(house: House, untouched: Callable[[], Any]) -> None:
    """Any of the last, not the newest alone."""
    revisions = []
    for name in ("ann", "bob", "cid"):
        house.user(name, SHIP)
        revisions.append(house.revision)
    question: dict[str, Any] = {"action": "orders:Ship", "resource": "*"}
    house.call("Authorize", **question)
    with untouched():
        for revision in revisions:
            assert house.call("Authorize", **question, at_least=revision).outcome == pb.OUTCOME_ALLOWED


def test_what_memory_does_not_have_is_cold_and_answered_where_waiting_is_allowed(house: House, untouched: Callable[[], Any]) -> None:
    """The caller's key, then the principal, with which its policies come: each says what it wants."""
    ann = house.user("ann", allow("authorize:Authorize"))
    policy = house.call("CreatePolicy", policy_name="ship", policy_document=SHIP).policy
    house.call("AttachUserPolicy", user_name="ann", policy_arn=policy.arn)
    user_id = house.call("GetUser", user_name="ann").user.user_id
    world = house.node.world
    wanted = []
    for _ in range(10):
        before = world.size
        try:
            with untouched():
                answer = house.call("Authorize", _as=ann, action="orders:Ship", resource="*")
            break
        except Cold as error:
            assert world.size == before
            wanted.append(error.wanted)
            world.get_record(error.wanted)
    assert answer.outcome == pb.OUTCOME_ALLOWED
    assert wanted == [ann.access_key_id, user_id]


def test_every_way_to_the_database_is_cold(house: House, untouched: Callable[[], Any]) -> None:
    house.user("ann", SHIP)
    world, account = house.node.world, house.account_id
    user_id = house.call("GetUser", user_name="ann").user.user_id
    world.poll()
    afar = Point(world.point.number + 1, "0" * 16)
    ways: dict[str, tuple[Callable[[], object], str]] = {
        "a record": (lambda: world.get_record("AIDAAAAAAAAAAAAAAAAAA"), "AIDAAAAAAAAAAAAAAAAAA"),
        "a composition": (lambda: world.acting(Subject(user_id, account), NOW), user_id),
        "a name": (lambda: world.get_id(arn.Entity(account, "user", "/", "zoe")), f"{account}:user/zoe"),
        "a role of a session": (lambda: world.get_id(arn.Entity(account, "assumed-role", "/r/", "s")), f"{account}:role/r"),
        "a newer revision": (lambda: house.node.feed.wait_for(afar.token, time.monotonic() + 5), ""),
        "a look": (world.poll, ""),
        "a snapshot": (lambda: world.snapshot().__enter__(), ""),
    }
    with untouched():
        for name, (way, wanted) in ways.items():
            with pytest.raises(Cold) as caught:
                way()
            assert (name, caught.value.wanted) == (name, wanted)


def test_a_composition_that_is_always_overtaken_is_cold_too(house: House, untouched: Callable[[], Any]) -> None:
    world = house.node.world

    def compose(_reader: object) -> None:
        world.committed(Point(world.point.number + 1, "0" * 16), ())

    with untouched(), pytest.raises(Cold):
        world.consistent(compose)


def test_no_handler_of_errors_takes_cold_for_an_error(house: House, untouched: Callable[[], Any]) -> None:
    """Neither the pipeline, which makes failures of exceptions and records them, nor a batch, whose items fail by themselves."""
    stranger = f"arn:aws:iam::{house.account_id}:user/nobody"
    question: dict[str, Any] = {"principal_arn": stranger, "action": "orders:Ship", "resource": "*"}
    house.call("Authorize", action="orders:Ship", resource="*")
    calls: list[tuple[str, dict[str, Any]]] = [("Authorize", question), ("AuthorizeBatch", {"requests": [question]})]
    for name, fields in calls:
        with untouched(), pytest.raises(Cold) as caught:
            house.call(name, **fields)
        assert caught.value.wanted == f"{house.account_id}:user/nobody"
    with pytest.raises(SekishoError, match="There is no principal"):
        house.call("Authorize", **question)
    with untouched(), pytest.raises(SekishoError, match="There is no principal"):  # which memory knows by now
        house.call("Authorize", **question)


def test_a_key_of_nobody_is_cold_once(house: House, untouched: Callable[[], Any]) -> None:
    stranger = sigv4.Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40)
    with untouched(), pytest.raises(Cold) as caught:
        house.call("Authorize", _as=stranger, action="a:B", resource="*")
    assert caught.value.wanted == "AKIAIOSFODNN7EXAMPLE"
    with pytest.raises(sigv4.InvalidClientTokenId):
        house.call("Authorize", _as=stranger, action="a:B", resource="*")
    with untouched(), pytest.raises(sigv4.InvalidClientTokenId):
        house.call("Authorize", _as=stranger, action="a:B", resource="*")


def test_blocks_nest_and_end() -> None:
    with cold.unwaiting():
        with cold.unwaiting(), pytest.raises(Cold):
            cold.may_wait("inner")
        with pytest.raises(Cold, match="outer"):
            cold.may_wait("outer")
    cold.may_wait("after")


def test_cold_says_what_is_wanted() -> None:
    with cold.unwaiting():
        for wanted in ("AIDAEXAMPLE", ""):
            with pytest.raises(Cold) as caught:
                cold.may_wait(wanted)
            assert (caught.value.wanted, str(caught.value)) == (wanted, wanted)
        with pytest.raises(Cold) as caught:
            cold.may_wait()
        assert caught.value.wanted == ""


def test_a_decision_that_takes_long_is_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    request: Any = "request"
    layers: Any = "layers"
    for is_prompt in (True, False):
        monkeypatch.setattr(policy, "is_prompt", lambda *given, is_prompt=is_prompt: is_prompt or given != (request, layers))
        cold.may_take_long(request, layers)
        with cold.unwaiting():
            if is_prompt:
                cold.may_take_long(request, layers)
            else:
                with pytest.raises(Cold) as caught:
                    cold.may_take_long(request, layers)
                assert caught.value.wanted == ""


def test_a_block_that_fails_ends_as_well() -> None:
    with pytest.raises(RuntimeError), cold.unwaiting():
        raise RuntimeError
    cold.may_wait("after")


def test_a_file_of_sqlite_that_nobody_has_written_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file itself says that, for a tenth of what a statement costs; and there is no other database that it could lag behind."""
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        made.node.feed.stop()
        world = made.node.world
        newest = world.renewed()
        with monkeypatch.context() as patched:
            patched.setattr(Database, "glance", None)
            assert world.renewed() == newest
            world.look_at_lag()
        made.call("CreateUser", user_name="ann")
        assert world.renewed().number == newest.number + 1


def test_a_snapshot_of_memory_is_as_old_as_what_it_holds(house: House) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    house.node.world.confirmed.at = time.monotonic() - 30
    assert house.node.world.taken(now).confirmed_at <= now - timedelta(seconds=30)


def test_a_thread_that_was_told_nothing_may_wait_and_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "is_prompt", lambda *_: False)
    request: Any = None
    with ThreadPoolExecutor(1) as other:
        other.submit(cold.may_wait).result(60)
        other.submit(cold.may_take_long, request, request).result(60)
    with cold.unwaiting(), pytest.raises(Cold):
        cold.may_take_long(request, request)
