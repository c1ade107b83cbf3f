"""A PostgreSQL that hangs: connected to, and silent. What memory knows is answered, nobody waits for long, and all recovers."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.edges.lanes import Lane
from sekisho.errors import SekishoError, ServiceUnavailable
from sekisho.memory import cache, places
from sekisho.store import alone, changes, db, pulse
from tests import harness, postgres
from tests.harness import House
from tests.services.iam.documents import allow

pytestmark = pytest.mark.faults

NOBODY = sigv4.Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40)


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.running(postgres.binaries()) as started:
        yield started


@contextlib.contextmanager
def hung(server: postgres.Server) -> Iterator[None]:
    """Stop every process of the server; the kernel goes on taking connections and bytes for them."""
    os.kill(server.pid, signal.SIGSTOP)  # first: a child that ends keeps its number until its parent has looked
    pids = [server.pid]
    try:
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(server.pid)], capture_output=True, text=True, check=True)
        for pid in map(int, listed.stdout.split()):
            os.kill(pid, signal.SIGSTOP)
            pids.append(pid)
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


def failed(future: "Future[Any]") -> str:
    """The class of the error that a call ended with."""
    return type(future.exception(60)).__name__


def warm(house: House) -> dict[str, Any]:
    """A question whose answer the house has in memory."""
    ann = house.user("ann", allow("orders:Ship", "authorize:Authorize"))
    question: dict[str, Any] = {"_as": ann, "action": "orders:Ship", "resource": "*"}
    assert house.call("Authorize", **question).outcome == pb.OUTCOME_ALLOWED
    return question


@pytest.mark.parametrize("kind", ["unknown keys", "revisions from afar"])
def test_warm_decisions_find_a_thread(server: postgres.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Whoever has begun to wait waits for ever here: the threads that decide must be enough without any limit of time."""
    monkeypatch.setattr(cache, "LOAD", 600.0)
    monkeypatch.setattr(pulse, "TICK", 600.0)
    with server.database() as url, harness.house(url, tmp_path) as house:
        question = warm(house)
        house.node.feed.stop()
        afar = changes.Point(house.node.world.point.number + 1, "0" * 16).token
        cold = {"_as": NOBODY} if kind == "unknown keys" else {"at_least": afar}
        ends = "InvalidClientTokenId" if kind == "unknown keys" else "AnotherHistory"
        lane = Lane("decide", threads=6, waiting=2000)
        with hung(server):
            waiting = [lane.submit(house.call, "Authorize", **{**question, **cold}) for _ in range(20)]
            for _ in range(50):
                assert lane.submit(house.call, "Authorize", **question).result(60).outcome == pb.OUTCOME_ALLOWED
            limit = time.monotonic() + 60
            while sum(future.done() for future in waiting) < 18 and time.monotonic() < limit:
                time.sleep(0.01)
            refused = [future for future in waiting if future.done()]
            assert (len(refused), {failed(future) for future in refused}) == (18, {"Busy"})
        house.call("CreateUser", user_name="bob")  # which has the number that was waited for
        assert {failed(future) for future in waiting if future not in refused} == {ends}
        lane.shutdown()


def test_nobody_waits_for_long(server: postgres.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an hour to its deadline a call would hang as long as the server does."""
    monkeypatch.setattr(House, "seconds", 3600.0)
    with server.database() as url, harness.house(url, tmp_path) as house:
        question = warm(house)
        with hung(server):
            for name, fields in (("CreateUser", {"user_name": "bob"}), ("ListUsers", {}), ("Authorize", {**question, "_as": NOBODY})):
                for _ in range(3):
                    with pytest.raises(SekishoError) as caught:
                        house.call(name, **fields)
                    assert (name, caught.value.grpc) == (name, "UNAVAILABLE")
            assert house.call("Authorize", **question).outcome == pb.OUTCOME_ALLOWED
        limit = time.monotonic() + 60
        while True:
            with contextlib.suppress(SekishoError):
                house.call("CreateUser", user_name="bob")
                break
            assert time.monotonic() < limit
            time.sleep(0.02)
        assert sorted(user.user_name for user in house.call("ListUsers").users) == ["ann", "bob"]


def test_places_are_waited_for_while_the_database_is_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SLOW", 600.0)
    room = places.Places(1)
    lane = Lane("loads", threads=2, waiting=10)

    def load() -> str:
        with room.place(), room.place():  # a load inside another needs no second place
            return "loaded"

    with room.place():
        waiting = lane.submit(load)
        time.sleep(0)
        assert not waiting.done()
    assert waiting.result(60) == "loaded"
    lane.shutdown()


def test_who_is_alone_does_not_wait_for_ever(server: postgres.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does who ends a process then, and lets another have the name."""
    monkeypatch.setattr(alone, "SILENCE", 0.5, raising=False)
    with server.database() as url, db.Database(url) as database, ThreadPoolExecutor(2) as pool:
        mine = alone.Alone(database, "it")
        assert mine.take()
        with hung(server):
            with pytest.raises(ServiceUnavailable):
                pool.submit(mine.take).result(60)
            pool.submit(mine.release).result(60)
        limit = time.monotonic() + 60
        while not mine.take():  # until the server has missed the connection of before
            assert time.monotonic() < limit
            time.sleep(0.02)
        mine.release()
