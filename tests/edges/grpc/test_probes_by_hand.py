"""Health and reflection without a server: which thread answers what, and when a stream has lasted for too long."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from sekisho.edges.grpc import probes
from sekisho.edges.grpc.arrivals import Arrivals
from sekisho.edges.grpc.probes import Probes
from sekisho.edges.grpc.sizes import MAX_MESSAGE
from sekisho.edges.lanes import Claim


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The handlers that were added to the server, by service; and the names that reflection was made for."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(health_pb2_grpc, "add_HealthServicer_to_server", lambda served, server: found.update(health=(served, server)))
    monkeypatch.setattr(
        reflection_pb2_grpc, "add_ServerReflectionServicer_to_server", lambda served, server: found.update(reflection=(served, server))
    )

    class Servicer:
        def __init__(self, names: Any) -> None:
            found["names"] = names

        def ServerReflectionInfo(self, requests: Any, _context: Any) -> Any:  # noqa: N802  # grpcio's name
            yield from requests

    monkeypatch.setattr(reflection, "ReflectionServicer", Servicer)
    return found


def test_health_and_reflection_have_threads_of_their_own(added: dict[str, Any]) -> None:
    server: Any = SimpleNamespace()
    made = Probes(("a.A", "b.B"), server)
    assert added["names"] == ("a.A", "b.B", "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection")
    assert added["health"] == added["reflection"]
    served, given = added["health"]
    assert given is server
    pools = [method.experimental_thread_pool for method in (served.Check, served.List, served.Watch)]
    assert all(isinstance(pool, Arrivals) and pool is pools[0] for pool in pools)
    assert (pools[0]._lane, pools[0]._receives, pools[0]._claimed(())) == (made._lane, made._receives, Claim())
    assert (made._lane.name, made._lane._threads, made._lane._most) == ("grpc-health", probes.THREADS, 500)
    assert (made._receives._budget._total, made._receives._budget._share) == (8 * MAX_MESSAGE, 4 * MAX_MESSAGE)
    pool = served.ServerReflectionInfo.experimental_thread_pool
    assert type(pool) is ThreadPoolExecutor
    assert (pool is made._reflection, pool._max_workers, pool._thread_name_prefix) == (True, 4, "grpc-reflection")
    assert served.Watch.experimental_non_blocking
    assert not hasattr(served.Check, "experimental_non_blocking")
    assert not hasattr(made.health.Check, "experimental_thread_pool")
    made.close()
    assert made._receives._stop.is_set()
    for lane in (made._lane, made._reflection):
        with pytest.raises(RuntimeError):
            lane.submit(str)


def test_the_threads_of_probes_are_let_go_at_once(added: dict[str, Any]) -> None:
    made, ended, gate = Probes((), SimpleNamespace()), list[Any](), threading.Event()  # type: ignore[arg-type]
    made._lane.shutdown = lambda **given: ended.append(given)  # type: ignore[method-assign]
    made._reflection.shutdown = lambda **given: ended.append(given)  # type: ignore[method-assign]
    made.close()
    gate.set()
    assert ended[-1] == {"wait": False, "cancel_futures": True}
    assert [given["cancel_futures"] for given in ended] == [True] * 2


def test_a_method_is_called_as_it_is(added: dict[str, Any]) -> None:
    made = Probes((), SimpleNamespace())  # type: ignore[arg-type]
    pool = ThreadPoolExecutor(1)
    behaviour = probes._in_pool(lambda *given: ("answered", *given), pool)
    assert (behaviour(1, 2), behaviour.experimental_thread_pool) == (("answered", 1, 2), pool)
    made.close()


class Timer:
    """Ends a stream when the test says so."""

    made: ClassVar[list["Timer"]] = []

    def __init__(self, seconds: float, then: Any) -> None:
        self.seconds, self.then, self.daemon, self.did = seconds, then, False, list[str]()
        self.made.append(self)

    def start(self) -> None:
        self.did.append(f"start of {'a daemon' if self.daemon else 'one that keeps the process'}")

    def cancel(self) -> None:
        self.did.append("cancel")


def test_a_stream_has_its_time(added: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "Timer", Timer)
    monkeypatch.setattr(Timer, "made", [])
    made = [Probes((), SimpleNamespace()), Probes((), SimpleNamespace(), longest=7.0)]  # type: ignore[arg-type]
    context = SimpleNamespace(cancel=lambda: None)
    served = added["health"][0]
    stream = served.ServerReflectionInfo(iter("ab"), context)
    assert Timer.made == []
    assert next(stream) == "a"
    (timer,) = Timer.made
    assert (timer.seconds, timer.then, timer.did) == (7.0, context.cancel, ["start of a daemon"])
    assert list(stream) == ["b"]
    assert timer.did[1:] == ["cancel"]
    broken = served.ServerReflectionInfo(iter("ab"), context)
    next(broken)
    broken.close()
    assert Timer.made[1].did[1:] == ["cancel"]
    for one in made:
        one.close()
    assert probes.LONGEST == 60.0
