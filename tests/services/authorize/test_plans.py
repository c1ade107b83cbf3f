"""PlanResources and the lists of what is allowed: what they answer, whom they refuse, and that each answer is Authorize's own."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import sigv4
from sekisho.api.authorize.v1 import plans_pb2 as pb
from sekisho.credentials import accounts
from sekisho.policy import residual
from sekisho.services.authorize import actions, looks, plans, principals, resources
from sekisho.store.tables import ResourceTag
from tests.deadlines import Deadline
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow, trust

DEFINITION = json.dumps(
    {
        "Name": "orders",
        "Actions": [{"Name": name, "Resources": [{"Name": "order"}]} for name in ("GetOrder", "ShipOrder", "CancelOrder")],
        "Resources": [{"Name": "order", "ARNFormats": ["arn:${Partition}:orders:${Region}:${Account}:order/${OrderId}"]}],
    }
)
SERVICES = "sekisho.services.authorize"
RED = {"StringEquals": {"aws:ResourceTag/Team": "red"}}


@pytest.fixture
def house(shared: House) -> House:
    """A new account on the module's node, which has defined the service `orders`."""
    made = House(shared.node, accounts.create(shared.node.database, shared.node.ring))
    made.call("PutServiceDefinition", service_name="orders", definition=DEFINITION)
    return made


@pytest.fixture
def gate(house: House) -> sigv4.Credentials:
    """A service that asks about everybody."""
    return house.user("gate", allow("authorize:*"))


def order(house: House, number: int | str) -> str:
    return f"arn:aws:orders:eu-west-1:{house.account_id}:order/{number}"


def deny(*actions: str, on: str = "*") -> str:
    return allow(*actions, on=on).replace("Allow", "Deny")


def user(house: House, name: str) -> str:
    return f"arn:aws:iam::{house.account_id}:user/{name}"


def plan(house: House, _as: sigv4.Credentials | None = None, **fields: Any) -> residual.Plan:
    """The plan about a type of orders, whose message says the same as its JSON."""
    answer: pb.PlanResourcesResponse = house.call(
        "PlanResources", _as, **{"action": "orders:GetOrder", "resource_type": "orders:order"} | fields
    )
    found = residual.from_json(answer.plan_json)
    assert pb.PlanKind.Name(answer.kind) == f"PLAN_KIND_{found.kind}"
    assert answer.revision
    return found


def listed(house: House, name: str, entries: str, _as: sigv4.Credentials | None = None, **fields: Any) -> list[str]:
    """All pages of a list."""
    found: list[str] = []
    token = ""
    while True:
        page = house.call(name, _as, next_token=token, **fields)
        found += getattr(page, entries)
        token = page.next_token
        if not token:
            return found


def decided(house: House, _as: sigv4.Credentials | None = None, **fields: Any) -> bool:
    return bool(house.call("Authorize", _as, **fields).outcome == 1)


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


def own(effect: str, principal: Any, action: str = "orders:*", **more: Any) -> str:
    statement = {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def register(house: House) -> list[str]:
    """Orders of two teams, of which some have policies of their own."""
    for number in range(12):
        tags = [{"key": "Team", "value": "red" if number % 3 else "blue"}]
        policies = {5: own("Deny", "*"), 6: own("Allow", {"AWS": user(house, "ann")}), 7: own("Allow", {"AWS": "999999999999"})}
        house.call("PutResource", resource_arn=order(house, number), tags=tags, resource_policy=policies.get(number))
    house.call("PutResource", resource_arn=f"arn:aws:orders:eu-west-1:{house.account_id}:shelf/1", tags=[{"key": "team", "value": "red"}])
    house.call("PutResource", resource_arn=f"arn:aws:parcels:eu-west-1:{house.account_id}:order/1", tags=[{"key": "team", "value": "red"}])
    return [order(house, number) for number in range(12)]


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
