"""A denial says what the caller named, as the caller named it: not the path or the spelling of what is there, nor whether it is there."""

from typing import Any

import pytest

from sekisho.credentials import accounts
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import allow, trust

PATH = "/secret/place/"

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "GetUser": ({"user_name": "{}"}, "arn:aws:iam::{account}:user/{}"),
    "DeleteUser": ({"user_name": "{}"}, "arn:aws:iam::{account}:user/{}"),
    "UpdateUser": ({"user_name": "{}", "new_user_name": "other"}, "arn:aws:iam::{account}:user/{}"),
    "GetRole": ({"role_name": "{}"}, "arn:aws:iam::{account}:role/{}"),
    "GetGroup": ({"group_name": "{}"}, "arn:aws:iam::{account}:group/{}"),
    "UpdateGroup": ({"group_name": "{}", "new_group_name": "other"}, "arn:aws:iam::{account}:group/{}"),
    "GetInstanceProfile": ({"instance_profile_name": "{}"}, "arn:aws:iam::{account}:instance-profile/{}"),
    "GetPolicy": ({"policy_arn": "arn:aws:iam::{account}:policy/{}"}, "arn:aws:iam::{account}:policy/{}"),
}


@pytest.fixture
def furnished(house: House) -> House:
    """One thing of each kind, named `Hidden`, under a path."""
    house.call("CreateUser", user_name="Hidden", path=PATH)
    house.call("CreateGroup", group_name="Hidden", path=PATH)
    root = trust(f"arn:aws:iam::{house.account_id}:root")
    house.call("CreateRole", role_name="Hidden", path=PATH, assume_role_policy_document=root)
    house.call("CreateInstanceProfile", instance_profile_name="Hidden", path=PATH)
    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
    house.call("CreatePolicy", policy_name="Hidden", path=PATH, policy_document=document)
    return house


@pytest.mark.parametrize("operation", CASES)
def test_a_denial_says_the_name_that_was_given(furnished: House, refused: Refused, operation: str) -> None:
    stranger = furnished.user("stranger")
    fields, arn = CASES[operation]
    for name in ("Hidden", "hIDDEN", "Nobody"):
        given = {key: value.format(name, account=furnished.account_id) for key, value in fields.items()}
        code, message = refused(operation, _as=stranger, **given)
        assert code == "AccessDenied"
        assert message == (
            f"User: arn:aws:iam::{furnished.account_id}:user/stranger is not authorized to perform: iam:{operation} "
            f"on resource: {arn.format(name, account=furnished.account_id)} "
            f"because no identity-based policy allows the iam:{operation} action"
        )


def test_a_denial_about_a_key_says_the_key(furnished: House, refused: Refused) -> None:
    stranger = furnished.user("stranger")
    key = furnished.call("CreateAccessKey", user_name="Hidden").access_key.access_key_id
    said = [refused("GetAccessKeyLastUsed", _as=stranger, access_key_id=id_) for id_ in (key, key[:-1] + ("A" if key[-1] != "A" else "B"))]
    assert [message.partition(" on resource: access key ")[0] for _, message in said] == [
        f"User: arn:aws:iam::{furnished.account_id}:user/stranger is not authorized to perform: iam:GetAccessKeyLastUsed"
    ] * 2
    assert said[0][1].replace(key, "") == (
        f"User: arn:aws:iam::{furnished.account_id}:user/stranger is not authorized to perform: iam:GetAccessKeyLastUsed "
        "on resource: access key  because no identity-based policy allows the iam:GetAccessKeyLastUsed action"
    )
    assert "Hidden" not in said[0][1]


def test_a_denial_about_a_device_says_its_serial_number(furnished: House, refused: Refused) -> None:
    stranger = furnished.user("stranger")
    device = furnished.call("CreateVirtualMFADevice", virtual_mfa_device_name="phone").virtual_mfa_device.serial_number
    said = [refused("GetMFADevice", _as=stranger, serial_number=serial) for serial in (device, device + "x")]
    assert [message.partition(" on resource: ")[2].partition(" ")[0] for _, message in said] == [device, device + "x"]
    assert {code for code, _ in said} == {"AccessDenied"}


def test_a_denial_about_the_caller_says_its_own_path(house: House, refused: Refused) -> None:
    own = house.user("ann", path="/crew/")
    _, message = refused("GetUser", _as=own)
    assert f"on resource: arn:aws:iam::{house.account_id}:user/crew/ann because" in message


@pytest.mark.parametrize("operation", ["SimulateCustomPolicy", "SimulatePrincipalPolicy"])
def test_a_simulation_knows_nobody_of_another_account(house: House, operation: str) -> None:
    other = House(house.node, accounts.create(house.node.database, house.node.ring))
    tagged = [{"key": "team", "value": "red"}]
    other.call("CreateUser", user_name="ann", path=PATH, tags=tagged)
    house.call("CreateUser", user_name="source")
    when = '"Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}'
    policy = f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:*","Resource":"*",{when}}}]}}'
    fields: dict[str, Any] = {"policy_input_list": [policy], "action_names": ["s3:GetObject"]}
    if operation == "SimulatePrincipalPolicy":
        fields["policy_source_arn"] = f"arn:aws:iam::{house.account_id}:user/source"
    named = (f"{other.account_id}:user{PATH}ann", f"{other.account_id}:user/nobody", "999999999999:user/nobody")
    results = [house.call(operation, caller_arn=f"arn:aws:iam::{one}", **fields).evaluation_results for one in named]
    assert [[result.eval_decision for result in found] for found in results] == [["implicitDeny"]] * 3
    assert results[0] == results[1] == results[2]


def test_whoever_renames_nobody_needs_the_new_name_too(furnished: House, refused: Refused) -> None:
    document = allow("iam:UpdateUser", on=f"arn:aws:iam::{furnished.account_id}:user/Nobody")
    renamer = furnished.user("renamer", document)
    for path, arn in ((None, "user/other"), ("/to/", "user/to/other")):
        code, message = refused("UpdateUser", _as=renamer, user_name="Nobody", new_user_name="other", new_path=path)
        assert (code, f"on resource: arn:aws:iam::{furnished.account_id}:{arn} because" in message) == ("AccessDenied", True), message
