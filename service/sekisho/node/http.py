"""The HTTP listeners of a worker: pages and edge on one, metrics on another if they are wanted apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sekisho.calls.call import Node
from sekisho.edges.http import listener
from sekisho.edges.http.listener import Edge, Listener
from sekisho.edges.lanes import Lanes
from sekisho.node import listeners
from sekisho.node.certificates import Certificates
from sekisho.node.options import Options
from sekisho.node.telemetry import Wrap


@contextmanager
def serving(
    node: Node, lanes: Lanes, options: Options, index: int, *, edges: tuple[Edge, ...], certificates: Certificates | None, wrap: Wrap
) -> Iterator[None]:
    """They answer while the block runs; worker number `index` has its metrics that many ports further on. `wrap` is for the application."""
    answering = tuple(edge(node, lanes, timedelta(minutes=options.clock_skew)) for edge in edges)
    metrics = listeners.beside(options.metrics, index)
    pages = listener.health(node) | ({} if metrics else listener.metrics())
    tls = certificates.over_http() if certificates is not None else None
    running = [Listener(wrap(listener.application(pages, answering)), listeners.shared(options.http), tls=tls)]
    if metrics:
        running.append(Listener(listener.application(listener.metrics()), listeners.shared(metrics)))
    for one in running:
        one.start()
    try:
        yield
    finally:
        for one in running:
            one.stop()
        lanes.close()
