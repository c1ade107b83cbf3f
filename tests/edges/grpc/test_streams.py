"""Streams hold no thread while they wait, and one message while their reader is slow."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho import client
from sekisho.api.authorize.v1 import changes_pb2 as pb
from sekisho.calls.waits import Wait
from sekisho.edges.grpc import lot as lots
from sekisho.services.authorize import changes as operation
from tests.inside import Inside, inside
from tests.services.iam.documents import allow, trust


@pytest.fixture(params=["grpcio", "lean"])
def listener(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(tmp_path: Path, listener: str) -> Iterator[Inside]:
    with inside(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, lean=listener == "lean") as made:
        yield made


def test_a_thousand_watchers_take_no_thread_each_and_all_hear(place: Inside) -> None:
    house = place.house
    clients = [place.client() for _ in range(10)]
    streams: list[Any] = [made.changes(heartbeat=60) for made in clients for _ in range(100)]
    for stream in streams:
        next(stream)
    server_threads = [thread.name for thread in threading.enumerate() if thread.name.startswith(("inside-", "lot"))]
    assert len(server_threads) < 20
    _until(lambda: place.server._lot.size == 1000)
    ann = house.call("CreateUser", user_name="ann").user.user_id
    heard = [list(next(stream).ids) for stream in streams]
    assert heard == [[ann]] * 1000
    with place.client() as made:
        assert made.authorize(action="a:B", resource="*").allowed
    for made in clients:
        made.close()
    _until(lambda: place.server.streams == 0)
    assert place.server._lot.size == 0


def test_the_streams_of_one_account_leave_places_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: str) -> None:
    monkeypatch.setattr("sekisho.edges.grpc.streams.SHARE", 5)
    with inside(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, lean=listener == "lean") as place:
        other = place.house.account()
        place.house.call("GetUser")
        with place.client() as flood, place.client(other) as quiet:
            streams: list[Any] = [flood.changes() for _ in range(5)]
            for stream in streams:
                next(stream)
            for _ in range(20):
                with pytest.raises(client.ResourceExhausted, match="Rate exceeded"):
                    next(flood.changes())
            assert next(quiet.changes()).revision
            streams.pop().close()
            _until(lambda: place.server.streams == 4)
            next(flood.changes())


def test_who_does_not_read_holds_one_message_and_misses_nothing(place: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is full after some messages of 100 KB; what comes then is put together when it reads again."""
    house, steps = place.house, list[str]()
    step = operation._step

    def counted(*args: Any) -> pb.WatchChangesResponse:
        made = step(*args)
        steps.append(made.revision)
        return made

    monkeypatch.setattr(operation, "_step", counted)
    filler = allow("orders:Ship")[:-1] + " " * 100_000 + "}"
    house.call("CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:root"))
    with place.client() as slow:
        stream = slow._authorize.watch_changes(records={"nonce": b"n" * 16}, heartbeat_seconds=60)
        next(stream)
        last = ""
        for number in range(150):
            house.call("PutRolePolicy", role_name="r", policy_name="p", policy_document=filler.replace("Ship", f"Ship{number}"))
            last = house.revision
        _until(lambda: place.server._lot.size == 0)
        assert len(steps) < 100
        revisions, after = [], ""
        for message in stream:
            batch = pb.Batch.FromString(message.batch.content)
            assert after in ("", batch.after)
            after = batch.revision
            revisions.append(batch.revision)
            if after == last:
                break
        assert "Ship149" in batch.records[0].principal.inline[0].document
        assert len(revisions) < 100


def test_a_server_that_stops_tells_its_streams(place: Inside) -> None:
    with place.client() as made:
        stream = made.changes(heartbeat=60)
        next(stream)
        ended = place.server.stop()
        with pytest.raises(client.Unavailable, match="The server stops"):  # and not cut off at the end of the grace
            next(stream)
        ended.wait()


def test_slices_take_turns_by_account(place: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many streams of one account are due, one of another goes on with the next slice."""
    monkeypatch.setattr(lots, "SLICE", 4)
    went: list[str] = []

    class Parked:
        def __init__(self, account: str) -> None:
            self.account = account

        def resume(self) -> None:
            went.append(self.account)

        def end(self) -> None:
            went.append("ended")

    lot = lots.Lot(place.house.node.world)
    crowd = [Parked("crowd") for _ in range(100)]
    due = threading.Event()
    for one in crowd:
        lot.park(one, Wait(time.monotonic() + 600, due.is_set))
    lot.park(Parked("quiet"), Wait(time.monotonic() + 600, due.is_set))
    due.set()
    lot._hear(None)
    _until(lambda: len(went) == 101)
    assert went.index("quiet") < 4
    last = Parked("late")
    lot.park(last, Wait(time.monotonic() + 600))
    lot.close()
    assert went[-1] == "ended"
    lot.park(Parked("later"), Wait(time.monotonic() + 600))
    assert went[-2:] == ["ended", "ended"]


def test_streams_whose_turn_has_not_come_are_told_that_the_server_stops(place: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change concerns many of them, and the server stops before the last slice: none is left for the end of the grace to cut off."""
    monkeypatch.setattr(lots, "SLICE", 1)
    monkeypatch.setattr(lots, "PAUSE", 3600)
    said: list[str] = []

    class Parked:
        account = "one"

        def resume(self) -> None:
            said.append("goes on")

        def end(self) -> None:
            said.append("ended")

    lot = lots.Lot(place.house.node.world)
    due = threading.Event()
    for _ in range(5):
        lot.park(Parked(), Wait(time.monotonic() + 7200, due.is_set))
    due.set()
    lot._hear(None)
    _until(lambda: said == ["goes on"])
    lot.close()
    assert said == ["goes on"] + 4 * ["ended"]


def test_a_wait_that_fails_is_over_and_no_other_is(place: Inside) -> None:
    went: list[str] = []

    class Parked:
        account = "one"

        def __init__(self, name: str) -> None:
            self.name = name

        def resume(self) -> None:
            went.append(self.name)

        def end(self) -> None:
            went.append("ended")

    def broken() -> bool:
        raise ValueError("broken")

    lot = lots.Lot(place.house.node.world)
    due = threading.Event()
    lot.park(Parked("sound"), Wait(time.monotonic() + 7200, due.is_set))
    lot.park(Parked("broken at once"), Wait(time.monotonic() + 7200, broken))
    _until(lambda: went == ["broken at once"])
    asked: list[bool] = []

    def broken_later() -> bool:
        if asked:
            raise ValueError("broken")
        asked.append(True)
        return False

    lot.park(Parked("broken later"), Wait(time.monotonic() + 7200, broken_later))
    lot._hear(None)
    _until(lambda: len(went) == 2)
    due.set()
    lot._hear(None)
    _until(lambda: len(went) == 3)
    lot.close()
    assert went == ["broken at once", "broken later", "sound"]


def _until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)
