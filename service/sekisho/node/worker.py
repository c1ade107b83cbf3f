"""One worker: a node, its gRPC server with health and reflection, and its HTTP listener."""

import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sekisho import operations, sigv4
from sekisho.calls.call import Node
from sekisho.calls.workloads import Workloads
from sekisho.credentials.key_ring import KeyRing
from sekisho.edges.grpc import handlers
from sekisho.edges.http import listener
from sekisho.edges.http.listener import Edge, Listener
from sekisho.edges.lanes import Lanes
from sekisho.node import assembly, cores
from sekisho.node.orders import STOP, Orders
from sekisho.operations import OPERATIONS
from sekisho.store import db

OPTIONS = (
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 100),  # of one connection; without a limit, four that reset their calls at once ended everybody's
    ("grpc.so_reuseport", 1),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)
SWITCH_INTERVAL = 2e-4
"""Seconds that a busy thread keeps the interpreter; at Python's default of 5 ms a cheap call waits long beside busy ones."""


@dataclass(frozen=True, slots=True)
class Listen:
    """What a worker is told by the process that started it."""

    grpc: str
    http: str
    url: str
    data_dir: Path
    audience: str
    master_key: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = None
    files: tuple[Path, Path] | None = None  # certificate and key once more: for HTTP, Python reads them from files only
    client_ca: bytes | None = None  # then every client shows a certificate that these authorities vouch for
    workloads: Workloads = field(default_factory=Workloads)
    key: bytes | None = field(default=None, repr=False)
    index: int = 0
    edges: tuple[Edge, ...] = ()
    skew: timedelta = sigv4.SKEW
    metrics: str = ""  # empty: with everything else
    pin: bool = True


def worker(listen: Listen, *, ready: Callable[[], None], orders: Orders, grace: float, stopping: Callable[[], None] = lambda: None) -> None:
    """Serve until the order to stop; `ready` is called when the ports answer, `stopping` when it begins to end."""
    operations.load()
    sys.setswitchinterval(SWITCH_INTERVAL)
    if listen.pin:
        cores.pin(listen.index, listen.data_dir)
    spool = listen.data_dir / "spool"
    spool.mkdir(mode=0o700, exist_ok=True)
    ring = KeyRing.open(listen.data_dir / "keyring.json", listen.master_key)
    with (
        db.Database(listen.url) as database,
        assembly.opened(database, ring, spool / f"{listen.index}.db", audience=listen.audience) as made,
        Server(made, listen, grace=grace),
        _over_http(made, listen),
    ):
        ready()
        while orders.get() != STOP:
            pass
        stopping()


class Server:
    """The gRPC server of one worker; says NOT_SERVING before it stops."""

    def __init__(self, made: Node, listen: Listen, *, grace: float) -> None:
        self._lanes = Lanes("grpc", decide=6, control=12)
        self._grace = grace
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4, thread_name_prefix="grpc"), options=OPTIONS)
        self._server.add_generic_rpc_handlers(tuple(handlers.generic(made, self._lanes, listen.workloads)))
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = sorted({operation.service.full_name for operation in OPERATIONS.values()})
        reflection.enable_server_reflection((*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        if listen.certificate is not None and listen.key is not None:
            own, clients = [(listen.key, listen.certificate)], listen.client_ca
            self.port = self._server.add_secure_port(listen.grpc, grpc.ssl_server_credentials(own, clients, clients is not None))
        else:
            self.port = self._server.add_insecure_port(listen.grpc)

    def __enter__(self) -> "Server":
        self._server.start()
        for name in ("", *self._names):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return self

    def __exit__(self, *exc: object) -> None:
        self._health.enter_graceful_shutdown()
        self._server.stop(self._grace).wait()
        self._lanes.close()


@contextmanager
def _over_http(made: Node, listen: Listen) -> Iterator[None]:
    """The HTTP listeners, while the block runs."""
    lanes = Lanes("http", decide=2, control=2)
    edges = tuple(edge(made, lanes, listen.skew) for edge in listen.edges)
    apart = bool(listen.metrics)
    pages = listener.health(made) | ({} if apart else listener.metrics())
    tls = listener.encrypted(*listen.files) if listen.files is not None else None
    listeners = [Listener(listener.application(pages, edges), _bound(listen.http), tls=tls)]
    if apart:
        listeners.append(Listener(listener.application(listener.metrics()), _bound(listen.metrics)))
    for one in listeners:
        one.start()
    try:
        yield
    finally:
        for one in listeners:
            one.stop()
        lanes.close()


def _bound(listener: str) -> socket.socket:
    host, _, port = listener.rpartition(":")
    host = host.strip("[]")
    # asyncio sets TCP_NODELAY only where it is told that this is TCP; without it every answer waits for a delayed ACK.
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, int(port)))
    return bound
