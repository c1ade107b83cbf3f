"""LookupEvents: what an account did is found by that account, and by nobody else."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from sekisho import sigv4
from sekisho.api.cloudtrail.v1 import events_pb2 as pb
from sekisho.store import changes
from tests.harness import House
from tests.journal.trail.records import made
from tests.services.cloudtrail.conftest import Failing

ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


def by(key: str, value: str) -> dict[str, Any]:
    """A request for events with this attribute."""
    return {"lookup_attributes": [{"attribute_key": key, "attribute_value": value}]}


def looked_up(house: House, count: int, _as: sigv4.Credentials | None = None, **fields: Any) -> list[pb.Event]:
    """The events, once there are so many: those of the spool, and what is found by resources, take a moment."""
    limit = time.monotonic() + 300
    while len(events := list(house.call("LookupEvents", _as=_as, **fields).events)) < count:
        assert time.monotonic() < limit, f"after 300 s there are {len(events)} of {count} events"
        time.sleep(0.05)
    assert len(events) == count
    return events


def test_a_write_is_found_at_once_with_all_that_cloudtrail_says(house: House) -> None:
    house.call("CreateUser", user_name="ann", path="/division/")
    (event,) = looked_up(house, 1, **by("EventName", "CreateUser"))
    whole = json.loads(event.cloud_trail_event)
    assert (event.event_name, event.event_source, event.username, event.read_only, event.access_key_id) == (
        "CreateUser",
        "iam.amazonaws.com",
        "root",
        "false",
        house.root.access_key_id,
    )
    assert [(one.resource_type, one.resource_name) for one in event.resources] == [("AWS::IAM::User", "ann")]
    assert (whole["eventID"], whole["eventVersion"], whole["recipientAccountId"]) == (event.event_id, "1.11", house.account_id)
    assert whole["requestParameters"] == {"userName": "ann", "path": "/division/"}
    assert whole["responseElements"]["user"]["arn"] == f"arn:aws:iam::{house.account_id}:user/division/ann"
    assert whole["userIdentity"]["type"] == "Root"


def test_reads_denials_and_failures_are_found_too(house: House, failing: Failing) -> None:
    nobody = house.user("nobody")
    house.call("GetUser", user_name="nobody")
    assert failing("CreateUser", _as=nobody, user_name="x") == "AccessDenied"
    assert failing("GetUser", user_name="who") == "NoSuchEntity"
    (denied,) = looked_up(house, 1, **by("Username", "nobody"))
    whole = json.loads(denied.cloud_trail_event)
    assert (whole["errorCode"], whole["responseElements"], whole["requestParameters"]) == ("AccessDenied", None, {"userName": "x"})
    reads = looked_up(house, 2, **by("EventName", "GetUser"))
    assert sorted(json.loads(read.cloud_trail_event).get("errorCode", "") for read in reads) == ["", "NoSuchEntity"]
    assert {read.read_only for read in reads} == {"true"}


def test_a_resource_is_found_by_its_name_and_by_its_type(house: House) -> None:
    house.call("CreateUser", user_name="ann")
    house.call("CreateGroup", group_name="staff")
    arn = f"arn:aws:iam::{house.account_id}:group/staff"
    for attribute in (by("ResourceName", "staff"), by("ResourceName", arn), by("ResourceType", "AWS::IAM::Group")):
        assert [event.event_name for event in looked_up(house, 1, **attribute)] == ["CreateGroup"]


def test_a_token_is_of_its_caller_and_its_question(house: House, failing: Failing) -> None:
    other = house.account()
    for name in "abc":
        house.call("CreateUser", user_name=name)
        house.call("CreateUser", _as=other, user_name=name)
    asked = by("EventName", "CreateUser")
    page = house.call("LookupEvents", max_results=1, **asked)
    assert [json.loads(event.cloud_trail_event)["requestParameters"] for event in page.events] == [{"userName": "c"}]
    rest = house.call("LookupEvents", max_results=2, next_token=page.next_token, **asked)
    assert [json.loads(event.cloud_trail_event)["requestParameters"]["userName"] for event in rest.events] == ["b", "a"]
    assert not rest.HasField("next_token")
    assert failing("LookupEvents", _as=other, next_token=page.next_token, **asked) == "InvalidNextToken"
    assert failing("LookupEvents", next_token=page.next_token, **by("EventName", "DeleteUser")) == "InvalidNextToken"
    assert failing("LookupEvents", next_token=page.next_token) == "InvalidNextToken"
    assert failing("LookupEvents", next_token="made-up", **asked) == "InvalidNextToken"


def test_nobody_finds_what_another_account_did(house: House) -> None:
    other = house.account()
    house.call("CreateUser", user_name="ann")
    (event,) = looked_up(house, 1, **by("EventName", "CreateUser"))
    for attribute in (by("EventId", event.event_id), by("EventName", "CreateUser"), by("AccessKeyId", house.root.access_key_id)):
        assert not house.call("LookupEvents", _as=other, **attribute).events


def test_both_accounts_find_that_a_role_was_assumed(house: House) -> None:
    other = house.account()
    ann = house.user("ann", ALL)
    principal = {"AWS": f"arn:aws:iam::{house.account_id}:user/ann"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]})
    role = house.call("CreateRole", _as=other, role_name="guest", assume_role_policy_document=trust).role
    house.assume(role.arn, _as=ann)
    caller = json.loads(looked_up(house, 1, **by("EventName", "AssumeRole"))[0].cloud_trail_event)
    owner = json.loads(looked_up(house, 1, _as=other, **by("EventName", "AssumeRole"))[0].cloud_trail_event)
    assert caller["sharedEventID"] == owner["sharedEventID"]
    assert caller["eventID"] != owner["eventID"]
    assert owner["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": caller["userIdentity"]["principalId"],
        "accountId": house.account_id,
    }
    assert caller["responseElements"]["credentials"]["secretAccessKey"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert caller["responseElements"]["credentials"]["sessionToken"] == "HIDDEN_DUE_TO_SECURITY_REASONS"


def test_what_cannot_be_asked(house: House, failing: Failing) -> None:
    two = [{"attribute_key": "EventName", "attribute_value": "a"}, {"attribute_key": "Username", "attribute_value": "b"}]
    assert failing("LookupEvents", lookup_attributes=two) == "InvalidLookupAttributes"
    assert failing("LookupEvents", start_time={"seconds": 20}, end_time={"seconds": 10}) == "InvalidTimeRange"
    assert failing("LookupEvents", max_results=51) == "ValidationError"
    nobody = house.user("nobody")
    assert failing("LookupEvents", _as=nobody) == "AccessDenied"


def test_times_and_events_that_there_are_none_of(house: House) -> None:
    house.call("CreateUser", user_name="ann")
    (event,) = house.call("LookupEvents", **by("EventName", "CreateUser")).events
    at = event.event_time.seconds
    for span, count in (
        ({"start_time": {"seconds": at}, "end_time": {"seconds": at}}, 1),
        ({"end_time": {"seconds": at - 1}}, 0),
        ({"start_time": {"seconds": at + 3600}}, 0),
        ({"event_category": "insight"}, 0),
    ):
        assert len(house.call("LookupEvents", **by("EventName", "CreateUser"), **span).events) == count


def test_an_event_is_found_for_ninety_days(house: House) -> None:
    now = datetime.now(UTC)
    rows = [made(f"{house.account_id}-{days}", house.account_id, at=now - timedelta(days=days), event_name="Old") for days in (89, 91)]
    with house.node.database.write(()) as session:
        changes.spooled(session, [row | {"count": 1, "last_at": None} for row in rows])
    for asked in (by("EventName", "Old"), by("EventName", "Old") | {"start_time": {"seconds": 0}}):
        assert [event.event_id for event in house.call("LookupEvents", **asked).events] == [f"{house.account_id}-89"]
