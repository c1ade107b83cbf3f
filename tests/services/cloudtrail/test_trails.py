"""Trails: made, shown, changed, removed; names, destinations, quotas."""

from dataclasses import replace
from typing import Any

import pytest

from sekisho.credentials.accounts import NewAccount
from sekisho.errors import SekishoError
from sekisho.journal.trail import spans
from tests.harness import House
from tests.services.cloudtrail.conftest import Failing
from tests.services.conftest import Refused

BUCKET = "audit-logs"


def make(house: House, name: str = "main", **fields: Any) -> Any:
    """A trail of the house's account."""
    return house.call("CreateTrail", name=name, s3_bucket_name=BUCKET, **fields)


def test_a_new_trail_shows_what_it_was_given_and_what_is_usual(house: House) -> None:
    made = make(house, s3_key_prefix="logs/a", sns_topic_name="told", enable_log_file_validation=True)
    arn = f"arn:aws:cloudtrail:us-east-1:{house.account_id}:trail/main"
    assert made.trail_arn == arn
    shown = house.call("GetTrail", name="main").trail
    assert (shown.name, shown.trail_arn, shown.home_region, shown.s3_bucket_name) == ("main", arn, "us-east-1", "audit-logs")
    assert (shown.s3_key_prefix, shown.sns_topic_name) == ("logs/a", "told")
    assert shown.sns_topic_arn == f"arn:aws:sns:us-east-1:{house.account_id}:told"
    assert (shown.include_global_service_events, shown.is_multi_region_trail, shown.log_file_validation_enabled) == (True, False, True)
    assert (shown.has_custom_event_selectors, shown.has_insight_selectors, shown.is_organization_trail) == (False, False, False)
    assert not shown.HasField("kms_key_id")
    assert house.call("GetTrail", name=arn).trail == shown
    assert [trail.name for trail in house.call("ListTrails").trails] == ["main"]
    assert house.call("DescribeTrails").trail_list[0] == shown
    assert not house.call("GetTrailStatus", name="main").is_logging


NAMES = {
    "blank": ("", "Trail name cannot be blank!"),
    "short": ("ab", "Trail name too short. Minimum allowed length: 3 characters. Specified name length: 2 characters."),
    "long": ("a" * 129, "Trail name too long. Maximum allowed length: 128 characters. Specified name length: 129 characters."),
    "first": ("-abc", "Trail name must starts with a letter or number."),
    "last": ("abc-", "Trail name must ends with a letter or number."),
    "adjacent": ("my-_name", "Trail name cannot have adjacent periods, hyphens or underscores."),
    "address": ("192.168.5.4", "Trail name cannot be in IP address format."),
    "characters": (
        "a b c",
        "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_).",
    ),
    "letters": (
        "müll",
        "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_).",
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_that_no_trail_can_have_is_refused(house: House, refused: Refused, case: str) -> None:
    name, sentence = NAMES[case]
    assert refused("CreateTrail", name=name, s3_bucket_name=BUCKET) == ("InvalidTrailName", sentence)
    assert list(house.call("ListTrails").trails) == []


@pytest.mark.parametrize("name", ["abc", "A.b_c-d9", "a" * 128, "1.2.3.4.5"])
def test_a_name_within_the_rules_is_taken(house: House, name: str) -> None:
    assert make(house, name).name == name


DESTINATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no_bucket": ({"s3_bucket_name": ""}, "InvalidS3BucketName"),
    "bucket_in_capitals": ({"s3_bucket_name": "Logs"}, "InvalidS3BucketName"),
    "bucket_that_is_an_address": ({"s3_bucket_name": "10.0.0.1"}, "InvalidS3BucketName"),
    "bucket_with_two_dots": ({"s3_bucket_name": "a..b"}, "InvalidS3BucketName"),
    "long_prefix": ({"s3_key_prefix": "p" * 201}, "InvalidS3Prefix"),
    "topic": ({"sns_topic_name": "a b"}, "InvalidSnsTopicName"),
    "key": ({"kms_key_id": "secret"}, "InvalidKmsKeyId"),
    "group_without_role": (
        {"cloud_watch_logs_log_group_arn": "arn:aws:logs:us-east-1:111122223333:log-group:g:*"},
        "InvalidCloudWatchLogsRoleArn",
    ),
    "role_without_group": ({"cloud_watch_logs_role_arn": "arn:aws:iam::111122223333:role/r"}, "InvalidCloudWatchLogsLogGroupArn"),
    "multi_region_without_global": ({"is_multi_region_trail": True, "include_global_service_events": False}, "InvalidParameterCombination"),
    "recursive": ({"recursive_logging": True}, "UnsupportedOperation"),
    "organization_without_one": ({"is_organization_trail": True}, "OrganizationsNotInUse"),
}


@pytest.mark.parametrize("case", DESTINATIONS)
def test_what_a_trail_cannot_be_is_refused_and_nothing_is_made_or_changed(house: House, failing: Failing, case: str) -> None:
    fields, code = DESTINATIONS[case]
    assert failing("CreateTrail", **{"name": "other", "s3_bucket_name": BUCKET, **fields}) == code
    assert list(house.call("ListTrails").trails) == []
    make(house)
    before = house.call("GetTrail", name="main").trail
    if case != "no_bucket":
        assert failing("UpdateTrail", name="main", **fields) == code
    assert house.call("GetTrail", name="main").trail == before


def test_an_account_has_five_trails_and_each_name_once(house: House, refused: Refused) -> None:
    for number in range(4):
        make(house, f"trail-{number}")
    account = house.account_id
    sentence = f"Trail trail-0 already exists for customer: {account}"
    assert refused("CreateTrail", name="trail-0", s3_bucket_name=BUCKET) == ("TrailAlreadyExists", sentence)
    make(house, "trail-4")
    sentence = f"User: {account} already has 5 trails in us-east-1."
    assert refused("CreateTrail", name="trail-5", s3_bucket_name=BUCKET) == ("MaximumNumberOfTrailsExceeded", sentence)
    house.call("DeleteTrail", name="trail-4")
    make(house, "trail-5")


def test_an_update_changes_what_it_names_and_an_empty_text_takes_away(house: House) -> None:
    make(house, s3_key_prefix="p", sns_topic_name="t", kms_key_id="alias/k")
    role, group = "arn:aws:iam::111122223333:role/r", "arn:aws:logs:us-east-1:111122223333:log-group:g:*"
    logs: dict[str, Any] = {"cloud_watch_logs_role_arn": role, "cloud_watch_logs_log_group_arn": group}
    changed = house.call("UpdateTrail", name="main", sns_topic_name="", is_multi_region_trail=True, s3_bucket_name="elsewhere", **logs)
    assert (changed.s3_bucket_name, changed.s3_key_prefix, changed.is_multi_region_trail) == ("elsewhere", "p", True)
    assert (changed.kms_key_id, changed.cloud_watch_logs_role_arn, changed.cloud_watch_logs_log_group_arn) == ("alias/k", role, group)
    assert not changed.HasField("sns_topic_name")
    assert not changed.HasField("sns_topic_arn")
    house.call("UpdateTrail", name="main", enable_log_file_validation=True, include_global_service_events=True)
    shown = house.call("GetTrail", name="main").trail
    assert (shown.log_file_validation_enabled, shown.s3_bucket_name) == (True, "elsewhere")


def test_a_bucket_that_the_operator_does_not_have_does_not_exist(house: House) -> None:
    known = NewAccount(house.account_id, house.root.access_key_id, house.root.secret_access_key)
    strict = House(replace(house.node, buckets=frozenset((BUCKET,))), known)
    make(strict)
    for operation, name in {"CreateTrail": "other", "UpdateTrail": "main"}.items():
        with pytest.raises(SekishoError) as caught:
            strict.call(operation, name=name, s3_bucket_name="elsewhere")
        assert (caught.value.code, caught.value.message) == ("S3BucketDoesNotExist", "S3 bucket elsewhere does not exist!")
    assert house.call("GetTrail", name="main").trail.s3_bucket_name == BUCKET


UNKNOWN: dict[str, dict[str, Any]] = {
    "GetTrail": {},
    "UpdateTrail": {},
    "DeleteTrail": {},
    "StartLogging": {},
    "StopLogging": {},
    "GetTrailStatus": {},
    "GetEventSelectors": {},
    "PutEventSelectors": {"event_selectors": [{"read_write_type": "All"}]},
    "GetInsightSelectors": {},
    "PutInsightSelectors": {},
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_trail_that_is_not_there_is_unknown(house: House, refused: Refused, name: str) -> None:
    member = "trail_name" if "Selectors" in name else "name"
    for named in ("nothing", f"arn:aws:cloudtrail:us-east-1:{house.account_id}:trail/nothing"):
        expected = ("TrailNotFound", f"Unknown trail: {named} for the user: {house.account_id}")
        assert refused(name, **{member: named}, **UNKNOWN[name]) == expected
    assert refused(name, **{member: "arn:aws:s3:::bucket"}, **UNKNOWN[name])[0] == "CloudTrailARNInvalid"
    assert refused(name, **{member: "a"}, **UNKNOWN[name])[0] == "InvalidTrailName"
    make(house)
    assert refused(name, **{member: f"arn:aws:cloudtrail:eu-west-1:{house.account_id}:trail/main"}, **UNKNOWN[name])[0] == "TrailNotFound"


def test_a_description_leaves_out_names_that_are_nobodys(house: House, failing: Failing) -> None:
    make(house, "one")
    two = make(house, "two").trail_arn
    found = house.call("DescribeTrails", trail_name_list=["nothing", two])
    assert [trail.name for trail in found.trail_list] == ["two"]
    assert [trail.name for trail in house.call("DescribeTrails", include_shadow_trails=False).trail_list] == ["one", "two"]
    assert failing("DescribeTrails", trail_name_list=["a"]) == "InvalidTrailName"
    assert failing("DescribeTrails", trail_name_list=["arn:aws:s3:::bucket"]) == "CloudTrailARNInvalid"


def test_logging_begins_and_ends(house: House) -> None:
    make(house)
    never = house.call("GetTrailStatus", name="main")
    assert (never.is_logging, never.HasField("start_logging_time"), never.time_logging_started) == (False, False, "")
    house.call("StartLogging", name="main")
    on = house.call("GetTrailStatus", name="main")
    assert (on.is_logging, on.HasField("start_logging_time"), on.HasField("stop_logging_time")) == (True, True, False)
    house.call("StartLogging", name="main")
    assert house.call("GetTrailStatus", name="main") == on
    house.call("StopLogging", name="main")
    off = house.call("GetTrailStatus", name="main")
    assert (off.is_logging, off.start_logging_time) == (False, on.start_logging_time)
    assert off.time_logging_stopped == off.stop_logging_time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (off.latest_delivery_attempt_time, off.HasField("latest_delivery_time")) == ("", False)


def test_a_policy_names_a_trail_by_its_arn(house: House) -> None:
    make(house, "mine")
    make(house, "other")
    statement = f'{{"Effect":"Allow","Action":"cloudtrail:*","Resource":"arn:aws:cloudtrail:us-east-1:{house.account_id}:trail/mine"}}'
    alice = house.user("alice", f'{{"Version":"2012-10-17","Statement":[{statement}]}}')
    assert house.call("GetTrail", _as=alice, name="mine").trail.name == "mine"
    with pytest.raises(SekishoError) as caught:
        house.call("DeleteTrail", _as=alice, name="other")
    assert caught.value.code == "AccessDenied"
    with pytest.raises(SekishoError) as caught:
        house.call("GetTrail", _as=alice, name="nothing")
    assert caught.value.code == "AccessDenied"


def test_a_trail_is_started_so_often_a_day(house: House, failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time takes room for a day, in the database and in whoever delivers."""
    monkeypatch.setattr(spans, "MOST", 3)
    house.call("CreateTrail", name="main", s3_bucket_name="logs")
    for _ in range(3):
        house.call("StartLogging", name="main")
        house.call("StopLogging", name="main")
    assert failing("StartLogging", name="main") == "Throttling"
    assert not house.call("GetTrailStatus", name="main").is_logging
