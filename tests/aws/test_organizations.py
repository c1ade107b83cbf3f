"""Organizations by AWS's own tools: boto3 and the `aws` command. On SQLite: the operations have tests of their own on both databases."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.aws.cli import Aws
from tests.aws.conftest import REGION, Served
from tests.aws.forked import Program

SCP = "SERVICE_CONTROL_POLICY"
DENY_USERS = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:CreateUser", "Resource": "*"}]})


@pytest.fixture(scope="module")
def server(served: Served) -> Served:
    """The running server."""
    return served


def client(server: Served, service: str, *keys: str) -> Any:
    """A client of boto3, root's when it is given no keys."""
    chosen = dict(zip(("aws_access_key_id", "aws_secret_access_key", "aws_session_token"), keys, strict=False))
    chosen = chosen or {"aws_access_key_id": server.access_key_id, "aws_secret_access_key": server.secret_access_key}
    options = Config(retries={"total_max_attempts": 1})
    return boto3.client(service, endpoint_url=server.url, region_name=REGION, config=options, **chosen)


@pytest.fixture
def organizations(server: Served) -> Iterator[Any]:
    """A client with an organization, which is gone afterwards."""
    made = client(server, "organizations")
    made.create_organization(FeatureSet="ALL")
    yield made
    for page in made.get_paginator("list_accounts").paginate():
        for account in page["Accounts"]:
            if account["Id"] != made.describe_organization()["Organization"]["MasterAccountId"]:
                made.remove_account_from_organization(AccountId=account["Id"])
    made.delete_organization()


@pytest.fixture
def admin(server: Served) -> Iterator[Any]:
    """STS for a user who assumes roles, which root cannot."""
    iam = client(server, "iam")
    iam.create_user(UserName="admin")
    every = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="admin", PolicyName="all", PolicyDocument=json.dumps(every))
    key = iam.create_access_key(UserName="admin")["AccessKey"]
    yield client(server, "sts", key["AccessKeyId"], key["SecretAccessKey"])
    iam.delete_access_key(UserName="admin", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="admin", PolicyName="all")
    iam.delete_user(UserName="admin")


def created(organizations: Any, name: str) -> str:
    """A new account; its id."""
    asked = organizations.create_account(Email=f"{uuid.uuid4().hex}@example.com", AccountName=name)["CreateAccountStatus"]
    assert asked["State"] == "IN_PROGRESS"
    done = organizations.describe_create_account_status(CreateAccountRequestId=asked["Id"])["CreateAccountStatus"]
    assert done["State"] == "SUCCEEDED"
    account_id: str = done["AccountId"]
    return account_id


def inside(server: Served, admin: Any, account_id: str, service: str) -> Any:
    """A client with the role that the management account has in an account."""
    role = f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole"
    keys = admin.assume_role(RoleArn=role, RoleSessionName="shift")["Credentials"]
    return client(server, service, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def test_an_scp_denies_until_the_account_moves(server: Served, organizations: Any, admin: Any) -> None:
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType=SCP)
    dev = organizations.create_organizational_unit(ParentId=root, Name="dev")["OrganizationalUnit"]["Id"]
    policy = organizations.create_policy(Content=DENY_USERS, Description="", Name="no users", Type=SCP)["Policy"]["PolicySummary"]
    organizations.attach_policy(PolicyId=policy["Id"], TargetId=dev)
    account_id = created(organizations, "member")
    organizations.move_account(AccountId=account_id, SourceParentId=root, DestinationParentId=dev)
    iam = inside(server, admin, account_id, "iam")
    with pytest.raises(iam.exceptions.ClientError) as denied:
        iam.create_user(UserName="ann")
    assert denied.value.response["Error"] == {
        "Type": "Sender",
        "Code": "AccessDenied",
        "Message": (
            f"User: arn:aws:sts::{account_id}:assumed-role/OrganizationAccountAccessRole/shift is not authorized to perform: "
            f"iam:CreateUser on resource: arn:aws:iam::{account_id}:user/ann with an explicit deny in a service control policy"
        ),
    }
    organizations.move_account(AccountId=account_id, SourceParentId=dev, DestinationParentId=root)
    iam.create_user(UserName="ann")
    organizations.detach_policy(PolicyId=policy["Id"], TargetId=dev)
    organizations.delete_policy(PolicyId=policy["Id"])
    organizations.delete_organizational_unit(OrganizationalUnitId=dev)


def test_exceptions_have_types_and_reasons(organizations: Any) -> None:
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType=SCP)
    with pytest.raises(organizations.exceptions.ConstraintViolationException) as last:
        organizations.detach_policy(PolicyId="p-FullAWSAccess", TargetId=root)
    sentence = "You cannot remove the last policy attached to the specified target."
    assert last.value.response["Reason"] == "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
    assert (last.value.response["Message"], last.value.response["Error"]["Message"]) == (sentence, sentence)
    assert last.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(organizations.exceptions.InvalidInputException) as wrong:
        organizations.describe_policy(PolicyId="nothing")
    assert wrong.value.response["Reason"] == "INVALID_PATTERN"
    with pytest.raises(organizations.exceptions.PolicyNotFoundException):
        organizations.describe_policy(PolicyId="p-12345678")
    with pytest.raises(organizations.exceptions.AlreadyInOrganizationException):
        organizations.create_organization()
    with pytest.raises(organizations.exceptions.ClientError, match="ListInboundResponsibilityTransfers is not implemented by this server"):
        organizations.list_inbound_responsibility_transfers(Type="BILLING")


def test_who_has_no_organization_is_told_so_in_awss_words(server: Served) -> None:
    made = client(server, "organizations")
    with pytest.raises(made.exceptions.AWSOrganizationsNotInUseException, match="Your account is not a member of an organization"):
        made.describe_organization()


def test_an_account_joins_by_handshake_and_leaves(server: Served, organizations: Any, admin: Any) -> None:
    account_id = created(organizations, "guest")
    organizations.remove_account_from_organization(AccountId=account_id)
    guest = inside(server, admin, account_id, "organizations")
    asked = organizations.invite_account_to_organization(Target={"Id": account_id, "Type": "ACCOUNT"}, Notes="come")["Handshake"]
    (seen,) = guest.list_handshakes_for_account()["Handshakes"]
    assert seen == asked
    assert [resource["Type"] for resource in seen["Resources"]] == ["ORGANIZATION", "ACCOUNT", "NOTES"]
    assert guest.accept_handshake(HandshakeId=asked["Id"])["Handshake"]["State"] == "ACCEPTED"
    with pytest.raises(guest.exceptions.HandshakeAlreadyInStateException):
        guest.accept_handshake(HandshakeId=asked["Id"])
    assert guest.describe_organization()["Organization"]["Id"] == organizations.describe_organization()["Organization"]["Id"]
    guest.leave_organization()


def test_an_account_is_named_and_reached(server: Served, organizations: Any) -> None:
    account = client(server, "account")
    account.put_account_name(AccountName="Harbour")
    found = account.get_account_information()
    assert (found["AccountName"], found["AccountState"]) == ("Harbour", "ACTIVE")
    with pytest.raises(account.exceptions.ResourceNotFoundException) as missing:
        account.get_alternate_contact(AlternateContactType="SECURITY")
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    account.put_alternate_contact(
        AlternateContactType="SECURITY", Name="Bea", Title="Head", EmailAddress="bea@example.com", PhoneNumber="+353 21"
    )
    assert account.get_alternate_contact(AlternateContactType="SECURITY")["AlternateContact"]["Name"] == "Bea"
    account.delete_alternate_contact(AlternateContactType="SECURITY")
    pages = account.get_paginator("list_regions").paginate(PaginationConfig={"PageSize": 10})
    states = {region["RegionName"]: region["RegionOptStatus"] for page in pages for region in page["Regions"]}
    assert (states["eu-west-1"], states["af-south-1"]) == ("ENABLED_BY_DEFAULT", "DISABLED")
    organizations.enable_aws_service_access(ServicePrincipal="account.amazonaws.com")
    member = created(organizations, "before")
    account.put_account_name(AccountId=member, AccountName="after")
    assert organizations.describe_account(AccountId=member)["Account"]["Name"] == "after"
    with pytest.raises(account.exceptions.AccessDeniedException):
        account.get_account_information(AccountId="123456789012")


def test_the_commands_of_the_documentation(server: Served, program: Program, tmp_path: Path, organizations: Any) -> None:
    (tmp_path / "tag.json").write_text('{"tags": {"CostCenter": {"tag_key": {"@@assign": "CostCenter"}}}}')
    aws = Aws(server, program, tmp_path)
    root = aws("organizations list-roots")["Roots"][0]["Id"]
    assert aws(f"organizations enable-policy-type --root-id {root} --policy-type TAG_POLICY")["Root"]["PolicyTypes"] == [
        {"Type": "TAG_POLICY", "Status": "ENABLED"}
    ]
    unit = aws(f"organizations create-organizational-unit --parent-id {root} --name Security --tags Key=a,Value=1")["OrganizationalUnit"]
    assert unit["Name"] == "Security"
    made = aws("organizations create-policy --type TAG_POLICY --name tags --description d --content file://tag.json")["Policy"]
    id_ = made["PolicySummary"]["Id"]
    aws(f"organizations attach-policy --policy-id {id_} --target-id {root}")
    assert aws(f"organizations list-targets-for-policy --policy-id {id_}")["Targets"][0]["Type"] == "ROOT"
    effective = aws("organizations describe-effective-policy --policy-type TAG_POLICY")["EffectivePolicy"]
    assert json.loads(effective["PolicyContent"]) == {"tags": {"costcenter": {"tag_key": "CostCenter"}}}
    assert aws(f"organizations list-tags-for-resource --resource-id {unit['Id']}")["Tags"] == [{"Key": "a", "Value": "1"}]
    account = aws("organizations list-accounts")["Accounts"][0]
    assert account["JoinedMethod"] == "INVITED"
    assert aws(f"organizations list-parents --child-id {account['Id']}")["Parents"] == [{"Id": root, "Type": "ROOT"}]
    assert aws("organizations list-aws-service-access-for-organization")["EnabledServicePrincipals"] == []
    assert aws.error("organizations describe-account --account-id 123456789012") == "AccountNotFoundException"
    assert aws.error("organizations create-gov-cloud-account --email a@example.com --account-name a") == "ConstraintViolationException"
    assert aws.error("organizations create-organization") == "AlreadyInOrganizationException"
