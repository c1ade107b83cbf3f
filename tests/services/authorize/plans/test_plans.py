"""PlanResources: what it answers and whom it refuses, and what holds of the lists as well."""

import json
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.credentials import accounts
from sekisho.policy import residual
from sekisho.services.authorize import actions, looks, plans, principals, resources
from tests.deadlines import Deadline
from tests.harness import House
from tests.services.authorize.plans.orders import RED, decided, deny, order, own, plan, register, user
from tests.services.conftest import Refused
from tests.services.iam.documents import allow


def test_a_plan_is_a_condition_on_tags_and_arns(house: House, gate: sigv4.Credentials) -> None:
    house.user(
        "ann",
        allow("orders:Get*", on=f"arn:aws:orders:*:{house.account_id}:order/eu-*", when=RED),
        deny("orders:*", on=order(house, "eu-7")),
    )
    found = plan(house, gate, principal_arn=user(house, "ann"))
    assert found.scopes == (("arn:aws:orders:", residual.RUN, f":{house.account_id}:order/", residual.ANY),)
    assert residual.to_json(found).endswith(
        '"condition":{"all_of":[{"negated":{"arn_in":["' + order(house, "eu-7") + '"]}},'
        '{"arn_like":["arn:aws:orders:",{"wildcard":"any"},":' + house.account_id + ':order/eu-",{"wildcard":"any"}]},'
        '{"tag_in":{"key":"team","texts":["red"],"ignoring_case":false}}]},"longest":2048}'
    )
    for number, tags in (
        ("eu-1", {"Team": "red"}),
        ("eu-7", {"team": "red"}),
        ("us-1", {"team": "red"}),
        ("eu-1", {"team": "blue"}),
        ("eu-1", {}),
    ):
        fields = {"action": "orders:GetOrder", "resource": order(house, number), "resource_tags": tags, "principal_arn": user(house, "ann")}
        assert decided(house, gate, **fields) is residual.allows(found, order(house, number), tags)
    assert residual.allows(found, order(house, "eu-1"), {"TEAM": "red"})


def test_always_and_never_are_said_as_such(house: House, gate: sigv4.Credentials) -> None:
    house.user("all", allow("orders:*", on=f"arn:aws:orders:*:{house.account_id}:order/*"))
    house.user("none", allow("orders:*", on="arn:aws:parcels:*:*:order/*"))
    assert plan(house, gate, principal_arn=user(house, "all")).kind is residual.Kind.ALWAYS_ALLOWED
    assert plan(house, gate, principal_arn=user(house, "none")).kind is residual.Kind.ALWAYS_DENIED
    assert plan(house).kind is residual.Kind.ALWAYS_ALLOWED, "the root user, about itself"


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"resource_type": ""}, "ValidationError", "resourceType"),
        ({"resource_type": "orders:ship"}, "NoSuchResourceType", "`orders:ship`"),
        ({"resource_type": "parcels:parcel"}, "NoSuchResourceType", "`parcels:parcel`"),
        ({"resource_pattern": "arn:aws:orders:*:*"}, "InvalidScope", "six segments"),
        ({"resource_pattern": "arn:aws:*:*:*:order/*"}, "InvalidScope", "which service"),
        ({"resource_pattern": "arn:aws:orders:*:1*:order/*"}, "InvalidScope", "neither an account id"),
        ({"resource_pattern": "arn:aws:orders:*:*:" + "*a" * 17}, "InvalidScope", "16 wildcards"),
        ({"resource_pattern": "arn:aws:orders:*:*:order/\0"}, "InvalidScope", "no ARN has"),
        ({"resource_type": "ord\0ers:order"}, "InvalidScope", "no service has"),
        ({"resource_type": "orders:or\0der"}, "NoSuchResourceType", "orders:or"),
        ({"resource_account": "house"}, "InvalidScope", "`house` is not an account id"),
        ({"context": [{"key": "aws:ResourceTag/team", "values": ["red"]}]}, "InvalidContext", "aws:resourcetag/team"),
        ({"context": [{"key": "aws:PrincipalTag/team", "values": ["red"]}]}, "InvalidContext", "aws:PrincipalTag/team"),
    ],
    ids=[
        *("empty_type", "no_type", "no_service", "five_segments", "any_service", "half_account", "wild", "nul", "nul_service", "nul_type"),
        *("account", "tag", "reserved"),
    ],
)
def test_what_no_plan_is_about_is_refused(refused: Refused, fields: dict[str, Any], code: str, words: str) -> None:
    scope = {} if "resource_pattern" in fields else {"resource_type": "orders:order"}
    found = refused("PlanResources", **{"action": "orders:GetOrder"} | scope | fields)
    assert found[0] == code
    assert words in found[1]


def test_a_plan_needs_a_scope(refused: Refused) -> None:
    assert refused("PlanResources", action="orders:GetOrder")[0] == "InvalidScope"


def test_what_cannot_be_said_is_refused_with_the_reason(house: House, gate: sigv4.Credentials, refused: Refused) -> None:
    house.user("old", allow("orders:*", when={"NumericLessThan": {"aws:ResourceTag/age": "7"}}))
    register(house)
    for name in ("PlanResources", "ListAllowedResources"):
        fields = {"action": "orders:GetOrder", "resource_type": "orders:order", "principal_arn": user(house, "old")}
        assert refused(name, _as=gate, **fields) == ("PlanNotExpressible", "NumericLessThan cannot be said of the tag `age`")


def test_large_trees_are_refused(house: House, gate: sigv4.Credentials, refused: Refused) -> None:
    """Policies have a quota, so this takes several."""
    for number in range(5):
        statements = [
            {"Effect": "Allow", "Action": "orders:*", "Resource": [f"arn:aws:orders:*:*:order/{number}{i}*{j}" for j in range(20)]}
            for i in range(8)
        ]
        house.call("CreatePolicy", policy_name=f"p{number}", policy_document=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    house.user("many")
    for number in range(5):
        arn = f"arn:aws:iam::{house.account_id}:policy/p{number}"
        house.call("AttachUserPolicy", user_name="many", policy_arn=arn)
    many = {"action": "orders:GetOrder", "resource_type": "orders:order", "principal_arn": user(house, "many")}
    found = plan(house, gate, **many)
    assert (len(found.condition.children), found.longest) == (800, 50)  # type: ignore[union-attr]  # a Some
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sekisho.policy.residual.planning.MAX_SIZE", 700)
        code, message = refused("PlanResources", _as=gate, **many)
    assert (code, message) == ("PlanNotExpressible", "the condition has 801 parts; at most 700 are said")


def test_each_question_needs_its_permission(house: House, refused: Refused) -> None:
    nobody = house.user("nobody", allow("authorize:Authorize"))
    asked: dict[str, dict[str, Any]] = {
        "PlanResources": {"action": "orders:GetOrder", "resource_type": "orders:order"},
        "ListAllowedActions": {"resource": "*"},
        "ListAllowedResources": {"action": "orders:GetOrder", "resource_type": "orders:order"},
        "ListAllowedPrincipals": {"action": "orders:GetOrder", "resource": "*"},
    }
    for name, fields in asked.items():
        code, message = refused(name, _as=nobody, **fields)
        assert code == "AccessDenied"
        assert f"is not authorized to perform: authorize:{name}" in message
    for name in ("PlanResources", "ListAllowedActions", "ListAllowedResources"):
        one = house.user(f"only-{name}", allow(f"authorize:{name}"))
        house.call(name, one, **asked[name])
        code, message = refused(name, _as=one, **asked[name], principal_arn=user(house, "nobody"))
        assert code == "AccessDenied"
        assert "authorize:AssertPrincipal" in message


def test_nobody_learns_of_another_account(house: House, shared: House, refused: Refused) -> None:
    other = House(shared.node, accounts.create(shared.node.database, shared.node.ring))
    other.call("PutResource", resource_arn=order(other, 1), resource_policy=own("Allow", "*"))
    theirs = {"action": "orders:GetOrder", "resource_pattern": f"arn:aws:orders:*:{other.account_id}:order/*"}
    for name in ("PlanResources", "ListAllowedResources"):
        code, message = refused(name, **theirs)
        assert code == "AccessDenied"
        assert other.account_id in message
        assert order(other, 1) not in message
    code, _ = refused("PlanResources", action="orders:GetOrder", resource_type="orders:order", principal_arn=user(other, "x"))
    assert code == "AccessDenied"
    token = house.call("ListAllowedPrincipals", action="orders:GetOrder", resource="*").next_token
    assert token
    with pytest.raises(Exception, match="Invalid Marker"):
        other.call("ListAllowedPrincipals", action="orders:GetOrder", resource="*", next_token=token)
    for changed in ({"action": "orders:ShipOrder"}, {"resource": order(house, 1)}):
        asked: dict[str, Any] = {"action": "orders:GetOrder", "resource": "*", "next_token": token} | changed
        assert refused("ListAllowedPrincipals", **asked) == ("ValidationError", "Invalid Marker.")


def test_the_plan_of_registered_resources_knows_their_own_policies(house: House, gate: sigv4.Credentials, refused: Refused) -> None:
    house.user("ann", allow("orders:*", when=RED))
    everything = register(house)
    found = plan(house, gate, principal_arn=user(house, "ann"))
    for number, one in enumerate(everything):
        tags = {"team": "red" if number % 3 else "blue"}
        fields = {"action": "orders:GetOrder", "resource": one, "principal_arn": user(house, "ann")}
        assert residual.allows(found, one, tags) is decided(house, gate, **fields), one
    assert refused("PlanResources", action="orders:GetOrder", resource_type="orders:order", resource_policy=own("Allow", "*")) == (
        "PlanNotExpressible",
        "resources of `orders` are registered, and each has the policy that is registered of it",
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plans, "MOST_OWN", 2)
        assert refused("PlanResources", action="orders:GetOrder", resource_type="orders:order") == (
            "PlanNotExpressible",
            "more than 2 of the resources are registered with policies of their own",
        )


def test_a_policy_that_all_resources_have_counts(house: House, gate: sigv4.Credentials) -> None:
    house.user("ann")
    fields = {"principal_arn": user(house, "ann"), "resource_policy": own("Allow", {"AWS": user(house, "ann")}, Condition=RED)}
    found = plan(house, gate, **fields)
    assert [residual.allows(found, order(house, 1), {"team": team}) for team in ("red", "blue")] == [True, False]


def test_the_deadline_holds_inside_of_every_loop(
    house: House, gate: sigv4.Credentials, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.user("ann", allow("orders:*", when=RED), allow("orders:*", on=order(house, 2)))
    register(house)
    ann = {"principal_arn": user(house, "ann")}
    asked: dict[str, dict[str, Any]] = {
        "PlanResources": ann | {"action": "orders:GetOrder", "resource_type": "orders:order"},
        "ListAllowedActions": ann | {"resource": order(house, 1)},
        "ListAllowedResources": ann | {"action": "orders:GetOrder", "resource_type": "orders:order"},
        "ListAllowedPrincipals": {"action": "orders:GetOrder", "resource": order(house, 1)},
    }
    modules = [module.__name__ for module in (plans, actions, resources, principals, looks)]
    for name, fields in asked.items():
        with pytest.MonkeyPatch.context() as patched:
            counted = Deadline(patched, *modules, ends_at=1_000_000)
            house.call(name, gate, **fields)
        assert counted.looks > 3, name
        for ends_at in range(1, counted.looks + 1, max(1, counted.looks // 12)):
            with pytest.MonkeyPatch.context() as patched:
                Deadline(patched, *modules, ends_at=ends_at)
                assert refused(name, _as=gate, **fields) == ("RequestTimeout", "over")
