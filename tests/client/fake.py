"""A server that answers as it is told, and remembers what it was asked."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

Reply = bytes | grpc.Status
"""Bytes are an answer; a status is a failure."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A call as the server saw it."""

    path: str
    body: bytes
    metadata: dict[str, str]
    seconds: float


@dataclass(slots=True)
class Fake:
    """What to answer next, in order; the last reply is given for ever."""

    endpoint: str
    replies: list[Reply] = field(default_factory=list)
    arrived: list[Arrived] = field(default_factory=list)
    trailing: tuple[tuple[str, str], ...] = ()
    before: Callable[[], None] = lambda: None


def said(code: str, message: str = "no", *, aws: str = "Some", domain: str = "sekisho") -> grpc.Status:
    """A failure with ErrorInfo, as our server sends it."""
    info = error_details_pb2.ErrorInfo(reason="SOME", domain=domain, metadata={"code": aws, "request_id": "r-1"})
    return with_details(code, message, info)


def with_details(code: str, message: str, info: error_details_pb2.ErrorInfo) -> grpc.Status:
    """A failure with this detail."""
    detail = any_pb2.Any()
    detail.Pack(info)
    made: grpc.Status = rpc_status.to_status(
        status_pb2.Status(code=getattr(grpc.StatusCode, code).value[0], message=message, details=[detail])
    )
    return made


@dataclass(frozen=True, slots=True)
class _Plain(grpc.Status):
    code: grpc.StatusCode
    details: str
    trailing_metadata: Any = ()


def plain(code: str, message: str = "no") -> grpc.Status:
    """A failure without details, as a proxy sends it."""
    return _Plain(getattr(grpc.StatusCode, code), message)


class _Handler(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # the class takes no argument at run time
    def __init__(self, fake: Fake) -> None:
        self._fake = fake

    def service(self, handler_call_details: Any) -> Any:
        def answer(body: bytes, context: Any) -> bytes:
            metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            self._fake.arrived.append(Arrived(handler_call_details.method, body, metadata, context.time_remaining()))
            self._fake.before()
            reply = self._fake.replies.pop(0) if len(self._fake.replies) > 1 else self._fake.replies[0]
            if not isinstance(reply, bytes):
                context.abort_with_status(reply)
                raise AssertionError("abort_with_status raises")
            context.set_trailing_metadata(self._fake.trailing)
            return reply

        return grpc.unary_unary_rpc_method_handler(answer)


@contextmanager
def fake() -> Iterator[Fake]:
    """A fake server that runs while the block does."""
    made = Fake("")
    server = grpc.server(ThreadPoolExecutor(max_workers=2), handlers=[_Handler(made)])
    made.endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield made
    finally:
        server.stop(0).wait()
