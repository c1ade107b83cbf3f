"""What each method of the service asks of Sekisho; the policies that answer are the shop's, in ../shop/policies."""

from dataclasses import dataclass, replace
from typing import Any

from sekisho.client import guard
from sekisho.client.guard import Rule

AUDIENCE = "orders.shop.example"


@dataclass(frozen=True, slots=True)
class Order:
    """An order: where its customer is, in which warehouse it lies, and how far it is."""

    order_id: str
    region: str
    site: str
    status: str
    changed_by: str = ""


ORDERS = {
    order.order_id: order
    for order in (
        Order("2041", "eu", "hamburg", "paid"),
        Order("2042", "eu", "hamburg", "open"),
        Order("2043", "us", "austin", "paid"),
    )
}


def change(order_id: str, status: str) -> Order:
    """Move an order on, in the name of whoever was let in."""
    ORDERS[order_id] = replace(ORDERS[order_id], status=status, changed_by=guard.decision().principal_arn)
    return ORDERS[order_id]


def _order(request: Any) -> Order:
    return ORDERS[request.order_id if hasattr(request, "order_id") else request.path["order_id"]]


def _tags(request: Any) -> dict[str, str]:
    order = _order(request)
    return {"region": order.region, "site": order.site}


def _status(request: Any) -> str:
    return _order(request).status


ORDER = "arn:aws:orders:eu-west-1:{account}:order/{order_id}"
GET = Rule("orders:GetOrder", ORDER, tags=_tags)
SHIP = Rule("orders:ShipOrder", ORDER, tags=_tags, context={"orders:Status": _status})

METHODS = {
    "/shop.Orders/Get": GET,
    "/shop.Orders/Ship": SHIP,
    "/shop.Orders/Refund": Rule("orders:RefundOrder", ORDER, context={"orders:Amount": "amount"}),
    "/shop.Orders/List": Rule(
        "orders:ListOrders", "arn:aws:orders:eu-west-1:{account}:order/in-{region}", tags=lambda request: {"region": request.region}
    ),
    "/shop.Orders/Label": Rule("orders:PrintLabel", ORDER, tags=_tags, context={"orders:Status": _status}),
}

ROUTES = {
    ("GET", "/healthz"): guard.PUBLIC,
    ("GET", "/orders"): Rule(
        "orders:ListOrders",
        "arn:aws:orders:eu-west-1:{account}:order/in-{query.region}",
        tags=lambda request: {"region": request.query("region")},
    ),
    ("GET", "/orders/{order_id}"): GET,
    ("POST", "/orders/{order_id}/ship"): SHIP,
    ("POST", "/orders/{order_id}/refund"): Rule("orders:RefundOrder", ORDER, context={"orders:Amount": "body.amount"}),
}
