"""The guard of an ASGI application (Starlette, FastAPI, Quart, …): a middleware that asks before the application hears of a request.

    app = Guard(app, client, {("POST", "/orders/{order_id}/ship"): Rule("orders:ShipOrder", "arn:…:order/{order_id}")}, audience="orders")

The decision is `scope["sekisho.decision"]` and `guard.decision()`. Clients send a bearer token, or sign `METHOD TARGET` as
`sigv4.sign_call` signs a method path: `sign_call(credentials, "POST /orders/7/ship?by=air", body, audience, now)`. WebSockets have the
method WEBSOCKET, and are decided about before they are accepted.
"""

import asyncio
import difflib
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPMethod
from typing import Any
from urllib.parse import quote

from sekisho.client.client import Client
from sekisho.client.guard import fields, proofs
from sekisho.client.guard import routes as paths
from sekisho.client.guard.gate import PASSAGE, Caller, Gate, Passage, Verifies
from sekisho.client.guard.refusals import DECISION_ID, Kind, Refused, denied
from sekisho.client.guard.requests import HttpRequest, Peer
from sekisho.client.guard.rules import PUBLIC, Bound, Rule, _Public, bind

DECISION = "sekisho.decision"
MAX_BODY = 1024 * 1024
METHODS = (*HTTPMethod, "WEBSOCKET")
"""What a route can be about; a verb that no server ever gets would be a rule that never holds."""

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
FindPeer = Callable[[Scope], Peer]


class Guard:
    """An ASGI application around another, which gets only what `routes` (method and path) and Sekisho allow; the rest is refused.

    Bodies that a rule or a signature needs are read up to `max_body` bytes. Questions are asked in at most `threads` threads. `peer` says
    where a request comes from, where that is not its connection; the other options are those of `Gate`.

    A browser sends no proof with the question before a request of another origin (CORS preflight). With `preflight` such a question
    passes, unasked, if a route is about the method and path that it announces, so that a CORS middleware within the guard answers it. A
    middleware around the guard needs no such option, and its headers are on refusals too.
    """

    def __init__(
        self,
        app: Application,
        client: Client,
        routes: Mapping[tuple[str, str], Rule | _Public],
        *,
        audience: str,
        account: str | None = None,
        timeout: float | None = None,
        reveal: bool = False,
        issuers: Verifies | None = None,
        peer: FindPeer | None = None,
        max_body: int = MAX_BODY,
        threads: int = 32,
        preflight: bool = False,
    ) -> None:
        self._app, self._max_body, self._preflight = app, max_body, preflight
        self._gate = Gate(client, audience=audience, account=account, timeout=timeout, reveal=reveal, issuers=issuers)
        self._peer = connection if peer is None else peer
        self._routes = paths.Routes(_bound(method, path, rule) for (method, path), rule in routes.items())
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="guard")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            found = self._routes.find(_method(scope), _path(scope))
            if found is None and self._preflight and self._announced(scope):
                found = PUBLIC, {}
            if found is None:
                raise denied("The request is not authorized: no rule is about its method and path.")
            rule, parameters = found
            if rule is not PUBLIC:
                receive, passage = await self._pass(scope, receive, rule, parameters)
                scope = {**scope, DECISION: passage.decision}
                PASSAGE.set(passage)
        except Refused as refused:
            await _refuse(scope, send, refused)
            return
        started = _Started(send)
        try:
            await self._app(scope, receive, started)
        except Refused as refused:  # of a filter within the application
            if started.yes:
                raise
            await _refuse(scope, send, refused)

    def _announced(self, scope: Scope) -> bool:
        """Whether the request is the question of a browser, about a request that a route is about."""
        if scope["type"] != "http" or scope["method"] != "OPTIONS":
            return False
        given = [(name.lower(), value) for name, value in scope["headers"]]
        methods = [value.decode("latin-1") for name, value in given if name == b"access-control-request-method"]
        origins = [value for name, value in given if name == b"origin"]
        return len(methods) == len(origins) == 1 and self._routes.find(methods[0], _path(scope)) is not None

    async def _pass(self, scope: Scope, receive: Receive, rule: "_Route", parameters: Mapping[str, str]) -> tuple[Receive, Passage]:
        until = self._gate.until(None)
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        body = b""
        if scope["type"] == "http" and (rule.reads_body or proofs.is_signature(headers)):
            body = await _body(receive, self._max_body)
            receive = _Replay(body, receive)
        query = scope["query_string"].decode("latin-1")
        proof = proofs.of(headers, _signed(scope, query), body, self._gate.audience)
        request = HttpRequest(_method(scope), parameters, query, headers, body)
        caller = Caller(proof, self._peer(scope), lambda: None)
        loop = asyncio.get_running_loop()
        return receive, await loop.run_in_executor(self._threads, self._gate.ask, rule.bound, request, caller, until)


class _Route:
    """A bound rule, and whether it needs the body: what a function of the rule reads is not known."""

    def __init__(self, bound: Bound) -> None:
        rule = bound.rule
        named = [*rule.template.fields, *(source for source in rule.context.values() if isinstance(source, str))]
        functions = [rule.tags, rule.account, rule.policy, *(source for source in rule.context.values() if not isinstance(source, str))]
        self.bound = bound
        self.reads_body = any(name.startswith("body.") for name in named) or any(functions)


def _bound(method: str, text: str, rule: Rule | _Public) -> tuple[str, paths.Path, Any]:
    path = paths.parse(text)
    if method not in METHODS:
        meant = difflib.get_close_matches(method.upper(), METHODS, n=1)
        raise ValueError(f"`{method}` is not a method of HTTP{f', did you mean {meant[0]}?' if meant else ', such as POST'}")
    if rule is PUBLIC:
        return method, path, rule
    assert isinstance(rule, Rule)
    return method, path, _Route(bind(rule, lambda name, _: fields.of_http(path.names, name)))


def _method(scope: Scope) -> str:
    method: str = scope["method"] if scope["type"] == "http" else scope["type"].upper()
    return method


def _path(scope: Scope) -> str:
    """The path below where the application is mounted, as Starlette has it: https://asgi.readthedocs.io/en/latest/specs/www.html"""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _signed(scope: Scope, query: str) -> str:
    """What a signature names as its path: the method and the target as they stood on the wire."""
    raw: bytes | None = scope.get("raw_path")
    path = raw.decode("latin-1") if raw is not None else quote(scope["path"])
    return f"{_method(scope)} {path}{f'?{query}' if query else ''}"


def connection(scope: Scope) -> Peer:
    """The request's own connection."""
    client = scope.get("client")
    agents = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"user-agent"]
    host = client[0].partition("%")[0] if client else ""
    return Peer(host, ",".join(agents), scope.get("scheme") in ("https", "wss"))


async def _body(receive: Receive, most: int) -> bytes:
    parts, size, more = [], 0, True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise Refused(Kind.UNAVAILABLE, "ServiceUnavailable", "The request ended before its body.")
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise Refused(Kind.TOO_LARGE, "RequestEntityTooLarge", f"The body is larger than {most} bytes.")
        more = event.get("more_body", False)
    return b"".join(parts)


class _Replay:
    """A `receive` that gives a body which was read already, and then what the server has."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Event:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Started:
    """A `send` that knows whether the answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send, self.yes = send, False

    async def __call__(self, event: Event) -> None:
        self.yes = True
        await self._send(event)


async def _refuse(scope: Scope, send: Send, refused: Refused) -> None:
    """Say why not, as JSON; a WebSocket is closed before it was open, which servers answer with 403."""
    if scope["type"] != "http":
        await send({"type": f"{scope['type']}.close", "code": 1008})
        return
    error = {"code": refused.code, "message": refused.message, "decision_id": refused.decision_id}
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refused.kind is Kind.UNAUTHENTICATED:
        headers.append((b"www-authenticate", b"Bearer"))
    if refused.decision_id:
        headers.append((DECISION_ID.encode(), refused.decision_id.encode()))
    await send({"type": "http.response.start", "status": refused.kind.http, "headers": headers})
    await send({"type": "http.response.body", "body": body})
