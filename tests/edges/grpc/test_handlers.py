"""Calls in gRPC's handlers, on contexts and nodes of the test's own."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from sekisho.calls import pipeline, proofs
from sekisho.calls.pipeline import Reply
from sekisho.calls.waits import Wait
from sekisho.calls.workloads import Workloads
from sekisho.edges import answers
from sekisho.edges.grpc import handlers, sizes, wires
from sekisho.edges.grpc.arrivals import Arrivals
from sekisho.edges.grpc.handlers import NotServed
from sekisho.edges.grpc.streams import Places
from sekisho.edges.lanes import Claim, Lanes
from sekisho.errors import AccessDenied, Throttling
from sekisho.memory.cold import Cold
from tests.calls.fakes import ACCOUNT, FakeNode
from tests.harness import BY_NAME

NAMES = ("GetUser", "CreateUser", "Authorize", "AuthorizeBatch", "WatchChanges", "AssumeRoleWithWebIdentity")


class Ended(Exception):
    """The call was ended with a status."""


class Context:
    """That of a call."""

    def __init__(self, metadata: Any = (), *, peer: str = "ipv4:192.0.2.7:5000", **transport: Any) -> None:
        self.metadata, self.said_peer, self.transport = metadata, peer, transport
        self.trailing: Any = None
        self.status: Any = None
        self.active = True
        self._rpc_event, self._state = SimpleNamespace(call=None), SimpleNamespace()

    def invocation_metadata(self) -> Any:
        return self.metadata

    def auth_context(self) -> Any:
        return self.transport

    def peer(self) -> str:
        return self.said_peer

    def time_remaining(self) -> float:
        return 4.5

    def set_trailing_metadata(self, trailing: Any) -> None:
        self.trailing = trailing

    def abort_with_status(self, given: Any) -> None:
        self.status = given
        raise Ended

    def is_active(self) -> bool:
        return self.active


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(handlers, "replace", lambda made, **parts: SimpleNamespace(**{**vars(made), **parts}))
    made = FakeNode(operations=[BY_NAME[name] for name in NAMES], services=None, audience="sekisho", account_id=ACCOUNT)
    made.world.has_record = made.world.records.__contains__
    made.world.is_absent = lambda _: False
    return made


@pytest.fixture
def lanes() -> Lanes:
    return Lanes("test", decide=2, control=2)


class Pipeline:
    """Answers what the test says, and keeps how it was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        self.answer: Callable[[], Any] = lambda: Reply(BY_NAME["GetUser"].response(), "rev-7")
        self.items: Iterator[Any] = iter(())
        monkeypatch.setattr(pipeline, "run", self._run)
        monkeypatch.setattr(pipeline, "stream", self._stream)

    def _run(self, *call: Any) -> Any:
        self.calls.append(call)
        return self.answer()

    def _stream(self, *call: Any) -> Any:
        self.calls.append(call)
        return self.items


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    return Pipeline(monkeypatch)


def counted(name: str, code: str) -> float:
    return float(next(iter(answers.CALLS.labels("grpc", BY_NAME[name].service.package, name, code).numbers)))


def unary(node: Any, lanes: Lanes, name: str, workloads: Workloads | None = None) -> handlers.Unary:
    return next(one for one in handlers.unary(node, lanes, workloads or Workloads()) if one.operation.name == name)


def raising(error: BaseException) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


# What is served.


def test_operations_have_their_lanes_and_one_is_answered_by_a_thread_that_must_not_wait(node: Any, lanes: Lanes) -> None:
    found = {one.operation.name: (one.lane, one.inline is not None) for one in handlers.unary(node, lanes, Workloads())}
    assert found == {name: (lanes.of(BY_NAME[name]), name == "Authorize") for name in NAMES if name != "WatchChanges"}
    streams = list(handlers.streaming(node, lanes, Workloads(), None, Places()))  # type: ignore[arg-type]
    assert [(one.operation.name, one.lane) for one in streams] == [("WatchChanges", lanes.streams)]


def generic(node: Any, lanes: Lanes) -> list[Any]:
    return handlers.generic(node, lanes, Workloads(), None, None, Places())  # type: ignore[arg-type]


def method(made: list[Any], name: str) -> Any:
    """The handler of an operation, or of a path."""
    path = BY_NAME[name].path if name in BY_NAME else name
    details: Any = SimpleNamespace(method=path, invocation_metadata=())
    return next((found for one in made if (found := one.service(details)) is not None), None)


@pytest.mark.parametrize("supported", [True, False])
def test_each_service_has_a_handler_and_each_operation_its_pool(
    node: Any, lanes: Lanes, monkeypatch: pytest.MonkeyPatch, supported: bool
) -> None:
    monkeypatch.setattr(wires, "SUPPORTED", supported)
    made = generic(node, lanes)
    assert [one.service_name() for one in made] == list(dict.fromkeys(BY_NAME[name].service.full_name for name in NAMES))
    for name in NAMES:
        found, streams = method(made, name), name == "WatchChanges"
        behaviour = found.unary_stream if streams else found.unary_unary
        pool = behaviour.experimental_thread_pool
        assert isinstance(pool, Arrivals)
        assert (pool._lane, found.response_streaming, found.request_streaming) == (lanes.of(BY_NAME[name]), streams, False)
        assert hasattr(behaviour, "experimental_non_blocking") is (streams and supported)
        assert (pool._claimed is None) is (name == "AssumeRoleWithWebIdentity")
        assert (found.request_deserializer, found.response_serializer) == (None, None)
    claimed: Any = method(made, "GetUser").unary_unary.experimental_thread_pool._claimed
    assert claimed([("authorization", f'"aws_account": "{ACCOUNT}"')]) == Claim(ACCOUNT)
    assert method(made, "/sekisho.api.iam.v1.IamService/Nothing") is None


def test_a_node_of_some_services_says_what_it_does_not_have(node: Any, lanes: Lanes) -> None:
    node.services = frozenset({"iam"})
    made = generic(node, lanes)
    found = method(made, "/sekisho.api.iam.v1.IamService/Nothing")
    assert found.unary_unary.experimental_thread_pool._lane is lanes.control
    assert method(made, "/grpc.health.v1.Health/Check") is None
    context = Context()
    with pytest.raises(Ended):
        found.unary_unary(b"", context)
    assert (context.status.code, context.status.details) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "This node does not have the operation: nodes of role `data` decide and issue, those of role `control` do the rest.",
    )
    assert len(dict(context.status.trailing_metadata)["sekisho-request-id"]) == 36
    assert NotServed("").grpc == "UNIMPLEMENTED"


# One answer.


def test_an_answer_is_the_message_with_its_revision_and_the_number_of_the_call(node: Any, lanes: Lanes, piped: Pipeline) -> None:
    response: Any = BY_NAME["GetUser"].response()
    response.user.user_name = "ann"
    piped.answer = lambda: Reply(response, "rev-7")
    before, context = counted("GetUser", "OK"), Context([("x", "y")])
    entered: list[Any] = []
    made = unary(node, lanes, "GetUser")
    made.lane.enter = lambda: entered.append(len(piped.calls))  # type: ignore[method-assign]
    request = BY_NAME["GetUser"].request(user_name="ann").SerializeToString()
    assert made.behaviour(request, context) == response.SerializeToString()
    ((called, operation, arrival),) = piped.calls
    assert (called, operation, entered) == (node, BY_NAME["GetUser"], [0])
    assert (arrival.read().user_name, arrival.seconds, arrival.peer.source_ip) == ("ann", 4.5, "192.0.2.7")
    assert context.trailing == (("sekisho-revision", "rev-7"), ("sekisho-request-id", arrival.request_id))
    assert len(arrival.request_id) == 36
    assert counted("GetUser", "OK") == before + 1


@pytest.mark.parametrize("where", ["pipeline", "lane", "size"])
def test_an_error_is_counted_and_ends_the_call(node: Any, lanes: Lanes, piped: Pipeline, where: str) -> None:
    made, context, body = unary(node, lanes, "GetUser"), Context(), b""
    code = "PERMISSION_DENIED" if where == "pipeline" else "RESOURCE_EXHAUSTED"
    piped.answer = raising(AccessDenied("no"))
    if where == "lane":
        made.lane.enter = raising(Throttling("Rate exceeded"))  # type: ignore[method-assign]
    elif where == "size":
        body = b"x" * (sizes.BODY + 1)
    before = counted("GetUser", code)
    with pytest.raises(Ended):
        made.behaviour(body, context)
    assert (context.status.code.name, context.trailing) == (code, None)
    assert len(dict(context.status.trailing_metadata)["sekisho-request-id"]) == 36
    assert len(piped.calls) == (where == "pipeline")
    assert counted("GetUser", code) == before + 1


@pytest.mark.parametrize("ends", ["answers", "is cold", "fails"])
def test_a_call_that_is_begun_again_leaves_no_notes(node: Any, lanes: Lanes, piped: Pipeline, ends: str) -> None:
    answer = raising(Cold("x")) if ends == "is cold" else raising(AccessDenied("no")) if ends == "fails" else piped.answer

    def noted() -> Any:
        noting = piped.calls[-1][0]
        noting.accesses.note("p", "a", "seen")
        noting.last_use.note("id", "use")
        assert (node.noted, node.uses) == ([], [])
        return answer()

    piped.answer = noted
    inline: Any = unary(node, lanes, "Authorize").inline
    for _ in range(2):
        if ends == "answers":
            assert inline(b"", Context()) == b""
        else:
            with pytest.raises(Cold if ends == "is cold" else Ended):
                inline(b"", Context())
        assert (node.noted, node.uses) == (([], []) if ends == "is cold" else ([("p", "a", "seen")], [("id", "use")]))
        node.noted.clear()
        node.uses.clear()


def test_a_certificate_is_a_proof_beside_the_other(node: Any, lanes: Lanes, piped: Pipeline) -> None:
    workloads: Any = SimpleNamespace(of=lambda pem: f"workload of {pem.decode()}")
    made = unary(node, lanes, "GetUser", workloads)
    made.behaviour(b"body", Context(x509_pem_cert=[b"pem", b"chain"], transport_security_type=[b"ssl"]))
    made.behaviour(b"body", Context(x509_pem_cert=[]))
    certified, plain = (arrival for _, _, arrival in piped.calls)
    assert certified.proof == proofs.Certified(proofs.Certificate("workload of pem"), plain.proof)  # type: ignore[arg-type]
    assert plain.proof == proofs.of_metadata((), BY_NAME["GetUser"].path, b"body", "sekisho")
    assert (certified.peer.secure, plain.peer.secure) == (True, False)


@pytest.mark.parametrize(
    ("said", "metadata", "transport", "peer"),
    [
        ("ipv4:192.0.2.7:5000", [("user-agent", "ann/1")], {}, ("192.0.2.7", "ann/1", False)),
        ("ipv6:%5B::ffff:192.0.2.7%5D:5000", [("x", "y")], {"transport_security_type": [b"ssl"]}, ("192.0.2.7", "", True)),
        ("ipv6:%5B2001:db8::7%5D:5000", [("user-agent", b"ann")], {"transport_security_type": [b"tls"]}, ("2001:db8::7", "", True)),
        ("unix:", [("user-agent", "a"), ("user-agent", "b")], {"transport_security_type": [b"insecure"]}, ("", "b", False)),
    ],
)
def test_where_a_call_comes_from(said: str, metadata: Any, transport: Any, peer: tuple[str, str, bool]) -> None:
    assert handlers.peer(said, metadata, transport)[:3] == peer


class Wire:
    """Takes what a stream says."""

    def __init__(self) -> None:
        self.did: list[Any] = []

    def watch(self, _gone: Any) -> bool:
        return True

    def send(self, message: bytes, _then: Any) -> None:
        self.did.append(message)

    def finish(self, trailing: Any) -> None:
        self.did.append(dict(trailing))

    def abort(self, given: Any) -> None:
        self.did.append(given.code.name)


class Lot:
    """Notes who is parked."""

    def __init__(self) -> None:
        self.parked: list[Any] = []

    def park(self, stream: Any, wait: Wait) -> None:
        self.parked.append((stream.account, wait))

    def forget(self, stream: Any) -> None:
        """It was not here."""


SIGNED = [("authorization", f'"aws_account": "{ACCOUNT}"')]


def starting(node: Any, lanes: Lanes, places: Places, lot: Any = None) -> handlers.Streaming:
    (found,) = handlers.streaming(node, lanes, Workloads(), lot or Lot(), places)  # type: ignore[arg-type]
    return found


def test_a_stream_has_a_place_of_its_account_until_it_ends(node: Any, lanes: Lanes, piped: Pipeline) -> None:
    message = BY_NAME["WatchChanges"].response(revision="r")
    places, wire, wait, lot = Places(2, 1), Wire(), Wait(1e6), Lot()
    piped.items = iter((wait, message))
    made = starting(node, lanes, places, lot)
    made.start(b"", Context(SIGNED), wire)
    assert (lot.parked, wire.did, places.taken, places._taken) == ([(ACCOUNT, wait)], [], 1, {ACCOUNT: 1})
    piped.items = iter((message,))
    before = counted("WatchChanges", "RESOURCE_EXHAUSTED")
    context = Context(SIGNED)
    with pytest.raises(Ended):
        made.start(b"", context, wire)
    assert (context.status.code.name, places.taken, counted("WatchChanges", "RESOURCE_EXHAUSTED")) == ("RESOURCE_EXHAUSTED", 1, before + 1)
    before = counted("WatchChanges", "OK")
    piped.items = iter(())
    made.start(b"", Context(), wire)
    arrival = piped.calls[-1][2]
    assert (wire.did, places.taken, counted("WatchChanges", "OK")) == ([{"sekisho-request-id": arrival.request_id}], 1, before + 1)
    piped.items = iter((message,))
    made.start(b"", Context(), wire)
    assert wire.did[1:] == [message.SerializeToString()]


@pytest.mark.parametrize("where", ["lane", "size"])
def test_a_stream_that_is_refused_takes_no_place(node: Any, lanes: Lanes, piped: Pipeline, where: str) -> None:
    places, made = Places(), starting(node, lanes, Places())
    if where == "lane":
        made.lane.enter = raising(Throttling("Rate exceeded"))  # type: ignore[method-assign]
    with pytest.raises(Ended):
        made.start(b"x" * (sizes.BODY + 1) if where == "size" else b"", Context(), Wire())
    assert (places.taken, piped.calls) == (0, [])


def test_grpcio_begins_a_stream_on_a_wire_of_its_context() -> None:
    begun: list[Any] = []
    start: Any = handlers._on_grpcio(lambda *given: begun.append(given))
    context = Context()
    assert start.experimental_non_blocking is True
    assert start(b"body", context, None) is None
    ((body, given, wire),) = begun
    assert (body, given, type(wire), wire._context) == (b"body", context, wires.Wire, context)


def test_a_stream_that_takes_a_thread_says_the_same(node: Any, lanes: Lanes, piped: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires, "SUPPORTED", False)
    behaviour = method(generic(node, lanes), "WatchChanges").unary_stream
    message, context, before = BY_NAME["WatchChanges"].response(revision="r"), Context(), counted("WatchChanges", "OK")
    blocked: list[Any] = []
    monkeypatch.setattr(handlers, "_block", lambda *given: blocked.append(given))
    piped.items = iter((message, wait := Wait(1e6), message))
    assert list(behaviour(b"", context)) == [message.SerializeToString()] * 2
    arrival = piped.calls[-1][2]
    assert (blocked, context.trailing) == ([(wait, context)], (("sekisho-request-id", arrival.request_id),))
    assert counted("WatchChanges", "OK") == before + 1
    before = counted("WatchChanges", "RESOURCE_EXHAUSTED")
    with pytest.raises(Ended):
        list(behaviour(b"x" * (sizes.BODY + 1), context))
    assert "WatchChanges has at most" in context.status.details
    with ExitStack() as places:
        for _ in range(6):
            places.enter_context(lanes.streams.place())
        with pytest.raises(Ended):
            list(behaviour(b"", context))
    assert (context.status.code.name, counted("WatchChanges", "RESOURCE_EXHAUSTED")) == ("RESOURCE_EXHAUSTED", before + 2)


@pytest.mark.parametrize(
    ("until", "due_at", "gone_at", "slept"),
    [
        (100.12, 1e9, 1e9, [0.05, 0.05, 0.02]),
        (200.0, 2, 1e9, [0.05, 0.05]),
        (200.0, 1e9, 1, [0.05]),
        (100.0, 1e9, 1e9, []),
        (99.0, 1e9, 1e9, []),
    ],
)
def test_a_stream_blocks_until_it_is_due_or_its_caller_has_gone(
    monkeypatch: pytest.MonkeyPatch, until: float, due_at: float, gone_at: float, slept: list[float]
) -> None:
    """Or its time has come; it looks again every twentieth of a second."""
    clock, found = SimpleNamespace(now=100.0), list[float]()

    def sleep(seconds: float) -> None:
        clock.now += seconds
        found.append(round(seconds, 6))
        if len(found) >= gone_at:
            context.active = False

    monkeypatch.setattr(handlers, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep, perf_counter=time.perf_counter))
    context: Any = Context()
    handlers._block(Wait(until, lambda: len(found) >= due_at), context)
    assert found == slept
