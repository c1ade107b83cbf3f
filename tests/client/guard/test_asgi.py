"""The ASGI guard against a fake Sekisho: what it asks, and that nothing but an allow reaches the application."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.client import Client, Credentials, guard
from sekisho.client.guard import Guard, Peer, Rule
from tests.client import fake as fakes
from tests.client.fake import Fake
from tests.client.guard import shop
from tests.client.guard.conftest import asked

BEARER = ((b"authorization", b"Bearer dG9rZW4"),)
JSON = (b"content-type", b"application/json")
ROUTES: dict[tuple[str, str], Any] = {
    ("GET", "/healthz"): guard.PUBLIC,
    ("GET", "/orders/{order_id}"): Rule("orders:GetOrder", shop.ORDER),
    ("POST", "/orders/{order_id}/refund"): Rule("orders:RefundOrder", shop.ORDER, context={"orders:Amount": "body.amount"}),
    ("WEBSOCKET", "/watch"): Rule("orders:Watch", "*"),
}


@dataclass
class App:
    """An application that keeps what it got."""

    scopes: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    seen: list[guard.Rule | str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] == "http":
            body, more = b"", True
            while more:
                event = await receive()
                body, more = body + event["body"], event["more_body"]
            self.bodies.append(body)
            if "sekisho.decision" in scope:
                self.seen.append(guard.decision().principal_arn)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})


def call(
    app: Any, method: str, path: str, headers: Iterable[tuple[bytes, bytes]] = BEARER, body: bytes = b"", **more: Any
) -> tuple[int, dict[str, Any], dict[bytes, bytes]]:
    """One request; status, the error of the answer, and its headers."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(headers),
        "client": ("192.0.2.1", 5000),
        "scheme": "https",
        **more,
    }
    parts = [body[:3], body[3:]]
    sent: list[Any] = []

    async def receive() -> Any:
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(event: Any) -> None:
        sent.append(event)

    asyncio.run(app(scope, receive, send))
    if scope["type"] != "http":
        return 0, sent[0] if sent else {}, {}
    return sent[0]["status"], json.loads(sent[1]["body"]).get("error", {}), dict(sent[0]["headers"])


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def guarded(app: App, client: Client) -> Guard:
    return Guard(app, client, ROUTES, audience="orders", account=shop.ACCOUNT)


def test_what_is_asked_and_what_the_application_gets(fake: Fake, guarded: Guard, app: App) -> None:
    fake.replies = [shop.ALLOWED]
    headers = (*BEARER, JSON, (b"User-Agent", b"curl/8"))
    assert call(guarded, "POST", "/orders/7/refund", headers, b'{"amount": 2.5}')[0] == 200
    (question,) = asked(fake)
    assert (question.action, question.resource) == ("orders:RefundOrder", f"arn:aws:orders:eu-west-1:{shop.ACCOUNT}:order/7")
    assert (question.bearer_token, question.audience) == ("dG9rZW4", "orders")
    assert {entry.key: list(entry.values) for entry in question.context} == {
        "aws:SecureTransport": ["true"],
        "aws:SourceIp": ["192.0.2.1"],
        "aws:UserAgent": ["curl/8"],
        "orders:Amount": ["2.5"],
    }
    assert app.bodies == [b'{"amount": 2.5}']
    assert app.seen == [shop.ALICE]
    assert app.scopes[0]["sekisho.decision"].decision_id == "d-1"


def test_a_body_that_nobody_needs_is_left_where_it_is(fake: Fake, guarded: Guard, app: App) -> None:
    fake.replies = [shop.ALLOWED]
    assert call(guarded, "GET", "/orders/7", BEARER, b"x" * (2 << 20))[0] == 200
    assert app.bodies == [b"x" * (2 << 20)]


def test_a_signature_is_over_method_target_and_body(fake: Fake, guarded: Guard) -> None:
    fake.replies = [shop.ALLOWED]
    signed = sigv4.sign_call(Credentials("AKIA", "s", "t"), "GET /orders/a%62?x=1", b"body", "orders", datetime.now(UTC))
    headers = [(name.encode(), value.encode()) for name, value in signed]
    found = call(guarded, "GET", "/orders/ab", headers, b"body", raw_path=b"/orders/a%62", query_string=b"x=1")
    assert found[0] == 200
    request = asked(fake)[0].signed_request
    assert (request.path, request.body, request.audience) == ("GET /orders/a%62?x=1", b"body", "orders")
    assert dict(request.headers) == dict(signed)


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/orders", {}),
        ("GET", "/orders/", {}),
        ("GET", "/orders/7/", {}),
        ("HEAD", "/orders/7", {}),
        ("get", "/orders/7", {}),
        ("DELETE", "/orders/7", {}),
        ("OPTIONS", "/orders/7", {}),
        ("POST", "/healthz", {}),
        ("WEBSOCKET", "/orders/7", {}),
        ("GET", "/app/orders/7", {}),
        ("GET", "/orders/7", {"root_path": "/orders"}),
    ],
)
def test_a_path_without_a_rule_is_denied(fake: Fake, guarded: Guard, app: App, method: str, path: str, more: Any) -> None:
    status, error, _ = call(guarded, method, path, **more)
    assert (status, error["code"]) == (403, "AccessDenied")
    assert (fake.arrived, app.scopes) == ([], [])


def test_where_the_application_is_mounted(fake: Fake, guarded: Guard) -> None:
    fake.replies = [shop.ALLOWED]
    assert call(guarded, "GET", "/app/orders/7", root_path="/app")[0] == 200
    assert call(guarded, "GET", "/orders/7", root_path="/app")[0] == 200


def test_a_public_path_asks_nobody(fake: Fake, guarded: Guard, app: App) -> None:
    assert call(guarded, "GET", "/healthz", ())[0] == 200
    assert (fake.arrived, len(app.scopes)) == ([], 1)


def test_lifespan_is_the_applications(guarded: Guard, app: App) -> None:
    call(guarded, "GET", "/", type="lifespan")
    assert app.scopes[0]["type"] == "lifespan"


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (shop.DENIED, 403, "AccessDenied"),
        (fakes.plain("UNAVAILABLE"), 503, "ServiceUnavailable"),
        (fakes.said("PERMISSION_DENIED"), 503, "ServiceUnavailable"),
        (b"", 503, "ServiceUnavailable"),
    ],
)
def test_nothing_but_an_allow_is_an_allow(fake: Fake, guarded: Guard, app: App, reply: Any, status: int, code: str) -> None:
    fake.replies = [reply]
    found, error, headers = call(guarded, "GET", "/orders/7")
    assert (found, error["code"], app.scopes) == (status, code, [])
    assert headers.get(b"sekisho-decision-id", b"").decode() == error["decision_id"] == ("d-1" if status == 403 else "")


@pytest.mark.parametrize("headers", [(), ((b"authorization", b"Bearer"),), BEARER * 2, ((b"authorization", b"Basic YTpi"), *BEARER)])
def test_no_proof_is_not_even_asked_about(fake: Fake, guarded: Guard, app: App, headers: Any) -> None:
    status, _, answered = call(guarded, "GET", "/orders/7", headers)
    assert (status, answered[b"www-authenticate"]) == (401, b"Bearer")
    assert (fake.arrived, app.scopes) == ([], [])


@pytest.mark.parametrize("body", [b"", b"{}", b'{"amount": 1, "amount": 9}', b"amount=1", b'{"amount": [1]}', b"\xff"])
def test_a_body_that_cannot_be_read_is_a_denial(fake: Fake, guarded: Guard, app: App, body: bytes) -> None:
    assert call(guarded, "POST", "/orders/7/refund", (*BEARER, JSON), body)[0] == 403
    assert (fake.arrived, app.scopes) == ([], [])


def test_functions_of_a_rule_may_read_the_body(fake: Fake, app: App, client: Client) -> None:
    fake.replies = [shop.ALLOWED]
    rule = Rule("orders:Import", "*", tags=lambda request: {"site": request.json()["site"]})
    guarded = Guard(app, client, {("POST", "/import"): rule}, audience="orders")
    assert call(guarded, "POST", "/import", (*BEARER, JSON), b'{"site": "hamburg"}')[0] == 200
    assert (dict(asked(fake)[0].resource_tags), app.bodies) == ({"site": "hamburg"}, [b'{"site": "hamburg"}'])


def test_a_body_is_read_up_to_its_limit(app: App, client: Client) -> None:
    guarded = Guard(app, client, ROUTES, audience="orders", max_body=10)
    assert call(guarded, "POST", "/orders/7/refund", (*BEARER, JSON), b'{"amount": 2.5}')[0] == 413
    assert app.scopes == []


def test_a_websocket_is_closed_before_it_was_open(fake: Fake, guarded: Guard, app: App) -> None:
    fake.replies = [shop.DENIED]
    assert call(guarded, "", "/watch", type="websocket")[1] == {"type": "websocket.close", "code": 1008}
    assert app.scopes == []
    fake.replies = [shop.ALLOWED]
    call(guarded, "", "/watch", type="websocket")
    assert app.scopes[0]["sekisho.decision"].principal_arn == shop.ALICE


def test_where_a_request_comes_from_can_be_said(fake: Fake, app: App, client: Client) -> None:
    fake.replies = [shop.ALLOWED]
    guarded = Guard(app, client, ROUTES, audience="orders", account=shop.ACCOUNT, peer=lambda _: Peer("198.51.100.7"))
    call(guarded, "GET", "/orders/7")
    assert {entry.key: list(entry.values) for entry in asked(fake)[0].context} == {
        "aws:SecureTransport": ["false"],
        "aws:SourceIp": ["198.51.100.7"],
    }


@pytest.mark.parametrize(
    ("route", "rule", "said"),
    [
        (("post", "/orders"), Rule("a:b", "*"), "`post` is not a method of HTTP, did you mean POST?"),
        (("DELTE", "/orders"), Rule("a:b", "*"), "`DELTE` is not a method of HTTP, did you mean DELETE?"),
        (("SHIP", "/orders"), Rule("a:b", "*"), "`SHIP` is not a method of HTTP, such as POST"),
        (("GET", "orders"), Rule("a:b", "*"), "begin with a slash"),
        (("GET", "/orders"), Rule("a:b", shop.ORDER), "the path has no parameter `order_id`"),
        (("GET", "/orders"), Rule("a:b", "*", context={"a:b": "cookie.x"}), "is none of"),
    ],
)
def test_a_wrong_rule_is_refused_at_once(app: App, client: Client, route: tuple[str, str], rule: Rule, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Guard(app, client, {route: rule}, audience="orders")


ORIGIN = (b"origin", b"https://shop.example")
PREFLIGHT = {
    "about a route": ("OPTIONS", "/orders/7/refund", (ORIGIN, (b"access-control-request-method", b"POST")), 200),
    "about another method": ("OPTIONS", "/orders/7/refund", (ORIGIN, (b"access-control-request-method", b"DELETE")), 403),
    "about another path": ("OPTIONS", "/orders", (ORIGIN, (b"access-control-request-method", b"POST")), 403),
    "of no origin": ("OPTIONS", "/orders/7/refund", ((b"access-control-request-method", b"POST"),), 403),
    "about two methods": ("OPTIONS", "/orders/7/refund", (ORIGIN, *((b"access-control-request-method", b"POST"),) * 2), 403),
    "not a question": ("OPTIONS", "/orders/7/refund", (ORIGIN,), 403),
    "the request itself": ("POST", "/orders/7/refund", (ORIGIN, (b"access-control-request-method", b"POST")), 401),
}


@pytest.mark.parametrize("case", PREFLIGHT)
def test_the_question_of_a_browser_passes_where_it_may(fake: Fake, app: App, client: Client, case: str) -> None:
    method, path, headers, status = PREFLIGHT[case]
    guarded = Guard(app, client, ROUTES, audience="orders", account=shop.ACCOUNT, preflight=True)
    assert call(guarded, method, path, headers)[0] == status
    assert len(app.scopes) == (status == 200)
    assert fake.arrived == []  # nobody is asked, and the application is told of no decision
    assert all("sekisho.decision" not in scope for scope in app.scopes)
    strict = Guard(app, client, ROUTES, audience="orders", account=shop.ACCOUNT)
    assert call(strict, method, path, headers)[0] == (401 if method == "POST" else 403)
