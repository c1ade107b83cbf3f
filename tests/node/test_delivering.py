"""The threads that deliver: each trail in its turn, no bucket held up by another, one process of all at it."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sekisho.credentials.key_ring import KeyRing
from sekisho.journal.trail import plans
from sekisho.journal.trail.delivery import BACKLOG, BEHIND
from sekisho.journal.trail.object_keys import NotDelivered
from sekisho.journal.trail.plans import Most
from sekisho.node import delivering
from sekisho.node.delivering import Delivering, Trails
from sekisho.store import db
from tests.journal.trail import delivered
from tests.journal.trail.delivered import Refusing, add, bucket, ids, stored
from tests.journal.trail.records import ONE, TWO, Trail, made


@pytest.fixture
def database(database_url: str) -> Iterator[db.Database]:
    with db.Database(database_url) as made:
        yield made


@pytest.fixture
def trail(database: db.Database, tmp_path: Path) -> Trail:
    return Trail(database, KeyRing.create(tmp_path / "keyring.json"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "TICK", 0.02)
    monkeypatch.setattr(delivering, "FIRST_PAUSE", 0.02)


@contextmanager
def running(trail: Trail, every: float = 0.05, most: Most = plans.USUAL, **destinations: Any) -> Iterator[Delivering]:
    threads = Delivering(trail.database, trail.ring, Trails(destinations, every, 10**9, most))
    threads.start()
    try:
        yield threads
    finally:
        threads.stop()


def until(done: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + 60
    while not done():
        assert time.monotonic() < limit, what
        time.sleep(0.02)


def test_what_is_recorded_meanwhile_is_delivered_too(trail: Trail, tmp_path: Path) -> None:
    add(trail.database, delivered.row())
    logs = bucket(tmp_path)
    with running(trail, logs=logs):
        trail.fill(2, [ONE])
        trail.seal()
        until(lambda: ids(logs) == ["r-0", "r-1"], "nothing is delivered")
        trail.write(made("later"))
        trail.seal()
        until(lambda: len(ids(logs)) == 3, "nothing more is delivered")
    assert ids(logs) == ["later", "r-0", "r-1"]


def test_a_bucket_that_hangs_holds_up_no_other(trail: Trail, tmp_path: Path) -> None:
    """Five trails of one account to a bucket that does not answer, one to a bucket that is none, and another account's."""
    trail.fill(4)
    trail.seal()
    add(trail.database, *(delivered.row(f"dead-{number}", s3_bucket_name="dead") for number in range(5)))
    add(trail.database, delivered.row("nowhere", s3_bucket_name="nowhere"), delivered.row("good", TWO))
    release, asked = threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        release.wait(60)
        raise NotDelivered("RequestTimeout", "no answer")

    logs = bucket(tmp_path)
    with running(trail, dead=Refusing(bucket(tmp_path, "dead"), hang), logs=logs):
        until(asked.is_set, "the bucket that hangs is not asked")
        until(lambda: ids(logs) == ["r-1", "r-3"], "the other bucket is held up")
        trail.write(made("later", TWO))
        trail.seal()
        until(lambda: ids(logs) == ["later", "r-1", "r-3"], "the other bucket is held up")
        until(lambda: stored(trail.database, "nowhere").latest_delivery_error == "NoSuchBucket", "nobody says that there is no bucket")
        assert len([thread for thread in threading.enumerate() if thread.name.startswith("deliver-")]) == 3
        release.set()
        until(lambda: stored(trail.database, "dead-4").latest_delivery_error == "RequestTimeout", "the last one is not tried")


def test_a_bucket_that_comes_back_gets_all(trail: Trail, tmp_path: Path) -> None:
    trail.fill(4, [ONE])
    trail.seal()
    add(trail.database, delivered.row())
    failures = [NotDelivered("SlowDown", "no")] * 3

    def fail() -> None:
        if failures:
            raise failures.pop()

    logs = bucket(tmp_path)
    with running(trail, 10**6, logs=Refusing(logs, fail)):
        until(lambda: ids(logs) == ["r-0", "r-1", "r-2", "r-3"], "it is not tried again")


def test_many_records_are_not_waited_with(trail: Trail, tmp_path: Path) -> None:
    add(trail.database, delivered.row())
    logs = bucket(tmp_path)
    trail.write(made("first"))
    trail.seal()
    with running(trail, 10**6, Most(records=5), logs=logs):
        until(lambda: ids(logs) == ["first"], "nothing is delivered")
        trail.fill(11, [ONE])
        trail.seal()
        until(lambda: len(ids(logs)) >= 5, "they wait for the interval")


def test_one_of_two_processes_delivers(trail: Trail, tmp_path: Path) -> None:
    trail.fill(40, [ONE])
    trail.seal()
    add(trail.database, delivered.row())
    logs, puts = bucket(tmp_path), list[str]()

    def put() -> None:
        puts.append(threading.current_thread().name)

    with ExitStack() as stack, db.Database(trail.database.url) as other:
        second = Trail(other, trail.ring)
        stack.enter_context(running(trail, logs=Refusing(logs, put)))
        until(lambda: bool(puts), "nobody delivers")
        stack.enter_context(running(second, logs=Refusing(logs, lambda: puts.append("second"))))
        trail.write(made("later"))
        trail.seal()
        until(lambda: "later" in ids(logs), "nobody delivers")
    assert "second" not in puts
    assert len(ids(logs)) == len(set(ids(logs))) == 41


def test_who_delivers_no_longer_says_nothing_of_backlogs(trail: Trail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process does, and its numbers would be hidden behind those of before."""
    trail.fill(4, [ONE])
    trail.seal()
    add(trail.database, delivered.row("left"))

    def fail() -> None:
        raise NotDelivered("SlowDown", "no")

    backlog, behind = BACKLOG.labels("left"), BEHIND.labels("left")
    with running(trail, logs=Refusing(bucket(tmp_path), fail)) as threads:
        until(lambda: backlog.numbers[0] == 4 and behind.numbers[0] > 0, "the backlog is not metered")
        monkeypatch.setattr(threads._alone, "take", lambda: False)
        until(lambda: math.isnan(backlog.numbers[0]) and math.isnan(behind.numbers[0]), "the backlog is metered still")


def test_digest_files_of_a_trail_hold_up_no_other(trail: Trail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a large organization has thousands of them each hour; others of its bucket have their turn between."""
    trail.fill(4)
    trail.seal()
    add(trail.database, delivered.row("many"))
    logs, asked = bucket(tmp_path), list[str]()

    def once(trail_id: str) -> bool:
        asked.append(trail_id)
        time.sleep(0.001)
        return trail_id == "many" and "r-1" not in ids(logs)

    with running(trail, 10**6, logs=logs) as threads:
        monkeypatch.setattr(threads._digests, "once", once)
        until(lambda: len(asked) > 3, "there are no digest files")
        add(trail.database, delivered.row("other", TWO))
        until(lambda: "r-1" in ids(logs), "the other trail is held up")
        until(lambda: "other" in asked, "the other trail has no digest files")
