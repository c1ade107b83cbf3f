"""Health and reflection, as the lean listener answers them: who is told what, and when."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from sekisho.edges.grpc.lean.answers import Aborted
from sekisho.edges.grpc.lean.asked import ONCE, STREAMS, TALKS, Method
from sekisho.edges.grpc.lean.probes import Probes
from sekisho.edges.grpc.streams import Places
from sekisho.edges.lanes import Lanes
from tests.edges.grpc.ways import told

UNKNOWN, SERVING, NOT_SERVING, NO_SERVICE = range(4)
NAMES = ("toy.Toy", "toy.Zoo")
HEALTH = "/grpc.health.v1.Health/"
REFLECTIONS = [f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha")]
ADDRESS = "192.0.2.1"


class Wire:
    """A stream that notes the statuses that were sent, and its end."""

    def __init__(self, *, over: bool = False) -> None:
        self.said: list[Any] = []
        self._over, self.gone = over, None

    def watch(self, gone: Callable[[], None]) -> bool:
        self.gone = cast(Any, gone)
        return not self._over

    def send(self, message: bytes, then: Callable[[], None]) -> None:
        then()
        self.said.append(health_pb2.HealthCheckResponse.FromString(message).status)

    def finish(self, trailing: Any) -> None:
        self.said.append(trailing)


@pytest.fixture
def probes() -> Probes:
    return Probes(NAMES)


def methods(probes: Probes) -> dict[str, Method]:
    lanes: Any = SimpleNamespace(decide="decide", pages="pages")
    return {method.path: method for method in probes.methods(cast(Lanes, lanes))}


def check(service: str) -> bytes:
    made: bytes = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    return made


def health(probes: Probes, service: str) -> int:
    """The answer of a check."""
    said = methods(probes)[HEALTH + "Check"].behaviour(check(service), None)
    status: int = health_pb2.HealthCheckResponse.FromString(said).status
    return status


def aborted(act: Any, *given: Any) -> str:
    with pytest.raises(Aborted) as caught:
        act(*given)
    return told(caught.value.said.block)


def watch(probes: Probes, service: str, wire: Wire) -> Any:
    asked = SimpleNamespace(flow=wire, connection=SimpleNamespace(owner=SimpleNamespace(address=ADDRESS)))
    return methods(probes)[HEALTH + "Watch"].behaviour(check(service), cast(Any, asked))


def test_which_thread_answers_what(probes: Probes) -> None:
    """The polling thread answers what is asked once; nothing of it is signed but that, which has to claim nothing."""
    found = {path: (one.answer is not None, cast(Any, one.lane), one.signed, one.kind) for path, one in methods(probes).items()}
    assert found == {
        HEALTH + "Check": (True, "decide", True, ONCE),
        HEALTH + "List": (True, "decide", True, ONCE),
        HEALTH + "Watch": (False, "decide", False, STREAMS),
        **dict.fromkeys(REFLECTIONS, (False, "pages", False, TALKS)),
    }
    for name in ("Check", "List"):
        assert methods(probes)[HEALTH + name].answer == methods(probes)[HEALTH + name].behaviour


@pytest.mark.parametrize("service", ["", *NAMES])
def test_a_service_is_served_until_the_end(probes: Probes, service: str) -> None:
    assert health(probes, service) == SERVING
    probes.stop()
    assert health(probes, service) == NOT_SERVING


def test_a_service_that_nobody_knows(probes: Probes) -> None:
    act = methods(probes)[HEALTH + "Check"].behaviour
    assert aborted(act, check("toy.Ship"), None) == "5 unknown service"


def test_all_services(probes: Probes) -> None:
    act, asked = methods(probes)[HEALTH + "List"].behaviour, health_pb2.HealthListRequest().SerializeToString()
    for status in (SERVING, NOT_SERVING):
        said = health_pb2.HealthListResponse.FromString(act(asked, cast(Any, None)))
        assert {name: one.status for name, one in said.statuses.items()} == dict.fromkeys(("", *NAMES), status)
        probes.stop()


BROKEN = {"Check": "HealthCheckRequest", "List": "HealthListRequest", "Watch": "HealthCheckRequest"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_message_that_is_none(probes: Probes, name: str) -> None:
    asked = SimpleNamespace(flow=Wire(), connection=SimpleNamespace(owner=SimpleNamespace(address=ADDRESS)))
    assert aborted(methods(probes)[HEALTH + name].behaviour, b"\xff", asked) == f"13 not a {BROKEN[name]}"


@pytest.mark.parametrize(("service", "status"), [("", SERVING), ("toy.Zoo", SERVING), ("toy.Ship", NO_SERVICE)])
def test_who_watches_is_told_now_and_at_the_end(probes: Probes, service: str, status: int) -> None:
    wires = [Wire(), Wire()]
    for wire in wires:
        assert watch(probes, service, wire) is None
    assert [wire.said for wire in wires] == [[status]] * 2
    assert probes._places.taken == 2
    probes.stop()
    assert [wire.said for wire in wires] == [[status, NOT_SERVING, ()]] * 2
    assert probes._places.taken == 0
    probes.stop()
    assert [len(wire.said) for wire in wires] == [3, 3]


def test_who_watches_no_more_is_not_told(probes: Probes) -> None:
    """And gives his place back, once."""
    wire, other = Wire(), Wire()
    watch(probes, "", wire)
    watch(probes, "", other)
    for _ in range(2):
        assert wire.gone is not None
        wire.gone()
        assert probes._places.taken == 1
    probes.stop()
    assert (wire.said, other.said) == ([SERVING], [SERVING, NOT_SERVING, ()])


def test_who_has_gone_before_he_watches_is_told_nothing(probes: Probes) -> None:
    wire = Wire(over=True)
    watch(probes, "", wire)
    assert (wire.said, probes._places.taken) == ([], 0)


def test_who_watches_after_the_end_is_told_so(probes: Probes) -> None:
    probes.stop()
    wire = Wire()
    watch(probes, "", wire)
    assert (wire.said, probes._places.taken) == ([NOT_SERVING, ()], 0)


def test_an_address_has_its_share_of_watches(probes: Probes) -> None:
    probes._places = Places(2, 1)
    watch(probes, "", Wire())
    wire = Wire()
    assert aborted(watch, probes, "", wire) == "8 Rate exceeded"
    assert (wire.said, probes._places.taken) == ([], 1)


@pytest.mark.parametrize("path", REFLECTIONS)
def test_the_names_of_all_services(probes: Probes, path: str) -> None:
    act, asked = methods(probes)[path].behaviour, reflection_pb2.ServerReflectionRequest(list_services="")
    said = reflection_pb2.ServerReflectionResponse.FromString(act(asked.SerializeToString(), cast(Any, None)))
    names = [service.name for service in said.list_services_response.service]
    assert sorted(names) == ["grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection", *NAMES]
    assert aborted(act, b"\xff", None) == "13 not a ServerReflectionRequest"
