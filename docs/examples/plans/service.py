"""A list of which everybody gets what they may see, out of a database that does the filtering: `python service.py --help`."""

import argparse
import json
import os
import socket
from typing import Any

import uvicorn
from sqlalchemy import Column, Engine, MetaData, String, Table, create_engine, literal, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sekisho.client import Client, Denied, Unauthenticated
from sekisho.client.plans.sqlalchemy import where

AUDIENCE = "orders.shop.example"
TAGS = ("region", "site")
"""The tags of an order: columns of its row."""

ORDERS = Table("orders", MetaData(), *(Column(name, String, primary_key=name == "order_id") for name in ("order_id", *TAGS, "status")))


def visible(engine: Engine, client: Client, token: str, account: str, after: str, size: int) -> list[dict[str, Any]]:
    """A page of the orders that the holder of a token may see. Sekisho is asked once, for a plan, however many orders there are."""
    plan = client.plan(
        bearer_token=token,
        audience=AUDIENCE,
        action="orders:GetOrder",
        resource_pattern=f"arn:aws:orders:eu-west-1:{account}:order/*",
    )
    arn = literal(f"arn:aws:orders:eu-west-1:{account}:order/").concat(ORDERS.c.order_id)
    may_see = where(plan, arn=arn, tags=lambda key: ORDERS.c[key] if key in TAGS else literal(None, String))
    page = select(ORDERS).where(may_see, ORDERS.c.order_id > after).order_by(ORDERS.c.order_id).limit(size)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(page).mappings()]


def application(engine: Engine, client: Client) -> Starlette:
    """The service, over a database and for a client that may ask for plans."""
    account = client.sts.get_caller_identity().account

    def orders(request: Request) -> JSONResponse:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return JSONResponse({"error": "no token"}, 401)
        try:
            page = visible(engine, client, token, account, request.query_params.get("after", ""), 100)
        except Unauthenticated as error:
            return JSONResponse({"error": str(error)}, 401)
        except Denied as error:
            return JSONResponse({"error": str(error)}, 403)
        return JSONResponse({"orders": page})

    return Starlette(routes=[Route("/orders", orders, methods=["GET"])])


def filled(url: str) -> Engine:
    """A database with some orders; it is made where there is none."""
    engine = create_engine(url)
    ORDERS.metadata.create_all(engine)
    with engine.begin() as connection:
        if connection.execute(select(ORDERS).limit(1)).first() is None:
            places = (("eu", "hamburg"), ("eu", "valencia"), ("us", "austin"), ("EU", "hamburg"), (None, None))
            names = ("order_id", *TAGS, "status")
            rows = [(f"{number}", *places[number % len(places)], "paid" if number % 2 else "open") for number in range(1000, 2000)]
            connection.execute(ORDERS.insert(), [dict(zip(names, row, strict=True)) for row in rows])
    return engine


def main() -> None:
    """Serve until the program is stopped; prints where, as a line of JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--http", default="127.0.0.1:7003", help="where HTTP listens")
    arguments.add_argument("--database", default="sqlite:///orders.db", help="the address of a database, as SQLAlchemy has it")
    options = arguments.parse_args()
    host, _, port = options.http.rpartition(":")
    with Client.from_env(os.environ, timeout=2.0) as client, socket.create_server((host, int(port))) as bound:
        app = application(filled(options.database), client)
        print(json.dumps({"http": "{}:{}".format(*bound.getsockname())}), flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[bound])


if __name__ == "__main__":
    main()
