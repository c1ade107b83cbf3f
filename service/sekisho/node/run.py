"""`sekisho serve`: prepares the data directory and the database, then runs one worker here or several in processes of their own.

Workers are spawned before gRPC starts, since gRPC's threads do not survive a fork, and share their ports with SO_REUSEPORT.
"""

import ipaddress
import json
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import structlog

from sekisho import accounts
from sekisho.calls import workloads
from sekisho.calls.workloads import Workloads
from sekisho.credentials.key_ring import KeyRing
from sekisho.edges.http.listener import Edge
from sekisho.errors import FailedPrecondition, InvalidArgument
from sekisho.node import logs, workers
from sekisho.node.orders import STOP, Orders, ending
from sekisho.node.worker import Listen, worker
from sekisho.services.iam import managed_policies
from sekisho.store import db, schema
from sekisho.store.durable import write_file

GRACE = 5.0
"""Seconds that calls under way have to end when the server stops."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What `sekisho serve` is told; addresses are HOST:PORT, port 0 picks a free one. No `database`: SQLite in the data directory."""

    data_dir: Path
    database: str = ""
    grpc: str = "127.0.0.1:50051"
    http: str = "127.0.0.1:8080"
    workers: int = 1
    audience: str = "sekisho"
    clock_skew: int = 5  # minutes
    metrics: str = ""  # with several workers, each takes the next port; none: /metrics is beside /healthz
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None  # whose certificates clients over gRPC have to show
    spiffe_map: Path | None = None  # which of them are which principals
    insecure: bool = False
    pin: bool = True  # each worker to a core
    account_id: str | None = None
    root_access_key_id: str | None = None
    root_secret_access_key: str | None = field(default=None, repr=False)
    master_key: bytes | None = field(default=None, repr=False)  # wraps the key ring; None: the ring's file has its own

    @property
    def url(self) -> str:
        """The database's URL."""
        return self.database or f"sqlite:///{self.data_dir.resolve() / 'sekisho.db'}"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a running server listens."""

    grpc: str
    http: str


class UnsafeListener(InvalidArgument):
    """A listener would carry credentials in the clear over a network."""


class KeyRingMissing(FailedPrecondition):
    """A new key ring would leave everything that the database has sealed closed for ever."""


def serve(options: Options, on_ready: Callable[[Endpoints], None] = lambda _: None, *, edges: tuple[Edge, ...] = ()) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. `on_ready` is called once, when every worker answers.

    `edges` answer over HTTP what is not about health; they are functions of modules, for the workers' processes import them.
    """
    logs.configure()
    prepare(options)
    orders: Orders = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: orders.put(STOP))
    grpc_socket, http_socket = reserve(options.grpc), reserve(options.http)
    listen = Listen(
        grpc=address(grpc_socket),
        http=address(http_socket),
        url=options.url,
        data_dir=options.data_dir,
        audience=options.audience,
        master_key=options.master_key,
        certificate=options.tls_cert.read_bytes() if options.tls_cert is not None else None,
        key=options.tls_key.read_bytes() if options.tls_key is not None else None,
        files=(options.tls_cert.resolve(), options.tls_key.resolve())
        if options.tls_cert is not None and options.tls_key is not None
        else None,
        client_ca=options.tls_client_ca.read_bytes() if options.tls_client_ca is not None else None,
        workloads=workloads.parse(options.spiffe_map.read_text()) if options.spiffe_map is not None else Workloads(),
        edges=edges,
        skew=timedelta(minutes=options.clock_skew),
        metrics=options.metrics,
        pin=options.pin,
    )

    def ready() -> None:
        endpoints = Endpoints(listen.grpc, listen.http)
        body = json.dumps({"grpc": endpoints.grpc, "http": endpoints.http})
        write_file(options.data_dir / "endpoints.json", body.encode(), mode=0o644)
        on_ready(endpoints)

    try:
        if options.workers == 1:
            worker(listen, ready=ready, orders=orders, grace=GRACE, stopping=_end_in_time)
        else:
            workers.Workers(listen, options.workers, grace=GRACE, metrics=lambda index: beside(options.metrics, index)).run(ready, orders)
        return 0
    finally:
        (options.data_dir / "endpoints.json").unlink(missing_ok=True)
        grpc_socket.close()
        http_socket.close()


def _end_in_time() -> None:
    """End the process a while after it was told to stop, also when something in it does not: a computation, a client that never reads."""

    def end() -> None:
        time.sleep(ending(GRACE))
        log.error("server.cut")
        os._exit(0)

    threading.Thread(target=end, name="end", daemon=True).start()


def prepare(options: Options) -> None:
    """Data directory, schema, key ring and first account; every start may do it, and leaves alone what is there."""
    for name, listener in (("--grpc", options.grpc), ("--http", options.http)):
        refuse_plaintext(name, listener, options)
    if options.tls_client_ca and not options.tls_cert:
        raise InvalidArgument("--tls-client-ca is for a listener with TLS; give --tls-cert and --tls-key")
    if options.spiffe_map and not options.tls_client_ca:
        raise InvalidArgument("--spiffe-map is about clients' certificates; give --tls-client-ca, whose they are")
    if options.workers < 1:
        raise InvalidArgument("--workers must be at least 1")
    if not 5 <= options.clock_skew <= 15:
        raise InvalidArgument("--clock-skew must be 5 to 15 minutes")
    if options.metrics:
        split(options.metrics)
    os.umask(0o077)  # databases, spools and keys are for this user alone
    options.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with db.Database(options.url) as database:
        if database.sqlite or schema.current(database) is None:
            schema.upgrade(database)
        schema.refuse_mismatch(database)
        db.refuse_unsafe(database)
        ring = key_ring(database, options)
        accounts.bootstrap(
            database,
            ring,
            options.data_dir / "credentials",
            account_id=options.account_id,
            access_key_id=options.root_access_key_id,
            secret_access_key=options.root_secret_access_key,
        )
        accounts.refuse_other_ring(database, ring)
        managed_policies.load(database)


def key_ring(database: db.Database, options: Options) -> KeyRing:
    """The key ring in the data directory; a new one only for a database that holds nothing yet that another ring has sealed."""
    path = options.data_dir / "keyring.json"
    if path.exists():
        ring = KeyRing.open(path, options.master_key)
        ring.complete()
        return ring
    if accounts.exist(database):
        raise KeyRingMissing(f"the database has accounts, whose secrets were sealed with a key ring that is not at {path}; put it there")
    return KeyRing.create(path, options.master_key)


def refuse_plaintext(name: str, listener: str, options: Options) -> None:
    """Without TLS only loopback is listened on, unless somebody insists."""
    host, _ = split(listener)
    encrypted = options.tls_cert is not None and options.tls_key is not None
    if bool(options.tls_cert) != bool(options.tls_key):
        raise InvalidArgument("--tls-cert and --tls-key go together")
    if not (encrypted or options.insecure or _loopback(host)):
        raise UnsafeListener(
            f"{name} {listener} would carry credentials in the clear; give --tls-cert and --tls-key, or --insecure if you mean it"
        )


def split(listener: str) -> tuple[str, int]:
    """`127.0.0.1:50051` or `[::1]:50051` as host and port."""
    host, _, port = listener.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidArgument(f"`{listener}` is not HOST:PORT")
    return host.strip("[]"), int(port)


def beside(listener: str, index: int) -> str:
    """The listener that many ports further on; none is none, and a port that the system picks is another one anyway."""
    if not listener:
        return ""
    host, port = split(listener)
    return f"{f'[{host}]' if ':' in host else host}:{port + index if port else 0}"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reserve(listener: str) -> socket.socket:
    """Bind a port without listening on it: it stays ours, and every worker listens on it beside us."""
    host, port = split(listener)
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise FailedPrecondition(f"cannot listen on {listener}: {error.strerror}") from error
    return bound


def address(bound: socket.socket) -> str:
    """HOST:PORT of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
