"""The seats of a supervisor: who serves in each, who is to follow, and when. Times are monotonic."""

import itertools
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

START = 60.0
"""Seconds that a worker may take to start, if those before it in its seat did not die young."""
LONGEST_START = 8 * START
"""The same at the most; it doubles with each young death: a busy machine may need longer, and who is always killed never comes up."""
STEADY = 10.0
"""Seconds of service after which a worker's earlier deaths are forgotten, and before which it is not replaced for its memory."""
AGAIN = 30.0
"""Seconds after which a worker whose successor did not come up may get another one."""
SERVING, BEATING = b"serving", b"beating"
"""What a worker says: once that it serves, and then, if its lean listener may hang, each second that it does not (`pulse`)."""
SILENCE = 30.0
"""Seconds after its last sign of life for which a worker is left alone."""
UNHEARD = 5.0
"""Seconds for which its parent has not listened, after which what it has not heard means nothing: the machine stood still."""

_FIRST_PAUSE = 0.1  # seconds; it doubles with each young death
_LONGEST_PAUSE = {True: 0.5, False: 5.0}  # seconds, for one that served before it died, and for one that did not come that far


def pause(deaths: int, *, served: bool) -> float:
    """Seconds until a worker is replaced that has died young this many times in a row."""
    return min(_FIRST_PAUSE * 2.0 ** min(deaths - 1, 10), _LONGEST_PAUSE[served]) if deaths else 0.0


def time_to_start(deaths: int) -> float:
    """Seconds that a worker may take to start after so many that have died young in a row."""
    return min(START * 2.0 ** min(deaths, 10), LONGEST_START)


@dataclass(slots=True)
class Running:
    """A worker process as its parent sees it."""

    process: BaseProcess
    pipe: Connection
    started: float
    place: int = 0  # where it counts, which is nobody else's while it runs
    serving: float | None = None  # since then
    beaten: float | None = None  # its last sign of life, of one that gives any
    heard: float = 0.0  # when its parent last listened
    allowed: float = START  # seconds to start

    def hear(self, now: float) -> bool:
        """Take what the worker has said; whether it has just begun to serve."""
        began = False
        if self.beaten is not None and now - self.heard > UNHEARD:
            self.beaten = now
        self.heard = now
        with suppress(EOFError, OSError):  # it is dead, or dying
            while self.pipe.poll():
                said = self.pipe.recv_bytes()
                if said == BEATING:
                    self.beaten = now
                elif said == SERVING and self.serving is None:
                    self.serving, began = now, True
        return began

    def tell(self, order: str) -> None:
        """Pass an order on."""
        with suppress(OSError):  # it is dead, or dying; who comes after it reads all anew
            self.pipe.send_bytes(order.encode())

    def hangs(self, now: float) -> bool:
        """Whether it should have come up long ago, or given a sign of life."""
        if self.serving is None:
            return now - self.started > self.allowed
        return self.beaten is not None and now - self.beaten > SILENCE

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.is_alive()


@dataclass(slots=True)
class Seat:
    """One worker's place on the ports. `stale` says why the worker is to be replaced, and nothing while it is not."""

    index: int
    worker: Running | None = None
    successor: Running | None = None
    stale: str = ""
    deaths: int = 0  # in a row, each within STEADY of its service
    due: float = 0.0  # when the next worker comes, while there is none
    renewable: float = 0.0  # not before that does the next successor come

    @property
    def running(self) -> tuple[Running, ...]:
        """Its processes."""
        return tuple(one for one in (self.worker, self.successor) if one is not None)

    def free_place(self, taken: Collection[int], seats: int) -> int:
        """A place for the next worker to count in: the seat's own, or while that is taken one that no other seat ever has."""
        return next(place for place in itertools.count(self.index, seats) if place not in taken)

    def vacate(self, now: float) -> None:
        """The worker has died: its successor takes the seat where there is one; else say when the next one comes."""
        lost, self.worker, self.successor = self.worker, self.successor, None
        served = lost.serving if lost is not None else None
        self.deaths = 0 if served is not None and now - served >= STEADY else self.deaths + 1
        self.due = now + pause(self.deaths, served=served is not None)
        self.stale = ""
        if lost is not None:
            lost.pipe.close()

    def wants_successor(self, now: float) -> bool:
        """Whether the worker is to be replaced now: not while it comes up, nor right after a successor failed."""
        ready = self.worker is not None and self.worker.serving is not None and self.successor is None
        return bool(self.stale) and ready and now >= self.renewable

    def succeed(self) -> Running:
        """Let the successor take the seat; who had it."""
        before, after = self.worker, self.successor
        if before is None or after is None:
            raise AssertionError("a seat passes from one worker to another")
        self.worker, self.successor, self.stale, self.deaths = after, None, "", 0
        return before

    def fail_successor(self, now: float) -> None:
        """The successor did not come up: the worker stays, for a while at least."""
        if self.successor is not None:
            self.successor.pipe.close()
        self.successor, self.stale, self.renewable = None, "", now + AGAIN
