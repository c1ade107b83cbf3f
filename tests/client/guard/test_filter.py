"""Many items at once: what a caller may see of a list."""

from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.client import guard
from sekisho.client.guard import Rule
from tests.client import fake as fakes
from tests.client.fake import Fake
from tests.client.guard import shop
from tests.client.guard.conftest import Serve, Service

ITEM = Rule("orders:GetOrder", "arn:aws:orders:eu-west-1:{account}:order/{id}", tags=lambda item: {"site": item.site})
orders: Any = shop.messages()


def items(count: int) -> list[Any]:
    return [SimpleNamespace(id=number, site="hamburg") for number in range(count)]


def filtering(serve: Serve, given: list[Any]) -> tuple[Service, list[Any]]:
    """A service whose list keeps what its caller may see."""
    kept: list[Any] = []
    service = serve({"/shop.Orders/List": Rule("orders:ListOrders", "*")})

    def handler(_request: Any, _context: Any) -> Any:
        kept.extend(guard.filter(given, ITEM))
        return [orders.Order(order_id=str(item.id)) for item in kept]

    service.handler = handler
    return service, kept


def batch(*allowed: bool | None) -> bytes:
    """Answers: allowed, denied, or (None) an error."""
    found = {
        True: pb.BatchItem(decision=shop.answer()),
        False: pb.BatchItem(decision=shop.answer(pb.OUTCOME_IMPLICITLY_DENIED)),
        None: pb.BatchItem(error=pb.BatchError(code="InvalidContext")),
    }
    return pb.AuthorizeBatchResponse(items=[found[each] for each in allowed]).SerializeToString()


def batches(fake: Fake) -> list[pb.AuthorizeBatchRequest]:
    return [pb.AuthorizeBatchRequest.FromString(arrived.body) for arrived in fake.arrived if arrived.path.endswith("/AuthorizeBatch")]


def test_what_is_allowed_is_kept_in_its_order(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED, batch(True, False, None, True)]
    given = items(4)
    service, kept = filtering(serve, given)
    assert service.call("List", orders.ListRequest(), kind="unary_stream") == (grpc.StatusCode.OK, "2")
    assert kept == [given[0], given[3]]
    (asked,) = batches(fake)
    first = asked.requests[0]
    assert (first.action, first.resource) == ("orders:GetOrder", f"arn:aws:orders:eu-west-1:{shop.ACCOUNT}:order/0")
    assert (first.bearer_token, first.audience, first.at_least, dict(first.resource_tags)) == (
        "dG9rZW4",
        "orders",
        "r1",
        {"site": "hamburg"},
    )


def test_what_cannot_be_read_is_left_out(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED, batch(True)]
    service, kept = filtering(serve, [SimpleNamespace(id="a/b", site="x"), SimpleNamespace(id=1), SimpleNamespace(id=2, site="x")])
    assert service.call("List", orders.ListRequest(), kind="unary_stream") == (grpc.StatusCode.OK, "1")
    assert [item.id for item in kept] == [2]


def test_nothing_asks_nobody(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED]
    assert filtering(serve, [])[0].call("List", orders.ListRequest(), kind="unary_stream") == (grpc.StatusCode.OK, "0")
    assert batches(fake) == []


def test_a_thousand_at_once(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED, batch(*[True] * 1000), batch(True, False)]
    service, kept = filtering(serve, items(1002))
    assert service.call("List", orders.ListRequest(), kind="unary_stream") == (grpc.StatusCode.OK, "1001")
    assert [len(asked.requests) for asked in batches(fake)] == [1000, 2]
    assert [item.id for item in kept][-2:] == [999, 1000]


def test_no_batch_is_larger_than_sekisho_takes(fake: Fake, serve: Serve) -> None:
    policy = {"Version": "2012-10-17", "Statement": ["x" * 20_000]}
    fake.replies = [shop.ALLOWED, batch(*[True] * 49), batch(*[True] * 11)]
    service = serve({"/shop.Orders/List": Rule("orders:ListOrders", "*")})
    large = Rule("orders:GetOrder", "arn:aws:orders:eu-west-1:{account}:order/{id}", policy=lambda _: policy)
    service.handler = lambda _request, _context: [orders.Order() for _ in guard.filter(items(60), large)]
    assert service.call("List", orders.ListRequest(), kind="unary_stream") == (grpc.StatusCode.OK, "60")
    assert [len(asked.requests) for asked in batches(fake)] == [49, 11]


def test_no_batch_has_more_policies_than_sekisho_takes(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED, batch(*[True] * 13), batch(*[True] * 7)]
    service = serve({"/shop.Orders/List": Rule("orders:ListOrders", "*")})

    def policy(order: orders.Order) -> dict[str, Any]:
        return {"Version": "2012-10-17", "Statement": [order.id, "x" * 20_000]}

    own = Rule("orders:GetOrder", "arn:aws:orders:eu-west-1:{account}:order/{id}", policy=policy)
    service.handler = lambda _request, _context: [orders.Order() for _ in guard.filter(items(20), own)]
    assert service.call("List", orders.ListRequest(), kind="unary_stream") == (grpc.StatusCode.OK, "20")
    assert [len(asked.requests) for asked in batches(fake)] == [13, 7]


@pytest.mark.parametrize("reply", [fakes.plain("UNAVAILABLE"), fakes.said("PERMISSION_DENIED"), batch(True)])
def test_a_list_that_cannot_be_decided_is_no_list(fake: Fake, serve: Serve, reply: Any) -> None:
    fake.replies = [shop.ALLOWED, reply]
    service, kept = filtering(serve, items(2))
    assert service.call("List", orders.ListRequest(), kind="unary_stream")[0] is grpc.StatusCode.UNAVAILABLE
    assert kept == []


def test_outside_of_a_call_there_is_nobody_to_ask_about() -> None:
    with pytest.raises(LookupError):
        guard.filter([1], ITEM)
