"""GetContextKeysForCustomPolicy and GetContextKeysForPrincipalPolicy, over the whole pipeline."""

import json

import pytest

from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import LIST_BUCKETS, TRUST_EC2, allow

CONDITIONS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::home/${aws:username}/${aws:PrincipalTag/team, 'none'}/*",
                "Condition": {"IpAddress": {"AWS:sourceip": "10.0.0.0/8"}, "StringLike": {"s3:prefix": "${aws:UserName}*"}},
            }
        ],
    }
)


def test_conditions_and_variables_name_keys_each_once(house: House) -> None:
    found = house.call("GetContextKeysForCustomPolicy", policy_input_list=[LIST_BUCKETS, CONDITIONS, CONDITIONS]).context_key_names
    assert list(found) == ["aws:SourceIp", "s3:prefix", "aws:username", "aws:PrincipalTag/team"]


def test_an_old_document_has_no_variables(house: House) -> None:
    old = CONDITIONS.replace("2012-10-17", "2008-10-17")
    found = house.call("GetContextKeysForCustomPolicy", policy_input_list=[old]).context_key_names
    assert list(found) == ["aws:SourceIp", "s3:prefix"]


def test_a_principal_has_those_of_all_its_policies(house: House) -> None:
    house.user("alice", allow("s3:*", when={"Bool": {"aws:SecureTransport": "true"}}))
    house.call("CreateGroup", group_name="g")
    house.call("AddUserToGroup", user_name="alice", group_name="g")
    house.call("PutGroupPolicy", group_name="g", policy_name="p", policy_document=CONDITIONS)
    document = allow("s3:*", when={"StringEquals": {"aws:RequestedRegion": "eu-central-1"}})
    bound = house.call("CreatePolicy", policy_name="b", policy_document=document).policy.arn
    house.call("PutUserPermissionsBoundary", user_name="alice", permissions_boundary=bound)
    arn = f"arn:aws:iam::{house.account_id}:user/alice"
    given = [allow("s3:*", when={"Null": {"aws:TagKeys": "true"}})]
    found = house.call("GetContextKeysForPrincipalPolicy", policy_source_arn=arn, policy_input_list=given).context_key_names
    assert list(found) == [
        "aws:SecureTransport",
        "aws:SourceIp",
        "s3:prefix",
        "aws:username",
        "aws:PrincipalTag/team",
        "aws:RequestedRegion",
        "aws:TagKeys",
    ]


def test_a_role_and_a_group_have_keys_too(house: House) -> None:
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2)
    house.call("PutRolePolicy", role_name="r", policy_name="p", policy_document=CONDITIONS)
    house.call("CreateGroup", group_name="g")
    account = f"arn:aws:iam::{house.account_id}"
    assert len(house.call("GetContextKeysForPrincipalPolicy", policy_source_arn=f"{account}:role/r").context_key_names) == 4
    assert len(house.call("GetContextKeysForPrincipalPolicy", policy_source_arn=f"{account}:group/g").context_key_names) == 0


def test_what_is_no_policy(refused: Refused) -> None:
    said = ("InvalidInput", "Invalid input: PolicyInputList.2: Syntax errors in policy.")
    assert refused("GetContextKeysForCustomPolicy", policy_input_list=[LIST_BUCKETS, "{}"]) == said


@pytest.mark.parametrize(
    ("resource", "code"),
    [("user/none", "NoSuchEntity"), ("policy/p", "InvalidInput"), ("server-certificate/x", "InvalidInput"), ("user/", "InvalidInput")],
)
def test_a_source_that_is_none(house: House, refused: Refused, resource: str, code: str) -> None:
    house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS)
    arn = f"arn:aws:iam::{house.account_id}:{resource}"
    assert refused("GetContextKeysForPrincipalPolicy", policy_source_arn=arn)[0] == code


def test_another_accounts_principals_are_out_of_reach(house: House, refused: Refused) -> None:
    other = house.account()
    house.call("CreateUser", _as=other, user_name="alice")
    arn = house.call("GetUser", _as=other, user_name="alice").user.arn
    assert refused("GetContextKeysForPrincipalPolicy", policy_source_arn=arn)[0] == "AccessDenied"
