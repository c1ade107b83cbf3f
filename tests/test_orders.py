"""The example in docs/examples/orders, run as its README says: a service of its own, guarded by a real server."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from sekisho import sigv4
from sekisho.cli import connection, load, throwaway
from sekisho.cli.examples import example
from sekisho.client import Client, Credentials, token
from tests import commanded
from tests.cli.command import environment
from tests.client.guard import shop

AUDIENCE = "orders.shop.example"
FOLDER = example("orders")


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended, over gRPC or HTTP: its status, what it answered with, and how it was refused."""

    status: Any
    body: Any = None
    message: str = ""
    decision_id: str = ""


@dataclass(frozen=True, slots=True)
class Orders:
    """The running service, and the keys of who may call it; `without_sekisho` ends what it asks."""

    grpc: str
    http: str
    account: str
    keys: dict[str, Credentials]
    messages: Any
    without_sekisho: Callable[[], None]

    def denial(self, user: str, action: str, order: str) -> str:
        """The sentence of a denial."""
        return (
            f"User: arn:aws:iam::{self.account}:user/{user} is not authorized to perform: {action} "
            f"on resource: arn:aws:orders:eu-west-1:{self.account}:order/{order}"
        )

    def bearer(self, name: str, *, audience: str = AUDIENCE, age: int = 0) -> dict[str, str]:
        """What a user sends that cannot sign."""
        return {"authorization": f"Bearer {token(self.keys[name], audience, datetime.now(UTC) - timedelta(seconds=age))}"}

    def signed(self, name: str, target: str, body: bytes = b"") -> dict[str, str]:
        """What a user sends that signs its call."""
        return dict(sigv4.sign_call(self.keys[name], target, body, AUDIENCE, datetime.now(UTC)))

    def message(self, kind: str, **fields: Any) -> bytes:
        """A request's bytes."""
        made: bytes = getattr(self.messages, kind)(**fields).SerializeToString()
        return made

    def call(self, method: str, body: bytes, metadata: dict[str, str]) -> Answer:
        """A call with one request and one answer."""
        with grpc.insecure_channel(self.grpc) as channel:
            made = channel.unary_unary(f"/shop.Orders/{method}", None, self.messages.Order.FromString)
            return _answered(lambda: made(body, metadata=tuple(metadata.items()), timeout=30))

    def listed(self, region: str, metadata: dict[str, str]) -> Answer:
        """The orders of a region."""
        with grpc.insecure_channel(self.grpc) as channel:
            made = channel.unary_stream("/shop.Orders/List", None, self.messages.Order.FromString)
            sent = self.message("ListRequest", region=region)
            return _answered(lambda: list(made(sent, metadata=tuple(metadata.items()), timeout=30)))

    def ask(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> Answer:
        """An HTTP request."""
        data = json.dumps(body).encode() if body is not None else None
        made = http.client.HTTPConnection(self.http, timeout=30)
        try:
            made.request(method, path, data, headers | ({"content-type": "application/json"} if data else {}))
            answer = made.getresponse()
            found = json.loads(answer.read())
        finally:
            made.close()
        if answer.status == 200:
            return Answer(200, found)
        error = found["error"]
        assert error["decision_id"] == (answer.getheader("sekisho-decision-id") or "")
        return Answer(answer.status, None, error["message"], error["decision_id"])


def _plain(message: Any) -> Any:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _answered(call: Callable[[], Any]) -> Answer:
    try:
        found = call()
    except grpc.RpcError as error:
        failed: Any = error
        trailing = dict(failed.trailing_metadata())
        return Answer(failed.code(), None, failed.details(), trailing.get("sekisho-decision-id", ""))
    return Answer(grpc.StatusCode.OK, [_plain(item) for item in found] if isinstance(found, list) else _plain(found))


@contextmanager
def running() -> Iterator[Orders]:
    """A Sekisho with the shop in it, and the service beside it."""
    messages = shop.messages()
    with ExitStack() as sekisho:
        server = sekisho.enter_context(commanded.server())
        keys, own, account = _loaded(server)
        env = environment(
            SEKISHO_ENDPOINT=server.grpc,
            AWS_ACCESS_KEY_ID=own.access_key_id,
            AWS_SECRET_ACCESS_KEY=own.secret_access_key,
            AWS_SESSION_TOKEN=own.session_token,
            PYTHONPATH=os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path if entry),
        )
        line = [sys.executable, "-B", str(FOLDER / "service.py"), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env) as process:
            try:
                assert process.stdout is not None
                where = json.loads(process.stdout.readline())
                yield Orders(where["grpc"], where["http"], account, keys, messages, sekisho.close)
            finally:
                process.terminate()


def _loaded(server: throwaway.Server) -> tuple[dict[str, Credentials], Any, str]:
    """The keys of the shop's users, the service's own session, and the account."""
    with Client(server.grpc, connection.credentials("root", server.data_dir)) as root:
        load.loaded(root, example("shop"), {})
        account: str = root.sts.get_caller_identity().account
        keys = {}
        for name in ("amara", "ben", "chiyo", "farid"):
            key = root.iam.create_access_key(user_name=name).access_key
            keys[name] = Credentials(key.access_key_id, key.secret_access_key)
    with Client(server.grpc, keys["farid"]) as farid:
        role = f"arn:aws:iam::{account}:role/shop/order-service"
        return keys, farid.sts.assume_role(role_arn=role, role_session_name="orders-1").credentials, account


@pytest.fixture(scope="module")
def orders() -> Iterator[Orders]:
    with running() as made:
        yield made


def test_allowed_with_a_token(orders: Orders) -> None:
    found = orders.call("Get", orders.message("GetRequest", order_id="2042"), orders.bearer("amara"))
    assert found == Answer(grpc.StatusCode.OK, {"order_id": "2042", "region": "eu", "site": "hamburg", "status": "open"})
    assert orders.ask("GET", "/orders/2042", orders.bearer("amara")).body["status"] == "open"


def test_allowed_with_a_signature_and_the_handler_knows_whom(orders: Orders) -> None:
    chiyo = f"arn:aws:iam::{orders.account}:user/warehouse/chiyo"
    body = orders.message("ShipRequest", order_id="2041")
    assert orders.call("Ship", body, orders.signed("chiyo", "/shop.Orders/Ship", body)).body["changed_by"] == chiyo
    data = json.dumps({"amount": 20.5}).encode()
    found = orders.ask("POST", "/orders/2042/refund", orders.signed("amara", "POST /orders/2042/refund", data), {"amount": 20.5})
    assert (found.status, found.body["status"]) == (200, "refunded 20.5")


@pytest.mark.parametrize(
    "target", ["/shop.Orders/Get", "POST /orders/2042/ship", "POST /orders/2042/refund?x=1", "GET /orders/2042/refund"]
)
def test_a_signature_of_another_call_is_none(orders: Orders, target: str) -> None:
    data = json.dumps({"amount": 1}).encode()
    assert orders.ask("POST", "/orders/2042/refund", orders.signed("amara", target, data), {"amount": 1}).status == 401
    assert orders.ask("POST", "/orders/2042/refund", orders.signed("amara", "POST /orders/2042/refund", data), {"amount": 2}).status == 401


def test_denied_with_a_sentence_and_the_decisions_name(orders: Orders) -> None:
    found = orders.call("Get", orders.message("GetRequest", order_id="2043"), orders.bearer("amara"))
    assert (found.status, found.message) == (grpc.StatusCode.PERMISSION_DENIED, orders.denial("support/amara", "orders:GetOrder", "2043"))
    assert found.decision_id
    asked = orders.ask("GET", "/orders/2043", orders.bearer("amara"))
    assert (asked.status, asked.message) == (403, found.message)
    assert asked.decision_id not in ("", found.decision_id)


def test_what_the_request_says_decides(orders: Orders) -> None:
    for amount, status in ((20, 200), (50.01, 403)):
        assert orders.ask("POST", "/orders/2042/refund", orders.bearer("ben"), {"amount": amount}).status == status
        found = orders.call("Refund", orders.message("RefundRequest", order_id="2042", amount=amount), orders.bearer("ben"))
        assert found.status is (grpc.StatusCode.OK if status == 200 else grpc.StatusCode.PERMISSION_DENIED)


def test_what_cannot_be_read_is_denied(orders: Orders) -> None:
    found = orders.call("Refund", orders.message("RefundRequest", order_id="2042"), orders.bearer("amara"))
    assert found == Answer(grpc.StatusCode.PERMISSION_DENIED, None, "The request is not authorized: the field `amount` is not given.")
    asked = orders.ask("POST", "/orders/2042/refund", orders.bearer("amara"), {"amount": [1]})
    assert asked == Answer(403, None, "The request is not authorized: the field `amount` is a list.")
    assert (
        orders.call("Get", orders.message("GetRequest", order_id="9"), orders.bearer("amara")).status is grpc.StatusCode.PERMISSION_DENIED
    )


def test_a_method_without_a_rule_is_denied(orders: Orders) -> None:
    found = orders.call("Erase", orders.message("EraseRequest", order_id="2042"), orders.bearer("amara"))
    assert found == Answer(grpc.StatusCode.PERMISSION_DENIED, None, "The request is not authorized: no rule is about its method.")
    assert orders.ask("DELETE", "/orders/2042", orders.bearer("amara")).status == 403
    assert orders.ask("GET", "/orders/2042", orders.bearer("amara")).status == 200
    assert orders.ask("GET", "/healthz", {}) == Answer(200, {"status": "ok"})


@pytest.mark.parametrize(
    ("proof", "message"),
    [
        ("none", "Request is missing Authentication Token"),
        ("expired", "Request has expired: "),
        ("for another audience", "signed for the audience `sekisho`, but this service is `orders.shop.example`"),
        ("of no key", "The security token included in the request is invalid."),
        ("no token", "the bearer token is malformed"),
    ],
)
def test_who_is_nobody(orders: Orders, proof: str, message: str) -> None:
    unknown = token(Credentials("AKIAAAAAAAAAAAAAAAAA", "x" * 40), AUDIENCE, datetime.now(UTC))
    headers = {
        "none": {},
        "expired": orders.bearer("amara", age=1000),
        "for another audience": orders.bearer("amara", audience="sekisho"),
        "of no key": {"authorization": f"Bearer {unknown}"},
        "no token": {"authorization": "Bearer bm90IGEgdG9rZW4"},
    }[proof]
    found = orders.call("Get", orders.message("GetRequest", order_id="2042"), headers)
    asked = orders.ask("GET", "/orders/2042", headers)
    assert (found.status, asked.status) == (grpc.StatusCode.UNAUTHENTICATED, 401)
    assert found.message.startswith(message)
    assert asked.message.startswith(message)


def test_a_list_holds_what_its_reader_may_see(orders: Orders) -> None:
    found = orders.listed("eu", orders.bearer("ben"))
    assert [order["order_id"] for order in found.body] == ["2041", "2042"]
    assert [order["order_id"] for order in orders.ask("GET", "/orders?region=eu", orders.bearer("ben")).body] == ["2041", "2042"]
    other = orders.listed("us", orders.bearer("ben"))
    assert other.status is grpc.StatusCode.PERMISSION_DENIED
    assert orders.ask("GET", "/orders?region=us&region=eu", orders.bearer("ben")).status == 403


def test_sekisho_goes_away() -> None:
    with running() as orders:
        message, bearer = orders.message("GetRequest", order_id="2042"), orders.bearer("amara")
        assert orders.call("Get", message, bearer).status is grpc.StatusCode.OK
        orders.without_sekisho()
        found = orders.call("Get", message, bearer)
        assert (found.status, found.message) == (grpc.StatusCode.UNAVAILABLE, "The request could not be authorized; try again later.")
        assert orders.ask("GET", "/orders/2042", bearer) == Answer(503, None, found.message)
        assert orders.ask("GET", "/healthz", {}).status == 200
