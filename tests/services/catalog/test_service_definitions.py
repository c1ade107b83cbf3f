"""Definitions of services in the catalog: put, told, listed, bounded. On both databases."""

import json
from typing import Any

import pytest

from sekisho.calls import service_definitions
from sekisho.credentials import accounts
from sekisho.policy import definitions
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow


def shop(name: str = "orders", **more: Any) -> str:
    return json.dumps({"Name": name, "Actions": [{"Name": "ShipOrder"}, {"Name": "GetOrder"}], "Operations": [], **more}, indent=1)


def test_a_definition_is_put_told_replaced_and_taken_away(house: House, refused: Refused) -> None:
    made = house.call("PutServiceDefinition", service_name="orders", definition=shop()).service
    assert (made.service_name, made.actions, made.resource_types, made.condition_keys, made.built_in) == ("orders", 2, 0, 0, False)
    told = house.call("GetServiceDefinition", service_name="orders")
    assert told.service == made
    assert told.definition == definitions.write(definitions.read(shop()))
    house.call("PutServiceDefinition", service_name="orders", definition=shop(Actions=[]))
    assert house.call("GetServiceDefinition", service_name="orders").service.actions == 0
    house.call("DeleteServiceDefinition", service_name="orders")
    said = ("NoSuchServiceDefinition", "The account has no definition of the service orders.")
    assert refused("GetServiceDefinition", service_name="orders") == said
    assert refused("DeleteServiceDefinition", service_name="orders") == said


def test_definitions_are_an_accounts_own(house: House, refused: Refused) -> None:
    other = house.account()
    house.call("PutServiceDefinition", service_name="orders", definition=shop())
    assert refused("GetServiceDefinition", other, service_name="orders")[0] == "NoSuchServiceDefinition"
    house.call("PutServiceDefinition", other, service_name="orders", definition=shop(Actions=[]))
    assert house.call("GetServiceDefinition", service_name="orders").service.actions == 2


def test_this_servers_own_are_told_and_cannot_be_changed(house: House, refused: Refused) -> None:
    told = house.call("GetServiceDefinition", service_name="iam")
    assert told.service.built_in
    assert definitions.read(told.definition).get_action("PassRole") is not None
    assert refused("PutServiceDefinition", service_name="iam", definition=shop("iam"))[0] == "BuiltInService"
    assert refused("DeleteServiceDefinition", service_name="iam")[0] == "BuiltInService"


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("carts", shop("orders"), "ServiceNameMismatch"),
        ("orders", "{", "InvalidServiceDefinition"),
        ("orders", shop(Actions=[{"Name": "a b"}]), "InvalidServiceDefinition"),
        ("orders", "x" * 1_000_001, "ValidationError"),
    ],
)
def test_what_is_no_definition_is_refused(house: House, refused: Refused, name: str, text: str, code: str) -> None:
    assert refused("PutServiceDefinition", service_name=name, definition=text)[0] == code
    assert [one for one in house.call("ListServiceDefinitions").services if not one.built_in] == []


def test_lists_have_this_servers_own_first_and_come_in_pages(house: House, refused: Refused) -> None:
    for name in ("carts", "orders", "stock"):
        house.call("PutServiceDefinition", service_name=name, definition=shop(name))
    first = house.call("ListServiceDefinitions", max_results=2)
    built_in = [one.service_name for one in first.services if one.built_in]
    assert {"iam", "sts", "organizations", "resource", "catalog"} <= set(built_in)
    assert [one.service_name for one in first.services][len(built_in) :] == ["carts", "orders"]
    rest = house.call("ListServiceDefinitions", max_results=2, next_token=first.next_token)
    assert [(one.service_name, one.actions) for one in rest.services] == [("stock", 2)]
    assert refused("ListServiceDefinitions", next_token="x")[0] == "InvalidToken"


def test_quotas_bound_number_and_size(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts.set_quota(house.node.database, house.account_id, "ServiceDefinitionsQuota", 1)
    house.call("PutServiceDefinition", service_name="orders", definition=shop())
    assert refused("PutServiceDefinition", service_name="carts", definition=shop("carts"))[0] == "LimitExceeded"
    accounts.set_quota(house.node.database, house.account_id, "ServiceDefinitionsQuota", 10)
    monkeypatch.setattr(service_definitions, "MOST_CHARACTERS", len(definitions.write(definitions.read(shop()))) + 50)
    assert refused("PutServiceDefinition", service_name="carts", definition=shop("carts"))[0] == "LimitExceeded"
    house.call("PutServiceDefinition", service_name="orders", definition=shop(Actions=[]))


def test_the_services_arn_is_what_permits(house: House, refused: Refused) -> None:
    ann = house.user("ann", allow("catalog:*", on=f"arn:aws:catalog::{house.account_id}:service/orders"))
    house.call("PutServiceDefinition", ann, service_name="orders", definition=shop())
    assert refused("PutServiceDefinition", ann, service_name="carts", definition="{")[0] == "AccessDenied"
    assert refused("GetServiceDefinition", ann, service_name="iam")[0] == "AccessDenied"


def test_an_account_is_held_to_its_own_definitions_and_this_servers(house: House) -> None:
    house.call("PutServiceDefinition", service_name="orders", definition=shop())
    house.call("PutServiceDefinition", service_name="carts", definition=shop("carts"))
    with house.node.database.read() as session:
        every = service_definitions.load_definitions(session, house.account_id)
        assert {"orders", "carts", "iam", "sts"} <= every.keys()
        some = service_definitions.load_definitions(session, house.account_id, ["Orders", "IAM", "nothing"])
        assert set(some) == {"orders", "iam"}
        assert definitions.expand("orders:Ship*", some) == ("orders:ShipOrder",)
        assert "orders" not in service_definitions.load_definitions(session, "999988887777")
