"""The methods of a lean listener, and the order in which it ends: without a socket and without a thread."""

import math
import threading
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sekisho.edges import claims
from sekisho.edges.grpc import handlers
from sekisho.edges.grpc.lean import served
from sekisho.edges.grpc.lean.asked import ONCE, STREAMS, Method
from sekisho.edges.grpc.lean.served import _END, Lean

NAMES = ("toy.Zoo", "toy.Toy")
NOW = 1000.0


def operation(path: str, *, signed: bool = True) -> Any:
    return SimpleNamespace(path=path, signed=signed)


class World:
    """Stands in the place of a node, of its handlers, of a port, of a lot and of lanes; `did` is what they were told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[Any] = []
        self.over = threading.Event()
        self.over.wait = self._wait  # type: ignore[method-assign,assignment]
        self.turned = 5.0
        self.now = NOW
        self.unary: list[Any] = []
        self.streaming: list[Any] = []
        self.port: dict[str, Any] = {}
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(handlers, "unary", lambda *_: iter(self.unary))
        monkeypatch.setattr(handlers, "streaming", lambda *_: iter(self.streaming))
        monkeypatch.setattr(served, "Port", self._port)
        monkeypatch.setattr(served, "Lot", lambda world: SimpleNamespace(close=lambda: self.did.append(f"{world} closed")))

    def _wait(self, seconds: float) -> bool:
        self.did.append(("wait", seconds))
        return True

    def _port(self, bound: Any, methods: Any, claimed: Any, **known: Any) -> Any:
        self.port = {"bound": bound, "methods": methods, "claimed": claimed, **known}
        return SimpleNamespace(turned=self.turned, over=self.over, start=lambda: self.did.append("start"), stop=self._stop)

    def _stop(self, grace: float) -> threading.Event:
        self.did.append(("stop", grace))
        return self.over

    def lean(self, *, services: Any = None, **known: Any) -> Lean:
        """A listener."""
        operations = [SimpleNamespace(service=SimpleNamespace(full_name=name)) for name in (*NAMES, NAMES[0])]
        node: Any = SimpleNamespace(world="world", services=services, operations=operations)
        lanes: Any = SimpleNamespace(decide="decide", pages="pages", control="control")
        made = Lean(node, lanes, cast(Any, "bound"), workloads=cast(Any, None), grace=10.0, age=60.0, **known)
        stop = made._probes.stop

        def noted() -> None:
            self.did.append("probes")
            stop()

        made._probes.stop = noted  # type: ignore[method-assign]
        return made


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def methods(world: World, **known: Any) -> dict[str, Method]:
    """The services beside health and reflection."""
    world.lean(**known)
    return {path: method for path, method in world.port["methods"].items() if not path.startswith("/grpc.")}


def test_what_a_listener_is_made_of(world: World) -> None:
    made = world.lean(tls=cast(Any, "tls"))
    assert (world.port["bound"], world.port["tls"], world.port["age"], world.port["rest"]) == ("bound", "tls", 60.0, None)
    assert world.port["claimed"].func is claims.of_metadata
    assert len([path for path in world.port["methods"] if path.startswith("/grpc.")]) == 5
    assert made._probes._names == {"", *NAMES}


def test_services_of_other_nodes_are_answered_elsewhere(world: World) -> None:
    world.lean(services="some")
    assert world.port["rest"] == Method("", None, handlers.elsewhere, cast(Any, "control"))


@pytest.mark.parametrize("traced", [False, True])
def test_an_operation_is_answered_by_its_handlers(world: World, traced: bool) -> None:
    world.unary = [
        (operation("/toy.Toy/Get"), "lane", "behaviour", "inline"),
        (operation("/toy.Toy/Set", signed=False), "lane", "behaviour", None),
    ]
    given: Any = {"traced": lambda path, behaviour: f"{path} {behaviour}"} if traced else {}
    says = [f"{path} " if traced else "" for path in ("/toy.Toy/Get", "/toy.Toy/Set")]
    assert [tuple[Any, ...](method) for method in methods(world, **given).values()] == [
        ("/toy.Toy/Get", f"{says[0]}inline", f"{says[0]}behaviour", "lane", True, ONCE),
        ("/toy.Toy/Set", None, f"{says[1]}behaviour", "lane", False, ONCE),
    ]


def test_a_stream_is_begun_on_the_wire_of_its_call(world: World) -> None:
    began: list[Any] = []
    world.streaming = [(operation("/toy.Toy/Watch"), "lane", lambda *given: began.append(given))]
    method: Any = next(iter(methods(world).values()))
    assert (method.path, method.answer, method.lane, method.signed, method.kind) == ("/toy.Toy/Watch", None, "lane", True, STREAMS)
    asked: Any = SimpleNamespace(flow="flow")
    assert method.behaviour(b"body", asked) is None
    assert began == [(b"body", asked, "flow")]


def test_it_answers_while_it_is_entered(world: World) -> None:
    made = world.lean()
    assert (world.did, made.turned, made.over is world.over, made.streams) == ([], 5.0, True, 0)
    made._places.take("an account")
    assert made.streams == 1
    with made as entered:
        assert (entered is made, world.did) == (True, ["start"])
    assert world.did == ["start", "probes", ("stop", 10.0), "world closed", ("wait", 10.0 + _END)]


def test_it_says_that_it_stops_before_it_does(world: World) -> None:
    made = world.lean()
    assert made._ends == math.inf
    assert made.stop() is world.over
    assert (world.did, made._ends) == (["probes", ("stop", 10.0), "world closed"], NOW + 10.0)


def test_its_end_may_come_earlier_and_not_later(world: World) -> None:
    """Whoever watches is told once; the threads are waited for as long as calls have, and a moment."""
    made = world.lean()
    made.stop(30.0)
    for grace, ends in ((40.0, NOW + 30.0), (0.0, NOW)):
        assert made.stop(grace) is world.over
        assert made._ends == ends
    assert world.did == ["probes", ("stop", 30.0), "world closed", ("stop", 40.0), ("stop", 0.0)]
    world.did.clear()
    world.now = NOW + 1
    made.__exit__(None, None, None)
    assert world.did == [("wait", _END)]


def test_threads_of_its_own_end_with_it(world: World) -> None:
    made = world.lean(closing=cast(Any, SimpleNamespace(close=lambda: world.did.append("lanes closed"))))
    made.stop(20.0)
    world.did.clear()
    made.__exit__(None, None, None)
    assert world.did == [("wait", 20.0 + _END), "lanes closed"]
