"""The gRPC server on a grpcio that notes what it is told: what is made, in which order it begins, and in which it ends."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from sekisho.calls.workloads import Workloads
from sekisho.edges.grpc import handlers, probes, server
from sekisho.edges.grpc.server import OPTIONS, Server
from sekisho.edges.grpc.sizes import MAX_MESSAGE
from tests.harness import BY_NAME

NAMES = ("sekisho.api.authorize.v1.AuthorizeService", "sekisho.api.iam.v1.IamService")


class Grpcio:
    """Server, health, lot, receives and lanes in one: notes what each is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[Any] = []
        self.made: dict[str, Any] = {}
        self.ended = threading.Event()
        monkeypatch.setattr(grpc, "server", self._server)
        monkeypatch.setattr(server, "Receives", lambda budget: self._closing("receives", budget=budget))
        monkeypatch.setattr(server, "Lot", lambda world: self._closing("lot", world=world))
        monkeypatch.setattr(server, "Probes", self._probes)
        monkeypatch.setattr(handlers, "generic", self._generic)
        self.lanes: Any = self._closing("lanes")
        self.node: Any = SimpleNamespace(world="world", operations=[BY_NAME[name] for name in ("GetUser", "Authorize", "CreateUser")])

    def _server(self, pool: Any, **given: Any) -> Any:
        self.made.update(pool=pool, **given)
        return self

    def _generic(self, *given: Any) -> Any:
        self.made.update(generic=given)
        return ["first", "second"]

    def _closing(self, name: str, **given: Any) -> Any:
        self.made.update(given)
        return SimpleNamespace(name=name, close=lambda: self.did.append(f"{name} closed"))

    def _probes(self, names: Any, made: Any) -> Any:
        self.made.update(names=names, probed=made)
        health = SimpleNamespace(
            set=lambda name, status: self.did.append((name, status)), enter_graceful_shutdown=lambda: self.did.append("not serving")
        )
        return SimpleNamespace(health=health, close=lambda: self.did.append("probes closed"))

    def add_generic_rpc_handlers(self, given: Any) -> None:
        self.did.append(given)

    def add_secure_port(self, listener: str, credentials: Any) -> int:
        self.did.append((listener, credentials))
        return 1

    def add_insecure_port(self, listener: str) -> int:
        self.did.append(listener)
        return 2

    def start(self) -> None:
        self.did.append("started")

    def stop(self, grace: float | None) -> threading.Event:
        self.did.append(("stop", grace))
        self.ended.set()
        return self.ended

    def server(self, **given: Any) -> Server:
        """A server of these."""
        parts: dict[str, Any] = {"workloads": Workloads(), "grace": 7.0} | given
        return Server(self.node, self.lanes, "h:1", **parts)

    def told(self) -> list[Any]:
        """All that was done since this was asked last."""
        did, self.did = self.did, []
        return did


@pytest.fixture
def grpcio(monkeypatch: pytest.MonkeyPatch) -> Grpcio:
    return Grpcio(monkeypatch)


def test_a_server_is_made_of_its_parts(grpcio: Grpcio) -> None:
    workloads = Workloads()
    made = grpcio.server(workloads=workloads, interceptors=("x",), age=1.5)
    assert (made.port, grpcio.told()) == (2, [("first", "second"), "h:1"])
    assert grpcio.made["options"] == (*OPTIONS, ("grpc.max_connection_age_ms", 1500))
    assert grpcio.made["interceptors"] == ["x"]
    pool = grpcio.made["pool"]
    assert (type(pool), pool._max_workers, pool._thread_name_prefix) == (ThreadPoolExecutor, 1, "grpc")
    assert (grpcio.made["world"], grpcio.made["names"], grpcio.made["probed"]) == ("world", list(NAMES), grpcio)
    assert grpcio.made["budget"].taken == 0
    node, lanes, given, receives, lot, places = grpcio.made["generic"]
    assert (node, lanes, given, receives.name, lot.name) == (grpcio.node, grpcio.lanes, workloads, "receives", "lot")
    assert made.streams == 0
    places.take("111122223333")
    assert made.streams == 1


def test_a_connection_lasts_for_a_minute_where_nothing_else_is_said(grpcio: Grpcio) -> None:
    grpcio.server()
    assert dict(grpcio.made["options"])["grpc.max_connection_age_ms"] == 60_000
    assert grpcio.made["interceptors"] == []


def test_with_credentials_there_is_tls(grpcio: Grpcio) -> None:
    assert grpcio.server(credentials="credentials").port == 1
    assert grpcio.told()[1:] == [("h:1", "credentials")]


def test_a_server_says_that_it_serves_when_it_does_and_ends_in_order(grpcio: Grpcio) -> None:
    with grpcio.server() as made:
        assert grpcio.told()[2:] == ["started", ("", 1), *((name, 1) for name in NAMES)]
        assert isinstance(made, Server)
    assert grpcio.told() == ["not serving", ("stop", 7.0), "lot closed", "receives closed", "probes closed", "lanes closed"]


@pytest.mark.parametrize(("given", "grace"), [((), 7.0), ((0.0,), 0.0), ((3.0,), 3.0)])
def test_a_server_stops_once(grpcio: Grpcio, given: tuple[float, ...], grace: float) -> None:
    made = grpcio.server()
    grpcio.told()
    assert made.stop(*given) is made.stop(9.0) is grpcio.ended
    assert grpcio.told() == ["not serving", ("stop", grace), "lot closed"]
    made.__exit__()
    assert grpcio.told() == ["receives closed", "probes closed", "lanes closed"]


def test_the_end_waits_for_the_calls_that_are_under_way(grpcio: Grpcio) -> None:
    made = grpcio.server()
    grpcio.told()
    grpcio.ended.wait = lambda timeout=None: grpcio.did.append("waited") is None  # type: ignore[method-assign, func-returns-value]
    made.__exit__()
    assert grpcio.told()[2:5] == ["lot closed", "waited", "receives closed"]


def test_the_limits_of_a_connection() -> None:
    said = dict(OPTIONS)
    assert len(said) == len(OPTIONS) == 14
    assert said == {
        "grpc.max_receive_message_length": MAX_MESSAGE,
        "grpc.max_send_message_length": 4 << 20,
        "grpc.max_metadata_size": 16 << 10,
        "grpc.absolute_max_metadata_size": 16 << 10,
        "grpc.http2.settings_timeout": 5000,
        "grpc.max_allowed_incoming_connections": 10_000,
        "grpc.server.max_pending_requests": 500,
        "grpc.server.max_pending_requests_hard_limit": 1000,
        "grpc.max_concurrent_streams": 100,
        "grpc.http2.lookahead_bytes": 16 << 10,
        "grpc.http2.bdp_probe": 0,
        "grpc.so_reuseport": 1,
        "grpc.keepalive_time_ms": 60_000,
        "grpc.http2.min_ping_interval_without_data_ms": 10_000,
    }
    assert probes.THREADS == 4
