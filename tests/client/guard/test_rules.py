"""Rules: what is wrong is said when they are made, and what a request does not say is Unreadable."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.client.guard import Rule, Stream, fields
from sekisho.client.guard.fields import Unreadable
from sekisho.client.guard.rules import bind
from tests.client.guard.shop import ACCOUNT, ORDER


@pytest.mark.parametrize("action", ["ShipOrder", "orders:*", "orders:Ship?", "orders:Ship:Order", "", "o:", "orders:" + "x" * 200])
def test_an_action_is_one(action: str) -> None:
    with pytest.raises(ValueError, match="is not one action"):
        Rule(action, "*")


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"Amount": "amount"}, "is not a condition key"),
        ({"orders:Amount": "amount", "orders:amount": "amount"}, "given twice"),
        ({"aws:PrincipalTag/level": "level"}, "comes from the principal"),
        ({"aws:username": "name"}, "comes from the principal"),
        ({"aws:CurrentTime": "now"}, "comes from the principal or from Sekisho"),
        ({"aws:ResourceAccount": "account"}, "comes from the principal or from Sekisho"),
        ({"orders:Amount": "the amount"}, "is no field"),
        ({"orders:Amount": "amount??"}, "is no field"),
    ],
)
def test_a_wrong_context_is_refused(context: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Rule("orders:Ship", "*", context=context)


def test_metadata_alone_reads_no_message() -> None:
    assert Rule("orders:Watch", "*", stream=Stream.METADATA).stream is Stream.METADATA
    for rule in ({"resource": ORDER}, {"resource": "*", "tags": lambda _: {}}, {"resource": "*", "context": {"a:b": "c"}}):
        with pytest.raises(ValueError, match="reads nothing of a message"):
            Rule("orders:Watch", stream=Stream.METADATA, **rule)


def test_a_question() -> None:
    rule = Rule(
        "orders:Ship",
        ORDER,
        context={"orders:Amount": "amount", "orders:Note": "note?", "orders:At": lambda _: datetime(2026, 1, 1, tzinfo=UTC)},
        tags=lambda item: {"site": item.site},
        account=lambda _: "444455556666",
        policy=lambda _: {"Version": "2012-10-17"},
    )
    found = bind(rule, fields.of_item).question(SimpleNamespace(order_id="7", amount=5, site="hamburg"), ACCOUNT)
    assert found == {
        "action": "orders:Ship",
        "resource": "arn:aws:orders:eu-west-1:111122223333:order/7",
        "context": {"orders:Amount": 5, "orders:At": datetime(2026, 1, 1, tzinfo=UTC)},
        "resource_tags": {"site": "hamburg"},
        "resource_account": "444455556666",
        "resource_policy": {"Version": "2012-10-17"},
    }


def test_a_field_of_the_request_is_never_the_services_account() -> None:
    found = bind(Rule("orders:Ship", ORDER), fields.of_item).question({"order_id": "7", "account": "999999999999"}, ACCOUNT)
    assert found["resource"] == "arn:aws:orders:eu-west-1:111122223333:order/7"


@pytest.mark.parametrize("name", ["tags", "account", "policy"])
def test_what_fails_in_a_function_is_unreadable(name: str) -> None:
    rule = Rule("orders:Ship", "*", **{name: lambda request: request["secret"]})  # type: ignore[arg-type]  # one of several options
    with pytest.raises(Unreadable, match=f"`{name}` of the rule failed with KeyError") as raised:
        bind(rule, fields.of_item).question({}, ACCOUNT)
    assert isinstance(raised.value.__cause__, KeyError)


@pytest.mark.parametrize(
    "value", [b"x", object(), {"a": 1}, float("nan"), float("inf"), [1, None], [[1]], None], ids=lambda value: repr(value).split(" at ")[0]
)
def test_what_no_policy_could_compare_is_unreadable(value: object) -> None:
    for source in ("amount", lambda item: item["amount"]):
        rule = Rule("orders:Ship", "*", context={"orders:Amount": source})
        with pytest.raises(Unreadable):
            bind(rule, fields.of_item).question({"amount": value}, ACCOUNT)
