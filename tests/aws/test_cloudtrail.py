"""CloudTrail by AWS's own tools: a trail, its selectors and status, an event data store and a query, by the `aws` command and boto3."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.aws.cli import Aws
from tests.aws.conftest import REGION, Served, serving
from tests.aws.forked import Program


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running server with a bucket for trails."""
    folder = tmp_path_factory.mktemp("cloudtrail")
    (folder / "logs").mkdir()
    bucket = ("--trail-bucket", f"audit-logs=file://{folder / 'logs'}")
    with serving(folder, f"sqlite:///{folder / 'sekisho.db'}", *bucket) as made:
        yield made


@pytest.fixture
def aws(server: Served, program: Program, tmp_path: Path) -> Aws:
    """The command."""
    return Aws(server, program, tmp_path)


@pytest.fixture
def cloudtrail(server: Served) -> Any:
    """A client of boto3."""
    keys = {"aws_access_key_id": server.access_key_id, "aws_secret_access_key": server.secret_access_key}
    options = Config(retries={"total_max_attempts": 1})
    return boto3.client("cloudtrail", endpoint_url=server.url, region_name=REGION, config=options, **keys)


def test_a_trail_by_the_command(aws: Aws) -> None:
    made = aws("cloudtrail create-trail --name main --s3-bucket-name audit-logs --is-multi-region-trail --enable-log-file-validation")
    account = aws("sts get-caller-identity")["Account"]
    assert made["TrailARN"] == f"arn:aws:cloudtrail:us-east-1:{account}:trail/main"
    assert (made["LogFileValidationEnabled"], made["IsMultiRegionTrail"], made["IsOrganizationTrail"]) == (True, True, False)
    assert aws("cloudtrail start-logging --name main") is None
    assert aws("cloudtrail get-trail-status --name main")["IsLogging"]
    (aws.folder / "selectors.json").write_text(
        '[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["Shop::Order"]}]}]'
    )
    put = aws("cloudtrail put-event-selectors --trail-name main --advanced-event-selectors file://selectors.json")
    assert [each["Field"] for each in put["AdvancedEventSelectors"][0]["FieldSelectors"]] == ["eventCategory", "resources.type"]
    assert aws("cloudtrail describe-trails")["trailList"][0]["HasCustomEventSelectors"]
    aws(f"cloudtrail add-tags --resource-id {made['TrailARN']} --tags-list Key=team,Value=blue")
    tags = aws(f"cloudtrail list-tags --resource-id-list {made['TrailARN']}")["ResourceTagList"]
    assert tags == [{"ResourceId": made["TrailARN"], "TagsList": [{"Key": "team", "Value": "blue"}]}]
    assert aws.error("cloudtrail create-trail --name main --s3-bucket-name audit-logs") == "TrailAlreadyExistsException"
    assert aws.error("cloudtrail create-trail --name other --s3-bucket-name elsewhere") == "S3BucketDoesNotExistException"
    assert aws.error("cloudtrail create-trail --name a --s3-bucket-name audit-logs") == "InvalidTrailNameException"
    assert aws.error("cloudtrail get-trail --name nothing") == "TrailNotFoundException"
    assert aws.error("cloudtrail list-channels") == "NotImplemented"
    assert aws("cloudtrail delete-trail --name main") is None
    assert aws("cloudtrail list-trails")["Trails"] == []


def test_a_query_by_boto3(cloudtrail: Any, server: Served) -> None:
    store = cloudtrail.create_event_data_store(Name="all-events", TerminationProtectionEnabled=False)
    id_ = store["EventDataStoreArn"].rpartition("/")[2]
    cloudtrail.create_trail(Name="found", S3BucketName="audit-logs")
    text = f"SELECT eventName, requestParameters.name AS trail FROM {id_} WHERE eventName = 'CreateTrail' AND readOnly = false"
    query = cloudtrail.start_query(QueryStatement=text)["QueryId"]
    end = time.monotonic() + 300
    while (found := cloudtrail.get_query_results(QueryId=query))["QueryStatus"] in ("QUEUED", "RUNNING"):
        assert time.monotonic() < end, f"after 300 s the query is {found['QueryStatus']} still"
        time.sleep(0.1)
    assert found["QueryStatus"] == "FINISHED"
    assert found["QueryResultRows"] == [[{"eventName": "CreateTrail"}, {"trail": "found"}]]
    assert found["QueryStatistics"]["TotalResultsCount"] == 1
    with pytest.raises(cloudtrail.exceptions.InvalidQueryStatementException):
        cloudtrail.start_query(QueryStatement="SELECT secret FROM access_keys")
    with pytest.raises(cloudtrail.exceptions.QueryIdNotFoundException):
        cloudtrail.describe_query(QueryId=f"{'0' * 35}1")
    with pytest.raises(ClientError) as caught:
        cloudtrail.create_event_data_store(Name="all-events")
    assert caught.value.response["Error"]["Code"] == "EventDataStoreAlreadyExistsException"
    cloudtrail.delete_event_data_store(EventDataStore=store["EventDataStoreArn"])
    cloudtrail.delete_trail(Name="found")
