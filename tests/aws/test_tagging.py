"""The Resource Groups Tagging API by AWS's own tools, unmodified: boto3, which speaks CBOR here, and the `aws` command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sekisho.client import Client, Credentials
from sekisho.client.decisions import Question
from tests.aws.cli import Aws
from tests.aws.conftest import REGION, Served
from tests.aws.forked import Program


@pytest.fixture(params=["served", "served_postgresql"])
def server(request: pytest.FixtureRequest) -> Served:
    """The running server, on SQLite and on PostgreSQL."""
    made: Served = request.getfixturevalue(request.param)
    return made


def client(server: Served, service: str) -> Any:
    keys = {"aws_access_key_id": server.access_key_id, "aws_secret_access_key": server.secret_access_key}
    return boto3.client(service, endpoint_url=server.url, region_name=REGION, **keys)


@pytest.fixture
def user(server: Served) -> Iterator[str]:
    """The ARN of a user with a tag."""
    iam = client(server, "iam")
    yield iam.create_user(UserName="tagged", Tags=[{"Key": "Env", "Value": "prod"}])["User"]["Arn"]
    iam.delete_user(UserName="tagged")


def test_boto3_finds_tags_and_untags(server: Served, user: str) -> None:
    tagging = client(server, "resourcegroupstaggingapi")
    pages = tagging.get_paginator("get_resources").paginate(ResourceTypeFilters=["iam:user"], ResourcesPerPage=1)
    assert [one for page in pages for one in page["ResourceTagMappingList"]] == [
        {"ResourceARN": user, "Tags": [{"Key": "Env", "Value": "prod"}]}
    ]
    nobody = user.replace("tagged", "nobody")
    failed = tagging.tag_resources(ResourceARNList=[user, nobody], Tags={"Team": "röd"})["FailedResourcesMap"]
    assert set(failed) == {nobody}
    assert (failed[nobody]["StatusCode"], failed[nobody]["ErrorCode"]) == (404, "InvalidParameterException")
    assert tagging.get_tag_keys()["TagKeys"] == ["Env", "Team"]
    assert tagging.get_tag_values(Key="Team")["TagValues"] == ["röd"]
    found = tagging.get_resources(TagFilters=[{"Key": "Team", "Values": ["röd"]}], IncludeComplianceDetails=True)
    assert found["PaginationToken"] == ""
    (one,) = found["ResourceTagMappingList"]
    assert one["ComplianceDetails"]["ComplianceStatus"] is True
    assert tagging.untag_resources(ResourceARNList=[user], TagKeys=["Team"])["FailedResourcesMap"] == {}
    assert tagging.get_resources(TagFilters=[{"Key": "Team"}])["ResourceTagMappingList"] == []
    with pytest.raises(tagging.exceptions.InvalidParameterException):
        tagging.get_resources(PaginationToken="nonsense")
    with pytest.raises(ClientError) as refused:
        tagging.get_compliance_summary()
    assert refused.value.response["Error"]["Code"] == "NotImplemented"


def test_the_command_line_of_aws_does_it_all(server: Served, user: str, program: Program, tmp_path: Path) -> None:
    aws = Aws(server, program, tmp_path)
    api = "resourcegroupstaggingapi"
    assert aws(f"{api} tag-resources --resource-arn-list {user} --tags Team=red,Cost=7") == {"FailedResourcesMap": {}}
    shown = aws(f"{api} get-resources --tag-filters Key=Team,Values=red --resource-type-filters iam")
    assert [one["ResourceARN"] for one in shown["ResourceTagMappingList"]] == [user]
    assert aws(f"{api} get-tag-keys")["TagKeys"] == ["Cost", "Env", "Team"]
    assert aws(f"{api} get-tag-values --key Env")["TagValues"] == ["prod"]
    assert aws(f"{api} untag-resources --resource-arn-list {user} --tag-keys Team Cost") == {"FailedResourcesMap": {}}
    assert aws(f"{api} get-tag-keys")["TagKeys"] == ["Env"]
    assert aws.error(f"{api} get-resources --resource-type-filters a$b") == "InvalidParameterException"


def test_a_registered_resource_is_found_by_aws_and_decided_about_by_its_tags(server: Served) -> None:
    with Client(server.grpc, Credentials(server.access_key_id, server.secret_access_key)) as ours:
        account = ours.sts.get_caller_identity().account
        arn = f"arn:aws:orders:eu-west-1:{account}:order/7"
        ours.resource.put_resource(resource_arn=arn)
        tagging = client(server, "resourcegroupstaggingapi")
        assert tagging.tag_resources(ResourceARNList=[arn], Tags={"Env": "prod"})["FailedResourcesMap"] == {}
        found = tagging.get_resources(ResourceTypeFilters=["orders:order"])["ResourceTagMappingList"]
        assert found == [{"ResourceARN": arn, "Tags": [{"Key": "Env", "Value": "prod"}]}]
        deny = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/Env": "prod"}},
        }
        question: Question = {"action": "orders:Ship", "resource": arn}
        assert ours.authorize(**question)
        ours.resource.put_resource_policy(resource_arn=arn, resource_policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
        assert not ours.authorize(**question)
        tagging.untag_resources(ResourceARNList=[arn], TagKeys=["Env"])
        assert ours.authorize(**question)
        ours.resource.delete_resource(resource_arn=arn)
