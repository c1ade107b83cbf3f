"""GeneratePolicy: every allow that was observed, calls of ours and decisions, is allowed by the policy; and nothing in it was not used."""

import json
import time
from datetime import timedelta
from typing import Any

from sekisho import arn, policy
from sekisho.services.insight import observed_uses
from sekisho.store.tables import AuditRecord
from tests import clock
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow, trust


def settled(house: House, who: str, expected: list[tuple[str, str, int]]) -> Any:
    """The policy of a principal, once the spool has brought these uses, which are all that there are."""
    ends = time.monotonic() + 60
    while True:
        made = house.call("GeneratePolicy", principal_arn=who)
        if uses(made) == expected or time.monotonic() > ends:
            assert uses(made) == expected
            return made
        time.sleep(0.1)


def is_allowed(document: str, who: str, action: str, resource: str) -> bool:
    attached = policy.Attached(policy.compile_policy(policy.parse(document)), name="generated")
    account = arn.account_of(who)
    request = policy.Request(policy.Principal("user", who, account), action, resource, account, policy.context({}))
    return policy.decide(request, policy.Layers(identity=(attached,))).allowed


def uses(made: Any) -> list[tuple[str, str, int]]:
    return [(one.action, one.resource, one.times) for one in made.uses]


def test_calls_of_ours_are_replayed(house: House, refused: Refused) -> None:
    root = f"arn:aws:iam::{house.account_id}"
    ann = house.user("ann", allow("iam:*"))
    house.call("CreateUser", user_name="ben", _as=ann)
    house.call("CreateUser", user_name="cat", tags=[{"key": "a", "value": "b"}], _as=ann)
    house.call("GetUser", user_name="ben", _as=ann)
    house.call("GetUser", user_name="ben", _as=ann)
    house.call("ListUsers", _as=ann)
    house.call("CreateInstanceProfile", instance_profile_name="p", _as=ann)
    house.call("CreateRole", role_name="r", assume_role_policy_document=trust(house.account_id), _as=ann)
    house.call("AddRoleToInstanceProfile", instance_profile_name="p", role_name="r", _as=ann)
    refused("ListRoots", _as=ann)
    expected = [
        ("iam:AddRoleToInstanceProfile", f"{root}:instance-profile/p", 1),
        ("iam:CreateInstanceProfile", f"{root}:instance-profile/p", 1),
        ("iam:CreateRole", f"{root}:role/r", 1),
        ("iam:CreateUser", f"{root}:user/ben", 1),
        ("iam:CreateUser", f"{root}:user/cat", 1),
        ("iam:GetUser", f"{root}:user/ben", 2),
        ("iam:ListUsers", "*", 1),
        ("iam:PassRole", f"{root}:role/r", 1),
        ("iam:TagUser", f"{root}:user/cat", 1),
    ]
    made = settled(house, f"{root}:user/ann", expected)
    assert made.events == 8
    assert all(is_allowed(made.policy_document, f"{root}:user/ann", action, resource) for action, resource, _ in uses(made))
    assert not is_allowed(made.policy_document, f"{root}:user/ann", "organizations:ListRoots", "*")
    # With the policy in the place of the old one, ann does all of it again.
    house.call("PutUserPolicy", user_name="ann", policy_name="inline-0", policy_document=made.policy_document)
    house.call("GetUser", user_name="ben", _as=ann)
    house.call("ListUsers", _as=ann)
    assert refused("GetUser", user_name="cat", _as=ann)[0] == "AccessDenied"
    assert refused("DeleteUser", user_name="ben", _as=ann)[0] == "AccessDenied"


def test_assumed_roles_are_uses(house: House) -> None:
    root = f"arn:aws:iam::{house.account_id}"
    ann = house.user("ann", allow("sts:AssumeRole"))
    role = house.call("CreateRole", role_name="r", assume_role_policy_document=trust(house.account_id)).role.arn
    house.call("PutRolePolicy", role_name="r", policy_name="p", policy_document=allow("iam:ListUsers"))
    session = house.assume(role, _as=ann)
    house.call("ListUsers", _as=session)
    house.call("GetCallerIdentity", _as=session)
    settled(house, f"{root}:user/ann", [("sts:AssumeRole", role, 1)])
    settled(house, role, [("iam:ListUsers", "*", 1)])


def record(**columns: Any) -> Any:
    said = {"category": "Data", "request": "{}", "resources": "[]", "event_source": "", "event_name": "", "count": 1}
    return AuditRecord(**(said | columns))


def test_decisions_say_their_action_and_resource() -> None:
    order = "arn:aws:shop:eu-central-1:111122223333:order/17"
    asked = json.dumps({"action": "shop:Ship", "resource": order})
    assert list(observed_uses.pairs(record(request=asked))) == [("shop:Ship", order)]
    for broken in ("", "{", "[]", '{"action": 1, "resource": "*"}', '{"action": "a:B"}'):
        assert list(observed_uses.pairs(record(request=broken))) == []
    unknown = {"category": "Management", "event_source": "shop.amazonaws.com", "event_name": "Ship"}
    assert list(observed_uses.pairs(record(**unknown))) == []
    odd = {"category": "Management", "event_source": "iam.amazonaws.com", "event_name": "GetUser", "resources": '[1, {"ARN": 2}]'}
    assert list(observed_uses.pairs(record(**odd))) == [("iam:GetUser", "*")]


def test_decisions_are_replayed(house: House) -> None:
    root, shop = f"arn:aws:iam::{house.account_id}", f"arn:aws:shop:eu-central-1:{house.account_id}"
    house.call("CreateUser", user_name="ann")
    house.call("PutUserPolicy", user_name="ann", policy_name="p", policy_document=allow("shop:*", on=f"{shop}:order/*"))
    house.call("CreateEventDataStore", name="all", advanced_event_selectors=selectors())
    asked = [("shop:Ship", f"{shop}:order/17"), ("shop:Ship", f"{shop}:order/18"), ("shop:Get", f"{shop}:order/17"), ("shop:Get", "*")]
    for action, resource in [*asked, asked[0]]:
        house.call("Authorize", principal_arn=f"{root}:user/ann", action=action, resource=resource)
    # What was denied is no use.
    expected = [("shop:Get", asked[2][1], 1), ("shop:Ship", asked[0][1], 2), ("shop:Ship", asked[1][1], 1)]
    made = settled(house, f"{root}:user/ann", expected)
    assert all(is_allowed(made.policy_document, f"{root}:user/ann", action, resource) for action, resource in asked[:3])
    assert not is_allowed(made.policy_document, f"{root}:user/ann", "shop:Get", asked[1][1])
    wide = house.call("GeneratePolicy", principal_arn=f"{root}:user/ann", generalize=True, parameters=True).policy_document
    assert "arn:aws:shop:${Region}:${Account}:order/*" in wide


def selectors() -> list[Any]:
    return [
        {"field_selectors": [{"field": "eventCategory", "equals": ["Data"]}, {"field": "resources.type", "equals": ["AWS::Shop::Order"]}]}
    ]


def test_windows_are_held_to_ninety_days(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="ann")
    who: dict[str, Any] = {"principal_arn": f"arn:aws:iam::{house.account_id}:user/ann"}
    now = clock.now()
    assert refused("GeneratePolicy", **who, begins_at=now - timedelta(days=91), ends_at=now)[0] == "InvalidInput"
    assert refused("GeneratePolicy", **who, begins_at=now, ends_at=now - timedelta(seconds=1))[0] == "InvalidInput"
    made = house.call("GeneratePolicy", **who, begins_at=now - timedelta(days=2), ends_at=now - timedelta(days=1))
    assert (made.events, uses(made)) == (0, [])


def test_too_much_is_refused(house: House, refused: Refused, monkeypatch: Any) -> None:
    ann = house.user("ann", allow("iam:*"))
    for name in ("ben", "cat"):
        house.call("CreateUser", user_name=name, _as=ann)
    who: dict[str, Any] = {"principal_arn": f"arn:aws:iam::{house.account_id}:user/ann"}
    monkeypatch.setattr(observed_uses, "_BATCH", 1)
    assert len(uses(house.call("GeneratePolicy", **who))) == 2
    monkeypatch.setattr(observed_uses, "MOST_EVENTS", 1)
    assert refused("GeneratePolicy", **who)[0] == "LimitExceeded"
    monkeypatch.setattr(observed_uses, "MOST_EVENTS", 10)
    monkeypatch.setattr(observed_uses, "MOST_USES", 1)
    assert refused("GeneratePolicy", **who)[0] == "LimitExceeded"


def test_nobody_sees_another_account(house: House, refused: Refused) -> None:
    house.user("ann", allow("iam:*"))
    who: dict[str, Any] = {"principal_arn": f"arn:aws:iam::{house.account_id}:user/ann"}
    assert refused("GeneratePolicy", _as=house.account(), **who)[0] == "NoSuchEntity"
    assert refused("GeneratePolicy", principal_arn=f"arn:aws:iam::{house.account_id}:group/ann")[0] == "NoSuchEntity"
    for wrong in ("user/Ann", "user/x/ann", "user/ann/"):  # an ARN is exact, out of memory too
        assert refused("GeneratePolicy", principal_arn=f"arn:aws:iam::{house.account_id}:{wrong}")[0] == "NoSuchEntity", wrong
    assert refused("GeneratePolicy", _as=house.user("ben", allow("iam:*")), **who)[0] == "AccessDenied"
