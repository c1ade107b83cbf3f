"""Tags of trails, and the keys that check digests."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from sekisho.errors import SekishoError
from sekisho.store.tables import TrailKey
from tests.harness import House
from tests.services.cloudtrail.conftest import Failing


@pytest.fixture
def trail(house: House) -> str:
    """A trail's ARN; it has a tag."""
    tags = [{"key": "team", "value": "blue"}]
    made: str = house.call("CreateTrail", name="main", s3_bucket_name="audit-logs", tags_list=tags).trail_arn
    return made


def tags_of(house: House, *arns: str) -> dict[str, dict[str, str]]:
    found = house.call("ListTags", resource_id_list=list(arns)).resource_tag_list
    return {each.resource_id: {tag.key: tag.value for tag in each.tags_list} for each in found}


def test_tags_come_change_and_go(house: House, trail: str) -> None:
    assert tags_of(house, trail) == {trail: {"team": "blue"}}
    house.call("AddTags", resource_id=trail, tags_list=[{"key": "team", "value": "red"}, {"key": "Team"}])
    assert tags_of(house, trail) == {trail: {"team": "red", "Team": ""}}
    house.call("RemoveTags", resource_id=trail, tags_list=[{"key": "team", "value": "whatever"}, {"key": "absent"}])
    assert tags_of(house, trail) == {trail: {"Team": ""}}
    house.call("DeleteTrail", name="main")
    again = house.call("CreateTrail", name="main", s3_bucket_name="audit-logs").trail_arn
    assert tags_of(house, again) == {again: {}}


WRONG: dict[str, tuple[list[dict[str, str]], str]] = {
    "reserved": ([{"key": "aws:x", "value": "v"}], "InvalidTagParameter"),
    "twice": ([{"key": "k", "value": "1"}, {"key": "k", "value": "2"}], "InvalidTagParameter"),
    "too_many": ([{"key": f"k{number}"} for number in range(50)], "TagsLimitExceeded"),
    "empty_value": ([{"key": "k", "value": ""}], "ValidationError"),
    "long_key": ([{"key": "k" * 129}], "ValidationError"),
}


@pytest.mark.parametrize("case", WRONG)
def test_tags_that_cannot_be_are_refused_and_the_old_ones_stay(house: House, trail: str, failing: Failing, case: str) -> None:
    tags, code = WRONG[case]
    assert failing("AddTags", resource_id=trail, tags_list=tags) == code
    assert tags_of(house, trail) == {trail: {"team": "blue"}}


@pytest.mark.parametrize("name", ["AddTags", "RemoveTags", "ListTags"])
def test_what_has_no_tags_is_refused(house: House, failing: Failing, name: str) -> None:
    account = house.account_id
    for named, code in {
        "main": "CloudTrailARNInvalid",
        "arn:aws:s3:::bucket": "CloudTrailARNInvalid",
        f"arn:aws:cloudtrail:us-east-1:{account}:trail/nothing": "ResourceNotFound",
        f"arn:aws:cloudtrail:us-east-1:{account}:eventdatastore/nothing": "ResourceNotFound",
        f"arn:aws:cloudtrail:us-east-1:{account}:channel/c": "ResourceTypeNotSupported",
        "arn:aws:cloudtrail:us-east-1:999988887777:trail/main": "ResourceNotFound",
    }.items():
        fields: dict[str, Any] = (
            {"resource_id_list": [named]} if name == "ListTags" else {"resource_id": named, "tags_list": [{"key": "k"}]}
        )
        assert failing(name, **fields) == code


def test_twenty_resources_are_listed_at_once_and_each_needs_permission(house: House, trail: str, failing: Failing) -> None:
    assert failing("ListTags", resource_id_list=[trail] * 21) == "InvalidParameter"
    assert failing("ListTags", resource_id_list=[trail], next_token="AAAA") == "InvalidToken"
    other = house.call("CreateTrail", name="other", s3_bucket_name="audit-logs").trail_arn
    assert tags_of(house, trail, other) == {trail: {"team": "blue"}, other: {}}
    alice = house.user("alice", f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"*","Resource":"{trail}"}}]}}')
    house.call("ListTags", _as=alice, resource_id_list=[trail])
    for both in ([trail, other], [other, trail]):
        with pytest.raises(SekishoError) as caught:
            house.call("ListTags", _as=alice, resource_id_list=both)
        assert caught.value.code == "AccessDenied"


def test_tags_are_keys_of_conditions(house: House, trail: str, failing: Failing) -> None:
    """Of the request, where CloudTrail calls them `TagsList`, and of the trail."""

    def allow(condition: str) -> str:
        statement = f'{{"Effect":"Allow","Action":"cloudtrail:*","Resource":"*","Condition":{condition}}}'
        return f'{{"Version":"2012-10-17","Statement":[{statement}]}}'

    blue = house.user("blue", allow('{"StringEquals":{"aws:ResourceTag/team":"blue"}}'))
    house.call("GetTrail", _as=blue, name="main")
    house.call("CreateTrail", name="other", s3_bucket_name="audit-logs")
    assert failing("GetTrail", _as=blue, name="other") == "AccessDenied"
    tagger = house.user("tagger", allow('{"StringEquals":{"aws:RequestTag/team":"red"}}'))
    house.call("AddTags", _as=tagger, resource_id=trail, tags_list=[{"key": "team", "value": "red"}])
    assert failing("AddTags", _as=tagger, resource_id=trail, tags_list=[{"key": "team", "value": "green"}]) == "AccessDenied"


def test_public_keys_are_those_of_the_time_asked_for(house: House, failing: Failing) -> None:
    times = [datetime(2031, month, 1, tzinfo=UTC) for month in (1, 2, 3)]
    mine = f"{house.account_id}-"
    with house.node.database.write(()) as session:
        for number, (begin, end) in enumerate(pairwise(times)):
            values = {"public_key": b"der", "private_key": b"sealed", "begins_at": begin, "ends_at": end}
            session.add(TrailKey(fingerprint=f"{mine}{number}", **values))

    def found(begin: datetime, end: datetime) -> list[str]:
        listed = house.call("ListPublicKeys", start_time=begin, end_time=end).public_key_list
        return [key.fingerprint for key in listed if key.fingerprint.startswith(mine)]

    assert found(datetime(2031, 1, 5, tzinfo=UTC), datetime(2031, 1, 6, tzinfo=UTC)) == [f"{mine}0"]
    assert found(datetime(2030, 1, 1, tzinfo=UTC), datetime(2032, 1, 1, tzinfo=UTC)) == [f"{mine}0", f"{mine}1"]
    assert found(datetime(2031, 3, 2, tzinfo=UTC), datetime(2031, 4, 1, tzinfo=UTC)) == []
    shown = house.call("ListPublicKeys", start_time=times[0], end_time=times[0]).public_key_list
    (first,) = [key for key in shown if key.fingerprint == f"{mine}0"]
    assert (first.value, first.validity_start_time.ToDatetime(UTC), first.validity_end_time.ToDatetime(UTC)) == (b"der", *times[:2])
    assert failing("ListPublicKeys", start_time=times[1], end_time=times[0]) == "InvalidTimeRange"
    assert failing("ListPublicKeys", next_token="AAAA") == "InvalidToken"
