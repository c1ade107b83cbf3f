"""The commands of AWS's documentation, in order, each with its output and its errors, by the unmodified `aws`."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.aws import forked
from tests.aws.cli import Aws
from tests.aws.conftest import S3_READ_ONLY, Served
from tests.aws.forked import Program

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}
TAGS = [{"Key": "Department", "Value": "Engineering"}, {"Key": "Name", "Value": "my-user"}]


@pytest.fixture
def aws(request: pytest.FixtureRequest, program: Program, tmp_path: Path) -> Aws:
    """The command, with the files that the documentation names; on SQLite, unless a test names another server. What it says does not depend
    on the database, and what the operations do has tests of its own on both.
    """
    served: Served = request.getfixturevalue(getattr(request, "param", "served"))
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    made = Aws(served, program, tmp_path)
    account = made("sts get-caller-identity")["Account"]
    (tmp_path / "trust-policy.json").write_text(json.dumps(trust(account)))
    (tmp_path / "broken.json").write_text('{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}')
    return made


def trust(account: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def arns(account: str) -> dict[str, str]:
    return {kind: f"arn:aws:iam::{account}:{kind}/my-{kind}" for kind in ("user", "group", "role", "policy")}


def names(found: Any, list_name: str, name: str) -> list[str]:
    return [entry[name] for entry in found[list_name]]


def test_the_installed_program(aws: Aws) -> None:
    """The one command that is run from the file that pip has written; all others fork from it."""
    file = Path(sys.executable).parent / "aws"
    done = subprocess.run(
        [sys.executable, file, "sts", "get-caller-identity"],
        env=aws.environment(),
        cwd=aws.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == aws("sts get-caller-identity")


@pytest.mark.parametrize("aws", ["served", "served_postgresql"], indirect=True, ids=["sqlite", "postgresql"])
def test_users(aws: Aws) -> None:
    account = aws("sts get-caller-identity")["Account"]
    user = aws("iam create-user --user-name my-user --tags Key=Name,Value=my-user Key=Department,Value=Engineering")["User"]
    assert (user["Arn"], user["Path"], user["UserName"]) == (arns(account)["user"], "/", "my-user")
    assert sorted(user["Tags"], key=lambda tag: str(tag["Key"])) == TAGS
    assert user["UserId"].startswith("AIDA")
    assert user["CreateDate"].endswith(("Z", "+00:00"))
    assert aws.error("iam create-user --user-name my-user") == "EntityAlreadyExists"
    assert aws.error("iam create-user --user-name MY-USER") == "EntityAlreadyExists"
    assert aws.error("iam create-user --user-name my/user") == "ValidationError"
    listed = aws("iam list-users")["Users"]
    assert listed == [{name: value for name, value in user.items() if name != "Tags"}]
    assert aws("iam get-user --user-name my-user")["User"] == user
    assert aws.error("iam get-user --user-name nobody") == "NoSuchEntity"
    assert aws.error("iam delete-user --user-name nobody") == "NoSuchEntity"
    assert aws("iam delete-user --user-name my-user") is None
    assert aws("iam list-users") == {"Users": []}


def test_groups_and_their_users(aws: Aws) -> None:
    account = aws("sts get-caller-identity")["Account"]
    group = aws("iam create-group --group-name my-group")["Group"]
    assert group["Arn"] == arns(account)["group"]
    assert aws.error("iam create-group --group-name my-group") == "EntityAlreadyExists"
    assert aws("iam list-groups") == {"Groups": [group]}
    aws("iam create-user --user-name my-user")
    assert aws("iam add-user-to-group --user-name my-user --group-name my-group") is None
    assert aws.error("iam add-user-to-group --user-name nobody --group-name my-group") == "NoSuchEntity"
    assert aws.error("iam add-user-to-group --user-name my-user --group-name nothing") == "NoSuchEntity"
    found = aws("iam get-group --group-name my-group")
    assert found["Group"] == group
    assert names(found, "Users", "UserName") == ["my-user"]
    assert aws.error("iam get-group --group-name nothing") == "NoSuchEntity"
    assert aws.error("iam delete-group --group-name my-group") == "DeleteConflict"
    assert aws.error("iam delete-user --user-name my-user") == "DeleteConflict"
    assert aws("iam remove-user-from-group --user-name my-user --group-name my-group") is None
    assert aws("iam get-group --group-name my-group")["Users"] == []
    aws("iam delete-user --user-name my-user")
    assert aws("iam delete-group --group-name my-group") is None
    assert aws.error("iam delete-group --group-name my-group") == "NoSuchEntity"
    assert aws("iam list-groups") == {"Groups": []}


def test_policies(aws: Aws) -> None:
    account = aws("sts get-caller-identity")["Account"]
    command = "iam create-policy --policy-name my-policy --policy-document file://policy.json"
    policy = aws(f"{command} --tags Key=Department,Value=Engineering")["Policy"]
    assert policy["Arn"] == arns(account)["policy"]
    assert (policy["DefaultVersionId"], policy["AttachmentCount"], policy["IsAttachable"]) == ("v1", 0, True)
    assert policy["Tags"] == [{"Key": "Department", "Value": "Engineering"}]
    assert aws.error(command) == "EntityAlreadyExists"
    assert aws.error("iam create-policy --policy-name broken --policy-document file://broken.json") == "MalformedPolicyDocument"
    assert names(aws("iam list-policies --scope Local"), "Policies", "PolicyName") == ["my-policy"]
    version = aws(f"iam get-policy-version --policy-arn {policy['Arn']} --version-id v1")["PolicyVersion"]
    assert version["Document"] == POLICY
    aws("iam create-user --user-name my-user")
    aws(f"iam attach-user-policy --user-name my-user --policy-arn {policy['Arn']}")
    assert aws.error(f"iam delete-policy --policy-arn {policy['Arn']}") == "DeleteConflict"
    aws(f"iam detach-user-policy --user-name my-user --policy-arn {policy['Arn']}")
    aws("iam delete-user --user-name my-user")
    assert aws(f"iam delete-policy --policy-arn {policy['Arn']}") is None
    assert aws.error(f"iam delete-policy --policy-arn {policy['Arn']}") == "NoSuchEntity"
    assert aws("iam list-policies --scope Local") == {"Policies": []}


def test_roles(aws: Aws) -> None:
    account = aws("sts get-caller-identity")["Account"]
    command = "iam create-role --role-name my-role --assume-role-policy-document file://trust-policy.json"
    role = aws(f"{command} --tags Key=Department,Value=Engineering")["Role"]
    assert role["Arn"] == arns(account)["role"]
    assert role["AssumeRolePolicyDocument"] == trust(account)
    assert role["Tags"] == [{"Key": "Department", "Value": "Engineering"}]
    assert aws.error(command) == "EntityAlreadyExists"
    broken = "iam create-role --role-name broken --assume-role-policy-document file://broken.json"
    assert aws.error(broken) == "MalformedPolicyDocument"
    listed = aws("iam list-roles")["Roles"]
    assert [(entry["RoleName"], entry["AssumeRolePolicyDocument"]) for entry in listed] == [("my-role", trust(account))]
    aws(f"iam attach-role-policy --role-name my-role --policy-arn {S3_READ_ONLY}")
    assert aws.error("iam delete-role --role-name my-role") == "DeleteConflict"
    aws(f"iam detach-role-policy --role-name my-role --policy-arn {S3_READ_ONLY}")
    assert aws("iam delete-role --role-name my-role") is None
    assert aws.error("iam delete-role --role-name my-role") == "NoSuchEntity"
    assert aws("iam list-roles") == {"Roles": []}


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_attachments(kind: str, aws: Aws) -> None:
    trusted = " --assume-role-policy-document file://trust-policy.json" if kind == "role" else ""
    aws(f"iam create-{kind} --{kind}-name my-{kind}{trusted}")
    of = f"--{kind}-name my-{kind}"
    listing = f"iam list-attached-{kind}-policies {of}"
    assert aws(listing) == {"AttachedPolicies": []}
    assert aws(f"iam attach-{kind}-policy {of} --policy-arn {S3_READ_ONLY}") is None
    assert aws(listing) == {"AttachedPolicies": [{"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": S3_READ_ONLY}]}
    assert aws.error(f"iam attach-{kind}-policy {of} --policy-arn arn:aws:iam::aws:policy/Nothing") == "NoSuchEntity"
    assert aws.error(f"iam attach-{kind}-policy --{kind}-name nobody --policy-arn {S3_READ_ONLY}") == "NoSuchEntity"
    assert aws.error(f"iam list-attached-{kind}-policies --{kind}-name nobody") == "NoSuchEntity"
    assert aws.error(f"iam delete-{kind} {of}") == "DeleteConflict"
    assert aws(f"iam detach-{kind}-policy {of} --policy-arn {S3_READ_ONLY}") is None
    assert aws.error(f"iam detach-{kind}-policy {of} --policy-arn {S3_READ_ONLY}") == "NoSuchEntity"
    aws(f"iam delete-{kind} {of}")


def test_access_keys_and_who_calls_with_them(aws: Aws) -> None:
    account = aws("sts get-caller-identity")["Account"]
    aws("iam create-user --user-name my-user")
    key = aws("iam create-access-key --user-name my-user")["AccessKey"]
    assert (key["UserName"], key["Status"], len(key["SecretAccessKey"])) == ("my-user", "Active", 40)
    assert aws.error("iam create-access-key --user-name nobody") == "NoSuchEntity"
    listed = aws("iam list-access-keys --user-name my-user")["AccessKeyMetadata"]
    assert listed == [{name: value for name, value in key.items() if name != "SecretAccessKey"}]
    as_user = aws.as_caller(key["AccessKeyId"], key["SecretAccessKey"])
    identity = as_user("sts get-caller-identity")
    assert (identity["Account"], identity["Arn"]) == (account, arns(account)["user"])
    assert as_user.error("iam list-users") == "AccessDenied"
    assert aws.as_caller(key["AccessKeyId"], "wrong").error("sts get-caller-identity") == "SignatureDoesNotMatch"
    assert aws.error("iam delete-user --user-name my-user") == "DeleteConflict"
    assert aws(f"iam delete-access-key --user-name my-user --access-key-id {key['AccessKeyId']}") is None
    assert aws.error(f"iam delete-access-key --user-name my-user --access-key-id {key['AccessKeyId']}") == "NoSuchEntity"
    assert as_user.error("sts get-caller-identity") == "InvalidClientTokenId"
    aws("iam delete-user --user-name my-user")


def test_assume_role(aws: Aws) -> None:
    account = aws("sts get-caller-identity")["Account"]
    aws("iam create-role --role-name my-role --assume-role-policy-document file://trust-policy.json")
    role = arns(account)["role"]
    assume = f"sts assume-role --role-arn {role} --role-session-name my-session"
    assert aws.error(assume) == "AccessDenied"  # root may not
    aws("iam create-user --user-name my-user")
    key = aws("iam create-access-key --user-name my-user")["AccessKey"]
    as_user = aws.as_caller(key["AccessKeyId"], key["SecretAccessKey"])
    assert as_user.error(assume) == "AccessDenied"
    (aws.folder / "assume.json").write_text(
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}]})
    )
    aws("iam put-user-policy --user-name my-user --policy-name assume --policy-document file://assume.json")
    assumed = as_user(assume)
    assert assumed["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{account}:assumed-role/my-role/my-session"
    assert assumed["Credentials"]["AccessKeyId"].startswith("ASIA")
    assert as_user.error(f"{assume} --duration-seconds 43200") == "ValidationError"
    assert as_user.error(f"{assume.replace('my-role', 'nothing')}") == "AccessDenied"
    aws("iam delete-user-policy --user-name my-user --policy-name assume")
    aws(f"iam delete-access-key --user-name my-user --access-key-id {key['AccessKeyId']}")
    aws("iam delete-user --user-name my-user")
    aws("iam delete-role --role-name my-role")


def test_instance_profiles(aws: Aws) -> None:
    account = aws("sts get-caller-identity")["Account"]
    of = "--instance-profile-name my-profile"
    profile = aws(f"iam create-instance-profile {of}")["InstanceProfile"]
    assert profile["Arn"] == f"arn:aws:iam::{account}:instance-profile/my-profile"
    assert (profile["InstanceProfileId"][:4], profile["Roles"]) == ("AIPA", [])
    assert aws.error(f"iam create-instance-profile {of}") == "EntityAlreadyExists"
    assert names(aws("iam list-instance-profiles"), "InstanceProfiles", "InstanceProfileName") == ["my-profile"]
    aws("iam create-role --role-name my-role --assume-role-policy-document file://trust-policy.json")
    assert aws(f"iam add-role-to-instance-profile {of} --role-name my-role") is None
    assert aws.error(f"iam add-role-to-instance-profile {of} --role-name nothing") == "NoSuchEntity"
    assert aws.error(f"iam add-role-to-instance-profile {of} --role-name my-role") == "LimitExceeded"
    found = aws(f"iam get-instance-profile {of}")["InstanceProfile"]
    assert names(found, "Roles", "RoleName") == ["my-role"]
    assert aws.error("iam get-instance-profile --instance-profile-name nothing") == "NoSuchEntity"
    assert aws.error(f"iam delete-instance-profile {of}") == "DeleteConflict"
    assert aws.error("iam delete-role --role-name my-role") == "DeleteConflict"
    assert aws(f"iam remove-role-from-instance-profile {of} --role-name my-role") is None
    assert aws(f"iam get-instance-profile {of}")["InstanceProfile"]["Roles"] == []
    assert aws(f"iam delete-instance-profile {of}") is None
    assert aws.error(f"iam delete-instance-profile {of}") == "NoSuchEntity"
    aws("iam delete-role --role-name my-role")


def test_version_2_of_the_program(aws: Aws) -> None:
    """A few commands, since each start of it takes a second or two; the protocol is the same. Version 1 clears away."""
    found = forked.version_2()
    if found is None:
        pytest.skip("version 2 of the aws command line does not come from PyPI, and this machine has none")
    first, aws = aws, replace(aws, program=found)
    made = aws("iam create-user --user-name second --tags Key=Name,Value=my-user Key=Department,Value=Engineering")["User"]
    assert made["Tags"] == TAGS
    arn = aws("iam create-policy --policy-name second --policy-document file://policy.json")["Policy"]["Arn"]
    assert aws(f"iam attach-user-policy --user-name second --policy-arn {arn}") is None
    assert aws.error("iam delete-user --user-name second") == "DeleteConflict"
    assert aws.error("iam create-user --user-name SECOND") == "EntityAlreadyExists"
    assert names(aws("iam list-attached-user-policies --user-name second"), "AttachedPolicies", "PolicyName") == ["second"]
    for command in (f"detach-user-policy --user-name second --policy-arn {arn}", f"delete-policy --policy-arn {arn}"):
        assert first(f"iam {command}") is None
    assert aws("iam delete-user --user-name second") is None


def test_what_is_not_here_says_so(aws: Aws) -> None:
    assert aws.error("iam list-delegation-requests") == "NotImplemented"


def test_tokens_for_other_services(aws: Aws) -> None:
    ask = "sts get-web-identity-token --audience orders.example.com --signing-algorithm"
    assert aws.error(f"{ask} ES384") == "OutboundWebIdentityFederationDisabledException"
    assert aws.error("iam get-outbound-web-identity-federation-info") == "FeatureDisabled"
    issuer = aws("iam enable-outbound-web-identity-federation")["IssuerIdentifier"]
    try:
        assert issuer.startswith(f"{aws.served.url}/iss-")
        assert aws.error("iam enable-outbound-web-identity-federation") == "FeatureEnabled"
        assert aws("iam get-outbound-web-identity-federation-info") == {"IssuerIdentifier": issuer, "JwtVendingEnabled": True}
        keys = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json")
        for algorithm in ("ES384", "RS256"):
            made = aws(f"{ask} {algorithm} --duration-seconds 60 --tags Key=job,Value=7")
            token = made["WebIdentityToken"]
            key = keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=[algorithm], audience="orders.example.com", issuer=issuer, leeway=60)
            assert claims["https://sts.amazonaws.com/"]["request_tags"] == {"job": "7"}
            assert datetime.fromisoformat(made["Expiration"]).timestamp() == claims["exp"]
        assert aws.error(f"{ask} HS256") == "ValidationError"
    finally:
        assert aws("iam disable-outbound-web-identity-federation") is None
    assert aws.error("iam disable-outbound-web-identity-federation") == "FeatureDisabled"
