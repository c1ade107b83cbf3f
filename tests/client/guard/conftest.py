"""A fake Sekisho, and a service that is guarded by it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
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


@pytest.fixture
def serve(client: Client) -> Iterator[Serve]:
    """Starts the shop's service with these rules."""
    orders = shop.messages()

    def start(rules: Any, client: Client = client, **options: Any) -> Service:
        made = guard.grpc(client, rules, **{"audience": "orders", "account": shop.ACCOUNT, **options})
        server = grpc.server(ThreadPoolExecutor(4), interceptors=[made])
        port = server.add_insecure_port("127.0.0.1:0")
        service = Service(stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}")))
        server.add_generic_rpc_handlers((_handlers(service, orders),))
        server.start()
        stack.callback(lambda: server.stop(0).wait())
        return service

    with ExitStack() as stack:
        yield start


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

    out = lambda message: message.SerializeToString()  # noqa: E731  # a serializer
    methods = {
        "Get": grpc.unary_unary_rpc_method_handler(one, orders.GetRequest.FromString, out),
        "Refund": grpc.unary_unary_rpc_method_handler(one, orders.RefundRequest.FromString, out),
        "List": grpc.unary_stream_rpc_method_handler(many, orders.ListRequest.FromString, out),
        "Label": grpc.stream_unary_rpc_method_handler(read, orders.LabelRequest.FromString, out),
    }
    return grpc.method_handlers_generic_handler("shop.Orders", methods)


def asked(fake: Fake) -> list[pb.AuthorizeRequest]:
    """What Sekisho was asked."""
    return [pb.AuthorizeRequest.FromString(arrived.body) for arrived in fake.arrived if arrived.path.endswith("/Authorize")]
