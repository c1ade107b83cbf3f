"""A shop's order service, over gRPC and over HTTP, that asks Sekisho about every call: `python service.py --help`."""

import argparse
import asyncio
import json
import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sekisho.client import Client, guard

sys.path.insert(0, str(Path(__file__).parent))
orders_pb2, orders_pb2_grpc = grpc.protos_and_services("orders.proto")  # compiled as it starts; needs grpcio-tools

from rules import AUDIENCE, GET, METHODS, ORDERS, ROUTES, Order, change  # noqa: E402  # beside this file, wherever that is


def visible(region: str) -> list[Order]:
    """The orders of a region that the caller may see, decided about all at once."""
    return guard.filter(
        [order for order in ORDERS.values() if order.region == region],
        guard.Rule(GET.action, GET.resource, tags=lambda order: {"region": order.region}),
    )


class Orders(orders_pb2_grpc.OrdersServicer):  # type: ignore[misc,name-defined]  # made as it starts
    """The methods; nothing in them is about permissions."""

    def Get(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # the rpc's name
        """An order."""
        return _message(ORDERS[request.order_id])

    def Ship(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # as above
        """Send an order."""
        return _message(change(request.order_id, "shipped"))

    def Refund(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # as above
        """Give money back."""
        return _message(change(request.order_id, f"refunded {request.amount:g}"))

    def List(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802  # as above
        """The orders of a region."""
        yield from map(_message, visible(request.region))

    def Label(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Any:  # noqa: N802  # as above
        """Print labels."""
        return orders_pb2.LabelResponse(labels=sum(1 for _ in request_iterator))

    def Erase(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # as above
        """Forget an order; never reached, for no rule is about it."""
        return _message(ORDERS.pop(request.order_id))


def _message(order: Order) -> Any:
    return orders_pb2.Order(**asdict(order))


async def _get(request: Request) -> JSONResponse:
    return JSONResponse(asdict(ORDERS[request.path_params["order_id"]]))


async def _ship(request: Request) -> JSONResponse:
    return JSONResponse(asdict(change(request.path_params["order_id"], "shipped")))


async def _refund(request: Request) -> JSONResponse:
    amount = (await request.json())["amount"]
    return JSONResponse(asdict(change(request.path_params["order_id"], f"refunded {amount:g}")))


async def _list(request: Request) -> JSONResponse:
    found = await asyncio.to_thread(visible, request.query_params["region"])
    return JSONResponse([asdict(order) for order in found])


async def _erase(request: Request) -> JSONResponse:
    return JSONResponse(asdict(ORDERS.pop(request.path_params["order_id"])))


async def _health(_: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


APPLICATION = Starlette(
    routes=[
        Route("/healthz", _health),
        Route("/orders", _list),
        Route("/orders/{order_id}", _get, methods=["GET"]),
        Route("/orders/{order_id}", _erase, methods=["DELETE"]),
        Route("/orders/{order_id}/ship", _ship, methods=["POST"]),
        Route("/orders/{order_id}/refund", _refund, methods=["POST"]),
    ]
)


def main() -> None:
    """Serve both until the program is stopped; prints where, as a line of JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--grpc", default="127.0.0.1:7001", help="where gRPC listens")
    arguments.add_argument("--http", default="127.0.0.1:7002", help="where HTTP listens")
    options = arguments.parse_args()
    with Client.from_env(os.environ, timeout=2.0) as client:
        server = grpc.server(ThreadPoolExecutor(8), interceptors=[guard.grpc(client, METHODS, audience=AUDIENCE)])
        orders_pb2_grpc.add_OrdersServicer_to_server(Orders(), server)
        host = options.grpc.rpartition(":")[0]
        port = server.add_insecure_port(options.grpc)
        server.start()
        app = guard.Guard(APPLICATION, client, ROUTES, audience=AUDIENCE)
        with socket.create_server((options.http.rpartition(":")[0], int(options.http.rpartition(":")[2]))) as bound:
            print(json.dumps({"grpc": f"{host}:{port}", "http": "{}:{}".format(*bound.getsockname())}), flush=True)
            uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[bound])
        server.stop(1).wait()


if __name__ == "__main__":
    main()
