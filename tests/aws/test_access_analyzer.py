"""Access Analyzer by AWS's own tools, beside the story of the page: errors, filters, tags, checks, by the command and by boto3."""

import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sekisho.client import Client
from tests.aws.cli import Aws
from tests.aws.conftest import REGION, Served
from tests.aws.forked import Program

OPEN = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole",'
    '"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abcdefghij"}}}]}'
)


@pytest.fixture
def analyzer(served: Served) -> Any:
    """A client of boto3."""
    keys = {"aws_access_key_id": served.access_key_id, "aws_secret_access_key": served.secret_access_key}
    options = Config(retries={"total_max_attempts": 1})
    return boto3.client("accessanalyzer", endpoint_url=served.url, region_name=REGION, config=options, **keys)


def test_by_the_command(served: Served, program: Program, tmp_path: Path) -> None:
    aws = Aws(served, program, tmp_path)
    arn = aws("accessanalyzer create-analyzer --analyzer-name main --type ACCOUNT --tags team=blue")["arn"]
    assert aws(f"accessanalyzer list-tags-for-resource --resource-arn {arn}")["tags"] == {"team": "blue"}
    assert aws(f"accessanalyzer tag-resource --resource-arn {arn} --tags team=red") in (None, {})
    assert aws("accessanalyzer get-analyzer --analyzer-name main")["analyzer"]["tags"] == {"team": "red"}
    assert aws(f"accessanalyzer untag-resource --resource-arn {arn} --tag-keys team") in (None, {})
    assert aws.error("accessanalyzer create-analyzer --analyzer-name main --type ACCOUNT") == "ConflictException"
    assert aws.error("accessanalyzer create-analyzer --analyzer-name more --type ACCOUNT") == "ServiceQuotaExceededException"
    assert aws.error("accessanalyzer get-analyzer --analyzer-name none") == "ResourceNotFoundException"
    assert aws.error("accessanalyzer create-analyzer --analyzer-name org --type ORGANIZATION") == "ValidationException"
    (tmp_path / "policy.json").write_text('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"nothing","Resource":"*"}]}')
    found = aws("accessanalyzer validate-policy --policy-type IDENTITY_POLICY --policy-document file://policy.json")["findings"]
    assert (found[0]["issueCode"], found[0]["locations"][0]["path"][0]) == ("INVALID_ACTION", {"value": "Statement"})
    wrong = "accessanalyzer check-no-public-access --policy-document {} --resource-type AWS::SNS::Topic"
    assert aws.error(wrong) == "InvalidParameterException"
    assert aws("accessanalyzer delete-analyzer --analyzer-name main") is None


def test_by_boto3(served: Served, analyzer: Any) -> None:
    keys = {"aws_access_key_id": served.access_key_id, "aws_secret_access_key": served.secret_access_key}
    iam = boto3.client("iam", endpoint_url=served.url, region_name=REGION, **keys)
    unused = {"unusedAccess": {"unusedAccessAge": 30, "analysisRule": {"exclusions": [{"resourceTags": [{"team": "blue"}]}]}}}
    analyzer.create_analyzer(analyzerName="unused", type="ACCOUNT_UNUSED_ACCESS", configuration=unused)
    assert analyzer.get_analyzer(analyzerName="unused")["analyzer"]["configuration"] == unused
    rule = {"ruleName": "partners", "filter": {"condition.aws:PrincipalOrgID": {"eq": ["o-abcdefghij"]}}}
    arn = analyzer.create_analyzer(analyzerName="main", type="ACCOUNT", archiveRules=[rule])["arn"]
    assert analyzer.get_archive_rule(analyzerName="main", ruleName="partners")["archiveRule"]["filter"] == rule["filter"]
    iam.create_role(RoleName="partners", AssumeRolePolicyDocument=OPEN)
    end = time.monotonic() + 120
    while not (found := analyzer.list_findings(analyzerArn=arn, filter={"status": {"eq": ["ARCHIVED"]}})["findings"]):
        assert time.monotonic() < end, "nothing is found"
        time.sleep(0.1)
    (one,) = found
    assert (one["condition"], one["principal"], one["isPublic"]) == ({"aws:PrincipalOrgID": "o-abcdefghij"}, {"AWS": "*"}, False)
    details = analyzer.get_finding_v2(analyzerArn=arn, id=one["id"])["findingDetails"]
    assert details[0]["externalAccessDetails"]["action"] == ["sts:AssumeRole"]
    pages = analyzer.get_paginator("list_analyzers").paginate(PaginationConfig={"PageSize": 1})
    assert [each["name"] for page in pages for each in page["analyzers"]] == ["main", "unused"]
    with pytest.raises(analyzer.exceptions.ResourceNotFoundException) as caught:
        analyzer.get_finding(analyzerArn=arn, id="none")
    assert (caught.value.response["resourceId"], caught.value.response["resourceType"]) == ("none", "Finding")
    with pytest.raises(analyzer.exceptions.ValidationException) as refused:
        analyzer.create_archive_rule(analyzerName="main", ruleName="x", filter={"colour": {"eq": ["red"]}})
    assert refused.value.response["reason"] == "fieldValidationFailed"
    iam.delete_role(RoleName="partners")
    for name in ("main", "unused"):
        analyzer.delete_analyzer(analyzerName=name)


def test_internal_access_and_previews_by_boto3(served: Served, analyzer: Any) -> None:
    keys = {"aws_access_key_id": served.access_key_id, "aws_secret_access_key": served.secret_access_key}
    iam = boto3.client("iam", endpoint_url=served.url, region_name=REGION, **keys)
    account = boto3.client("sts", endpoint_url=served.url, region_name=REGION, **keys).get_caller_identity()["Account"]
    table = f"arn:aws:dynamodb:{REGION}:{account}:table/orders"
    with Client.from_env(served.environment(SEKISHO_ENDPOINT=served.grpc)) as client:
        client.resource.put_resource(resource_arn=table)
    iam.create_user(UserName="reader")
    reads = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dynamodb:GetItem","Resource":"*"}]}'
    iam.put_user_policy(UserName="reader", PolicyName="reads", PolicyDocument=reads)
    told = {"internalAccess": {"analysisRule": {"inclusions": [{"resourceTypes": ["AWS::DynamoDB::Table"], "resourceArns": [table]}]}}}
    arn = analyzer.create_analyzer(analyzerName="inside", type="ACCOUNT_INTERNAL_ACCESS", configuration=told)["arn"]
    assert analyzer.get_analyzer(analyzerName="inside")["analyzer"]["configuration"] == told
    end = time.monotonic() + 120
    while not (found := analyzer.list_findings_v2(analyzerArn=arn, filter={"principalType": {"eq": ["IAM_USER"]}})["findings"]):
        assert time.monotonic() < end, "nothing is found"
        time.sleep(0.1)
    (details,) = analyzer.get_finding_v2(analyzerArn=arn, id=found[0]["id"])["findingDetails"]
    assert details == {
        "internalAccessDetails": {
            "action": ["dynamodb:GetItem"],
            "principal": {"AWS": f"arn:aws:iam::{account}:user/reader"},
            "principalOwnerAccount": account,
            "accessType": "INTRA_ACCOUNT",
            "principalType": "IAM_USER",
            "sources": [{"type": "POLICY"}],
            "resourceControlPolicyRestriction": "NOT_APPLICABLE",
            "serviceControlPolicyRestriction": "NOT_APPLICABLE",
        }
    }
    (statistics,) = analyzer.get_findings_statistics(analyzerArn=arn)["findingsStatistics"]
    counted = {"totalActiveFindings": 1, "totalResolvedFindings": 0, "totalArchivedFindings": 0}
    assert statistics["internalAccessFindingsStatistics"] == {"resourceTypeStatistics": {"AWS::DynamoDB::Table": counted}, **counted}
    analyzer.delete_analyzer(analyzerName="inside")
    iam.delete_user_policy(UserName="reader", PolicyName="reads")
    iam.delete_user(UserName="reader")
    outside = analyzer.create_analyzer(analyzerName="outside", type="ACCOUNT")["arn"]
    everybody = {"permission": "READ_ACP", "grantee": {"uri": "http://acs.amazonaws.com/groups/global/AllUsers"}}
    bucket = {"arn:aws:s3:::photos": {"s3Bucket": {"bucketAclGrants": [everybody]}}}
    made = analyzer.create_access_preview(analyzerArn=outside, configurations=bucket)["id"]
    (one,) = analyzer.list_access_preview_findings(analyzerArn=outside, accessPreviewId=made)["findings"]
    assert (one["action"], one["isPublic"], one["sources"]) == (["s3:GetBucketAcl"], True, [{"type": "BUCKET_ACL"}])
    points: dict[str, Any] = {
        "arn:aws:s3:::photos": {"s3Bucket": {"accessPoints": {"arn:aws:s3:eu-west-1:111122223333:accesspoint/x": {}}}}
    }
    with pytest.raises(analyzer.exceptions.ValidationException, match="no access points are known"):
        analyzer.create_access_preview(analyzerArn=outside, configurations=points)
    analyzer.delete_analyzer(analyzerName="outside")
