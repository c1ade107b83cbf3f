"""When a worker is replaced: a dead one, one that is to be renewed, and one whose successor does not come up."""

import os
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

import pytest

from sekisho.node import footprints, seats
from sekisho.node.options import Options
from sekisho.node.seats import Running, Seat
from sekisho.node.workers import Workers


@pytest.mark.parametrize(
    ("deaths", "served", "seconds"),
    [
        (0, True, 0.0), (1, True, 0.1), (2, True, 0.2), (3, True, 0.4), (4, True, 0.5), (1000, True, 0.5),
        (1, False, 0.1), (4, False, 0.8), (6, False, 3.2), (7, False, 5.0), (10_000, False, 5.0),
    ],
)  # fmt: skip
def test_the_pause_before_a_worker_is_replaced_doubles_and_is_bounded(deaths: int, served: bool, seconds: float) -> None:
    assert seats.pause(deaths, served=served) == pytest.approx(seconds)


class Process:
    """A process that lives until it is told otherwise."""

    pid = 7
    living = True

    def is_alive(self) -> bool:
        return self.living


class Pipe:
    """A pipe on which a worker has said that it serves, or nothing yet."""

    def __init__(self, *said: bytes) -> None:
        self.said, self.told, self.closed = list(said), list[bytes](), False

    def poll(self) -> bool:
        return bool(self.said)

    def recv_bytes(self) -> bytes:
        return self.said.pop(0)

    def close(self) -> None:
        self.closed = True


def running(serving: float | None = None) -> Running:
    """A worker that has served since then."""
    process, pipe = cast("BaseProcess", Process()), cast("Connection", Pipe())
    return Running(process, pipe, started=0.0, serving=serving)


def test_long_service_makes_up_for_earlier_deaths() -> None:
    seat = Seat(0)
    for now in (1.0, 2.0, 3.0):
        seat.worker = running(serving=now - 0.5)
        seat.vacate(now)
    assert (seat.deaths, seat.due) == (3, 3.4)
    seat.worker = running(serving=4.0)
    seat.vacate(4.0 + seats.STEADY)
    assert (seat.deaths, seat.due) == (0, 4.0 + seats.STEADY)


@pytest.mark.parametrize(("deaths", "seconds"), [(0, 60.0), (1, 120.0), (2, 240.0), (3, 480.0), (4, 480.0), (10_000, 480.0)])
def test_who_comes_after_one_that_came_up_too_slowly_has_longer(deaths: int, seconds: float) -> None:
    """On a busy machine all would be killed before they serve, one after the other."""
    assert seats.time_to_start(deaths) == seconds
    one = Running(cast("BaseProcess", Process()), cast("Connection", Pipe()), started=0.0, allowed=seats.time_to_start(deaths))
    assert (one.hangs(seconds), one.hangs(seconds + 1.0)) == (False, True)


def test_a_worker_has_the_longer_for_those_who_died_in_its_seat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Context:
        """Makes processes that do nothing."""

        def Pipe(self) -> tuple[Pipe, Pipe]:  # noqa: N802  # as multiprocessing's
            return Pipe(), Pipe()

        def Process(self, **_arguments: object) -> Process:  # noqa: N802
            return Process()

    monkeypatch.setattr(Process, "start", lambda _: None, raising=False)
    made = Workers(Options(data_dir=tmp_path, workers=1), edges=(), grace=0.0)
    made._context = Context()  # type: ignore[assignment]
    started = [made._started(Seat(0, deaths=deaths)) for deaths in (0, 2)]
    assert [one.allowed for one in started if one is not None] == [60.0, 240.0]


def test_a_worker_says_once_that_it_serves() -> None:
    one = Running(cast("BaseProcess", Process()), cast("Connection", Pipe(seats.SERVING)), started=0.0)
    assert (one.hear(5.0), one.serving, one.hear(6.0), one.serving) == (True, 5.0, False, 5.0)


def test_a_worker_that_gives_no_more_signs_of_life_hangs() -> None:
    pipe = Pipe(seats.SERVING)
    one = Running(cast("BaseProcess", Process()), cast("Connection", pipe), started=0.0)
    one.hear(5.0)
    assert not one.hangs(1000.0)  # one without a lean listener gives none
    pipe.said += [seats.BEATING, seats.BEATING]
    one.hear(8.0)
    assert (pipe.said, one.hangs(8.0 + seats.SILENCE), one.hangs(8.1 + seats.SILENCE)) == ([], False, True)
    pipe.said.append(seats.BEATING)
    one.hear(10.0)
    assert not one.hangs(8.1 + seats.SILENCE)


def test_silence_means_nothing_while_nobody_listens() -> None:
    """The machine stood still for an hour, and the parent goes on before the worker does."""
    pipe = Pipe(seats.SERVING, seats.BEATING)
    one = Running(cast("BaseProcess", Process()), cast("Connection", pipe), started=0.0)
    one.hear(5.0)
    one.hear(3605.0)
    assert not one.hangs(3605.0)
    for now in range(3606, 3640):
        one.hear(float(now))
    assert one.hangs(3639.0)


def test_a_successor_is_wanted_for_a_worker_that_serves_and_is_stale() -> None:
    seat = Seat(0, stale="told to reload")
    assert not seat.wants_successor(1.0)
    seat.worker = running()
    assert not seat.wants_successor(1.0)  # it comes up itself
    seat.worker = running(serving=0.5)
    assert seat.wants_successor(1.0)
    seat.successor = running()
    assert not seat.wants_successor(1.0)
    seat.fail_successor(2.0)
    assert not seat.stale
    assert seat.running == (seat.worker,)
    seat.stale = "too large"
    assert not seat.wants_successor(2.0 + seats.AGAIN - 0.1)
    assert seat.wants_successor(2.0 + seats.AGAIN)


def test_the_seat_passes_to_the_successor() -> None:
    before, after = running(serving=1.0), running(serving=2.0)
    seat = Seat(0, before, after, "too large", deaths=2)
    assert seat.succeed() is before
    assert (seat.worker, seat.successor, seat.stale, seat.deaths) == (after, None, "", 0)


def test_the_successor_of_a_worker_that_dies_takes_its_seat() -> None:
    before, after = running(serving=1.0), running()
    seat = Seat(0, before, after, "too large")
    seat.vacate(2.0)
    assert (seat.worker, seat.successor, seat.stale) == (after, None, "")
    assert cast("Pipe", before.pipe).closed
    assert not cast("Pipe", after.pipe).closed


def test_where_each_worker_is_too_large_one_leaves_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit below what a worker needs does not make more and more of them, each of which leaves for a minute."""
    monkeypatch.setattr(footprints, "resident", lambda _: 300 * footprints.MIB)
    made = Workers(Options(data_dir=tmp_path, workers=2, worker_memory=256), edges=(), grace=0.0)
    for seat in made._seats:
        seat.worker = running(serving=0.0)
    before = running(serving=0.0)
    before.place = 3
    made._leaving = [(before, 1e9)]
    made._weigh()
    assert [seat.stale for seat in made._seats] == ["too large", ""]
    made._leaving, made._weigh_at = [], 0.0
    made._weigh()
    assert [seat.stale for seat in made._seats] == ["too large", "too large"]


def test_what_a_process_holds(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "statm").write_text("9000 512 100 1 0 50 0\n")
    assert footprints.resident(7, tmp_path) == 512 * os.sysconf("SC_PAGE_SIZE")
    assert footprints.resident(8, tmp_path) is None
    (tmp_path / "7" / "statm").write_text("")
    assert footprints.resident(7, tmp_path) is None


def test_who_counts_where() -> None:
    assert Seat(1).free_place(set(), 4) == 1
    assert Seat(1).free_place({0, 1, 2, 3}, 4) == 5
    assert Seat(1).free_place({0, 2, 3, 5}, 4) == 1
    assert Seat(1).free_place({0, 1, 2, 3, 5}, 4) == 9
