"""The gateway on a node, a lane and routes of the test's own: from the events of a request to those of its answer."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from sekisho.calls import pipeline, proofs
from sekisho.calls.call import Peer
from sekisho.calls.pipeline import Reply
from sekisho.edges import answers
from sekisho.edges.answers import SHEDS
from sekisho.edges.aws import app, services
from sekisho.edges.aws.app import ANSWERS, MAX_BODY, Gateway
from sekisho.edges.aws.services import Router
from sekisho.edges.aws.wire import Answer, Codec, Route
from sekisho.edges.budgets import Budget
from sekisho.edges.lanes import Claim
from sekisho.errors import AccessDenied, SekishoError, Throttling
from sekisho.sigv4 import HttpRequest
from tests.calls.fakes import ACCOUNT, FakeNode
from tests.harness import BY_NAME

HOST = ("host", "iam.test")
GET_USER = BY_NAME["GetUser"]
SKEW = timedelta(minutes=5)


def failed(error: SekishoError, request_id: str) -> Answer:
    """Errors as the service of the test says them."""
    return Answer(error.http, b"text/error", f"{error.code}: {error.message} {len(request_id)}".encode())


class Lanes:
    """One lane for all, on which a call is made at once."""

    def __init__(self) -> None:
        self.entered = 0
        self.submitted: list[Any] = []
        self.refuses: Exception | None = None

    def of(self, operation: Any) -> "Lanes":
        self.operation = operation
        return self

    def enter(self) -> None:
        self.entered += 1
        if self.refuses is not None:
            raise self.refuses

    def submit_claimed(self, claim: Claim, address: str, fn: Callable[..., Any], *args: Any) -> "Future[Any]":
        self.submitted.append((claim, address))
        future: Future[Any] = Future()
        future.set_result(fn(*args))
        return future


class Edge:
    """A gateway; `said` are the headers of its last answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, operation: Any = GET_USER) -> None:
        self.node: Any = FakeNode(operations=[])
        self.node.world.has_record = self.node.world.records.__contains__
        self.node.world.is_absent = lambda _: False
        self.lanes = Lanes()
        self.reads: list[Any] = []
        self.calls: list[Any] = []
        self.outcome: Exception | None = None
        codec = Codec(self._read, self._write)
        service = SimpleNamespace(package=operation.service.package, signing_name="iam")
        self.route: Any = Route(service, failed, "GetUser", (operation, codec))  # type: ignore[arg-type]
        self.routed: list[Any] = []
        self.gateway = Gateway(self.node, self.lanes, SKEW, SimpleNamespace(of=self._of))  # type: ignore[arg-type]
        monkeypatch.setattr(pipeline, "run", self._run)

    def _of(self, request: Any) -> Route:
        self.routed.append(request)
        found: Route = self.route
        return found

    def _read(self, request: Any) -> Any:
        self.reads.append(request)
        return GET_USER.request()

    def _write(self, message: Any, request_id: str) -> Answer:
        return Answer(207, b"text/made", f"{type(message).__name__} {len(request_id)}".encode(), ((b"x-own", b"1"),))

    def _run(self, *call: Any) -> Reply:
        self.calls.append(call)
        if self.outcome is not None:
            raise self.outcome
        return Reply(GET_USER.response(), "rev-7")

    def send(self, *parts: bytes, headers: Any = (HOST,), client: Any = ("192.0.2.7", 5000), gone: bool = False, **scope: Any) -> list[Any]:
        """The events of the answer to a request whose body comes in these parts, or breaks off after them."""
        events = [{"type": "http.request", "body": part, "more_body": index < len(parts) - 1} for index, part in enumerate(parts)]
        if gone:
            events = [*({**event, "more_body": True} for event in events), {"type": "http.disconnect"}]
        sent: list[Any] = []

        async def receive() -> Any:
            return events.pop(0)

        async def send(event: Any) -> None:
            sent.append(event)

        made = {
            "method": "POST",
            "raw_path": b"/p",
            "query_string": b"a=b",
            "headers": [(name.encode(), value.encode()) for name, value in headers],
            "client": client,
        }
        asyncio.run(self.gateway(made | scope, receive, send))
        assert self.gateway._bodies.taken == 0
        return sent

    def answer(self, *parts: bytes, **given: Any) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        start, body = self.send(*parts, **given)
        assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        assert len(headers.pop("x-amzn-requestid")) == 36
        assert headers.pop("content-length") == str(len(body["body"]))
        return start["status"], headers, body["body"]


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Edge:
    return Edge(monkeypatch)


def counted(family: Any, *labels: Any) -> float:
    return float(next(iter(family.labels(*labels).numbers)))


def sized(size: Any) -> tuple[tuple[str, str], ...]:
    return HOST, ("content-length", str(size))


def test_a_request_becomes_a_call_and_its_reply_an_answer(edge: Edge) -> None:
    package = GET_USER.service.package
    labels = ("http", package, "GetUser", "207")
    before = counted(ANSWERS, package, 207), counted(answers.CALLS, *labels)
    headers = (*sized(4), ("x-é", "ü"))
    for _ in range(2):
        assert edge.answer(b"bo", b"dy", headers=headers) == (
            207,
            {"content-type": "text/made", "x-own": "1", "x-sekisho-revision": "rev-7"},
            b"GetUserResponse 36",
        )
    assert (counted(ANSWERS, package, 207), counted(answers.CALLS, *labels)) == (before[0] + 2, before[1] + 2)
    request = edge.routed[0]
    assert (request.method, request.path, request.query, request.headers, request.body) == ("POST", "/p", "a=b", headers, b"body")
    called, operation, arrival = edge.calls[0]
    assert (called, operation, edge.lanes.operation, edge.lanes.entered) == (edge.node, GET_USER, GET_USER, 2)
    assert arrival.proof == proofs.HttpSignature(request, "iam", SKEW)
    assert (type(arrival.read()), edge.reads) == (GET_USER.request, [request])
    assert (arrival.peer, len(arrival.request_id)) == (Peer("192.0.2.7"), 36)
    assert list(edge.gateway._answers) == [GET_USER.path]


@pytest.mark.parametrize(
    ("headers", "query", "claim"),
    [
        ((("authorization", f'"aws_account": "{ACCOUNT}"'),), b"", Claim(ACCOUNT)),
        ((), f'"aws_account": "{ACCOUNT}"'.encode(), Claim(ACCOUNT)),
        ((("authorization", "nothing"),), f'"aws_account": "{ACCOUNT}"'.encode(), Claim()),
        ((), b"", Claim()),
    ],
)
def test_a_call_is_of_whom_its_signature_names(edge: Edge, headers: Any, query: bytes, claim: Claim) -> None:
    edge.answer(headers=(HOST, *headers), query_string=query, client=("2001:db8::7", 5))
    assert edge.lanes.submitted == [(claim, "2001:db8::/64")]


def test_calls_that_nobody_signs_share_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    edge = Edge(monkeypatch, BY_NAME["AssumeRoleWithWebIdentity"])
    edge.answer(headers=(HOST, ("authorization", f'"aws_account": "{ACCOUNT}"')))
    assert edge.lanes.submitted == [(Claim("192.0.2.7"), "192.0.2.7")]


def test_an_error_of_a_call_is_said_by_its_service(edge: Edge) -> None:
    labels = ("http", GET_USER.service.package, "GetUser", "403")
    edge.outcome, before = AccessDenied("no"), counted(answers.CALLS, *labels)
    assert edge.answer() == (403, {"content-type": "text/error"}, b"AccessDenied: no 36")
    assert counted(answers.CALLS, *labels) == before + 1


def test_a_call_for_which_there_is_no_room_is_not_made(edge: Edge) -> None:
    edge.lanes.refuses = Throttling("Rate exceeded")
    assert edge.answer()[2] == f"{Throttling('').code}: Rate exceeded 36".encode()
    assert edge.calls == []


def test_a_defect_is_logged_and_the_caller_learns_the_number_of_its_call(edge: Edge) -> None:
    edge.outcome = KeyError("secret")
    with structlog.testing.capture_logs() as said:
        start, body = edge.send()
    id_ = dict(start["headers"])[b"x-amzn-requestid"].decode()
    assert (start["status"], body["body"].decode()) == (
        500,
        f"ServiceFailure: The request could not be processed because of an unknown error. Request id: {id_} 36",
    )
    assert said == [{"event": "gateway.failure", "operation": GET_USER.path, "request_id": id_, "exc_info": True, "log_level": "error"}]


def test_an_operation_that_is_not_there_is_said_by_its_service(edge: Edge) -> None:
    edge.route = Route(edge.route.service, failed, "GetNothing")
    assert edge.answer()[2] == b"NotImplemented: The operation GetNothing is not implemented by this server. 36"
    assert edge.lanes.submitted == []


# The body.


@pytest.mark.parametrize(
    ("headers", "parts", "status", "said"),
    [
        (sized(MAX_BODY), (b"x" * MAX_BODY,), 207, ""),
        (sized(MAX_BODY + 1), (), 413, "A request has at most 1048576 bytes."),
        (sized("1x"), (b"x",), 207, ""),
        ((HOST, ("transfer-encoding", "chunked")), (b"x" * MAX_BODY, b""), 207, ""),
        ((HOST, ("transfer-encoding", "chunked")), (b"x" * MAX_BODY, b"x", b""), 413, "A request has at most 1048576 bytes."),
        ((), (), 400, "A request has one header Host."),
        ((HOST, HOST), (), 400, "A request has one header Host."),
    ],
)
def test_a_body_is_bounded_and_a_request_means_one_thing(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, headers: Any, parts: Any, status: int, said: str
) -> None:
    """A request that is refused before it was read whole ends its connection."""
    monkeypatch.setattr(services, "failing", lambda request: failed)
    before = counted(ANSWERS, "", status)
    found, shown, body = edge.answer(*parts, headers=headers)
    assert (found, shown.get("connection")) == (status, "close" if said else None)
    assert said in body.decode()
    assert counted(ANSWERS, "", status) == before + bool(said)


def test_without_a_length_there_is_no_body(edge: Edge) -> None:
    assert edge.answer(b"unread")[0] == 207
    assert edge.routed[0].body == b""


def test_an_event_may_have_no_body() -> None:
    async def receive() -> Any:
        return {"type": "http.request"}

    request = HttpRequest("POST", "/", headers=sized(0))
    assert asyncio.run(app._body(receive, request, app._Held(Budget(), "a"))) == b""


def test_nobody_is_answered_who_is_gone(edge: Edge) -> None:
    assert edge.send(b"half", headers=sized(8), gone=True) == []
    assert edge.routed == []


@pytest.mark.parametrize(("client", "holder"), [(("2001:db8::7", 5), "2001:db8::/64"), (None, "")])
def test_a_body_for_which_there_is_no_room_is_refused(edge: Edge, monkeypatch: pytest.MonkeyPatch, client: Any, holder: str) -> None:
    monkeypatch.setattr(services, "failing", lambda request: failed)
    edge.gateway._bodies = Budget(10, 6)
    taken: list[Any] = []
    take = edge.gateway._bodies.take

    def noting(address: str, size: int) -> bool:
        taken.append((address, size))
        return take(address, size)

    monkeypatch.setattr(edge.gateway._bodies, "take", noting)
    before = counted(SHEDS, "http-bodies", "memory")
    status, headers, body = edge.answer(b"abc", b"def", b"g", headers=sized(7), client=client)
    assert (status, headers["connection"]) == (Throttling("").http, "close")
    assert b"Rate exceeded" in body
    assert taken == [(holder, 3), (holder, 3), (holder, 1)]
    assert counted(SHEDS, "http-bodies", "memory") == before + 1
    assert edge.answer(b"abc", b"def", headers=sized(6), client=client)[0] == 207


def test_an_error_without_a_route_leaves_the_connection_where_all_was_read(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "failing", lambda request: failed)
    edge.gateway._router = SimpleNamespace(of=lambda request: (_ for _ in ()).throw(AccessDenied("nothing")))  # type: ignore[assignment]
    assert edge.answer() == (403, {"content-type": "text/error"}, b"AccessDenied: nothing 36")


# What is known of the caller.


@pytest.mark.parametrize(
    ("scope", "headers", "peer"),
    [
        ({}, (), Peer("192.0.2.7")),
        ({"client": ("::ffff:192.0.2.8", 5)}, (("user-agent", "aws-cli"),), Peer("192.0.2.8", "aws-cli")),
        ({"client": None, "scheme": "http", "tls": None}, (), Peer()),
        (
            {"scheme": "https", "tls": ("TLSv1.3", "SUITE")},
            (),
            Peer(
                "192.0.2.7",
                "",
                True,
                json.dumps({"tlsVersion": "TLSv1.3", "cipherSuite": "SUITE", "clientProvidedHostHeader": "iam.test"}),
            ),
        ),
        (
            {"scheme": "https", "tls": ("", "SUITE")},
            (),
            Peer("192.0.2.7", "", True, json.dumps({"cipherSuite": "SUITE", "clientProvidedHostHeader": "iam.test"})),
        ),
    ],
)
def test_where_a_call_comes_from(edge: Edge, scope: dict[str, Any], headers: Any, peer: Peer) -> None:
    edge.answer(headers=(HOST, *headers), **scope)
    assert edge.calls[0][2].peer == peer


def test_of_a_host_an_event_shows_so_many_characters(edge: Edge) -> None:
    edge.answer(headers=(("host", "h" * 300),), tls=("TLSv1.3", "SUITE"))
    assert json.loads(edge.calls[0][2].peer.tls)["clientProvidedHostHeader"] == "h" * 255
    assert json.loads(app._tls_details("v", "s", "")) == {"tlsVersion": "v", "cipherSuite": "s"}


def test_a_request_is_read_as_it_stood_on_the_wire() -> None:
    made = app._request(
        {"method": "GET", "raw_path": b"/a%20\xff", "query_string": b"b=\xffc", "headers": [(b"n\xff", b"v\xff"), (b"n", b"\xc3\xa9")]}
    )
    assert (made.method, made.path, made.query, made.body) == ("GET", "/a%20\N{REPLACEMENT CHARACTER}", "b=\N{REPLACEMENT CHARACTER}c", b"")
    assert made.headers == (("n\N{REPLACEMENT CHARACTER}", "v\N{REPLACEMENT CHARACTER}"), ("n", "é"))


def test_the_gateway_of_a_node_takes_every_request(edge: Edge) -> None:
    made: Any = app.application(edge.node, edge.lanes, SKEW)  # type: ignore[arg-type]
    assert (made._node, made._lanes, made._skew, type(made._router)) == (edge.node, edge.lanes, SKEW, Router)
    assert made.takes({}) is True
