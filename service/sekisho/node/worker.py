"""One worker: a node and its edges, in the process that calls this."""

import queue
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

import structlog

from sekisho import meters
from sekisho.calls import workloads
from sekisho.calls.call import Node
from sekisho.calls.workloads import Workloads
from sekisho.credentials.key_ring import KeyRing
from sekisho.credentials.oidc import addresses
from sekisho.credentials.oidc.key_sets import KeySets
from sekisho.credentials.passkeys import RelyingParty
from sekisho.edges.grpc.lean.served import Lean
from sekisho.edges.grpc.server import Server
from sekisho.edges.http.listener import Edge
from sekisho.edges.lanes import Lanes
from sekisho.errors import SekishoError
from sekisho.journal.trail import destinations
from sekisho.node import (
    assembly,
    collector,
    cores,
    http,
    issuing,
    listeners,
    logbook,
    pulse,
    reading,
    ring_holders,
    sockets,
    telemetry,
    trailing,
)
from sekisho.node.certificates import Certificates
from sekisho.node.gauges import Gauges
from sekisho.node.options import Options
from sekisho.node.orders import LEAVE, LEISURE, RELOAD, STOP, Orders, following, parting
from sekisho.node.roles import ALL, GRPC, HTTP, ROLES
from sekisho.node.telemetry import Telemetry
from sekisho.node.trailing import Trailing
from sekisho.store import db

SWITCH_INTERVAL = 2e-4
"""Seconds that a busy thread keeps the interpreter; at Python's default of 5 ms a cheap call waits long beside busy ones."""

LOOK = 0.2
"""Seconds between two looks at the connections that are left."""

log = structlog.get_logger(__name__)


def worker(
    options: Options,
    index: int,
    *,
    place: int = 0,
    edges: tuple[Edge, ...],
    ready: Callable[[], None],
    orders: Orders,
    grace: float,
    beat: Callable[[], None] | None = None,
) -> None:
    """Serve as worker number `index`, on listeners whose ports are known, until the order to stop or to leave; `ready` is called when they
    answer, and `beat` each second that the lean listener turns. It counts in a `place` of its own: while it leaves, who comes after it has
    the same number.
    """
    role = ROLES[options.role]
    role.load()
    sys.setswitchinterval(SWITCH_INTERVAL)
    if options.pin:
        cores.pin(index, options.data_dir)
    spool = options.data_dir / "spool"
    spool.mkdir(mode=0o700, exist_ok=True)
    certificates = Certificates.of(options)
    clients = workloads.parse(options.spiffe_map.read_text()) if options.spiffe_map is not None else Workloads()
    order = STOP  # until there is one: who fails before is not waited for
    with ExitStack() as stack:
        meters.SHEET.keep(options.data_dir / "meters", place)
        stack.callback(meters.SHEET.leave)
        held = stack.enter_context(ring_holders.Held(options.data_dir))
        ring = KeyRing.open(options.data_dir / "keyring.json", options.master_key, purposes=role.purposes)
        held.begin(ring)
        traced = stack.enter_context(telemetry.running(options, index))
        decision_log = stack.enter_context(logbook.logged(options, index))
        trail = trailing.of(options, index) if role.writes else Trailing()
        database = stack.enter_context(db.Database(options.url, make=role.writes))
        opened = assembly.opened(
            database,
            ring,
            spool / f"{index}.db",
            audience=options.audience,
            writes=role.writes,
            services=role.packages if options.role != ALL else None,
            kept=reading.kept(options, ring, index) if not role.writes else None,
            max_staleness=options.max_staleness or None,
            decision_log=decision_log,
            trail=trail,
            buckets=frozenset(destinations.parsed(options.trail_buckets)),
            saml_recipients=options.saml_recipients,
            key_sets=KeySets(addresses.parse(options.oidc_allow_private)),
            issuer_url=issuing.address(options),
            passkeys=RelyingParty(options.passkey_rp_id, options.passkey_origins) if options.passkey_rp_id else None,
        )
        node = stack.enter_context(opened)
        lanes = {edge: role.lanes(edge) for edge in role.edges}
        stack.enter_context(Gauges(node, lanes.values()))
        over_grpc: list[Server | Lean] = []
        if GRPC in role.edges:
            over_grpc = _over_grpc(node, lanes[GRPC], options, clients, certificates, traced, grace)
            for listener in over_grpc:
                stack.enter_context(listener)
        if HTTP in role.edges:
            stack.enter_context(http.serving(node, lanes[HTTP], options, index, edges=edges, certificates=certificates, wrap=traced.wrap))
        if GRPC in role.edges:
            # first of all, so that calls on both edges have the same seconds
            stack.callback(lambda: _stop(over_grpc, LEISURE if order == LEAVE else grace))
        stack.enter_context(collector.survivors_set_aside())
        ready()
        stack.enter_context(pulse.beating(beat, [one for one in over_grpc if isinstance(one, Lean)]))
        while (order := following(orders)) not in (STOP, LEAVE):
            if order == RELOAD:
                if decision_log is not None:
                    decision_log.reopen()
                trail.reopen()
                _reload(certificates)
        if order == LEAVE and GRPC in role.edges:
            order = _left(options, orders, over_grpc)


def _over_grpc(
    node: Node, lanes: Lanes, options: Options, clients: Workloads, certificates: Certificates | None, traced: Telemetry, grace: float
) -> list[Server | Lean]:
    """The listeners for gRPC; that on the port of --grpc comes first, and closes the lanes last."""
    age = options.connection_age

    def lean(listener: str, closing: Lanes | None) -> Lean:
        tls = certificates.over_lean if certificates is not None else None
        bound = listeners.shared(listener)
        return Lean(node, lanes, bound, workloads=clients, tls=tls, traced=traced.tell, closing=closing, grace=grace, age=age)

    made: list[Server | Lean] = []
    if options.leanly:
        made.append(lean(options.grpc, lanes))
    else:
        credentials = certificates.over_grpc() if certificates is not None else None
        interceptors = traced.interceptors
        stock = Server(
            node, lanes, options.grpc, workloads=clients, credentials=credentials, interceptors=interceptors, grace=grace, age=age
        )
        made.append(stock)
    if options.lean:
        made.append(lean(options.lean, None))
    return made


def _stop(over_grpc: list[Server | Lean], grace: float) -> None:
    """Have all listeners take no more calls, and give those under way the same seconds."""
    for listener in over_grpc:
        listener.stop(grace)


def _left(options: Options, orders: Orders, over_grpc: list[Server | Lean]) -> str:
    """Wait until the connections of a worker that leaves have gone, or it is to stop; the order that holds then.

    grpcio's server, when it stops, cancels calls that cross its word on the way. So it goes on until each connection is old, whose client
    is then told so and makes its next calls elsewhere. The lean listener says what it has taken, so that no call crosses its word.
    """
    limit = time.monotonic() + parting(options.connection_age)
    for listener in over_grpc:
        if isinstance(listener, Lean):
            listener.stop(limit - time.monotonic())
        else:
            sockets.refuse_connections(options.grpc)
    while sockets.connections(options.grpc) and time.monotonic() < limit:
        try:
            if (order := orders.get(timeout=LOOK)) == STOP:
                return order
        except queue.Empty:
            pass
    return LEAVE


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
