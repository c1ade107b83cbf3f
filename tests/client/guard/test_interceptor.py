"""The gRPC guard against a fake Sekisho: what it asks, and that nothing but an allow reaches a handler."""

import logging
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.api.sts.v1 import identities_pb2
from sekisho.client import Client, Credentials, errors, guard
from sekisho.client.guard import Peer, Rule, Stream, gate
from sekisho.client.guard.interceptor import connection
from tests.client import fake as fakes
from tests.client.fake import Fake
from tests.client.guard import shop
from tests.client.guard.conftest import Serve, asked

OK, DENIED = grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED, UNAVAILABLE = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE
GET = {"/shop.Orders/Get": Rule("orders:GetOrder", shop.ORDER)}
REFUND = {"/shop.Orders/Refund": Rule("orders:RefundOrder", shop.ORDER, context={"orders:Amount": "amount"})}
LABEL = Rule("orders:PrintLabel", shop.ORDER)
WHO = identities_pb2.GetCallerIdentityResponse(account=shop.ACCOUNT).SerializeToString()
orders: Any = shop.messages()


def get(order_id: str = "7") -> Any:
    return orders.GetRequest(order_id=order_id)


def made_of(error: grpc.RpcError) -> Any:
    """Every error of a channel is a call as well."""
    return error


def test_what_is_asked(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED]
    service = serve(REFUND)
    assert service.call("Refund", orders.RefundRequest(order_id="7", amount=2.5)) == (OK, "1")
    (question,) = asked(fake)
    assert (question.action, question.resource) == ("orders:RefundOrder", f"arn:aws:orders:eu-west-1:{shop.ACCOUNT}:order/7")
    assert (question.bearer_token, question.audience) == ("dG9rZW4", "orders")
    context = {entry.key: list(entry.values) for entry in question.context}
    assert context.pop("aws:UserAgent")[0].startswith("grpc-python/")
    assert context == {"aws:SecureTransport": ["false"], "aws:SourceIp": ["127.0.0.1"], "orders:Amount": ["2.5"]}


def test_a_signature_is_handed_on_with_the_bytes_that_it_is_over(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED]
    body = get().SerializeToString()
    metadata = sigv4.sign_call(Credentials("AKIAALICE", "s", "token"), "/shop.Orders/Get", body, "orders", datetime.now(UTC))
    assert serve(GET).call("Get", get(), metadata=metadata) == (OK, "1")
    (question,) = asked(fake)
    assert question.WhichOneof("subject") == "signed_request"
    assert question.signed_request == pb.SignedRequest(path="/shop.Orders/Get", body=body, audience="orders", headers=dict(metadata))


def test_the_handler_knows_who_was_let_in(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED]
    seen = []

    def handler(_request: Any, _context: Any) -> Any:
        seen.append(guard.decision())
        return orders.Order()

    service = serve(GET)
    service.handler = handler
    service.call("Get", get())
    assert [(d.principal_arn, d.revision, d.decision_id) for d in seen] == [(shop.ALICE, "r1", "d-1")]
    with pytest.raises(LookupError):
        guard.decision()


@pytest.mark.parametrize(
    ("reveal", "more"),
    [
        (False, ""),
        (True, " with an explicit deny in a service control policy (arn:aws:organizations::1:policy/p-1, statement `NoShipping`)"),
    ],
)
def test_a_denial_says_of_policies_what_it_is_told_to(fake: Fake, serve: Serve, reveal: bool, more: str) -> None:
    fake.replies = [shop.DENIED]
    service = serve(GET, reveal=reveal)
    stem = f"User: {shop.ALICE} is not authorized to perform: orders:GetOrder on resource: arn:aws:orders:eu-west-1:{shop.ACCOUNT}:order/7"
    assert service.call("Get", get()) == (DENIED, stem + more)
    assert service.got == []


def test_a_client_of_ours_reads_a_denial_as_its_own(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.DENIED]
    made: Any = serve(GET).channel.unary_unary("/shop.Orders/Get", None, None)
    with pytest.raises(grpc.RpcError) as raised:
        made(get().SerializeToString(), metadata=shop.BEARER, timeout=20)
    error = errors.of(raised.value, "orders")
    assert (type(error), error.code, error.request_id, error.answered) == (errors.Denied, "AccessDenied", "d-1", True)
    assert dict(made_of(raised.value).trailing_metadata())["sekisho-decision-id"] == "d-1"


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ((), "MissingAuthenticationToken"),
        ((("authorization", "Bearer "),), "IncompleteSignature"),
        ((("authorization", "Bearer a"), ("authorization", "Bearer b")), "IncompleteSignature"),
        ((*shop.BEARER, ("x-amz-date", "1"), ("x-amz-date", "2")), "IncompleteSignature"),
        ((("authorization-bin", b"Bearer a"),), "MissingAuthenticationToken"),
    ],
)
def test_no_proof_is_not_even_asked_about(fake: Fake, serve: Serve, metadata: Any, code: str) -> None:
    service = serve(GET)
    assert service.call("Get", get(), metadata=metadata)[0] is UNAUTHENTICATED
    assert (fake.arrived, service.got) == ([], [])


@pytest.mark.parametrize("method", ["Refund", "List", "Label", "Nothing"])
def test_a_method_without_a_rule_is_denied(fake: Fake, serve: Serve, method: str) -> None:
    service = serve(GET)
    kinds = {"List": "unary_stream", "Label": "stream_unary"}
    said = "The request is not authorized: no rule is about its method."
    assert service.call(method, get(), kind=kinds.get(method, "unary_unary")) == (DENIED, said)
    assert (fake.arrived, service.got) == ([], [])


def test_a_public_method_asks_nobody(fake: Fake, serve: Serve) -> None:
    assert serve({"/shop.Orders/Get": guard.PUBLIC}).call("Get", get(), metadata=()) == (OK, "1")
    assert fake.arrived == []


@pytest.mark.parametrize(
    "request_",
    [orders.RefundRequest(order_id="7"), orders.RefundRequest(amount=1), orders.RefundRequest(order_id="7", amount=float("inf"))],
    ids=["without its amount", "without its id", "of an infinite amount"],
)
def test_a_field_that_cannot_be_read_is_a_denial(fake: Fake, serve: Serve, request_: Any) -> None:
    service = serve(REFUND)
    assert service.call("Refund", request_)[0] is DENIED
    assert (fake.arrived, service.got) == ([], [])


def test_bytes_that_are_no_message_are_denied(fake: Fake, serve: Serve) -> None:
    service = serve(GET)
    made: Any = service.channel.unary_unary("/shop.Orders/Get", None, None)
    with pytest.raises(grpc.RpcError) as raised:
        made(b"\xff\xff", metadata=shop.BEARER, timeout=20)
    assert made_of(raised.value).code() is DENIED
    assert (fake.arrived, service.got) == ([], [])


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (fakes.plain("UNAVAILABLE"), UNAVAILABLE),
        (fakes.said("UNAVAILABLE"), UNAVAILABLE),
        (fakes.said("PERMISSION_DENIED", "the service may not ask", aws="AccessDenied"), UNAVAILABLE),
        (fakes.said("RESOURCE_EXHAUSTED"), UNAVAILABLE),
        (fakes.said("INTERNAL"), UNAVAILABLE),
        (fakes.plain("UNAUTHENTICATED"), UNAVAILABLE),
        (fakes.plain("PERMISSION_DENIED"), UNAVAILABLE),
        (fakes.plain("INVALID_ARGUMENT"), UNAVAILABLE),
        (b"", UNAVAILABLE),
        (b"\xff", UNAVAILABLE),
        (pb.AuthorizeResponse(outcome=99).SerializeToString(), UNAVAILABLE),  # type: ignore[arg-type]  # the case
        (fakes.said("INVALID_ARGUMENT"), DENIED),
        (shop.answer(pb.OUTCOME_IMPLICITLY_DENIED).SerializeToString(), DENIED),
    ],
)
def test_nothing_but_an_allow_is_an_allow(fake: Fake, serve: Serve, reply: Any, status: grpc.StatusCode) -> None:
    fake.replies = [reply]
    service = serve(GET)
    found, message = service.call("Get", get())
    assert (found, service.got) == (status, [])
    assert "may not ask" not in message


def test_sekisho_that_is_not_there(serve: Serve) -> None:
    with Client("127.0.0.1:1", Credentials("AKIA", "s"), timeout=0.5) as nobody:
        service = serve(GET, client=nobody)
        assert service.call("Get", get()) == (UNAVAILABLE, "The request could not be authorized; try again later.")
        assert service.got == []


class _Context:
    def __init__(self, security: list[bytes]) -> None:
        self._security = security

    def peer(self) -> str:
        return "ipv6:%5B2001:db8::7%5D:5000"

    def invocation_metadata(self) -> Any:
        return shop.BEARER

    def auth_context(self) -> Any:
        return {"transport_security_type": self._security}


def test_where_a_call_comes_from() -> None:
    assert connection(_Context([b"ssl"])) == Peer("2001:db8::7", "", True)
    assert connection(_Context([b"insecure"])) == Peer("2001:db8::7", "", False)


@pytest.mark.parametrize(
    ("source_ip", "key"), [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:DB8::0", "2001:db8::"), ("local", None)]
)
def test_an_address_is_one(source_ip: str, key: str | None) -> None:
    assert Peer(source_ip, "", True).keys().get("aws:SourceIp") == key


def test_who_is_unknown_is_told_from_a_service_that_is(
    fake: Fake, serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_TRUSTED", 1e9)  # however slow this machine is
    expired = fakes.said("UNAUTHENTICATED", "Request has expired.", aws="RequestExpired")
    service = serve(GET)
    fake.replies = [expired, WHO]  # the service's own credentials are good, so it was the token
    assert service.call("Get", get()) == (UNAUTHENTICATED, "Request has expired.")
    fake.replies = [expired]  # so they are still, a moment later
    assert service.call("Get", get())[0] is UNAUTHENTICATED
    fake.replies = [fakes.plain("UNAUTHENTICATED")]  # of a proxy, say: it knows nothing of the caller
    assert service.call("Get", get())[0] is UNAVAILABLE
    gone = serve(GET)
    fake.replies = [expired, expired]
    with caplog.at_level(logging.ERROR, "sekisho.guard"):
        assert gone.call("Get", get())[0] is UNAVAILABLE
    assert "own credentials are not taken" in caplog.text
    assert (service.got, gone.got) == ([], [])


def test_a_token_whose_principal_is_gone(fake: Fake, serve: Serve) -> None:
    fake.replies = [fakes.said("NOT_FOUND", "The principal does not exist.", aws="UnknownPrincipal"), WHO]
    assert serve(GET).call("Get", get()) == (UNAUTHENTICATED, "The principal does not exist.")


def test_the_services_own_account_is_asked_for_once(fake: Fake, serve: Serve) -> None:
    fake.replies = [WHO, shop.ALLOWED]
    service = serve(GET, account=None)
    assert service.call("Get", get()) == service.call("Get", get()) == (OK, "1")
    assert [arrived.path.rpartition("/")[2] for arrived in fake.arrived] == ["GetCallerIdentity", "Authorize", "Authorize"]


def test_a_question_is_never_longer_than_the_call(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED]
    service = serve(GET, timeout=500.0)
    service.call("Get", get(), timeout=30.0)
    serve(GET, timeout=15.0).call("Get", get(), timeout=300.0)
    assert 0 < fake.arrived[0].seconds < 40  # gRPC rounds up what it sends
    assert 0 < fake.arrived[1].seconds < 20


def test_a_failed_question_is_asked_again(fake: Fake, serve: Serve) -> None:
    fake.replies = [fakes.said("UNAVAILABLE"), fakes.said("UNAVAILABLE"), shop.ALLOWED]
    assert serve(GET).call("Get", get()) == (OK, "1")
    assert len(fake.arrived) == 3


def label(*order_ids: str) -> list[Any]:
    return [orders.LabelRequest(order_id=order_id) for order_id in order_ids]


def test_each_message_of_a_stream_that_asks_for_more_is_decided_about(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED]
    service = serve({"/shop.Orders/Label": LABEL})
    assert service.call("Label", *label("1", "1", "2"), kind="stream_unary") == (OK, "1")
    assert [question.resource.rpartition("/")[2] for question in asked(fake)] == ["1", "2"]
    assert service.got == ["started", *label("1", "1", "2")]


def test_a_denied_message_reaches_no_handler_even_one_that_swallows_errors(fake: Fake, serve: Serve) -> None:
    def greedy(requests: Any, _context: Any) -> Any:
        found = []
        while True:
            try:
                found.append(next(requests))
            except StopIteration:
                return found
            except Exception:  # noqa: S112  # the handler under test
                continue

    for handler in (None, greedy):
        fake.replies = [shop.ALLOWED, shop.DENIED]
        service = serve({"/shop.Orders/Label": LABEL})
        service.handler = handler
        assert service.call("Label", *label("1", "2", "1"), kind="stream_unary")[0] is DENIED
        assert label("2")[0] not in service.got


def test_a_stream_is_not_begun_before_its_first_message_is_allowed(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.DENIED]
    service = serve({"/shop.Orders/Label": LABEL})
    assert service.call("Label", *label("1"), kind="stream_unary")[0] is DENIED
    assert service.call("Label", kind="stream_unary") == (DENIED, "The request is not authorized: the stream ended without a message.")
    assert service.got == []


def test_a_stream_of_payload_is_decided_about_once(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED]
    service = serve({"/shop.Orders/Label": Rule("orders:PrintLabel", shop.ORDER, stream=Stream.FIRST)})
    assert service.call("Label", *label("1", "2", ""), kind="stream_unary") == (OK, "1")
    assert [question.resource.rpartition("/")[2] for question in asked(fake)] == ["1"]


def test_a_decision_on_metadata_is_made_before_any_message(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED]
    service = serve({"/shop.Orders/Label": Rule("orders:PrintLabel", "*", stream=Stream.METADATA)})
    metadata = sigv4.sign_call(Credentials("AKIA", "s"), "/shop.Orders/Label", b"", "orders", datetime.now(UTC))
    assert service.call("Label", *label("1"), kind="stream_unary", metadata=metadata) == (OK, "1")
    assert asked(fake)[0].signed_request.body == b""
    fake.replies = [shop.DENIED]
    service.got.clear()
    assert service.call("Label", kind="stream_unary")[0] is DENIED
    assert service.got == []


def test_a_stream_of_answers_knows_the_decision_at_each_step(fake: Fake, serve: Serve) -> None:
    fake.replies = [shop.ALLOWED]

    def handler(_request: Any, _context: Any) -> Any:
        for _ in range(3):
            yield orders.Order(changed_by=guard.decision().principal_arn)

    service = serve({"/shop.Orders/List": Rule("orders:ListOrders", "*")})
    service.handler = handler
    assert service.call("List", orders.ListRequest(), kind="unary_stream") == (OK, "3")


def test_a_stream_both_ways_ends_with_the_first_refusal(fake: Fake, serve: Serve) -> None:
    service = serve({"/shop.Orders/Erase": Rule("orders:EraseOrder", shop.ORDER)})
    sent = [orders.EraseRequest(order_id=order_id) for order_id in ("1", "1", "2", "3")]
    fake.replies = [shop.ALLOWED]
    assert service.call("Erase", *sent, kind="stream_stream") == (OK, "4")
    assert service.got == sent
    service.got.clear()
    fake.replies = [shop.ALLOWED, shop.DENIED]
    assert service.call("Erase", *sent, kind="stream_stream")[0] is DENIED
    assert service.got == sent[:2]


@pytest.mark.parametrize(
    ("path", "rule", "said"),
    [
        ("shop.Orders/Get", Rule("a:b", "*"), "is not the path of a method"),
        ("/shop.Orders", Rule("a:b", "*"), "is not the path of a method"),
        ("/shop.Orders/Gone", Rule("a:b", "*"), "there is no method `/shop.Orders/Gone`"),
        ("/shop.Other/Get", Rule("a:b", "*"), "import its _pb2 module first"),
        ("/shop.Orders/Get", Rule("a:b", "arn:aws:orders:::{id}"), "`shop.GetRequest` has no field `id`"),
        ("/shop.Orders/Get", Rule("a:b", "*", context={"a:b": "amount?"}), "`shop.GetRequest` has no field `amount`"),
        ("/shop.Orders/Refund", Rule("a:b", "arn:aws:orders:::{amount}"), "cannot stand in an ARN"),
    ],
)
def test_a_wrong_rule_is_refused_at_once(client: Client, path: str, rule: Rule, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        guard.grpc(client, {path: rule}, audience="orders")


@pytest.mark.parametrize("audience", ["", "sekisho"])
def test_a_service_has_an_audience_of_its_own(client: Client, audience: str) -> None:
    with pytest.raises(ValueError, match="an audience of its own"):
        guard.grpc(client, GET, audience=audience)
