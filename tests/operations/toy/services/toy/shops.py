"""Shops. They are kept as accounts, for want of a table of their own."""

import queue
from collections.abc import Iterator
from typing import Any

from sekisho.api.toy.v1 import shops_pb2 as pb
from sekisho.calls.call import Call
from sekisho.errors import NotFound
from sekisho.operations import Resource, operation, resource
from sekisho.store.tables import Account

EVENTS: "queue.SimpleQueue[str]" = queue.SimpleQueue()
"""What happens; the empty text ends it."""


class NoSuchShop(NotFound):
    """No shop has the name."""


@resource("shop")
def shop(call: Call, request: Any, field: str) -> Resource:
    """The shop, or the shop to be."""
    return Resource(f"arn:aws:toys::{call.account_id}:shop/{getattr(request, field)}")


@operation
def open_shop(call: Call, request: pb.OpenShopRequest) -> pb.OpenShopResponse:
    """Its id is its name behind `shop-`."""
    row = Account(id=f"shop-{request.name}", name=request.name, created_at=call.now)
    call.session.add(row)
    return pb.OpenShopResponse(id=row.id)


@operation
def get_shop(call: Call, request: pb.GetShopRequest) -> pb.GetShopResponse:
    """As it was opened."""
    row = call.session.get(Account, f"shop-{request.name}")
    if row is None:
        raise NoSuchShop(f"There is no shop `{request.name}`.")
    return pb.GetShopResponse(id=row.id, name=row.name)


@operation
def watch_shop(call: Call, request: pb.WatchShopRequest) -> Iterator[pb.WatchShopResponse]:
    """Each event once."""
    while event := EVENTS.get(timeout=60):
        yield pb.WatchShopResponse(event=event)
