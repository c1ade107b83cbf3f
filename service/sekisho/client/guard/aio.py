"""The guard of `grpc.aio.server`: what interceptor.py does, for handlers that are coroutines; Sekisho is asked in threads.

A handler of `grpc.aio` takes its messages from the iterator or from `context.read()`, and answers with `yield` or `context.write()`:
each of these ways goes through the gate. Handlers that are plain functions get the guard of threads, as grpc.aio runs them there.
"""

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from typing import Any, NoReturn, TypeVar

import grpc

from sekisho.client.guard import proofs, refusals
from sekisho.client.guard.gate import PASSAGE, Caller, Gate, Passage
from sekisho.client.guard.refusals import Refused, denied
from sekisho.client.guard.rules import Bound, Stream

R = TypeVar("R")
_EOF: Any = vars(grpc.aio)["EOF"]  # which the stubs do not know
_MAKERS: tuple[Any, ...] = (
    grpc.unary_unary_rpc_method_handler,
    grpc.unary_stream_rpc_method_handler,
    grpc.stream_unary_rpc_method_handler,
    grpc.stream_stream_rpc_method_handler,
)


def is_asynchronous(behaviour: Any) -> bool:
    """Whether grpc.aio awaits a handler; it asks the same."""
    return inspect.iscoroutinefunction(behaviour) or inspect.isasyncgenfunction(behaviour)


async def _deny(_requests: Any, context: Any) -> None:
    await _abort(context, denied("The request is not authorized: no rule is about its method."))


UNMAPPED = grpc.stream_stream_rpc_method_handler(_deny)  # reads nothing, and so is right for methods of every kind


async def _abort(context: Any, refused: Refused) -> NoReturn:
    status: Any = refusals.status(refused)
    await context.abort(status.code, status.details, status.trailing_metadata)
    raise AssertionError("abort raises")


class Guarded:
    """One method's coroutine, behind the gate."""

    def __init__(
        self, gate: Gate, bound: Bound, path: str, peer: Callable[[Any], Any], threads: ThreadPoolExecutor, handler: Any, behaviour: Any
    ) -> None:
        self.gate, self.bound, self.path, self.peer, self._threads = gate, bound, path, peer, threads
        self._inner, self._behaviour = handler, behaviour
        self._parse: Callable[[bytes], Any] = handler.request_deserializer or (lambda data: data)

    def handler(self) -> Any:
        """A handler of the same kind, which takes bytes."""
        inner = self._inner
        make = _MAKERS[2 * inner.request_streaming + inner.response_streaming]
        return make(self._stream if inner.response_streaming else self._unary, None, inner.response_serializer)

    @property
    def request_streaming(self) -> bool:
        """Whether the client sends a stream."""
        return bool(self._inner.request_streaming)

    async def asked(self, question: Callable[..., R], *arguments: Any) -> R:
        """The answer of a function that waits for Sekisho."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(question, *arguments))

    def parsed(self, data: bytes) -> Any:
        """A message; one that cannot be read is a denial."""
        try:
            return self._parse(data)
        except Exception:  # whatever a service's own deserialiser fails with
            raise denied("The request is not authorized: its message cannot be read.") from None

    async def _unary(self, raw: Any, context: Any) -> Any:
        try:
            call = _Call(self, context)
            response = await self._behaviour(await call.admit(raw), call.context)
            call.refuse()
        except Refused as refused:
            await _abort(context, refused)
        return response

    async def _stream(self, raw: Any, context: Any) -> None:
        try:
            call = _Call(self, context)
            responses = self._behaviour(await call.admit(raw), call.context)
            if inspect.isasyncgen(responses):
                async with aclosing(responses):
                    async for response in responses:
                        await call.context.write(response)
            else:
                await responses
            call.refuse()
        except Refused as refused:
            await _abort(context, refused)


class _Call:
    """One call: its passage, its messages, and a refusal that its handler may have swallowed."""

    def __init__(self, guarded: Guarded, context: Any) -> None:
        self._guarded, self._servicer = guarded, context
        self._refused: Refused | None = None
        self.context = _Context(context, self)
        self.messages: AsyncIterator[Any] | None = None

    def refuse(self) -> None:
        """Raise what refused a message of the stream, whatever the handler made of it."""
        if self._refused is not None:
            raise self._refused

    async def admit(self, raw: Any) -> Any:
        """The request, or the stream of requests, for the handler; Refused when the first decision is no allow."""
        guarded = self._guarded
        if not guarded.request_streaming:
            request = guarded.parsed(raw)
            await self._pass(raw, request)
            return request
        if guarded.bound.rule.stream is Stream.METADATA:
            await self._pass(b"", None)
            self.messages = self._parsed(raw)
            return self.messages
        received = aiter(raw)
        first = await anext(received, None)
        if first is None:
            raise denied("The request is not authorized: the stream ended without a message.")
        request = guarded.parsed(first)
        self.messages = self._decided(await self._pass(first, request), request, received)
        return self.messages

    async def _parsed(self, received: AsyncIterable[bytes]) -> AsyncIterator[Any]:
        async for data in received:
            yield self._guarded.parsed(data)

    async def _decided(self, passage: Passage, first: Any, received: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        yield first
        async for data in received:
            try:
                request = self._guarded.parsed(data)
                if passage.bound.rule.stream is Stream.EVERY:
                    passage = await self._guarded.asked(self._guarded.gate.again, passage, request)
                    PASSAGE.set(passage)
            except Refused as refused:
                self._refused = refused
                raise
            yield request

    async def _pass(self, body: bytes, request: Any) -> Passage:
        guarded, context = self._guarded, self._servicer
        proof = proofs.of(context.invocation_metadata(), guarded.path, body, guarded.gate.audience)
        caller = Caller(proof, guarded.peer(context), context.time_remaining)
        until = guarded.gate.until(context.time_remaining())
        passage = await guarded.asked(guarded.gate.ask, guarded.bound, request, caller, until)
        PASSAGE.set(passage)
        return passage


class _Context:
    """The handler's context, whose messages are those that were decided about; all else is grpc.aio's own."""

    def __init__(self, context: Any, call: _Call) -> None:
        self._context, self._call = context, call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def read(self) -> Any:
        """The next message that passed, EOF after the last."""
        if self._call.messages is None:
            return _EOF
        return await anext(self._call.messages, _EOF)

    async def write(self, message: Any) -> None:
        """Answer, unless a message was refused."""
        self._call.refuse()
        await self._context.write(message)
