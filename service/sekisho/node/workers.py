"""The supervisor of several workers, each a process of its own; one that dies is replaced, as often as it takes.

A pipe is all that a worker and its parent share: to close it is to tell the worker to stop. What has locks in shared memory, as
multiprocessing.Event has, would keep the parent waiting for ever for a worker that was killed while it had one of them.
"""

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import structlog

from sekisho.edges.http.listener import Edge
from sekisho.errors import FailedPrecondition
from sekisho.node import logs
from sekisho.node.options import Options
from sekisho.node.orders import RELOAD, STOP, Orders, ending
from sekisho.node.worker import worker

START = 60.0
"""Seconds that a worker may take to start."""
STEADY = 10.0
"""Seconds of service after which a worker's earlier deaths are forgotten."""
TICK = 0.1
"""Seconds between two looks at the workers."""

_FIRST_PAUSE = 0.1  # seconds; it doubles with each young death
_LONGEST_PAUSE = {True: 0.5, False: 5.0}  # seconds, for one that served before it died, and for one that did not come that far
_SERVING = b"serving"

log = structlog.get_logger(__name__)


class WorkerFailed(FailedPrecondition):
    """A worker did not start."""


def pause(deaths: int, *, served: bool) -> float:
    """Seconds until a worker is replaced that has died young this many times in a row."""
    return min(_FIRST_PAUSE * 2.0 ** min(deaths - 1, 10), _LONGEST_PAUSE[served]) if deaths else 0.0


@dataclass(slots=True)
class _Place:
    """A worker's place: who is in it since when, and when the next one comes. Times are monotonic."""

    index: int
    process: BaseProcess | None = None
    pipe: Connection | None = None
    started: float = 0.0
    serving: float | None = None  # since then
    deaths: int = 0  # in a row, each within STEADY of its service
    due: float = 0.0

    def hear(self, now: float) -> bool:
        """Take what the worker has said; whether it has just begun to serve."""
        try:
            if self.serving is None and self.pipe is not None and self.pipe.poll() and self.pipe.recv_bytes() == _SERVING:
                self.serving = now
                return True
        except (EOFError, OSError):
            pass  # it is dead, or dying
        return False

    def tell(self, order: str) -> None:
        """Pass an order on."""
        try:
            if self.pipe is not None:
                self.pipe.send_bytes(order.encode())
        except OSError:
            pass  # it is dead, or dying; who comes after it reads all anew

    def vacate(self, now: float) -> None:
        """The worker has died: say when the next one comes."""
        served = self.serving is not None
        self.deaths = 0 if self.serving is not None and now - self.serving >= STEADY else self.deaths + 1
        self.due = now + pause(self.deaths, served=served)
        self.close()
        self.process = self.serving = None

    def close(self) -> None:
        """Tell the worker to stop."""
        if self.pipe is not None:
            self.pipe.close()
            self.pipe = None


class Workers:
    """Workers on the same ports; `grace` are the seconds that calls under way have when they stop."""

    def __init__(self, options: Options, *, edges: tuple[Edge, ...], grace: float) -> None:
        self._options, self._edges, self._grace = options, edges, grace
        self._context = multiprocessing.get_context("spawn")
        self._places = [_Place(index) for index in range(options.workers)]

    def run(self, ready: Callable[[], None], orders: Orders) -> None:
        """Until the order to stop: all workers run. WorkerFailed when one does not come up the first time."""
        try:
            for place in self._places:
                self._start(place)
            if self._all_serve(orders):
                ready()
                while (order := _next(orders)) != STOP:
                    for place in self._places:
                        if order == RELOAD:
                            place.tell(RELOAD)
                        self._look_after(place)
        finally:
            self._end()

    def _all_serve(self, orders: Orders) -> bool:
        """Wait until every worker serves for the first time; False when told to stop meanwhile."""
        limit = time.monotonic() + START
        while any(place.serving is None for place in self._places):
            if _next(orders) == STOP:
                return False
            for place in self._places:
                self._hear(place)
                if place.process is None or not place.process.is_alive() or (place.serving is None and time.monotonic() > limit):
                    raise WorkerFailed(f"worker {place.index} did not start; its log says why")
        return True

    def _start(self, place: _Place) -> None:
        ours, theirs = self._context.Pipe()
        arguments = (self._options, place.index, self._edges, theirs, self._grace)
        process = self._context.Process(target=spawned, args=arguments, name=f"sekisho-worker-{place.index}")
        place.started, place.pipe = time.monotonic(), ours
        try:
            process.start()
            place.process = process
        except OSError as error:  # no memory or no process to be had just now
            log.error("server.worker_not_started", worker=place.index, error=error.strerror)
            place.vacate(time.monotonic())
        finally:
            theirs.close()  # the worker's alone, so that its end is the pipe's end

    def _hear(self, place: _Place) -> None:
        if place.hear(time.monotonic()) and place.process is not None:
            log.info("server.worker_serves", worker=place.index, process=place.process.pid)

    def _look_after(self, place: _Place) -> None:
        self._hear(place)
        now = time.monotonic()
        if place.process is None:
            if now >= place.due:
                self._start(place)
        elif not place.process.is_alive():
            log.error("server.worker_died", worker=place.index, process=place.process.pid, exit_code=place.process.exitcode)
            place.vacate(now)
        elif place.serving is None and now - place.started > START:
            log.error("server.worker_hangs", worker=place.index, process=place.process.pid)
            place.process.kill()

    def _end(self) -> None:
        """Tell all to stop, wait for them, and end those that do not, whatever state they are in."""
        for place in self._places:
            place.close()
        limit = time.monotonic() + ending(self._grace)
        for process in [place.process for place in self._places if place.process is not None]:
            process.join(max(0.0, limit - time.monotonic()))
            if process.is_alive():
                log.error("server.worker_cut", process=process.pid)
                process.kill()
                process.join(5)


def _next(orders: Orders) -> str | None:
    try:
        return orders.get(timeout=TICK)
    except queue.Empty:
        return None


def spawned(options: Options, index: int, edges: tuple[Edge, ...], pipe: Connection, grace: float) -> None:
    """The body of a worker process; it ends with its parent."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the parent tells when to stop
    logs.configure(options.log_format, options.log_level)
    orders: Orders = queue.SimpleQueue()
    threading.Thread(target=_obey, args=(pipe, orders, grace), name="obey", daemon=True).start()
    worker(options, index, edges=edges, ready=lambda: pipe.send_bytes(_SERVING), orders=orders, grace=grace)


def _obey(pipe: Connection, orders: Orders, grace: float) -> None:
    """Pass on what the parent says; its silence is final, and then the process ends also when something in it does not."""
    try:
        while True:
            orders.put(pipe.recv_bytes().decode())
    except (EOFError, OSError):
        orders.put(STOP)
    time.sleep(ending(grace))
    os._exit(1)
