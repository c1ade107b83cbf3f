"""The lists of what is allowed: each is what Authorize says one by one."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.client import token
from sekisho.credentials import accounts
from sekisho.policy import residual
from sekisho.services.authorize import actions, looks, plans, resources
from sekisho.store.tables import ResourceTag
from tests.harness import House
from tests.services.authorize.plans.orders import RED, decided, deny, listed, order, own, register, user
from tests.services.conftest import Refused
from tests.services.iam.documents import allow, trust


def test_allowed_resources_are_those_that_authorize_allows(house: House, gate: sigv4.Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("ann", allow("orders:*", when=RED), deny("orders:*", on=order(house, 2)))
    everything = register(house)
    ann: dict[str, Any] = {"action": "orders:GetOrder", "principal_arn": user(house, "ann")}
    expected = [one for one in everything if decided(house, gate, resource=one, **ann)]
    assert [int(one.rpartition("/")[2]) for one in sorted(expected)] == [1, 10, 11, 4, 6, 7, 8], (
        "5 denies by itself, 6 allows though it is blue"
    )
    asked: dict[str, Any] = ann | {"resource_type": "orders:order"}
    assert listed(house, "ListAllowedResources", "resources", gate, **asked) == sorted(expected)
    for most, chunk, decisions in ((1, 5_000, 500), (3, 2, 500), (100, 1, 1), (100, 13, 1)):
        monkeypatch.setattr(resources, "CHUNK", chunk)
        monkeypatch.setattr(resources, "MOST_OWN", decisions)
        assert listed(house, "ListAllowedResources", "resources", gate, max_results=most, **asked) == sorted(expected)
    monkeypatch.setattr(resources, "CHUNK", 5_000)
    monkeypatch.setattr(resources, "MOST_TESTS", 7)  # by a plan of three parts, two rows
    assert listed(house, "ListAllowedResources", "resources", gate, **asked) == sorted(expected)
    monkeypatch.setattr(resources, "MOST_TESTS", 2_000_000)
    monkeypatch.setattr(resources, "MOST_CHUNKS", 1)
    monkeypatch.setattr(resources, "CHUNK", 3)
    page = house.call("ListAllowedResources", gate, **asked)
    assert (len(page.resources), page.next_token != "") == (2, True), "three were looked at"
    assert listed(house, "ListAllowedResources", "resources", gate, **asked) == sorted(expected)


def test_allowed_actions_are_those_that_authorize_allows(house: House, gate: sigv4.Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user(
        "ann",
        allow("orders:*", when=RED),
        deny("orders:cancelorder"),
        allow("Parcels:Send"),
        allow("parcels:Weigh*"),
        allow("iam:GetRole"),
        allow("ORDERS:AuditOrder"),
    )
    asked: dict[str, Any] = {"principal_arn": user(house, "ann"), "resource": order(house, 1), "resource_tags": {"team": "red"}}
    of_orders = ["orders:AuditOrder", "orders:GetOrder", "orders:ShipOrder"]
    expected = ["iam:GetRole", *of_orders, "parcels:Send", "sts:GetCallerIdentity"]
    assert listed(house, "ListAllowedActions", "actions", gate, **asked) == expected
    assert all(decided(house, gate, action=action, **asked) for action in expected)
    assert house.call("ListAllowedActions", gate, **asked).undefined_services == ["parcels"]
    assert listed(house, "ListAllowedActions", "actions", gate, services=["Orders"], **asked) == of_orders
    untagged = asked | {"resource_tags": {}}
    assert listed(house, "ListAllowedActions", "actions", gate, services=["orders", "parcels"], **untagged) == [
        "orders:AuditOrder",
        "parcels:Send",
    ]
    monkeypatch.setattr(actions, "MOST_SERVICES", 2)
    for most, decisions in ((1, 2_000), (100, 1), (2, 7)):
        monkeypatch.setattr(actions, "MOST_DECIDED", decisions)
        assert listed(house, "ListAllowedActions", "actions", gate, max_results=most, **asked) == expected


def test_the_root_user_may_do_everything_that_is_defined(house: House) -> None:
    found = listed(house, "ListAllowedActions", "actions", resource="*", services=["orders", "authorize"])
    assert found[:3] == ["authorize:AssertPrincipal", "authorize:Authorize", "authorize:Explain"]
    assert found[-3:] == ["orders:CancelOrder", "orders:GetOrder", "orders:ShipOrder"]


def test_allowed_principals_are_those_that_authorize_allows(house: House, gate: sigv4.Credentials) -> None:
    house.call("CreateGroup", group_name="packers")
    house.call("PutGroupPolicy", group_name="packers", policy_name="p", policy_document=allow("orders:*", when=RED))
    for number in range(5):
        house.call("CreateUser", user_name=f"u{number}", path="/staff/" if number % 2 else "/")
        if number != 3:
            house.call("AddUserToGroup", group_name="packers", user_name=f"u{number}")
    for name, document in (("packer", allow("orders:GetOrder")), ("driver", allow("parcels:*"))):
        house.call("CreateRole", role_name=name, assume_role_policy_document=trust(house.account_id))
        house.call("PutRolePolicy", role_name=name, policy_name="p", policy_document=document)
    asked: dict[str, Any] = {"action": "orders:GetOrder", "resource": order(house, 1), "resource_tags": {"Team": "red"}}
    everybody = [one.arn for one in house.call("ListUsers").users] + [one.arn for one in house.call("ListRoles").roles]
    expected = [one for one in everybody if decided(house, gate, principal_arn=one, **asked)]
    assert [one.rpartition("/")[2] for one in expected] == ["u0", "u1", "u2", "u4", "packer"]
    assert listed(house, "ListAllowedPrincipals", "principals", gate, **asked) == expected
    assert listed(house, "ListAllowedPrincipals", "principals", gate, max_results=1, **asked) == expected
    half = house.user("half", allow("authorize:ListAllowedPrincipals"), allow("authorize:AssertPrincipal", on=user(house, "staff/*")))
    page = house.call("ListAllowedPrincipals", half, **asked)
    assert (list(page.principals), page.unasserted) == ([user(house, "staff/u1")], 5), "gate, half, and three of the others"


def test_registered_policies_count_for_principals_and_actions(house: House, gate: sigv4.Credentials) -> None:
    house.user("ann", allow("orders:*", when=RED))
    register(house)
    asked: dict[str, Any] = {"resource": order(house, 6)}
    assert listed(house, "ListAllowedPrincipals", "principals", gate, action="orders:GetOrder", **asked) == [user(house, "ann")]
    found = listed(house, "ListAllowedActions", "actions", gate, principal_arn=user(house, "ann"), services=["orders"], **asked)
    assert found == ["orders:CancelOrder", "orders:GetOrder", "orders:ShipOrder"]
    denied = {"resource": order(house, 5)}
    assert listed(house, "ListAllowedPrincipals", "principals", gate, action="orders:GetOrder", **denied) == []


def test_a_world_that_moves_all_the_time_is_no_answer(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read of one world and composed of another is not mixed."""
    monkeypatch.setattr(looks, "changes", SimpleNamespace(begun_at=lambda session: None))
    code, message = refused("ListAllowedPrincipals", action="orders:GetOrder", resource="*")
    assert code == "WorldMoved"
    assert message.endswith("Nothing was decided; the call may be made again.")


def test_resources_are_not_selected_by_a_plan_of_another_world(
    house: House, gate: sigv4.Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy is taken back after the plan was made, and before the database is looked at."""
    house.user("ann", allow("orders:*"))
    register(house)
    made = plans.made_plan
    changed: list[Any] = []

    def late(*arguments: Any) -> residual.Plan:
        found = made(*arguments)
        if not changed:
            changed.append(
                house.call("PutUserPolicy", user_name="ann", policy_name="inline-0", policy_document=allow("orders:*", on=order(house, 3)))
            )
        return found

    monkeypatch.setattr(plans, "made_plan", late)
    asked: dict[str, Any] = {"action": "orders:GetOrder", "resource_type": "orders:order", "principal_arn": user(house, "ann")}
    assert listed(house, "ListAllowedResources", "resources", gate, **asked) == [order(house, 3), order(house, 6)]
    assert changed


def test_hostile_patterns_are_text_to_the_database(house: House, gate: sigv4.Credentials) -> None:
    """What policies say reaches it as bound parameters, each character for itself."""
    hostile = ("'; DROP TABLE resources; --", "%' OR 1=1 --", '" OR ""="', "[a-z]", "\\", "_", "%", "$1", ":x", "^.*$")
    for number, text in enumerate((*hostile, "x")):
        house.call("PutResource", resource_arn=order(house, number), tags=[])
        with house.node.database.write((house.account_id,)) as session:  # whatever the rules for tags are
            columns = {"account_id": house.account_id, "key": "Team", "value": f"{text}-{number}"}
            session.add(ResourceTag(resource_id=order(house, number), key_key="team", **columns))
    for number, text in enumerate(hostile):
        for operator, value in (
            ("StringLike", f"{text}-*"),
            ("StringEquals", f"{text}-{number}"),
            ("StringEqualsIgnoreCase", f"{text}-{number}".upper()),
        ):
            name = f"eve-{number}-{operator}"
            house.user(name, allow("orders:*", when={operator: {"aws:ResourceTag/Team": value}}))
            asked: dict[str, Any] = {"action": "orders:GetOrder", "resource_type": "orders:order", "principal_arn": user(house, name)}
            assert listed(house, "ListAllowedResources", "resources", gate, **asked) == [order(house, number)], (operator, value)


def test_what_another_accounts_policies_name_is_not_told(house: House, shared: House) -> None:
    """Its principal has shown a token, and is decided about; what its policies say stays its own account's."""
    other = House(shared.node, accounts.create(shared.node.database, shared.node.ring))
    spy = other.user("spy", allow("orders:*", "secret:Plan", "hidden:*"))
    proof = token(spy, "sekisho", datetime.now(UTC))
    asked: dict[str, Any] = {"bearer_token": proof, "resource": order(house, 1), "resource_policy": own("Allow", "*", "*")}
    page = house.call("ListAllowedActions", services=["orders", "secret", "hidden"], **asked)
    assert (list(page.actions), list(page.undefined_services)) == (["orders:CancelOrder", "orders:GetOrder", "orders:ShipOrder"], [])
    mine: dict[str, Any] = {"bearer_token": proof, "resource": order(other, 1)}
    page = other.call("ListAllowedActions", services=["orders", "secret", "hidden"], **mine)
    assert (list(page.actions), list(page.undefined_services)) == (["secret:Plan"], ["hidden", "orders"])


def test_a_plan_of_another_accounts_principal_is_not_shown(house: House, shared: House, refused: Refused) -> None:
    other = House(shared.node, accounts.create(shared.node.database, shared.node.ring))
    proof = token(other.user("spy", allow("orders:*")), "sekisho", datetime.now(UTC))
    code, message = refused("PlanResources", bearer_token=proof, action="orders:GetOrder", resource_type="orders:order")
    assert code == "AccessDenied"
    assert message == f"The account {other.account_id} has not consented that account {house.account_id} sees how it is decided."


def test_searches_of_registered_resources_take_turns(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one looks, another waits, until its deadline."""
    register(house)
    house.seconds = 0.5
    asked: dict[str, Any] = {"action": "orders:GetOrder", "resource_type": "orders:order"}
    with resources._scans.turn("another account"):
        code, _ = refused("ListAllowedResources", **asked)
    assert code == "RequestTimeout"
    house.seconds = 20.0
    assert house.call("ListAllowedResources", **asked).resources
