"""FindEscalationPaths: of one's own account, in pages, and what it says is so when it is done."""

import json
from typing import Any

import pytest

from sekisho.calls import turns
from sekisho.errors import RequestTimeout
from sekisho.services.insight import escalation_paths, estates
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import TRUST_EC2, allow, trust

EVERYTHING = allow("*")


def told(response: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """By name: the method and the new self of each hop."""
    return [
        (path.source_arn.partition(":user/")[2] or path.source_arn.partition(":role/")[2], [(hop.method, _name(hop)) for hop in path.hops])
        for path in response.paths
    ]


def _name(hop: Any) -> str:
    return str(hop.becomes_arn.split(":")[-1])


def test_paths_have_hops_and_the_statements_that_permit_them(house: House) -> None:
    root = f"arn:aws:iam::{house.account_id}"
    house.user("admin", EVERYTHING)
    house.user("ann", allow("iam:CreateLoginProfile", on=f"{root}:user/admin"))
    house.user("ben", allow("iam:UpdateLoginProfile", on=f"{root}:user/admin"))  # admin has no password
    house.user("cat", allow("iam:CreateAccessKey", on=f"{root}:user/ann"))
    found = house.call("FindEscalationPaths")
    assert found.account_id == house.account_id
    assert list(found.administrators) == [f"{root}:user/admin"]
    assert told(found) == [
        ("ann", [("iam:CreateLoginProfile", "user/admin")]),
        ("cat", [("iam:CreateAccessKey", "user/ann"), ("iam:CreateLoginProfile", "user/admin")]),
    ]
    assert (found.principals, found.found, found.is_truncated, list(found.left_out)) == (4, 2, False, [])
    (grant,) = found.paths[0].hops[0].grants
    (statement,) = grant.statements
    assert (grant.action, grant.resource) == ("iam:CreateLoginProfile", f"{root}:user/admin")
    assert (statement.layer, statement.policy_name, statement.index) == ("identity", "inline-0", 0)
    assert found.paths[0].hops[0].published


def test_a_change_is_seen_at_once(house: House) -> None:
    house.user("admin", EVERYTHING)
    house.user("ann", allow("iam:CreateAccessKey"))
    assert len(house.call("FindEscalationPaths").paths) == 1
    house.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0")
    assert len(house.call("FindEscalationPaths").paths) == 0


def test_pages_hold_all_paths_once(house: House) -> None:
    house.user("admin", EVERYTHING)
    for number in range(7):
        house.call("CreateUser", user_name=f"u{number}")
        house.call("PutUserPolicy", user_name=f"u{number}", policy_name="keys", policy_document=allow("iam:CreateAccessKey"))
    names, pages = [], 0
    marker: dict[str, Any] = {}
    while pages < 10:
        page = house.call("FindEscalationPaths", max_items=3, **marker)
        names += [name for name, _ in told(page)]
        pages += 1
        assert bool(page.administrators) is (pages == 1)
        if not page.is_truncated:
            break
        marker = {"marker": page.marker}
    assert (names, pages) == ([f"u{number}" for number in range(7)], 3)


def test_a_page_ends_where_it_would_be_too_large(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("admin", EVERYTHING)
    for name in ("ann", "ben"):
        house.user(name, allow("iam:CreateAccessKey"))
    monkeypatch.setattr(escalation_paths, "MOST_BYTES", 10)
    first = house.call("FindEscalationPaths")
    assert (len(first.paths), first.found, first.is_truncated) == (1, 2, True)
    second = house.call("FindEscalationPaths", marker=first.marker)
    assert (told(second)[0][0], second.is_truncated) == ("ben", False)


def test_a_marker_is_good_for_its_own_request_alone(house: House, refused: Refused) -> None:
    house.user("admin", EVERYTHING)
    for number in range(2):
        house.user(f"u{number}", allow("iam:CreateAccessKey"))
    marker = house.call("FindEscalationPaths", max_items=1).marker
    other = f"arn:aws:iam::{house.account_id}:user/u0"
    assert refused("FindEscalationPaths", max_items=1, marker=marker, goal_arn=other)[0] == "ValidationError"
    assert refused("FindEscalationPaths", max_items=1, marker=marker, _as=house.account())[0] == "ValidationError"


def test_nobody_sees_another_account(house: House, refused: Refused) -> None:
    house.user("admin", EVERYTHING)
    house.user("ann", allow("iam:CreateAccessKey"))
    stranger = house.account()
    found = house.call("FindEscalationPaths", _as=stranger)
    assert (found.principals, len(found.paths), len(found.administrators)) == (0, 0, 0)
    for field in ("goal_arn", "source_arn"):
        asked = {field: f"arn:aws:iam::{house.account_id}:user/admin"}
        assert refused("FindEscalationPaths", _as=stranger, **asked)[0] == "NoSuchEntity"


def test_it_takes_a_permission(house: House, refused: Refused) -> None:
    ann = house.user("ann", allow("iam:*"))
    assert refused("FindEscalationPaths", _as=ann)[0] == "AccessDenied"
    house.call("PutUserPolicy", user_name="ann", policy_name="more", policy_document=allow("insight:FindEscalationPaths"))
    assert len(house.call("FindEscalationPaths", _as=ann).paths) == 1


def test_a_goal_is_a_principal_of_the_account(house: House, refused: Refused) -> None:
    root = f"arn:aws:iam::{house.account_id}"
    house.user("admin", EVERYTHING)
    house.user("ann")
    house.user("ben", allow("iam:CreateAccessKey", on=f"{root}:user/ann"))
    house.user("cat", allow("iam:CreateAccessKey", on=f"{root}:user/ben"))
    found = house.call("FindEscalationPaths", goal_arn=f"{root}:user/ann")
    assert told(found) == [
        ("admin", [("iam:CreateAccessKey", "user/ann")]),
        ("ben", [("iam:CreateAccessKey", "user/ann")]),
        ("cat", [("iam:CreateAccessKey", "user/ben"), ("iam:CreateAccessKey", "user/ann")]),
    ]
    assert told(house.call("FindEscalationPaths", goal_arn=f"{root}:user/ann", source_arn=f"{root}:user/ben")) == told(found)[1:2]
    assert refused("FindEscalationPaths", goal_arn=f"{root}:user/nobody")[0] == "NoSuchEntity"
    assert refused("FindEscalationPaths", goal_arn=f"{root}:policy/ann")[0] == "NoSuchEntity"


def test_supposed_keys_open_what_asks_for_them(house: House, refused: Refused) -> None:
    house.user("admin", EVERYTHING)
    house.user("ann", allow("iam:CreateAccessKey", when={"Bool": {"aws:MultiFactorAuthPresent": "true"}}))
    assert len(house.call("FindEscalationPaths").paths) == 0
    mfa = {"key": "aws:MultiFactorAuthPresent", "values": ["true"]}
    assert len(house.call("FindEscalationPaths", supposed_keys=[mfa]).paths) == 1
    assert refused("FindEscalationPaths", supposed_keys=[mfa, mfa | {"key": "aws:multifactorauthpresent"}])[0] == "InvalidInput"


def test_services_act_as_roles_in_instance_profiles(house: House) -> None:
    house.call("CreateRole", role_name="web", assume_role_policy_document=TRUST_EC2)
    house.call("PutRolePolicy", role_name="web", policy_name="all", policy_document=EVERYTHING)
    house.user("ann", allow("iam:PassRole", "ec2:RunInstances"))
    assert told(house.call("FindEscalationPaths")) == []
    house.call("CreateInstanceProfile", instance_profile_name="web")
    house.call("AddRoleToInstanceProfile", instance_profile_name="web", role_name="web")
    assert told(house.call("FindEscalationPaths")) == [("ann", [("iam:PassRole + ec2:RunInstances", "role/web")])]


def test_a_role_that_names_a_user_trusts_nobody_else(house: House) -> None:
    house.call("CreateUser", user_name="ann")
    house.call("CreateUser", user_name="ben")
    for name in ("ann", "ben"):
        house.call("PutUserPolicy", user_name=name, policy_name="p", policy_document=allow("sts:AssumeRole"))
    document = trust(f"arn:aws:iam::{house.account_id}:user/ann")
    house.call("CreateRole", role_name="boss", assume_role_policy_document=document)
    house.call("PutRolePolicy", role_name="boss", policy_name="all", policy_document=EVERYTHING)
    assert told(house.call("FindEscalationPaths")) == [("ann", [("sts:AssumeRole", "role/boss")])]


def test_older_versions_count(house: House) -> None:
    made = house.call("CreatePolicy", policy_name="p", policy_document=EVERYTHING).policy
    document = allow("iam:SetDefaultPolicyVersion", on=made.arn)
    house.call("CreatePolicyVersion", policy_arn=made.arn, policy_document=document, set_as_default=True)
    house.user("ann")
    house.call("AttachUserPolicy", user_name="ann", policy_arn=made.arn)
    assert told(house.call("FindEscalationPaths")) == [("ann", [("iam:SetDefaultPolicyVersion", "user/ann")])]


def test_the_deadline_ends_it(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("admin", EVERYTHING)
    house.user("ann", allow("iam:CreateAccessKey"))

    def late(_deadline: float) -> float:
        raise RequestTimeout("The deadline of the call passed.")

    with monkeypatch.context() as patched:
        patched.setattr(escalation_paths, "remaining", late)
        assert refused("FindEscalationPaths")[0] == "RequestTimeout"
    assert len(house.call("FindEscalationPaths").paths) == 1
    assert not escalation_paths._turns.taken


def test_it_waits_for_its_turn_no_longer_than_its_deadline(house: House, refused: Refused) -> None:
    house.seconds = 0.5
    with escalation_paths._turns.turn("another account"):
        assert refused("FindEscalationPaths")[0] == "RequestTimeout"
    house.seconds = 20.0
    assert len(house.call("FindEscalationPaths").paths) == 0
    assert turns.SLICE < 0.01


def test_an_account_is_searched_once_at_a_time(house: House, refused: Refused) -> None:
    house.seconds = 0.5
    lock = escalation_paths._alone[hash(house.account_id) % len(escalation_paths._alone)]
    with lock:
        assert refused("FindEscalationPaths")[0] == "RequestTimeout"
    house.seconds = 20.0
    assert len(house.call("FindEscalationPaths").paths) == 0
    assert not lock.locked()


def test_an_account_that_is_too_large_is_refused(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estates, "MOST", 1)
    house.call("CreateUser", user_name="ann")
    assert len(house.call("FindEscalationPaths").paths) == 0
    house.call("CreateUser", user_name="ben")
    assert refused("FindEscalationPaths")[0] == "LimitExceeded"


def test_what_is_kept_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escalation_paths, "MOST_KEPT", 3)
    house.user("admin", EVERYTHING)
    house.user("ann", allow("iam:CreateAccessKey"))
    for number in range(5):
        house.call("FindEscalationPaths", supposed_keys=[{"key": f"a:b{number}", "values": ["c"]}])
    assert sum(1 + len(one.paths) for one in escalation_paths._kept.values()) <= 3


def test_an_organization_that_takes_away_takes_the_path(house: House) -> None:
    house.call("CreateOrganization")
    root = house.call("ListRoots").roots[0].id
    house.call("EnablePolicyType", root_id=root, policy_type="SERVICE_CONTROL_POLICY")
    house.user("admin", EVERYTHING)
    house.user("ann", allow("iam:CreateAccessKey"))
    denied = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:CreateAccessKey", "Resource": "*"}]}
    house.call("organizations:CreatePolicy", name="no", description="", type="SERVICE_CONTROL_POLICY", content=json.dumps(denied))
    assert len(house.call("FindEscalationPaths").paths) == 1  # who manages an organization is not restricted
