"""The guard of a gRPC server: an interceptor around every handler, which sees the bytes of each message before the handler does.

A unary request is decided about before the handler starts, a client's stream as its rule's `Stream` says. The handler runs with the
decision in `guard.decision()`; where it answers with a stream, so does each step of it.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Any, NoReturn

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import Default, DescriptorPool

from sekisho.client.client import Client
from sekisho.client.guard import aio, fields, proofs, refusals
from sekisho.client.guard.gate import PASSAGE, Caller, Gate, Passage, Verifies
from sekisho.client.guard.refusals import Refused, denied
from sekisho.client.guard.requests import Peer
from sekisho.client.guard.rules import PUBLIC, Bound, Rules, Stream, bind

FindPeer = Callable[[grpc.ServicerContext], Peer]


def guarded(
    client: Client,
    rules: Rules,
    *,
    audience: str,
    account: str | None = None,
    timeout: float | None = None,
    reveal: bool = False,
    issuers: Verifies | None = None,
    peer: FindPeer | None = None,
    pool: DescriptorPool | None = None,
    threads: int = 32,
) -> Any:
    """An interceptor for `grpc.server(interceptors=[…])` and `grpc.aio.server` that lets through what `rules` (by method path) and Sekisho
    allow.

    Every other method is denied. The modules `…_pb2` of the methods are imported before, or their descriptors are in `pool`: a rule that
    names no field of its request is a ValueError here. `peer` says where a call comes from, where that is not its connection; under
    `grpc.aio` questions are asked in at most `threads` threads; the other options are those of `Gate`.
    """
    gate = Gate(client, audience=audience, account=account, timeout=timeout, reveal=reveal, issuers=issuers)
    bound = {path: rule if rule is PUBLIC else bind(rule, _reader(path, pool or Default())) for path, rule in rules.items()}
    return _Interceptor(gate, bound, connection if peer is None else peer, threads)


def _reader(path: str, pool: DescriptorPool) -> Any:
    request = _request(path, pool)
    return lambda name, in_arn: fields.of_message(request, name, in_arn)


def _request(path: str, pool: DescriptorPool) -> Descriptor:
    service, slash, method = path.removeprefix("/").partition("/")
    if not (path.startswith("/") and service and slash and method):
        raise ValueError(f"`{path}` is not the path of a method, such as /shop.Orders/Ship")
    try:
        found = pool.FindServiceByName(service).methods_by_name[method].input_type
    except KeyError:
        raise ValueError(f"there is no method `{path}` in the protos that are loaded; import its _pb2 module first") from None
    return found


def connection(context: Any) -> Peer:
    """The call's own connection: gRPC writes peers as `ipv4:192.0.2.1:5000`, `ipv6:%5B::1%5D:5000` or `unix:`."""
    kind, _, rest = context.peer().partition(":")
    host = rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]").partition("%")[0] if kind in ("ipv4", "ipv6") else ""
    agent = next((value for name, value in context.invocation_metadata() if name == "user-agent"), "")
    return Peer(host, agent if isinstance(agent, str) else "", context.auth_context().get("transport_security_type") in _ENCRYPTED)


_ENCRYPTED = ([b"ssl"], [b"tls"])  # plaintext has a type too, `insecure`


class _Interceptor(grpc.ServerInterceptor, grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # grpcio's classes take no argument at run time
    def __init__(self, gate: Gate, rules: Mapping[str, Any], peer: FindPeer, threads: int) -> None:
        self._gate, self._rules, self._peer = gate, rules, peer
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="guard")  # none of which runs before it is needed

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        path: str = handler_call_details.method
        rule = self._rules.get(path)
        if _in_a_loop():
            return self._awaited(continuation, handler_call_details, rule)
        if rule is None:
            return _UNMAPPED
        handler = continuation(handler_call_details)
        if rule is PUBLIC or handler is None:
            return handler
        return _Guarded(self._gate, rule, path, self._peer, handler).handler()

    async def _awaited(self, continuation: Any, details: Any, rule: Any) -> Any:
        """As grpc.aio has it."""
        if rule is None:
            return aio.UNMAPPED
        handler = await continuation(details)
        if rule is PUBLIC or handler is None:
            return handler
        behaviour = _behaviour(handler)
        if not aio.is_asynchronous(behaviour):
            return _Guarded(self._gate, rule, details.method, self._peer, handler).handler()
        return aio.Guarded(self._gate, rule, details.method, self._peer, self._threads, handler, behaviour).handler()


def _in_a_loop() -> bool:
    """Whether the server is one of grpc.aio, which asks its interceptors in its event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _behaviour(handler: Any) -> Any:
    behaviours = (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
    return behaviours[2 * handler.request_streaming + handler.response_streaming]


def _deny(_requests: Any, context: grpc.ServicerContext) -> NoReturn:
    _abort(context, denied("The request is not authorized: no rule is about its method."))


_UNMAPPED = grpc.stream_stream_rpc_method_handler(_deny)  # reads nothing, and so is right for methods of every kind


def _abort(context: grpc.ServicerContext, refused: Refused) -> NoReturn:
    status: Any = refusals.status(refused)
    if hasattr(context, "abort_with_status"):
        context.abort_with_status(status)
    # What grpc.aio gives to handlers that are plain functions has no such method.
    context.set_trailing_metadata(status.trailing_metadata)
    context.abort(status.code, status.details)
    raise AssertionError("abort raises")


class _Guarded:
    """One method's handler, behind the gate."""

    def __init__(self, gate: Gate, bound: Bound, path: str, peer: FindPeer, handler: Any) -> None:
        self._gate, self._bound, self._path, self._peer, self._inner = gate, bound, path, peer, handler
        self._parse: Callable[[bytes], Any] = handler.request_deserializer or (lambda data: data)

    def handler(self) -> Any:
        """A handler of the same kind, which takes bytes."""
        inner = self._inner
        behaviour = _behaviour(inner)
        make = _MAKERS[2 * inner.request_streaming + inner.response_streaming]
        answer = self._stream(behaviour) if inner.response_streaming else self._unary(behaviour)
        if (lane := getattr(behaviour, "experimental_thread_pool", None)) is not None:
            answer.experimental_thread_pool = lane  # type: ignore[attr-defined]  # where grpcio looks for it
        return make(answer, None, inner.response_serializer)

    def _unary(self, behaviour: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def answer(raw: Any, context: Any) -> Any:
            try:
                call = _Call(self, context)
                request = call.admit(raw)
                response = call.run(behaviour, request, context)
                call.refuse()
            except Refused as refused:
                _abort(context, refused)
            return response

        return answer

    def _stream(self, behaviour: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def answer(raw: Any, context: Any) -> Iterator[Any]:
            try:
                call = _Call(self, context)
                responses = call.run(iter, call.run(behaviour, call.admit(raw), context))
                while (response := call.run(next, responses, _END)) is not _END:
                    call.refuse()
                    yield response
                call.refuse()
            except Refused as refused:
                _abort(context, refused)

        return answer


_END = object()
_MAKERS: tuple[Any, ...] = (
    grpc.unary_unary_rpc_method_handler,
    grpc.unary_stream_rpc_method_handler,
    grpc.stream_unary_rpc_method_handler,
    grpc.stream_stream_rpc_method_handler,
)


class _Call:
    """One call: its passage, the context that its handler runs in, and a refusal that its handler may have swallowed."""

    def __init__(self, guarded: _Guarded, context: Any) -> None:
        self._guarded, self._context = guarded, context
        self._variables: Context = copy_context()
        self._refused: Refused | None = None
        self.run = self._variables.run

    def refuse(self) -> None:
        """Raise what refused a message of the stream, whatever the handler made of it."""
        if self._refused is not None:
            raise self._refused

    def admit(self, raw: Any) -> Any:
        """The request, or the stream of requests, for the handler; Refused when the first decision is no allow."""
        guarded = self._guarded
        if not guarded._inner.request_streaming:
            request = self._parsed(raw)
            self._pass(raw, request)
            return request
        if guarded._bound.rule.stream is Stream.METADATA:
            self._pass(b"", None)
            return map(self._parsed, raw)
        first = next(raw, None)
        if first is None:
            raise denied("The request is not authorized: the stream ended without a message.")
        request = self._parsed(first)
        return self._messages(self._pass(first, request), request, raw)

    def _messages(self, passage: Passage, first: Any, raw: Iterator[bytes]) -> Iterator[Any]:
        yield first
        for data in raw:
            request = self._parsed(data)
            if passage.bound.rule.stream is Stream.EVERY:
                try:
                    passage = self._guarded._gate.again(passage, request)
                except Refused as refused:
                    self._refused = refused
                    raise
                PASSAGE.set(passage)
            yield request

    def _pass(self, body: bytes, request: Any) -> Passage:
        guarded, context = self._guarded, self._context
        proof = proofs.of(context.invocation_metadata(), guarded._path, body, guarded._gate.audience)
        caller = Caller(proof, guarded._peer(context), context.time_remaining)
        passage = guarded._gate.ask(guarded._bound, request, caller, guarded._gate.until(context.time_remaining()))
        self.run(PASSAGE.set, passage)
        return passage

    def _parsed(self, data: bytes) -> Any:
        try:
            return self._guarded._parse(data)
        except Exception:  # whatever a service's own deserialiser fails with
            raise denied("The request is not authorized: its message cannot be read.") from None
