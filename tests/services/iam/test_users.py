"""Users, over the whole pipeline."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho import arn
from sekisho.api.iam.v1 import access_keys_pb2 as pb
from sekisho.errors import SekishoError
from sekisho.operations import Resource
from sekisho.services.iam import access_keys, users
from sekisho.services.iam.quotas import QUOTAS
from sekisho.store.tables import AccessKey, Entity, Root, User
from sekisho.world import EntityRecord
from tests.calls.fakes import ACCOUNT, NOW, OTHER
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2, allow, trust


def test_a_new_user_is_shown_whole(house: House) -> None:
    boundary = house.call("CreatePolicy", policy_name="limit", policy_document=LIST_BUCKETS).policy.arn
    tags = [{"key": "Team", "value": "red"}, {"key": "cost", "value": ""}]
    made = house.call("CreateUser", user_name="Alice", path="/dev/", permissions_boundary=boundary, tags=tags).user
    assert (made.user_name, made.path, made.arn) == ("Alice", "/dev/", f"arn:aws:iam::{house.account_id}:user/dev/Alice")
    assert re.fullmatch(r"AIDA[A-Z2-7]{17}", made.user_id)
    assert made.create_date.seconds > 0
    assert made.create_date.nanos == 0
    assert [(tag.key, tag.value) for tag in made.tags] == [("cost", ""), ("Team", "red")]
    assert made.permissions_boundary.permissions_boundary_arn == f"arn:aws:iam::{house.account_id}:policy/limit"
    assert made.permissions_boundary.permissions_boundary_type == "Policy"
    assert not made.HasField("password_last_used")
    assert house.call("GetUser", user_name="Alice").user == made


def test_a_user_without_anything_has_only_what_must_be(house: House) -> None:
    made = house.call("CreateUser", user_name="bob").user
    assert {field.name for field, _ in made.ListFields()} == {"path", "user_name", "user_id", "arn", "create_date"}
    assert made.arn == f"arn:aws:iam::{house.account_id}:user/bob"


def test_names_are_unique_whatever_the_case(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="Alice", path="/a/")
    assert refused("CreateUser", user_name="aLICE", path="/b/") == ("EntityAlreadyExists", "User with name aLICE already exists.")
    assert house.call("GetUser", user_name="ALICE").user.user_name == "Alice"


def test_another_account_does_not_see_it(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="alice")
    other = house.account()
    assert refused("GetUser", _as=other, user_name="alice") == ("NoSuchEntity", "The user with name alice cannot be found.")
    assert house.call("CreateUser", _as=other, user_name="alice").user.user_name == "alice"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("GetUser", {}),
        ("UpdateUser", {"new_path": "/x/"}),
        ("DeleteUser", {}),
        ("ListUserTags", {}),
        ("ListAccessKeys", {}),
        ("CreateAccessKey", {}),
        ("ListGroupsForUser", {}),
    ],
)
def test_a_user_that_does_not_exist(refused: Refused, name: str, fields: dict[str, Any]) -> None:
    assert refused(name, user_name="nobody", **fields) == ("NoSuchEntity", "The user with name nobody cannot be found.")


def test_without_a_name_it_is_the_caller(house: House, refused: Refused) -> None:
    alice = house.user("alice", allow("iam:GetUser", on="arn:aws:iam::*:user/${aws:username}"))
    assert house.call("GetUser", _as=alice).user.user_name == "alice"
    root = house.call("GetUser").user
    assert (root.user_id, root.arn, root.user_name) == (house.account_id, f"arn:aws:iam::{house.account_id}:root", "")
    assert root.create_date.seconds > 0


def test_a_role_session_has_no_user(house: House, refused: Refused) -> None:
    caller = house.user("caller", allow("sts:AssumeRole"))
    house.call("CreateRole", role_name="admin", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:user/caller"))
    house.call("PutRolePolicy", role_name="admin", policy_name="all", policy_document=allow("iam:*"))
    session = house.assume(f"arn:aws:iam::{house.account_id}:role/admin", _as=caller)
    said = ("ValidationError", "Must specify userName when calling with non-User credentials")
    assert refused("GetUser", _as=session) == said
    assert refused("CreateAccessKey", _as=session) == said
    assert refused("ListAccessKeys", _as=session) == said


def test_a_rename_keeps_the_id_and_all_that_hangs_on_it(house: House, refused: Refused) -> None:
    before = house.call("CreateUser", user_name="alice", path="/a/", tags=[{"key": "k", "value": "v"}]).user
    house.call("UpdateUser", user_name="alice", new_user_name="Bob")
    after = house.call("GetUser", user_name="bob").user
    assert (after.user_id, after.user_name, after.path) == (before.user_id, "Bob", "/a/")
    assert after.arn == f"arn:aws:iam::{house.account_id}:user/a/Bob"
    assert [tag.key for tag in after.tags] == ["k"]
    assert refused("GetUser", user_name="alice") == ("NoSuchEntity", "The user with name alice cannot be found.")
    house.call("UpdateUser", user_name="Bob", new_path="/b/")
    assert house.call("GetUser", user_name="Bob").user.arn == f"arn:aws:iam::{house.account_id}:user/b/Bob"


def test_a_rename_to_a_taken_name(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="alice")
    house.call("CreateUser", user_name="bob")
    assert refused("UpdateUser", user_name="alice", new_user_name="BOB") == ("EntityAlreadyExists", "User with name BOB already exists.")
    house.call("UpdateUser", user_name="alice", new_user_name="ALICE")
    assert house.call("GetUser", user_name="alice").user.user_name == "ALICE"


def test_deletion_waits_for_all_that_depends_on_the_user(house: House, refused: Refused) -> None:
    boundary = house.call("CreatePolicy", policy_name="limit", policy_document=LIST_BUCKETS).policy.arn
    house.call("CreateUser", user_name="alice", tags=[{"key": "k", "value": "v"}], permissions_boundary=boundary)
    key = house.call("CreateAccessKey", user_name="alice").access_key.access_key_id
    house.call("CreateGroup", group_name="g")
    house.call("AddUserToGroup", group_name="g", user_name="alice")
    house.call("AttachUserPolicy", user_name="alice", policy_arn=boundary)
    house.call("PutUserPolicy", user_name="alice", policy_name="p", policy_document=LIST_BUCKETS)
    assert refused("DeleteUser", user_name="alice") == ("DeleteConflict", "Cannot delete entity, must delete access keys first.")
    house.call("DeleteAccessKey", user_name="alice", access_key_id=key)
    assert refused("DeleteUser", user_name="alice") == ("DeleteConflict", "Cannot delete entity, must remove users from group first.")
    house.call("RemoveUserFromGroup", group_name="g", user_name="alice")
    assert refused("DeleteUser", user_name="alice") == ("DeleteConflict", "Cannot delete entity, must detach all policies first.")
    house.call("DetachUserPolicy", user_name="alice", policy_arn=boundary)
    assert refused("DeleteUser", user_name="alice") == ("DeleteConflict", "Cannot delete entity, must delete policies first.")
    house.call("DeleteUserPolicy", user_name="alice", policy_name="p")
    house.call("DeleteUser", user_name="alice")
    assert refused("GetUser", user_name="alice") == ("NoSuchEntity", "The user with name alice cannot be found.")


def test_a_name_that_comes_back_is_another_user(house: House) -> None:
    first = house.call("CreateUser", user_name="alice").user.user_id
    house.call("DeleteUser", user_name="alice")
    assert house.call("CreateUser", user_name="alice").user.user_id != first


def test_a_list_is_by_name_and_leaves_out_tags_and_boundary(house: House) -> None:
    boundary = house.call("CreatePolicy", policy_name="limit", policy_document=LIST_BUCKETS).policy.arn
    for name in ("b", "A", "c"):
        house.call("CreateUser", user_name=name, permissions_boundary=boundary, tags=[{"key": "k", "value": "v"}])
    listed = house.call("ListUsers")
    assert [user.user_name for user in listed.users] == ["A", "b", "c"]
    assert {len(user.tags) for user in listed.users} == {0}
    assert not any(user.HasField("permissions_boundary") for user in listed.users)
    assert listed.HasField("is_truncated")
    assert not listed.is_truncated
    assert not listed.HasField("marker")


def test_a_list_has_pages(house: House, refused: Refused) -> None:
    for name in ("a", "b", "c"):
        house.call("CreateUser", user_name=name)
    first = house.call("ListUsers", max_items=2)
    assert ([user.user_name for user in first.users], first.is_truncated) == (["a", "b"], True)
    second = house.call("ListUsers", max_items=1, marker=first.marker)
    assert ([user.user_name for user in second.users], second.is_truncated) == (["c"], False)
    assert refused("ListUsers", path_prefix="/a", marker=first.marker) == ("ValidationError", "Invalid Marker.")
    assert refused("ListRoles", marker=first.marker) == ("ValidationError", "Invalid Marker.")
    assert refused("ListUsers", _as=house.account(), marker=first.marker) == ("ValidationError", "Invalid Marker.")
    assert refused("ListUsers", marker="bm9uZSBvZiBvdXJzIG5vbmUgb2Ygb3VycyBub25l") == ("ValidationError", "Invalid Marker.")


def test_a_path_prefix_minds_case_and_takes_nothing_for_a_wildcard(house: House) -> None:
    for name, path in (("a", "/dev/"), ("b", "/Dev/"), ("c", "/dev/x/"), ("d", "/d%v/"), ("e", "/")):
        house.call("CreateUser", user_name=name, path=path)

    def under(prefix: str) -> list[str]:
        return [user.user_name for user in house.call("ListUsers", path_prefix=prefix).users]

    assert under("/dev") == ["a", "c"]
    assert under("/dev/x/") == ["c"]
    assert under("/d%") == ["d"]
    assert under("/") == ["a", "b", "c", "d", "e"]


def test_the_quota_of_users(house: House, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    assert QUOTAS["UsersQuota"] == 5000
    monkeypatch.setitem(QUOTAS, "UsersQuota", 2)
    house.call("CreateUser", user_name="a")
    house.call("CreateUser", user_name="b")
    assert refused("CreateUser", user_name="c") == ("LimitExceeded", "Cannot exceed quota for UsersPerAccount: 2")


def test_what_is_to_be_made_is_judged_by_its_path(house: House, refused: Refused) -> None:
    caller = house.user("caller", allow("iam:CreateUser", on=f"arn:aws:iam::{house.account_id}:user/dev/*"))
    assert house.call("CreateUser", _as=caller, user_name="a", path="/dev/").user.user_name == "a"
    assert refused("CreateUser", _as=caller, user_name="b")[0] == "AccessDenied"


def test_what_exists_lends_no_tags_to_what_is_to_be_made(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="alice", tags=[{"key": "team", "value": "red"}])
    red = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    caller = house.user("caller", allow("iam:CreateUser", "iam:GetUser", when=red))
    assert refused("CreateUser", _as=caller, user_name="alice")[0] == "AccessDenied"
    assert house.call("GetUser", _as=caller, user_name="alice").user.user_name == "alice"


def test_a_denial_comes_before_the_news_that_there_is_none(house: House, refused: Refused) -> None:
    caller = house.user("caller")
    code, message = refused("GetUser", _as=caller, user_name="nobody")
    assert code == "AccessDenied"
    assert f"arn:aws:iam::{house.account_id}:user/nobody" in message


def test_tags_at_birth_take_permission_to_tag(house: House, refused: Refused) -> None:
    caller = house.user("caller", allow("iam:CreateUser"))
    tags = [{"key": "k", "value": "v"}]
    code, message = refused("CreateUser", _as=caller, user_name="a", tags=tags)
    assert (code, "iam:TagUser" in message) == ("AccessDenied", True)
    house.call("PutUserPolicy", user_name="caller", policy_name="tag", policy_document=allow("iam:TagUser"))
    assert house.call("CreateUser", _as=caller, user_name="a", tags=tags).user.tags[0].key == "k"


def test_a_rename_takes_permission_on_both_ends(house: House, refused: Refused) -> None:
    arns = f"arn:aws:iam::{house.account_id}:user"
    for name, path in (("a", "/from/"), ("b", "/to/")):
        house.call("CreateUser", user_name=name, path=path, tags=[{"key": "who", "value": name}])
    caller = house.user("caller", allow("iam:UpdateUser", on=f"{arns}/from/*"))
    assert refused("UpdateUser", _as=caller, user_name="a", new_path="/to/")[0] == "AccessDenied"
    house.call("PutUserPolicy", user_name="caller", policy_name="to", policy_document=allow("iam:UpdateUser", on=f"{arns}/to/*"))
    house.call("UpdateUser", _as=caller, user_name="a", new_path="/to/")
    assert house.call("GetUser", user_name="a").user.path == "/to/"


def test_a_rename_onto_another_user_does_not_borrow_its_tags(house: House, refused: Refused) -> None:
    house.call("CreateUser", user_name="mine", tags=[{"key": "team", "value": "red"}])
    house.call("CreateUser", user_name="theirs", tags=[{"key": "team", "value": "blue"}])
    red = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    caller = house.user("caller", allow("iam:UpdateUser", when=red))
    taken = ("EntityAlreadyExists", "User with name theirs already exists.")
    assert refused("UpdateUser", _as=caller, user_name="mine", new_user_name="theirs") == taken
    assert refused("UpdateUser", _as=caller, user_name="theirs", new_user_name="mine")[0] == "AccessDenied"


def test_the_boundary_that_a_request_names_is_the_one_that_counts(house: House, refused: Refused) -> None:
    arns = {name: house.call("CreatePolicy", policy_name=name, policy_document=LIST_BUCKETS).policy.arn for name in ("good", "bad")}
    house.call("CreateUser", user_name="alice", permissions_boundary=arns["good"])
    good = {"StringEquals": {"iam:PermissionsBoundary": arns["good"]}}
    caller = house.user("caller", allow("iam:*UserPermissionsBoundary", "iam:CreateUser", "iam:PutUserPolicy", when=good))
    assert refused("PutUserPermissionsBoundary", _as=caller, user_name="alice", permissions_boundary=arns["bad"])[0] == "AccessDenied"
    assert refused("CreateUser", _as=caller, user_name="x", permissions_boundary=arns["bad"])[0] == "AccessDenied"
    assert refused("CreateUser", _as=caller, user_name="x")[0] == "AccessDenied"
    house.call("CreateUser", _as=caller, user_name="x", permissions_boundary=arns["good"])
    house.call("PutUserPolicy", _as=caller, user_name="alice", policy_name="p", policy_document=LIST_BUCKETS)
    house.call("DeleteUserPermissionsBoundary", _as=caller, user_name="alice")
    assert refused("PutUserPolicy", _as=caller, user_name="alice", policy_name="p", policy_document=LIST_BUCKETS)[0] == "AccessDenied"


def test_names_are_validated(refused: Refused) -> None:
    assert refused("CreateUser", user_name="a b") == (
        "ValidationError",
        "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
    )


def test_roles_and_users_may_share_a_name(house: House) -> None:
    house.call("CreateUser", user_name="same")
    assert house.call("CreateRole", role_name="same", assume_role_policy_document=TRUST_EC2).role.role_name == "same"
    assert house.call("CreateGroup", group_name="same").group.group_name == "same"


ROOT, ANN = f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:user/x/Ann"
RECORD = EntityRecord("AIDAANN", ACCOUNT, "user", "Ann", "/x/", ANN, NOW, {"k": "v"})
ROW = User(id="AIDAANN", account_id=ACCOUNT, name="Ann", name_key="ann", path="/x/")
ROOT_ROW = Root(id=ACCOUNT, account_id=ACCOUNT, name="root", name_key="root")
NOBODY = "Must specify userName when calling with non-User credentials"


def calling(kind: str, **keys: Any) -> Any:
    """A call by somebody, in an account with the user Ann and two keys."""
    rows: dict[Any, Any] = {
        (AccessKey, f"AKIA{name}"): AccessKey(id=f"AKIA{name}", account_id=ACCOUNT, owner_id=owner)
        for name, owner in (("ANN", "AIDAANN"), ("ROOT", ACCOUNT))
    }
    rows |= {(AccessKey, "AKIAOTHER"): AccessKey(id="AKIAOTHER", account_id=OTHER, owner_id=OTHER), (Root, ACCOUNT): ROOT_ROW}
    rows |= {(Entity, "AIDAANN"): ROW, (Entity, ACCOUNT): ROOT_ROW}
    return SimpleNamespace(
        account_id=ACCOUNT,
        caller=SimpleNamespace(principal=SimpleNamespace(kind=kind), arn=ROOT, keys=keys),
        entity=lambda kind, name: RECORD if (kind, name.lower()) == ("user", "ann") else None,
        row=lambda table, name: ROW if name.lower() == "ann" else None,
        session=SimpleNamespace(get=lambda table, key: rows.get((table, key))),
    )


@pytest.mark.parametrize(
    ("kind", "keys", "name", "expected"),
    [
        ("root", {}, "", Resource(ROOT)),
        ("root", {}, "ann", Resource(ANN, {"k": "v"}, named=arn.iam(ACCOUNT, "user", "ann"))),
        ("user", {"aws:username": "Ann"}, "", Resource(ANN, {"k": "v"})),
        ("user", {"aws:username": "Ann"}, "none", Resource(arn.iam(ACCOUNT, "user", "none"))),
        ("assumed-role", {}, "", Resource(arn.iam(ACCOUNT, "user", ""))),
    ],
)
def test_the_resource_of_whoever_is_meant(kind: str, keys: dict[str, str], name: str, expected: Resource) -> None:
    assert users.user(calling(kind, **keys), pb.ListAccessKeysRequest(user_name=name), "user_name") == expected


@pytest.mark.parametrize(
    ("kind", "keys", "name", "expected"),
    [
        ("root", {}, "", ROOT_ROW),
        ("root", {}, "ann", ROW),
        ("user", {"aws:username": "Ann"}, "", ROW),
        ("assumed-role", {}, "ann", ROW),
        ("assumed-role", {}, "", None),
        ("user", {"aws:username": ("Ann", "Bob")}, "", None),
    ],
)
def test_the_user_or_root_user_who_is_meant(kind: str, keys: dict[str, Any], name: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(SekishoError) as caught:
            users.find_named_or_own(calling(kind, **keys), name)
        assert (caught.value.code, caught.value.message) == ("ValidationError", NOBODY)
    else:
        assert users.find_named_or_own(calling(kind, **keys), name) is expected
        assert users.shown_name(expected) == (None if expected is ROOT_ROW else "Ann")


@pytest.mark.parametrize(
    ("id_", "expected"),
    [
        ("AKIAANN", Resource(ANN, {"k": "v"}, named="access key AKIAANN")),
        ("AKIAROOT", Resource(arn.iam(ACCOUNT, "user", ""), named="access key AKIAROOT")),
        ("AKIAOTHER", Resource(arn.iam(ACCOUNT, "user", ""), named="access key AKIAOTHER")),
        ("AKIANONE", Resource(arn.iam(ACCOUNT, "user", ""), named="access key AKIANONE")),
    ],
)
def test_the_resource_of_a_key_is_the_user_who_has_it(id_: str, expected: Resource) -> None:
    request = pb.GetAccessKeyLastUsedRequest(access_key_id=id_)
    assert access_keys.access_key(calling("root"), request, "access_key_id") == expected
