"""`sekisho serve`: prepares what there must be, then runs one worker here or several in processes of their own.

Workers are spawned before gRPC starts, since gRPC's threads do not survive a fork, and share their ports with SO_REUSEPORT.
"""

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import structlog

from sekisho import meters
from sekisho.calls import workloads
from sekisho.edges.http.listener import Edge
from sekisho.errors import FailedPrecondition, InvalidArgument
from sekisho.node import data_dir, listeners, logbook, logs, telemetry, trailing
from sekisho.node.certificates import Certificates
from sekisho.node.options import Endpoints, Options, check
from sekisho.node.orders import RELOAD, STOP, Orders, ending
from sekisho.node.prepare import prepare
from sekisho.node.worker import worker
from sekisho.node.workers import Workers

GRACE = 5.0
"""Seconds that calls under way have to end when the server stops."""

log = structlog.get_logger(__name__)


def serve(options: Options, on_ready: Callable[[Endpoints], None] = lambda _: None, *, edges: tuple[Edge, ...] = ()) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. `on_ready` is called once, when every worker answers.

    `edges` answer over HTTP what is not about health; they are functions of modules, for the workers' processes import them.
    SIGHUP has the certificates read again, and each of several workers replaced by a new one.
    """
    check(options)
    logs.configure(options.log_format, options.log_level)
    orders: Orders = queue.SimpleQueue()
    with ExitStack() as stack:
        _on(stack, signal.SIGHUP, lambda: orders.put(RELOAD))  # before all that takes time: left alone, it ends the process
        data_dir.make(options.data_dir)
        stack.enter_context(data_dir.alone(options.data_dir))
        meters.clear(options.data_dir / "meters")
        _refuse_unusable(options)
        prepare(options)
        for number in (signal.SIGINT, signal.SIGTERM):
            _on(stack, number, lambda: _stop(orders, alone=options.workers == 1))
        options = _reserved(options, stack)

        def ready() -> None:
            endpoints = Endpoints(options.grpc, options.http, options.lean)
            data_dir.publish(options.data_dir, endpoints)
            on_ready(endpoints)

        if options.workers == 1:
            worker(options, 0, edges=edges, ready=ready, orders=orders, grace=GRACE)
        else:
            Workers(options, edges=edges, grace=GRACE).run(ready, orders)
    return 0


def _on(stack: ExitStack, number: signal.Signals, act: Callable[[], None]) -> None:
    """Act on a signal until the stack ends."""
    stack.callback(signal.signal, number, signal.signal(number, lambda *_: act()))


def _refuse_unusable(options: Options) -> None:
    """Read, before workers do, the files that the options name: what is wrong with one is then the command's own error."""
    Certificates.of(options)
    telemetry.refuse_missing(options)
    logbook.refuse_unusable(options)
    trailing.refuse_unusable(options)
    if options.spiffe_map is not None:
        try:
            workloads.parse(options.spiffe_map.read_text())
        except OSError as error:
            raise FailedPrecondition(f"{options.spiffe_map} cannot be read: {error.strerror}") from error
        except (InvalidArgument, UnicodeDecodeError) as error:
            raise InvalidArgument(f"{options.spiffe_map}: {error}") from error


def _reserved(options: Options, stack: ExitStack) -> Options:
    """The options with the ports that the system picked; all ports are the server's own until the stack ends."""
    bound = [stack.enter_context(listeners.reserve(listener)) for listener in (options.grpc, options.http, options.lean) if listener]
    for index in range(options.workers if options.metrics else 0):
        stack.enter_context(listeners.reserve(listeners.beside(options.metrics, index)))
    grpc, http, *lean = map(listeners.address, bound)
    return replace(options, grpc=grpc, http=http, lean=lean[0] if lean else "")


def _stop(orders: Orders, *, alone: bool) -> None:
    """Have the server stop. One of a single worker has nobody to end it when something in it does not end: a computation, say."""
    orders.put(STOP)
    if alone:
        threading.Thread(target=_end_in_time, name="end", daemon=True).start()


def _end_in_time() -> None:
    time.sleep(ending(GRACE))
    log.error("server.cut")
    os._exit(0)
