"""The ASGI application: an HTTP request becomes a call of the pipeline, its reply or error an HTTP response."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any

import structlog

from sekisho import meters
from sekisho.calls import pipeline, proofs
from sekisho.calls.call import Node, Peer, plain_address
from sekisho.edges import budgets, claims, request_ids
from sekisho.edges.answers import SHEDS, Answers
from sekisho.edges.aws import errors, services
from sekisho.edges.aws.errors import BadRequest, RequestEntityTooLarge
from sekisho.edges.aws.services import Router
from sekisho.edges.aws.wire import Answer, Codec, Headers, Route
from sekisho.edges.budgets import Budget
from sekisho.edges.lanes import Claim, Lane, Lanes
from sekisho.errors import SekishoError, ServiceFailure, Throttling
from sekisho.operations import Operation
from sekisho.sigv4 import HttpRequest

MAX_BODY = 1024 * 1024
"""Bytes."""

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

_LONGEST_HOST = 255
"""Characters of a host that an event shows."""

ANSWERS = meters.Counter("sekisho_gateway_answers", "Answers over HTTP, by service and status.", ["service", "status"])

_SHED = SHEDS.labels("http-bodies", "memory")

log = structlog.get_logger(__name__)


def application(node: Node, lanes: Lanes, skew: timedelta) -> "Gateway":
    """The edge of a node: `sekisho.server` serves it. `skew` is how far a caller's clock may be off."""
    return Gateway(node, lanes, skew, Router(node.operations))


class Gateway:
    """Answers every request, also the senseless ones."""

    def __init__(self, node: Node, lanes: Lanes, skew: timedelta, router: Router) -> None:
        self._node, self._lanes, self._skew, self._router = node, lanes, skew, router
        self._bodies = Budget()
        self._answers: dict[str, Answers] = {}  # by the path of the operation

    def takes(self, scope: Event) -> bool:
        """Every request: it is the last of a listener's edges, and says of what it does not know what AWS says."""
        return True

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """One request (ASGI)."""
        request_id = request_ids.new()
        request = _request(scope)
        close: Headers = ()
        service = ""
        held = _Held(self._bodies, budgets.holder(scope["client"][0] if scope.get("client") else ""))
        try:
            body = await _body(receive, request, held)
            if body is None:
                return
            request = HttpRequest(request.method, request.path, request.query, request.headers, body)
            route = self._router.of(request)
            service = route.service.package
            answer = await self._run(route, request, _peer(scope, request), request_id)
        except SekishoError as error:
            answer = services.failing(request)(error, request_id)
            close = ((b"connection", b"close"),) if isinstance(error, RequestEntityTooLarge | BadRequest | Throttling) else ()
        finally:
            held.give()
        ANSWERS.labels(service, answer.status).inc()
        headers = [
            (b"x-amzn-requestid", request_id.encode()),
            (b"content-type", answer.kind),
            (b"content-length", str(len(answer.body)).encode()),
            *answer.headers,
            *close,
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _run(self, route: Route, request: HttpRequest, peer: Peer, request_id: str) -> Answer:
        if route.answered is None:
            return route.fail(errors.NotImplemented(f"The operation {route.name} is not implemented by this server."), request_id)
        operation, codec = route.answered
        lane, address = self._lanes.of(operation), budgets.holder(peer.source_ip)
        said = request.header("authorization") or request.query
        claim = claims.of_text(self._node, said) if operation.signed else Claim(address)  # which claims nothing: those of one address share
        call = lane.submit_claimed(claim, address, self._counted, lane, route, operation, codec, request, peer, request_id)
        return await asyncio.wrap_future(call)

    def _counted(self, lane: Lane, route: Route, operation: Operation, *rest: Any) -> Answer:
        began = time.perf_counter()
        answer = self._answer(lane, route, operation, *rest)
        counted = self._answers.get(operation.path)
        if counted is None:
            counted = self._answers[operation.path] = Answers("http", operation)
        counted.count(str(answer.status), began)
        return answer

    def _answer(
        self, lane: Lane, route: Route, operation: Operation, codec: Codec, request: HttpRequest, peer: Peer, request_id: str
    ) -> Answer:
        """The whole call, in a thread of its lane."""
        try:
            lane.enter()
            proof = proofs.HttpSignature(request, route.service.signing_name, self._skew)
            arrival = pipeline.Arrival(partial(codec.read, request), proof, peer, request_id)
            reply = pipeline.run(self._node, operation, arrival)
            answer = codec.write(reply.message, request_id)
            return Answer(answer.status, answer.kind, answer.body, (*answer.headers, (b"x-sekisho-revision", reply.revision.encode())))
        except SekishoError as error:
            return route.fail(error, request_id)
        except Exception:
            log.exception("gateway.failure", operation=operation.path, request_id=request_id)
            return route.fail(
                ServiceFailure(f"The request could not be processed because of an unknown error. Request id: {request_id}"), request_id
            )


def _request(scope: Event) -> HttpRequest:
    """The request without its body, as it stood on the wire."""
    headers = tuple((name.decode("utf-8", "replace"), value.decode("utf-8", "replace")) for name, value in scope["headers"])
    path = scope["raw_path"].decode("utf-8", "replace")
    return HttpRequest(scope["method"], path, scope["query_string"].decode("utf-8", "replace"), headers)


def _peer(scope: Event, request: HttpRequest) -> Peer:
    client = scope.get("client")
    return Peer(
        source_ip=plain_address(client[0]) if client else "",
        user_agent=request.header("user-agent") or "",
        secure=scope.get("scheme") == "https",
        tls=_tls_details(*negotiated, request.header("host") or "") if (negotiated := scope.get("tls")) else "",
    )


@lru_cache(maxsize=1024)
def _tls_details(version: str, suite: str, host: str) -> str:
    """What CloudTrail says of the connection of a call."""
    shown = {"tlsVersion": version, "cipherSuite": suite, "clientProvidedHostHeader": host[:_LONGEST_HOST]}
    return json.dumps({name: value for name, value in shown.items() if value})


class _Held:
    """The bytes of one request's body, taken from the budget of the edge until the request is over."""

    def __init__(self, budget: Budget, address: str) -> None:
        self._budget, self._address, self._size = budget, address, 0

    def take(self, size: int) -> None:
        """Take bytes; Throttling, at once, when there is no room for them."""
        if not self._budget.take(self._address, size):
            _SHED.inc()
            raise Throttling("Rate exceeded")
        self._size += size

    def give(self) -> None:
        """Give all back."""
        self._budget.give(self._address, self._size)
        self._size = 0


async def _body(receive: Receive, request: HttpRequest, held: _Held) -> bytes | None:
    """The body; None when the client is gone. One that is too large is refused before it is read, if it says so."""
    if len([1 for name, _ in request.headers if name == "host"]) != 1:
        raise BadRequest("A request has one header Host.")
    length = request.header("content-length")
    if length is not None and length.isdecimal() and int(length) > MAX_BODY:
        raise RequestEntityTooLarge(f"A request has at most {MAX_BODY} bytes.")
    if length is None and request.header("transfer-encoding") is None:
        return b""
    parts, size = [], 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        part = event.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            raise RequestEntityTooLarge(f"A request has at most {MAX_BODY} bytes.")
        held.take(len(part))
        parts.append(part)
        if not event.get("more_body"):
            return b"".join(parts)
