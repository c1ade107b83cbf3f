"""The supervisor of several workers, each a process of its own; one that dies is replaced, as often as it takes.

One that has grown too large, and each on SIGHUP, is replaced without a gap: its successor serves before it is told to leave, one seat after
the other. Whoever leaves takes no new connections, and ends when those that it has are gone.

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
from multiprocessing.connection import Connection

import structlog

from sekisho.edges.http.listener import Edge
from sekisho.errors import FailedPrecondition
from sekisho.node import footprints, logs
from sekisho.node.options import Options
from sekisho.node.orders import LEAVE, LEISURE, RELOAD, STOP, Orders, ending, parting
from sekisho.node.seats import BEATING, SERVING, STEADY, Running, Seat, time_to_start
from sekisho.node.worker import worker

TICK = 0.1
"""Seconds between two looks at the workers."""
WEIGH = 1.0
"""Seconds between two looks at their memory."""

log = structlog.get_logger(__name__)


class WorkerFailed(FailedPrecondition):
    """A worker did not start."""


class Workers:
    """Workers on the same ports; `grace` are the seconds that calls under way have when all stop."""

    def __init__(self, options: Options, *, edges: tuple[Edge, ...], grace: float) -> None:
        self._options, self._edges, self._grace = options, edges, grace
        self._context = multiprocessing.get_context("spawn")
        self._seats = [Seat(index) for index in range(options.workers)]
        self._leaving: list[tuple[Running, float]] = []  # and until when
        self._weigh_at = 0.0

    def run(self, ready: Callable[[], None], orders: Orders) -> None:
        """Until the order to stop: all workers run. WorkerFailed when one does not come up the first time."""
        try:
            for seat in self._seats:
                seat.worker = self._started(seat)
            if self._all_serve(orders):
                ready()
                while not self._stopped(orders):
                    for seat in self._seats:
                        self._look_after(seat)
                        self._renew(seat)
                    self._weigh()
                    self._see_off()
        finally:
            self._end()

    def _all_serve(self, orders: Orders) -> bool:
        """Wait until every worker serves for the first time; False when told to stop meanwhile."""
        while any(seat.worker is None or seat.worker.serving is None for seat in self._seats):
            if self._stopped(orders):
                return False
            for seat in self._seats:
                if seat.worker is not None:
                    self._hear(seat.worker, seat)
                if seat.worker is None or not seat.worker.alive or seat.worker.hangs(time.monotonic()):
                    raise WorkerFailed(f"worker {seat.index} did not start; its log says why")
        return True

    def _stopped(self, orders: Orders) -> bool:
        """Take the next order, if one comes before the next look; whether it is to stop. To reload, workers do at once what they can, and
        then others take their places.
        """
        try:
            order = orders.get(timeout=TICK)
        except queue.Empty:
            return False
        if order == RELOAD:
            for seat in self._seats:
                seat.stale = "told to reload"
                for running in seat.running:
                    running.tell(order)
        return order == STOP

    def _started(self, seat: Seat) -> Running | None:
        """A new worker for a seat; None when the system gives no process or memory for one just now."""
        ours, theirs = self._context.Pipe()
        place = seat.free_place({one.place for one in self._all()}, len(self._seats))
        arguments = (self._options, seat.index, place, self._edges, theirs, self._grace)
        process = self._context.Process(target=spawned, args=arguments, name=f"sekisho-worker-{seat.index}")
        try:
            process.start()
        except OSError as error:
            ours.close()
            log.error("server.worker_not_started", worker=seat.index, error=error.strerror)
            return None
        finally:
            theirs.close()  # the worker's alone, so that its end is the pipe's end
        return Running(process, ours, time.monotonic(), place, allowed=time_to_start(seat.deaths))

    def _hear(self, running: Running, seat: Seat) -> None:
        if running.hear(time.monotonic()):
            log.info("server.worker_serves", worker=seat.index, process=running.process.pid)

    def _look_after(self, seat: Seat) -> None:
        """Fill a seat that is empty, and empty it when its worker has died."""
        now, held = time.monotonic(), seat.worker
        if held is None:
            if now >= seat.due and (started := self._started(seat)) is not None:
                seat.worker = started
            elif now >= seat.due:
                seat.vacate(now)
            return
        self._hear(held, seat)
        if not held.alive:
            log.error("server.worker_died", worker=seat.index, process=held.process.pid, exit_code=held.process.exitcode)
            seat.vacate(now)
        elif held.hangs(now):
            log.error("server.worker_hangs", worker=seat.index, process=held.process.pid)
            held.process.kill()

    def _renew(self, seat: Seat) -> None:
        """Bring a worker's successor up, one at a time in all seats, and have the worker leave once that serves."""
        now, coming = time.monotonic(), seat.successor
        if coming is None:
            if seat.wants_successor(now) and all(other.successor is None for other in self._seats):
                seat.successor = self._started(seat)
            return
        self._hear(coming, seat)
        if coming.serving is not None:
            reason, before = seat.stale, seat.succeed()
            before.tell(LEAVE)
            self._leaving.append((before, now + parting(self._options.connection_age) + ending(LEISURE)))
            log.info("server.worker_replaced", worker=seat.index, process=before.process.pid, reason=reason)
        elif not coming.alive or coming.hangs(now):
            log.error("server.worker_not_replaced", worker=seat.index, reason=seat.stale, exit_code=coming.process.exitcode)
            coming.process.kill()
            for other in self._seats:  # what one could not, the next ones could not either
                other.fail_successor(now)

    def _weigh(self) -> None:
        """Have workers replaced that hold more memory than they may. While the one before it still leaves, a worker stays: where each needs
        more than it may have, there would be more and more that leave, each as large.
        """
        most, now = self._options.worker_memory * footprints.MIB, time.monotonic()
        if not most or now < self._weigh_at:
            return
        self._weigh_at = now + WEIGH
        leaving = {one.place % len(self._seats) for one, _ in self._leaving}  # the places of a seat (`free_place`)
        for seat in self._seats:
            held = seat.worker
            if held is None or held.serving is None or seat.stale or now - held.serving < STEADY or now < seat.renewable:
                continue
            if seat.index in leaving:
                continue
            size = footprints.resident(held.process.pid) if held.process.pid is not None else None
            if size is not None and size > most:
                log.warning("server.worker_too_large", worker=seat.index, process=held.process.pid, mib=size // footprints.MIB)
                seat.stale = "too large"

    def _see_off(self) -> None:
        """Forget workers that have left, and end those that do not."""
        now = time.monotonic()
        for one, limit in self._leaving:
            one.hear(now)  # so that it never waits to be heard
            if one.alive and now > limit:
                log.error("server.worker_cut", process=one.process.pid)
                one.process.kill()
        for one, _ in self._leaving:
            if not one.alive:
                one.pipe.close()
        self._leaving = [(one, limit) for one, limit in self._leaving if one.alive]

    def _all(self) -> list[Running]:
        """The processes that there are."""
        return [one for seat in self._seats for one in seat.running] + [one for one, _ in self._leaving]

    def _end(self) -> None:
        """Tell all to stop, wait for them, and end those that do not, whatever state they are in."""
        all_of_them = self._all()
        for one in all_of_them:
            one.pipe.close()
        limit = time.monotonic() + ending(self._grace)
        for one in all_of_them:
            one.process.join(max(0.0, limit - time.monotonic()))
            if one.alive:
                log.error("server.worker_cut", process=one.process.pid)
                one.process.kill()
                one.process.join(5)


def spawned(options: Options, index: int, place: int, edges: tuple[Edge, ...], pipe: Connection, grace: float) -> None:
    """The body of a worker process; it ends with its parent."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the parent tells when to stop
    logs.configure(options.log_format, options.log_level)
    orders: Orders = queue.SimpleQueue()
    threading.Thread(target=_obey, args=(pipe, orders, grace), name="obey", daemon=True).start()
    said = pipe.send_bytes
    worker(
        options,
        index,
        place=place,
        edges=edges,
        ready=lambda: said(SERVING),
        orders=orders,
        grace=grace,
        beat=lambda: said(BEATING),
    )


def _obey(pipe: Connection, orders: Orders, grace: float) -> None:
    """Pass on what the parent says; its silence is final, and then the process ends also when something in it does not."""
    try:
        while True:
            orders.put(pipe.recv_bytes().decode())
    except (EOFError, OSError):
        orders.put(STOP)
    time.sleep(ending(grace))
    os._exit(1)
