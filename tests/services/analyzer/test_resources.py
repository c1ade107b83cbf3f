"""Registered resources: looked at by their policies, as roles are by theirs."""

import json

from tests.harness import House
from tests.services.analyzer.conftest import Called, found, make, until

OPEN = {"Effect": "Allow", "Principal": "*", "Action": "orders:Ship", "Resource": "*"}


def policy(**more: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{**OPEN, **more}]})


def test_a_registered_resource_is_looked_at(house: House, call: Called) -> None:
    arn, order = make(call), f"arn:aws:orders:us-east-1:{house.account_id}:order/7"
    house.call("resource:PutResource", resource_arn=order)
    house.call("resource:PutResourcePolicy", resource_arn=order, resource_policy=policy())
    (one,) = until(lambda: found(call, arn), "nothing is found")
    assert (one.resource, one.resource_type, one.is_public, list(one.action)) == (order, "AWS::Orders::Order", True, ["orders:Ship"])
    house.call("resource:PutResourcePolicy", resource_arn=order, resource_policy=policy(Principal={"AWS": house.account_id}))
    until(lambda: found(call, arn, "RESOLVED"), "it is not resolved")
    house.call("resource:PutResourcePolicy", resource_arn=order, resource_policy=policy())
    until(lambda: found(call, arn, "ACTIVE"), "it does not come again")
    house.call("resource:DeleteResourcePolicy", resource_arn=order)
    until(lambda: found(call, arn, "RESOLVED"), "what has no policy is still open")
    assert list(call("ListAnalyzedResources", analyzer_arn=arn).analyzed_resources) == []


def test_what_is_registered_already_is_looked_at(house: House, call: Called) -> None:
    for number in range(3):
        arn = f"arn:aws:orders:us-east-1:{house.account_id}:order/{number}"
        house.call("resource:PutResource", resource_arn=arn)
        if number:
            house.call("resource:PutResourcePolicy", resource_arn=arn, resource_policy=policy())
    bucket = "arn:aws:s3:::photos"
    house.call("resource:PutResource", resource_arn=bucket)
    house.call("resource:PutResourcePolicy", resource_arn=bucket, resource_policy=policy(Action="s3:GetObject"))
    analyzer = make(call)
    until(lambda: len(found(call, analyzer)) == 3, "not all is found")
    listed = call("ListAnalyzedResources", analyzer_arn=analyzer, resource_type="AWS::S3::Bucket").analyzed_resources
    assert [(one.resource_arn, one.resource_owner_account) for one in listed] == [(bucket, house.account_id)]
    assert call("GetAnalyzedResource", analyzer_arn=analyzer, resource_arn=bucket).resource.is_public
    call("StartResourceScan", analyzer_arn=analyzer, resource_arn=bucket)
    call("StartResourceScan", analyzer_arn=analyzer, resource_arn=bucket)
