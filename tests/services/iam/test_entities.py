"""Common to users, groups, roles and policies: sentences, ARNs, and the resources that policies see."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from sekisho.api.iam.v1 import users_pb2 as pb
from sekisho.credentials import accounts
from sekisho.errors import SekishoError
from sekisho.operations import Resource
from sekisho.services.iam import entities
from sekisho.store.tables import (
    Entity,
    Group,
    InstanceProfile,
    MfaDevice,
    OpenIdConnectProvider,
    Policy,
    Role,
    Root,
    SamlProvider,
    ServerCertificate,
    Tag,
    User,
)
from sekisho.world import EntityRecord
from tests.calls.fakes import ACCOUNT, NOW
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS

USER = f"arn:aws:iam::{ACCOUNT}:user"


@pytest.mark.parametrize(
    ("table", "missing", "taken"),
    [
        (User, "The user with name x cannot be found.", "User with name x already exists."),
        (Group, "The group with name x cannot be found.", "Group with name x already exists."),
        (Role, "The role with name x cannot be found.", "Role with name x already exists."),
        (Policy, "The policy with name x cannot be found.", "A policy called x already exists. Duplicate names are not allowed."),
        (InstanceProfile, "Instance Profile x cannot be found.", "Instance Profile x already exists."),
        (ServerCertificate, "The Server Certificate with name x cannot be found.", "The Server Certificate with name x already exists."),
        (MfaDevice, "The mfa with name x cannot be found.", "MFA device already exists."),
        (OpenIdConnectProvider, "The oidc-provider with name x cannot be found.", "Provider with url https://x already exists."),
        (SamlProvider, "The saml-provider with name x cannot be found.", "Provider with name x already exists."),
    ],
)
def test_sentences_about_a_name(table: Any, missing: str, taken: str) -> None:
    none, there = entities.no_such(table, "x"), entities.already_exists(table, "x")
    assert [(none.code, none.message), (there.code, there.message)] == [("NoSuchEntity", missing), ("EntityAlreadyExists", taken)]
    with pytest.raises(SekishoError, match="cannot be found"):
        entities.find(calling(), table, "x")
    entities.refuse_taken(calling(), table, "x")
    with pytest.raises(SekishoError, match="already exists"):
        entities.refuse_taken(calling(row="row"), table, "x")


def calling(*, row: Any = None, found: EntityRecord | None = None) -> Any:
    """A call that finds this, whatever it looks for."""
    return SimpleNamespace(account_id=ACCOUNT, row=lambda *_: row, entity=lambda *_: found)


def record(**parts: Any) -> EntityRecord:
    whole: dict[str, Any] = {
        "id": "AIDA",
        "account_id": ACCOUNT,
        "kind": "user",
        "name": "Ann",
        "path": "/x/",
        "arn": f"{USER}/x/Ann",
        "created_at": NOW,
    }
    return EntityRecord(**whole | parts)


def test_a_service_linked_role_is_left_to_its_service() -> None:
    linked = Role(id="AROA", account_id=ACCOUNT, name="Linked", path="/aws-service-role/x.example.com/")
    said = "Cannot perform the operation on the protected role 'Linked' - this role is only modifiable by AWS"
    with pytest.raises(SekishoError) as caught:
        entities.find_to_change(calling(row=linked), Role, "Linked")
    assert (caught.value.code, caught.value.message) == ("UnmodifiableEntity", said)
    for other in (Role(name="r", path="/x/aws-service-role/"), Role(name="r", path="/"), User(name="u", path="/aws-service-role/x/")):
        assert entities.find_to_change(calling(row=other), type(other), "name") is other


def test_an_arn_has_the_path_and_a_root_user_no_name() -> None:
    assert entities.arn_of(User(account_id=ACCOUNT, name="Ann", path="/x/")) == entities.arn_of(record()) == f"{USER}/x/Ann"
    assert entities.arn_of(Root(account_id=ACCOUNT, name="root", path="/")) == f"arn:aws:iam::{ACCOUNT}:root"


def test_the_resource_of_a_request_is_what_it_names_or_is_to_make() -> None:
    bounded = record(tags={"k": "v"}, boundary_arn="arn:boundary")
    made, named = pb.CreateUserRequest(), pb.GetUserRequest()
    assert entities.resource(calling(found=bounded), User, made, "ann") == Resource(f"{USER}/ann")
    made.path = "/y/"
    assert entities.resource(calling(found=bounded), User, made, "ann") == Resource(f"{USER}/y/ann")
    assert entities.resource(calling(), User, named, "ann") == Resource(f"{USER}/ann")
    seen = Resource(f"{USER}/x/Ann", {"k": "v"}, {"iam:PermissionsBoundary": "arn:boundary"}, f"{USER}/ann")
    assert entities.resource(calling(found=bounded), User, named, "ann") == seen
    assert entities.resource(calling(found=record()), User, named, "Ann") == Resource(f"{USER}/x/Ann", named=f"{USER}/Ann")
    assert entities.resource_of_arn(calling(found=bounded), "user", f"{USER}/x/Ann") == Resource(seen.arn, seen.tags, seen.keys)
    assert entities.resource_of_arn(calling(), "user", f"{USER}/none") == Resource(f"{USER}/none")
    for text in ("Ann", "xarn:", ""):
        assert entities.resource_of_arn(calling(found=bounded), "user", text) == Resource(text)


@pytest.mark.parametrize(
    ("found", "new_name", "new_path", "expected"),
    [
        (None, "", "", Resource(f"{USER}/ann")),
        (None, "bob", "/y/", Resource(f"{USER}/y/bob")),
        (record(), "", "", Resource(f"{USER}/x/Ann", named=f"{USER}/ann")),
        (record(), "bob", "", Resource(f"{USER}/x/bob", named=f"{USER}/bob")),
        (record(), "", "/y/", Resource(f"{USER}/y/Ann", named=f"{USER}/y/ann")),
        (
            record(tags={"k": "v"}, boundary_arn="arn:b"),
            "bob",
            "/y/",
            Resource(f"{USER}/y/bob", {"k": "v"}, {"iam:PermissionsBoundary": "arn:b"}, f"{USER}/y/bob"),
        ),
    ],
)
def test_the_resource_of_a_rename_is_what_it_will_be(found: EntityRecord | None, new_name: str, new_path: str, expected: Resource) -> None:
    assert entities.renamed_resource(calling(found=found), User, "ann", new_name=new_name, new_path=new_path) == expected


@pytest.mark.parametrize(
    ("name", "path", "row", "expected"),
    [
        ("", "", None, ("Ann", "ann", "/x/")),
        ("", "/y/", "there", ("Ann", "ann", "/y/")),
        ("ANN", "", "there", ("ANN", "ann", "/x/")),
        ("Bob", "/y/", None, ("Bob", "bob", "/y/")),
        ("Bob", "/y/", "there", None),
    ],
)
def test_a_rename_takes_no_name_of_another(name: str, path: str, row: Any, expected: tuple[str, ...] | None) -> None:
    one = User(id="AIDA", account_id=ACCOUNT, name="Ann", name_key="ann", path="/x/")
    if expected is None:
        with pytest.raises(SekishoError, match="User with name Bob already exists"):
            entities.rename(calling(row=row), one, name, path)
    else:
        entities.rename(calling(row=row), one, name, path)
    assert (one.name, one.name_key, one.path) == (expected or ("Ann", "ann", "/x/"))


def test_all_paths_are_under_the_root() -> None:
    query = select(User)
    assert entities.under(query, User.path, "") is entities.under(query, User.path, "/") is query
    assert entities.under(query, User.path, "/x") is not query


def test_moments_are_shown_in_whole_seconds() -> None:
    assert entities.seconds(datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert entities.seconds(None) is None


def test_the_first_of_a_kind_counts_as_one(house: House, refused: Refused) -> None:
    accounts.set_quota(house.node.database, house.account_id, "UsersQuota", 0)
    assert refused("CreateUser", user_name="ann") == ("LimitExceeded", "Cannot exceed quota for UsersPerAccount: 0")
    accounts.set_quota(house.node.database, house.account_id, "UsersQuota", 1)
    assert house.call("CreateUser", user_name="ann").user.path == "/"
    assert refused("CreateUser", user_name="bob") == ("LimitExceeded", "Cannot exceed quota for UsersPerAccount: 1")


def test_whatever_is_deleted_takes_its_tags_along(house: House) -> None:
    trust = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"a.example.com"},"Action":"sts:AssumeRole"}}'
    kinds: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
        ("CreateUser", "DeleteUser", {"user_name": "u"}, {}),
        ("CreateRole", "DeleteRole", {"role_name": "r"}, {"assume_role_policy_document": trust}),
        ("CreateInstanceProfile", "DeleteInstanceProfile", {"instance_profile_name": "i"}, {}),
    ]
    for create, delete, named, more in kinds:
        house.call(create, tags=[{"key": "k", "value": "v"}], **named, **more)
        house.call(delete, **named)
    policy = house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS, tags=[{"key": "k", "value": "v"}]).policy
    house.call("DeletePolicy", policy_arn=policy.arn)
    fields: dict[str, Any] = {"url": "https://example.com", "client_id_list": ["a"], "tags": [{"key": "k", "value": "v"}]}
    provider = house.call("CreateOpenIDConnectProvider", **fields).open_id_connect_provider_arn
    house.call("DeleteOpenIDConnectProvider", open_id_connect_provider_arn=provider)
    with house.node.database.read() as session:
        own = select(Entity.id).where(Entity.account_id == house.account_id)
        assert session.scalars(own).all() == [house.account_id]
        assert session.query(Tag).filter(Tag.owner_id == policy.policy_id).count() == 0


def test_every_list_says_that_there_is_no_more(house: House) -> None:
    """And has no marker then."""
    house.call("CreateUser", user_name="ann")
    house.call("CreateGroup", group_name="g")
    house.call("CreateInstanceProfile", instance_profile_name="i")
    trust = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"a.example.com"},"Action":"sts:AssumeRole"}}'
    house.call("CreateRole", role_name="r", assume_role_policy_document=trust)
    policy = "arn:aws:iam::aws:policy/Administrator"
    of_user, of_group, of_role, of_policy = {"user_name": "ann"}, {"group_name": "g"}, {"role_name": "r"}, {"policy_arn": policy}
    calls: list[tuple[str, dict[str, Any]]] = [
        *((name, {}) for name in ("ListUsers", "ListGroups", "ListRoles", "ListPolicies", "ListInstanceProfiles", "ListVirtualMFADevices")),
        *((name, {}) for name in ("ListServerCertificates", "ListAccountAliases", "GetAccountAuthorizationDetails")),
        *((name, of_user) for name in ("ListAccessKeys", "ListGroupsForUser", "ListMFADevices", "ListSSHPublicKeys", "ListUserPolicies")),
        *((name, of_user) for name in ("ListAttachedUserPolicies", "ListSigningCertificates", "ListServiceSpecificCredentials")),
        *((name, of_group) for name in ("GetGroup", "ListGroupPolicies", "ListAttachedGroupPolicies")),
        *((name, of_role) for name in ("ListRolePolicies", "ListAttachedRolePolicies", "ListInstanceProfilesForRole", "ListRoleTags")),
        *((name, of_policy) for name in ("ListPolicyVersions", "ListEntitiesForPolicy", "ListPolicyTags")),
        *((name, of_user) for name in ("ListUserTags",)),
    ]
    for name, fields in calls:
        found = house.call(name, **fields)
        assert (found.HasField("is_truncated"), found.is_truncated, found.HasField("marker")) == (True, False, False), name
