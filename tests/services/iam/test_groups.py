"""Groups and memberships, over the whole pipeline."""

import re
from typing import Any

import pytest

from sekisho.services.iam.quotas import QUOTAS
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, allow


def test_a_group(house: House, refused: Refused) -> None:
    made = house.call("CreateGroup", group_name="Devs", path="/eng/").group
    assert (made.group_name, made.path, made.arn) == ("Devs", "/eng/", f"arn:aws:iam::{house.account_id}:group/eng/Devs")
    assert re.fullmatch(r"AGPA[A-Z2-7]{17}", made.group_id)
    assert made.create_date.nanos == 0
    answer = house.call("GetGroup", group_name="DEVS")
    assert answer.group == made
    assert (len(answer.users), answer.is_truncated, answer.HasField("marker")) == (0, False, False)
    assert refused("CreateGroup", group_name="devs") == ("EntityAlreadyExists", "Group with name devs already exists.")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("GetGroup", {}),
        ("UpdateGroup", {"new_path": "/x/"}),
        ("DeleteGroup", {}),
        ("ListGroupPolicies", {}),
        ("ListAttachedGroupPolicies", {}),
    ],
)
def test_a_group_that_does_not_exist(refused: Refused, name: str, fields: dict[str, Any]) -> None:
    assert refused(name, group_name="none", **fields) == ("NoSuchEntity", "The group with name none cannot be found.")


def test_a_rename_keeps_id_and_members(house: House, refused: Refused) -> None:
    made = house.call("CreateGroup", group_name="a").group
    house.call("CreateGroup", group_name="b")
    house.call("CreateUser", user_name="u")
    house.call("AddUserToGroup", group_name="a", user_name="u")
    assert refused("UpdateGroup", group_name="a", new_group_name="B") == ("EntityAlreadyExists", "Group with name B already exists.")
    house.call("UpdateGroup", group_name="a", new_group_name="c", new_path="/p/")
    answer = house.call("GetGroup", group_name="c")
    assert (answer.group.group_id, answer.group.arn) == (made.group_id, f"arn:aws:iam::{house.account_id}:group/p/c")
    assert [user.user_name for user in answer.users] == ["u"]
    assert refused("GetGroup", group_name="a") == ("NoSuchEntity", "The group with name a cannot be found.")


def test_deletion_waits_for_members_and_policies(house: House, refused: Refused) -> None:
    policy = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS).policy.arn
    house.call("CreateGroup", group_name="g")
    house.call("CreateUser", user_name="u")
    house.call("AddUserToGroup", group_name="g", user_name="u")
    house.call("AttachGroupPolicy", group_name="g", policy_arn=policy)
    house.call("PutGroupPolicy", group_name="g", policy_name="i", policy_document=LIST_BUCKETS)
    assert refused("DeleteGroup", group_name="g") == ("DeleteConflict", "Cannot delete entity, must remove users from group first.")
    house.call("RemoveUserFromGroup", group_name="g", user_name="u")
    assert refused("DeleteGroup", group_name="g") == ("DeleteConflict", "Cannot delete entity, must detach all policies first.")
    house.call("DetachGroupPolicy", group_name="g", policy_arn=policy)
    assert refused("DeleteGroup", group_name="g") == ("DeleteConflict", "Cannot delete entity, must delete policies first.")
    house.call("DeleteGroupPolicy", group_name="g", policy_name="i")
    house.call("DeleteGroup", group_name="g")
    assert len(house.call("ListGroups").groups) == 0


def test_lists_of_groups_have_pages_and_prefixes(house: House, refused: Refused) -> None:
    for name, path in (("b", "/x/"), ("A", "/"), ("c", "/x/y/")):
        house.call("CreateGroup", group_name=name, path=path)
    first = house.call("ListGroups", max_items=2)
    assert ([group.group_name for group in first.groups], first.is_truncated) == (["A", "b"], True)
    second = house.call("ListGroups", max_items=2, marker=first.marker)
    assert ([group.group_name for group in second.groups], second.is_truncated) == (["c"], False)
    assert [group.group_name for group in house.call("ListGroups", path_prefix="/x/").groups] == ["b", "c"]
    assert refused("ListUsers", marker=first.marker) == ("ValidationError", "Invalid Marker.")


def test_members_have_pages(house: House, refused: Refused) -> None:
    for group in ("g", "h"):
        house.call("CreateGroup", group_name=group)
    for user in ("c", "a", "b"):
        house.call("CreateUser", user_name=user, tags=[{"key": "k", "value": "v"}])
        house.call("AddUserToGroup", group_name="g", user_name=user)
    first = house.call("GetGroup", group_name="g", max_items=2)
    assert ([user.user_name for user in first.users], first.is_truncated) == (["a", "b"], True)
    assert {len(user.tags) for user in first.users} == {0}
    second = house.call("GetGroup", group_name="g", marker=first.marker)
    assert ([user.user_name for user in second.users], second.is_truncated) == (["c"], False)
    assert refused("GetGroup", group_name="h", marker=first.marker) == ("ValidationError", "Invalid Marker.")


def test_the_groups_of_a_user_have_pages(house: House) -> None:
    house.call("CreateUser", user_name="u")
    for group in ("b", "a", "c", "d"):
        house.call("CreateGroup", group_name=group)
        if group != "d":
            house.call("AddUserToGroup", group_name=group, user_name="u")
    first = house.call("ListGroupsForUser", user_name="u", max_items=2)
    assert ([group.group_name for group in first.groups], first.is_truncated) == (["a", "b"], True)
    second = house.call("ListGroupsForUser", user_name="u", marker=first.marker)
    assert ([group.group_name for group in second.groups], second.is_truncated) == (["c"], False)


def test_adding_twice_and_removing_twice_is_no_error(house: House) -> None:
    house.call("CreateUser", user_name="u")
    house.call("CreateGroup", group_name="g")
    house.call("AddUserToGroup", group_name="G", user_name="U")
    house.call("AddUserToGroup", group_name="g", user_name="u")
    assert len(house.call("ListGroupsForUser", user_name="u").groups) == 1
    house.call("RemoveUserFromGroup", group_name="g", user_name="u")
    house.call("RemoveUserFromGroup", group_name="g", user_name="u")
    assert len(house.call("ListGroupsForUser", user_name="u").groups) == 0


@pytest.mark.parametrize("name", ["AddUserToGroup", "RemoveUserFromGroup"])
def test_both_must_exist(house: House, refused: Refused, name: str) -> None:
    assert refused(name, group_name="g", user_name="u") == ("NoSuchEntity", "The user with name u cannot be found.")
    house.call("CreateUser", user_name="u")
    assert refused(name, group_name="g", user_name="u") == ("NoSuchEntity", "The group with name g cannot be found.")


def test_at_most_ten_groups_a_user(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="u")
    for number in range(11):
        house.call("CreateGroup", group_name=f"g{number}")
    for number in range(10):
        house.call("AddUserToGroup", group_name=f"g{number}", user_name="u")
    house.call("AddUserToGroup", group_name="g9", user_name="u")
    assert refused("AddUserToGroup", group_name="g10", user_name="u") == ("LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10")
    house.call("RemoveUserFromGroup", group_name="g0", user_name="u")
    house.call("AddUserToGroup", group_name="g10", user_name="u")


def test_the_quota_of_groups(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    assert QUOTAS["GroupsQuota"] == 300
    monkeypatch.setitem(QUOTAS, "GroupsQuota", 1)
    house.call("CreateGroup", group_name="a")
    assert refused("CreateGroup", group_name="b") == ("LimitExceeded", "Cannot exceed quota for GroupsPerAccount: 1")


def test_membership_gives_and_takes_permission_at_once(house: House, refused: Refused) -> None:
    alice = house.user("alice")
    house.call("CreateGroup", group_name="g")
    house.call("PutGroupPolicy", group_name="g", policy_name="p", policy_document=allow("iam:ListGroups"))
    house.call("AddUserToGroup", group_name="g", user_name="alice")
    assert [group.group_name for group in house.call("ListGroups", _as=alice).groups] == ["g"]
    house.call("RemoveUserFromGroup", group_name="g", user_name="alice")
    assert refused("ListGroups", _as=alice)[0] == "AccessDenied"


def test_membership_takes_permission_on_the_group_alone(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="u")
    for group in ("mine", "theirs"):
        house.call("CreateGroup", group_name=group)
    caller = house.user("caller", allow("iam:AddUserToGroup", on=f"arn:aws:iam::{house.account_id}:group/mine"))
    house.call("AddUserToGroup", _as=caller, group_name="mine", user_name="u")
    assert refused("AddUserToGroup", _as=caller, group_name="theirs", user_name="u")[0] == "AccessDenied"


def test_a_rename_takes_permission_on_both_ends(house: House, refused: Refused) -> None:
    arns = f"arn:aws:iam::{house.account_id}:group"
    house.call("CreateGroup", group_name="a", path="/from/")
    caller = house.user("caller", allow("iam:UpdateGroup", on=f"{arns}/from/*"))
    assert refused("UpdateGroup", _as=caller, group_name="a", new_path="/to/")[0] == "AccessDenied"
    house.call("UpdateGroup", _as=caller, group_name="a", new_group_name="b")
    house.call("PutUserPolicy", user_name="caller", policy_name="to", policy_document=allow("iam:UpdateGroup", on=f"{arns}/to/*"))
    house.call("UpdateGroup", _as=caller, group_name="b", new_path="/to/")
