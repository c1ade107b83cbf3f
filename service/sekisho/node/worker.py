"""One worker: a node and its edges, in the process that calls this."""

import sys
from collections.abc import Callable
from contextlib import ExitStack

import structlog

from sekisho import meters
from sekisho.calls import workloads
from sekisho.calls.workloads import Workloads
from sekisho.credentials.key_ring import KeyRing
from sekisho.edges.grpc.server import Server
from sekisho.edges.http.listener import Edge
from sekisho.errors import SekishoError
from sekisho.node import assembly, cores, http, logbook, telemetry
from sekisho.node.certificates import Certificates
from sekisho.node.gauges import Gauges
from sekisho.node.options import Options
from sekisho.node.orders import RELOAD, STOP, Orders
from sekisho.node.roles import GRPC, HTTP, ROLES
from sekisho.store import db

SWITCH_INTERVAL = 2e-4
"""Seconds that a busy thread keeps the interpreter; at Python's default of 5 ms a cheap call waits long beside busy ones."""

log = structlog.get_logger(__name__)


def worker(options: Options, index: int, *, edges: tuple[Edge, ...], ready: Callable[[], None], orders: Orders, grace: float) -> None:
    """Serve as worker number `index`, on listeners whose ports are known, until the order to stop; `ready` is called when they answer."""
    role = ROLES[options.role]
    role.load()
    sys.setswitchinterval(SWITCH_INTERVAL)
    if options.pin:
        cores.pin(index, options.data_dir)
    spool = options.data_dir / "spool"
    spool.mkdir(mode=0o700, exist_ok=True)
    ring = KeyRing.open(options.data_dir / "keyring.json", options.master_key)
    certificates = Certificates.of(options)
    clients = workloads.parse(options.spiffe_map.read_text()) if options.spiffe_map is not None else Workloads()
    with ExitStack() as stack:
        meters.SHEET.keep(options.data_dir / "meters", index)
        stack.callback(meters.SHEET.leave)
        traced = stack.enter_context(telemetry.running(options, index))
        decision_log = stack.enter_context(logbook.logged(options, index))
        database = stack.enter_context(db.Database(options.url))
        opened = assembly.opened(
            database, ring, spool / f"{index}.db", audience=options.audience, writes=role.writes, decision_log=decision_log
        )
        node = stack.enter_context(opened)
        lanes = {edge: role.lanes(edge) for edge in role.edges}
        stack.enter_context(Gauges(node, lanes.values()))
        if GRPC in role.edges:
            credentials = certificates.over_grpc() if certificates is not None else None
            server = Server(
                node,
                lanes[GRPC],
                options.grpc,
                workloads=clients,
                credentials=credentials,
                interceptors=traced.interceptors,
                grace=grace,
                polling=options.lane == "auto",
            )
            stack.enter_context(server)
        if HTTP in role.edges:
            stack.enter_context(http.serving(node, lanes[HTTP], options, index, edges=edges, certificates=certificates, wrap=traced.wrap))
        if GRPC in role.edges:
            stack.callback(server.stop)  # first of all, so that calls on both edges have the same seconds
        ready()
        while (order := orders.get()) != STOP:
            if order == RELOAD:
                if decision_log is not None:
                    decision_log.reopen()
                _reload(certificates)


def _reload(certificates: Certificates | None) -> None:
    """Show other certificates from now on; what is not right leaves those that there were."""
    if certificates is None:
        log.info("worker.nothing_to_reload")
        return
    try:
        certificates.reload()
    except SekishoError as error:
        log.error("worker.certificates_kept", error=error.message)
    else:
        log.info("worker.certificates_reloaded")
