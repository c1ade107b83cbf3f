"""A fake Sekisho, and a service that is guarded by it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.client import Client, guard
from tests.client.fake import Fake
from tests.client.guard import shop

Answered = tuple[Any, str]


@dataclass(slots=True)
class Service:
    """A guarded gRPC service: what its handlers got and did, and how it is called."""

    channel: grpc.Channel
    got: list[Any] = field(default_factory=list)
    handler: Callable[[Any, Any], Any] | None = None
    """What a handler does with its request, or its stream of them."""

    def call(self, method: str, *sent: Any, metadata: Any = shop.BEARER, kind: str = "unary_unary", timeout: float = 20.0) -> Answered:
        """A call; its status and message, or OK and the answers."""
        made = getattr(self.channel, kind)(f"/shop.Orders/{method}", lambda message: message.SerializeToString(), None)
        try:
            found = made(iter(sent) if kind.startswith("stream") else sent[0], metadata=metadata, timeout=timeout)
            answers = list(found) if kind.endswith("stream") else [found]
        except grpc.RpcError as error:
            failed: Any = error
            return failed.code(), failed.details()
        return grpc.StatusCode.OK, str(len(answers))


Serve = Callable[..., Service]


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own, for the servers of grpc.aio."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


SERVERS = ("threads", "asyncio", "functions on asyncio")


@pytest.fixture(params=SERVERS)
def serve(request: pytest.FixtureRequest, client: Client, loop: asyncio.AbstractEventLoop) -> Iterator[Serve]:
    """Starts the shop's service with these rules: on a server of threads, and on one of grpc.aio with handlers of both kinds."""
    orders = shop.messages()

    def start(rules: Any, client: Client = client, **options: Any) -> Service:
        made = guard.grpc(client, rules, **{"audience": "orders", "account": shop.ACCOUNT, **options})
        service = Service(None)  # type: ignore[arg-type]  # until the server has its port
        handlers = (_awaited_handlers if request.param == "asyncio" else _handlers)(service, orders)
        if request.param == "threads":
            server = grpc.server(ThreadPoolExecutor(4), interceptors=[made])
            port = server.add_insecure_port("127.0.0.1:0")
            server.add_generic_rpc_handlers((handlers,))
            server.start()
            stack.callback(lambda: server.stop(0).wait())
        else:
            port = stack.enter_context(_asynchronous(loop, made, handlers))
        service.channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))
        return service

    with ExitStack() as stack:
        yield start


@contextmanager
def _asynchronous(loop: asyncio.AbstractEventLoop, interceptor: Any, handlers: Any) -> Iterator[int]:
    """A server of grpc.aio; its port."""

    async def start() -> tuple[Any, int]:
        server = grpc.aio.server(ThreadPoolExecutor(4), interceptors=[interceptor])
        port = server.add_insecure_port("127.0.0.1:0")
        server.add_generic_rpc_handlers((handlers,))
        await server.start()
        return server, port

    server, port = asyncio.run_coroutine_threadsafe(start(), loop).result()
    yield port
    asyncio.run_coroutine_threadsafe(server.stop(0), loop).result()


def _awaited_handlers(service: Service, orders: Any) -> Any:
    """The same methods as coroutines, which read and answer in each way that grpc.aio has."""

    async def one(request: Any, context: Any) -> Any:
        service.got.append(request)
        return service.handler(request, context) if service.handler is not None else orders.Order(order_id="done")

    async def many(request: Any, context: Any) -> Any:
        service.got.append(request)
        for answer in service.handler(request, context) if service.handler is not None else ():
            yield answer

    async def both(requests: Any, context: Any) -> None:
        while (request := await context.read()) is not vars(grpc.aio)["EOF"]:
            service.got.append(request)
            await context.write(orders.Order(order_id=request.order_id, changed_by=guard.decision().principal_arn))

    async def read(requests: Any, context: Any) -> Any:
        service.got.append("started")
        if service.handler is None:
            async for request in requests:
                service.got.append(request)
            return orders.LabelResponse()
        while True:  # one that swallows what is refused, as the test's own handler does in a thread
            try:
                if (request := await context.read()) is vars(grpc.aio)["EOF"]:
                    return orders.LabelResponse()
                service.got.append(request)
            except Exception:  # noqa: S112  # as said
                continue

    return _handler(orders, one, many, read, both)


def _handlers(service: Service, orders: Any) -> Any:
    def one(request: Any, context: Any) -> Any:
        service.got.append(request)
        return service.handler(request, context) if service.handler is not None else orders.Order(order_id="done")

    def many(request: Any, context: Any) -> Any:
        service.got.append(request)
        yield from service.handler(request, context) if service.handler is not None else ()

    def read(requests: Any, context: Any) -> Any:
        service.got.append("started")
        service.got.extend(service.handler(requests, context) if service.handler is not None else requests)
        return orders.LabelResponse()

    def both(requests: Any, context: Any) -> Any:
        for request in requests:
            service.got.append(request)
            yield orders.Order(order_id=request.order_id, changed_by=guard.decision().principal_arn)

    return _handler(orders, one, many, read, both)


def _handler(orders: Any, one: Any, many: Any, read: Any, both: Any) -> Any:
    out = lambda message: message.SerializeToString()  # noqa: E731  # a serializer
    methods = {
        "Get": grpc.unary_unary_rpc_method_handler(one, orders.GetRequest.FromString, out),
        "Refund": grpc.unary_unary_rpc_method_handler(one, orders.RefundRequest.FromString, out),
        "List": grpc.unary_stream_rpc_method_handler(many, orders.ListRequest.FromString, out),
        "Label": grpc.stream_unary_rpc_method_handler(read, orders.LabelRequest.FromString, out),
        "Erase": grpc.stream_stream_rpc_method_handler(both, orders.EraseRequest.FromString, out),
    }
    return grpc.method_handlers_generic_handler("shop.Orders", methods)


def asked(fake: Fake) -> list[pb.AuthorizeRequest]:
    """What Sekisho was asked."""
    return [pb.AuthorizeRequest.FromString(arrived.body) for arrived in fake.arrived if arrived.path.endswith("/Authorize")]
