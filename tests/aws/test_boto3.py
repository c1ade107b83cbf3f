"""boto3 as programs use it: typed exceptions, paginators, waiters, sessions. On both kinds of database."""

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from tests.aws.conftest import REGION, S3_READ_ONLY, Served
from tests.services.iam import pki

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:Get*", "Resource": "*"}]}'
NO_RETRIES = Config(retries={"total_max_attempts": 1})


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> Served:
    """The running server."""
    name = "served" if request.param == "sqlite" else "served_postgresql"
    made: Served = request.getfixturevalue(name)
    return made


def client(served: Served, service: str, **keys: str) -> Any:
    """A client of boto3 that is told nothing but the address and keys."""
    chosen = {"aws_access_key_id": served.access_key_id, "aws_secret_access_key": served.secret_access_key, **keys}
    return boto3.client(service, endpoint_url=served.url, region_name=REGION, config=NO_RETRIES, **chosen)


@pytest.fixture
def iam(server: Served) -> Iterator[Any]:
    """A client for IAM; what the test made is gone afterwards."""
    made = client(server, "iam")
    yield made
    for user in made.list_users()["Users"]:
        name = user["UserName"]
        for key in made.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            made.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        for policy in made.list_user_policies(UserName=name)["PolicyNames"]:
            made.delete_user_policy(UserName=name, PolicyName=policy)
        made.delete_user(UserName=name)
    for role in made.list_roles()["Roles"]:
        made.delete_role(RoleName=role["RoleName"])
    for policy in made.list_policies(Scope="Local")["Policies"]:
        made.delete_policy(PolicyArn=policy["Arn"])


def test_exceptions_have_types(iam: Any) -> None:
    iam.create_user(UserName="alice")
    with pytest.raises(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName="alice")
    with pytest.raises(iam.exceptions.NoSuchEntityException) as missing:
        iam.get_user(UserName="bob")
    answer = missing.value.response
    assert answer["Error"] == {
        "Type": "Sender", "Code": "NoSuchEntity", "Message": "The user with name bob cannot be found.",
    }  # fmt: skip
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert answer["ResponseMetadata"]["RequestId"] == answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
        iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument="{")
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=POLICY)
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_user(UserName="alice")
    for _ in range(2):
        iam.create_access_key(UserName="alice")
    with pytest.raises(iam.exceptions.LimitExceededException):
        iam.create_access_key(UserName="alice")
    with pytest.raises(ClientError, match="The specified value for userName is invalid"):
        iam.create_user(UserName="a b")
    with pytest.raises(ClientError, match="1 validation error detected: Value at 'userName' failed to satisfy constraint"):
        iam.create_user(UserName="a" * 65)


def test_documents_are_dictionaries(iam: Any) -> None:
    iam.create_user(UserName="alice")
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=POLICY)
    assert iam.get_user_policy(UserName="alice", PolicyName="p")["PolicyDocument"] == json.loads(POLICY)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_pages(size: int, iam: Any) -> None:
    for number in range(7):
        iam.create_user(UserName=f"user-{number}")
    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": size}))
    assert [user["UserName"] for page in pages for user in page["Users"]] == [f"user-{number}" for number in range(7)]
    assert [page["IsTruncated"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert ["Marker" in page for page in pages] == [page["IsTruncated"] for page in pages]
    assert len(pages) == -(-7 // size)


def test_lists_are_there_when_empty(iam: Any) -> None:
    iam.create_user(UserName="alice")
    assert iam.list_user_policies(UserName="alice")["PolicyNames"] == []
    assert iam.list_attached_user_policies(UserName="alice")["AttachedPolicies"] == []
    assert iam.list_groups_for_user(UserName="alice")["Groups"] == []
    assert iam.list_user_tags(UserName="alice")["Tags"] == []
    assert "Tags" not in iam.get_user(UserName="alice")["User"]


def test_paginators_of_every_list(iam: Any) -> None:
    iam.create_user(UserName="alice")
    names = {"UserName": "alice", "PolicyArn": S3_READ_ONLY}
    for operation in (
        "list_users", "list_groups", "list_roles", "list_policies", "list_access_keys", "list_user_policies", "list_attached_user_policies",
        "list_groups_for_user", "list_user_tags", "list_policy_versions", "list_entities_for_policy",
    ):  # fmt: skip
        model = iam.meta.service_model.operation_model(iam.meta.method_to_api_mapping[operation])
        given = {name: value for name, value in names.items() if name in model.input_shape.members}
        assert all(page["IsTruncated"] in (True, False) for page in iam.get_paginator(operation).paginate(**given))


def test_waiters_see_what_comes(iam: Any) -> None:
    quickly = {"Delay": 1, "MaxAttempts": 30}
    maker = threading.Timer(0.5, lambda: iam.create_user(UserName="late"))
    maker.start()
    iam.get_waiter("user_exists").wait(UserName="late", WaiterConfig=quickly)
    maker.join()
    trust = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    )
    iam.create_role(RoleName="role", AssumeRolePolicyDocument=trust)
    iam.get_waiter("role_exists").wait(RoleName="role", WaiterConfig=quickly)
    arn = iam.create_policy(PolicyName="policy", PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.get_waiter("policy_exists").wait(PolicyArn=arn, WaiterConfig=quickly)
    iam.create_instance_profile(InstanceProfileName="profile")
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="profile", WaiterConfig=quickly)
    iam.delete_instance_profile(InstanceProfileName="profile")
    with pytest.raises(WaiterError):
        iam.get_waiter("user_exists").wait(UserName="never", WaiterConfig={"Delay": 0, "MaxAttempts": 2})


def test_session_of_a_role(iam: Any, server: Served) -> None:
    account = client(server, "sts").get_caller_identity()["Account"]
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))["Role"]
    iam.create_user(UserName="alice")
    may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role["Arn"]}]}
    iam.put_user_policy(UserName="alice", PolicyName="assume", PolicyDocument=json.dumps(may))
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    sts = client(server, "sts", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    made = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="session")["Credentials"]
    keys = {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }
    as_role = client(server, "sts", **keys)
    assert as_role.get_caller_identity()["Arn"] == f"arn:aws:sts::{account}:assumed-role/role/session"
    for method in ("GET", "POST"):  # boto3 signs a POST unless it is told otherwise
        url = as_role.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod=method)
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:  # noqa: S310  # our own server
            assert f"<Account>{account}</Account>" in answer.read().decode()
    with pytest.raises(ClientError) as denied:
        client(server, "iam", **keys).list_users()
    assert denied.value.response["Error"]["Code"] == "AccessDenied"


def test_what_the_tagging_api_has_not_is_refused_and_does_not_answer_with_nothing(server: Served) -> None:
    with pytest.raises(ClientError) as refused:
        client(server, "resourcegroupstaggingapi").start_report_creation(S3Bucket="reports")
    assert refused.value.response["Error"]["Code"] == "NotImplemented"


def test_any_region_in_the_scope(server: Served) -> None:
    for region in ("us-east-1", "ap-northeast-1", "nowhere-9"):
        made = boto3.client(
            "sts",
            endpoint_url=server.url,
            region_name=region,
            aws_access_key_id=server.access_key_id,
            aws_secret_access_key=server.secret_access_key,
        )
        assert made.get_caller_identity()["Arn"].endswith(":root")


class Desired:
    """What a program wants to be there, made where it is missing and compared where it is not, as Terraform does it."""

    def __init__(self, iam: Any) -> None:
        self._iam, self.changes = iam, list[str]()
        self._certificate = pki.made("edge")

    def _there(self, what: str, get: Callable[[], Any], make: Callable[[], Any]) -> Any:
        try:
            return get()
        except self._iam.exceptions.NoSuchEntityException:
            self.changes.append(what)
            make()
            return get()

    def _same(self, what: str, there: Any, wanted: Any) -> None:
        if there != wanted:
            self.changes.append(f"{what}: {there!r} is not {wanted!r}")

    def run(self) -> list[str]:
        """Make what is missing; what was changed, and what is not as it was meant."""
        self.changes, iam = [], self._iam
        tags = [{"Key": "Team", "Value": "dispatch"}]
        user = self._there(
            "user", lambda: iam.get_user(UserName="d-user")["User"], lambda: iam.create_user(UserName="d-user", Path="/d/", Tags=tags)
        )
        self._same("user", (user["Path"], user["Tags"]), ("/d/", tags))
        statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        trust = {"Version": "2012-10-17", "Statement": [statement]}
        role = self._there(
            "role",
            lambda: iam.get_role(RoleName="d-role")["Role"],
            lambda: iam.create_role(RoleName="d-role", AssumeRolePolicyDocument=json.dumps(trust), Description=""),
        )
        self._same("role", (role["AssumeRolePolicyDocument"], role["Description"], role["MaxSessionDuration"]), (trust, "", 3600))
        arn = user["Arn"].replace(":user/d/d-user", ":policy/d-policy")
        policy = self._there(
            "policy",
            lambda: iam.get_policy(PolicyArn=arn)["Policy"],
            lambda: iam.create_policy(PolicyName="d-policy", PolicyDocument=POLICY),
        )
        self._same("policy", (policy["Tags"], policy["DefaultVersionId"]), ([], "v1"))
        linked = self._there(
            "linked role",
            lambda: iam.get_role(RoleName="AWSServiceRoleForRDS")["Role"],
            lambda: iam.create_service_linked_role(AWSServiceName="rds.amazonaws.com"),
        )
        attached = iam.list_attached_role_policies(RoleName=linked["RoleName"])["AttachedPolicies"]
        self._same("attached", [one["PolicyName"] for one in attached], ["AmazonRDSServiceRolePolicy"])
        certificate = self._there(
            "certificate",
            lambda: iam.get_server_certificate(ServerCertificateName="d-cert")["ServerCertificate"],
            lambda: iam.upload_server_certificate(
                ServerCertificateName="d-cert",
                CertificateBody=self._certificate.certificate,
                PrivateKey=self._certificate.private_key,
            ),
        )
        self._same("certificate", (certificate["CertificateBody"], certificate["Tags"]), (self._certificate.certificate.strip(), []))
        return self.changes


def test_a_program_that_says_what_it_wants_has_nothing_to_do_the_second_time(iam: Any) -> None:
    desired = Desired(iam)
    assert desired.run() == ["user", "role", "policy", "linked role", "certificate"]
    assert desired.run() == []
    iam.delete_server_certificate(ServerCertificateName="d-cert")
    task = iam.delete_service_linked_role(RoleName="AWSServiceRoleForRDS")["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
