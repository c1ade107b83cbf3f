"""Reading fields: of messages, of HTTP requests, of items."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.api.iam.v1 import users_pb2
from sekisho.client.guard import HttpRequest, fields
from sekisho.client.guard.fields import Absent, Unreadable

ANSWER = pb.BatchItem.DESCRIPTOR
of_message: Any = fields.of_message  # the stubs have two kinds of descriptors
JSON = (("content-type", "application/json; charset=utf-8"),)


def test_fields_of_messages() -> None:
    item = pb.BatchItem(decision=pb.AuthorizeResponse(outcome=pb.OUTCOME_ALLOWED, decision_id="d", missing_keys=["a", "b"]))
    assert of_message(ANSWER, "decision.decision_id", True)(item) == "d"
    assert of_message(ANSWER, "decision.outcome", True)(item) == "OUTCOME_ALLOWED"
    assert of_message(ANSWER, "decision.missing_keys", False)(item) == ("a", "b")
    user = users_pb2.User(user_name="alice")
    user.create_date.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))
    assert of_message(users_pb2.User.DESCRIPTOR, "create_date", False)(user) == datetime(2026, 1, 1, tzinfo=UTC)
    assert of_message(pb.ContextEntry.DESCRIPTOR, "multivalued", False)(pb.ContextEntry()) is False


def test_a_field_that_is_not_set_is_absent() -> None:
    for message, name in ((pb.BatchItem(), "decision.decision_id"), (pb.BatchItem(error=pb.BatchError()), "decision.decision_id")):
        with pytest.raises(Absent):
            of_message(ANSWER, name, False)(message)
    with pytest.raises(Absent):
        of_message(users_pb2.User.DESCRIPTOR, "user_name", True)(users_pb2.User())


def test_an_enum_value_that_nobody_knows_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="unknown value 99"):
        of_message(pb.AuthorizeResponse.DESCRIPTOR, "outcome", True)(pb.AuthorizeResponse(outcome=99))  # type: ignore[arg-type]  # the case


@pytest.mark.parametrize(
    ("name", "in_arn", "said"),
    [
        ("order_id", False, "has no field"),
        ("decision.order_id", False, "has no field"),
        ("decision.decision_id.more", False, "has no field"),
        ("decision", False, "no value that a policy could compare"),
        ("decision.matched", False, "no value that a policy could compare"),
        ("decision.matched.sid", False, "goes through a repeated field"),
        ("decision.missing_keys", True, "cannot stand in an ARN"),
    ],
)
def test_a_type_without_the_field_is_refused(name: str, in_arn: bool, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        of_message(ANSWER, name, in_arn)


def test_bytes_booleans_and_times_are_no_names() -> None:
    for descriptor, name in (
        (pb.SignedRequest.DESCRIPTOR, "body"),
        (pb.ContextEntry.DESCRIPTOR, "multivalued"),
        (users_pb2.User.DESCRIPTOR, "create_date"),
    ):
        with pytest.raises(ValueError, match=r"cannot stand in an ARN|no value"):
            of_message(descriptor, name, True)


def request(body: str = "{}", query: str = "", headers: Any = JSON, path: Mapping[str, str] | None = None) -> HttpRequest:
    return HttpRequest("POST", path or {}, query, headers, body.encode())


def read(name: str, made: HttpRequest) -> Any:
    return fields.of_http(tuple(made.path), name)(made)


def test_fields_of_http_requests() -> None:
    made = request('{"a": {"b": 1.5, "l": [1, "x"]}}', "q=1&q2=a%20b&t=1&t=2&e=", (*JSON, ("x-shop", "s")), {"order_id": "7"})
    assert read("order_id", made) == "7"
    assert (read("query.q", made), read("query.q2", made), read("query.e", made)) == ("1", "a b", "")
    assert read("query.t[]", made) == ("1", "2")
    assert read("header.X-Shop", made) == "s"
    assert (read("body.a.b", made), read("body.a.l[]", made)) == (1.5, (1, "x"))


@pytest.mark.parametrize("name", ["missing", "query", "cookie.a", "query.a.b", "header.x[]", "order_id[]", "query[]"])
def test_a_place_that_requests_do_not_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"no parameter|is none of"):
        fields.of_http(("order_id",), name)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("query.q", request(query="")),
        ("query.q", request(query="q=1&q=2")),
        ("query.q", request(query="&".join(f"a{n}=1" for n in range(1001)))),
        ("header.x-shop", request(headers=())),
        ("header.x-shop", request(headers=(("x-shop", "a"), ("x-shop", "b")))),
        ("body.a", request("{}")),
        ("body.a", request('{"a": null}')),
        ("body.a", request('{"a": {"b": 1}}')),
        ("body.a", request('{"a": [1]}')),
        ("body.a[]", request('{"a": 1}')),
        ("body.a", request('{"a": 1, "a": 2}')),
        ("body.a", request('{"a": NaN}')),
        ("body.a", request('{"a": 1e999}')),
        ("body.a", request('[{"a": 1}]')),
        ("body.a", request("a=1")),
        ("body.a", request("[" * 100_000)),
        ("body.a", request('{"a": 1}', headers=())),
        ("body.a", request('{"a": 1}', headers=(("content-type", "application/x-www-form-urlencoded"),))),
        ("body.a", request('{"a": 1}', headers=(*JSON, ("content-type", "text/plain")))),
        ("body.a.b", request('{"a": "text"}')),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_could_be_read_in_two_ways_or_in_none(name: str, made: HttpRequest) -> None:
    with pytest.raises(Unreadable):
        read(name, made)


def test_fields_of_items() -> None:
    assert fields.of_item("owner.id", False)({"owner": users_pb2.User(user_name="a")} | {"owner": {"id": 7}}) == 7
    with pytest.raises(Absent):
        fields.of_item("owner.id", False)({"owner": None})
