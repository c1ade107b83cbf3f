"""Whom a trust policy names: kept by unique id, shown by ARN."""

import json

import pytest

from sekisho.store.tables import Role
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import TRUST_EC2, allow, trust


def stored(house: House, role_id: str) -> str:
    with house.node.database.read() as session:
        return session.get_one(Role, role_id).trust_policy


def test_users_and_roles_are_kept_by_id_and_shown_by_arn(house: House) -> None:
    user = house.call("CreateUser", user_name="alice", path="/dev/").user
    other = house.call("CreateRole", role_name="other", assume_role_policy_document=TRUST_EC2).role
    document = trust(user.arn, other.arn)
    made = house.call("CreateRole", role_name="r", assume_role_policy_document=document).role
    assert stored(house, made.role_id) == document.replace(user.arn, user.user_id).replace(other.arn, other.role_id)
    assert made.assume_role_policy_document == document
    assert house.call("GetRole", role_name="r").role.assume_role_policy_document == document
    assert [role.assume_role_policy_document for role in house.call("ListRoles").roles] == [TRUST_EC2, document]


def test_a_rename_shows(house: House) -> None:
    user = house.call("CreateUser", user_name="alice").user
    house.call("CreateRole", role_name="r", assume_role_policy_document=trust(user.arn))
    house.call("UpdateUser", user_name="alice", new_user_name="bob", new_path="/p/")
    shown = house.call("GetRole", role_name="r").role.assume_role_policy_document
    assert shown == trust(f"arn:aws:iam::{house.account_id}:user/p/bob")


def test_everything_else_keeps_its_spelling(house: House) -> None:
    user = house.call("CreateUser", user_name="alice").user
    document = (
        '{\n  "Version" : "2012-10-17",\t"Statement":{"Sid":"A1","Effect":"Allow","Principal":{"AWS":[ "ARN" ],\n'
        '"Service": "ec2.amazonaws.com"},"Action":["sts:AssumeRole"],"Condition":{"NumericLessThan":{"aws:MultiFactorAuthAge":1e3},'
        '"StringEquals":{"sts:ExternalId":["ARN","\\u00e9\\/"]}}}}\n'
    )
    sent = document.replace("ARN", user.arn)
    made = house.call("CreateRole", role_name="r", assume_role_policy_document=sent).role
    assert stored(house, made.role_id) == sent.replace(f'"AWS":[ "{user.arn}" ]', f'"AWS":[ "{user.user_id}" ]')
    assert made.assume_role_policy_document == sent


def test_an_arn_in_escapes_is_the_same_arn(house: House) -> None:
    user = house.call("CreateUser", user_name="alice").user
    document = trust("X").replace("X", user.arn.replace("/", "\\/").replace("user", "\\u0075ser"))
    made = house.call("CreateRole", role_name="r", assume_role_policy_document=document).role
    assert json.loads(stored(house, made.role_id))["Statement"][0]["Principal"] == {"AWS": user.user_id}
    assert made.assume_role_policy_document == trust(user.arn)


def test_accounts_sessions_and_everyone_stay_as_written(house: House) -> None:
    own, session = house.account_id, f"arn:aws:sts::{house.account_id}:assumed-role/none/session"
    document = trust(own, f"arn:aws:iam::{own}:root", "*", session, f"arn:aws:sts::{own}:federated-user/bob")
    made = house.call("CreateRole", role_name="r", assume_role_policy_document=document).role
    assert stored(house, made.role_id) == document


def test_an_account_beside_a_user_is_shown_as_written(house: House) -> None:
    user = house.call("CreateUser", user_name="alice").user
    document = trust(house.account_id, user.arn, "*")
    assert house.call("CreateRole", role_name="r", assume_role_policy_document=document).role.assume_role_policy_document == document


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:iam::ACCOUNT:user/nobody",
        "arn:aws:iam::ACCOUNT:role/nobody",
        "arn:aws:iam::ACCOUNT:user/ALICE",
        "arn:aws:iam::ACCOUNT:user/wrong/alice",
        "arn:aws-cn:iam::ACCOUNT:user/alice",
        "arn:aws-cn:iam::ACCOUNT:root",
        "arn:aws:iam::000000000001:root",
        "arn:aws:iam::000000000001:user/alice",
        "000000000001",
        "AIDAAAAAAAAAAAAAAAAAA",
        "AROAAAAAAAAAAAAAAAAAA",
        "AGPAAAAAAAAAAAAAAAAAA",
        "ANPAADMINISTRATOR2222",
    ],
)
def test_whoever_does_not_exist_cannot_be_trusted(house: House, refused: Refused, principal: str) -> None:
    house.call("CreateUser", user_name="alice")
    named = principal.replace("ACCOUNT", house.account_id)
    said = ("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{named}"')
    assert refused("CreateRole", role_name="r", assume_role_policy_document=trust(named)) == said
    assert refused("CreateRole", role_name="r", assume_role_policy_document=trust(house.account_id, named)) == said


def test_somebody_of_another_account_can_be_trusted(house: House) -> None:
    other = house.account()
    user = house.call("CreateUser", _as=other, user_name="alice").user
    made = house.call("CreateRole", role_name="r", assume_role_policy_document=trust(user.arn)).role
    assert stored(house, made.role_id) == trust(user.user_id)
    assert made.assume_role_policy_document == trust(user.arn)


def test_nobody_is_trusted_by_not_being_named(house: House, refused: Refused) -> None:
    document = trust(house.account_id).replace('"Principal"', '"NotPrincipal"')
    said = ("MalformedPolicyDocument", "Has prohibited field NotPrincipal")
    assert refused("CreateRole", role_name="r", assume_role_policy_document=document) == said


def test_deleted_and_created_again_is_not_trusted_again(house: House, refused: Refused) -> None:
    alice = house.user("alice")
    first = house.call("GetUser", user_name="alice").user
    role = house.call("CreateRole", role_name="r", assume_role_policy_document=trust(first.arn)).role
    house.assume(role.arn, _as=alice)
    house.call("DeleteAccessKey", user_name="alice", access_key_id=alice.access_key_id)
    house.call("DeleteUser", user_name="alice")
    assert house.call("GetRole", role_name="r").role.assume_role_policy_document == trust(first.user_id)
    again = house.user("alice", allow("sts:AssumeRole"))
    assert house.call("GetUser", user_name="alice").user.arn == first.arn
    house.node.world.poll()
    assert refused("AssumeRole", _as=again, role_arn=role.arn, role_session_name="session")[0] == "AccessDenied"
    assert house.call("GetRole", role_name="r").role.assume_role_policy_document == trust(first.user_id)
    gone = ("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{first.user_id}"')
    assert refused("UpdateAssumeRolePolicy", role_name="r", policy_document=trust(first.user_id)) == gone
    house.call("UpdateAssumeRolePolicy", role_name="r", policy_document=trust(first.arn))
    house.node.world.poll()
    house.assume(role.arn, _as=again)


def test_an_id_that_somebody_has_may_be_named(house: House) -> None:
    user = house.call("CreateUser", user_name="alice").user
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2)
    house.call("UpdateAssumeRolePolicy", role_name="r", policy_document=trust(user.user_id))
    assert house.call("GetRole", role_name="r").role.assume_role_policy_document == trust(user.arn)
