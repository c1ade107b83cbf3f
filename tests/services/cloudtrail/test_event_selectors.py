"""Event selectors and insight selectors: kept, shown, replaced, and what they cannot be."""

from typing import Any

import pytest

from tests.harness import House
from tests.services.cloudtrail.conftest import Failing
from tests.services.conftest import Refused

MANAGEMENT = {"field": "eventCategory", "equals": ["Management"]}
DATA = {"field": "eventCategory", "equals": ["Data"]}
TYPE = {"field": "resources.type", "equals": ["AWS::S3::Object"]}


@pytest.fixture
def trail(house: House) -> str:
    """A trail's ARN."""
    made: str = house.call("CreateTrail", name="main", s3_bucket_name="audit-logs").trail_arn
    return made


def test_a_trail_has_the_usual_selectors_until_it_is_given_others(house: House, trail: str) -> None:
    shown = house.call("GetEventSelectors", trail_name="main")
    assert (shown.trail_arn, len(shown.event_selectors), len(shown.advanced_event_selectors)) == (trail, 1, 0)
    usual = shown.event_selectors[0]
    assert (usual.read_write_type, usual.include_management_events, len(usual.data_resources)) == ("All", True, 0)
    data = {"type": "AWS::S3::Object", "values": ["arn:aws:s3:::bucket/"]}
    basic = {"read_write_type": "WriteOnly", "data_resources": [data], "exclude_management_event_sources": ["kms.amazonaws.com"]}
    put = house.call("PutEventSelectors", trail_name=trail, event_selectors=[basic])
    (kept,) = put.event_selectors
    assert (kept.read_write_type, kept.include_management_events) == ("WriteOnly", True)
    assert (kept.data_resources[0].type, list(kept.data_resources[0].values)) == ("AWS::S3::Object", ["arn:aws:s3:::bucket/"])
    assert list(kept.exclude_management_event_sources) == ["kms.amazonaws.com"]
    assert house.call("GetEventSelectors", trail_name="main").event_selectors == put.event_selectors
    assert house.call("GetTrail", name="main").trail.has_custom_event_selectors


def test_advanced_selectors_take_the_place_of_basic_ones_and_the_other_way_round(house: House, trail: str) -> None:
    arn = {"field": "resources.ARN", "starts_with": ["arn:aws:s3:::a/", "arn:aws:s3:::b/"], "not_equals": ["arn:aws:s3:::a/x"]}
    put = house.call("PutEventSelectors", trail_name=trail, advanced_event_selectors=[{"name": "n", "field_selectors": [DATA, TYPE, arn]}])
    assert (len(put.event_selectors), len(put.advanced_event_selectors)) == (0, 1)
    shown = house.call("GetEventSelectors", trail_name=trail)
    assert shown.advanced_event_selectors == put.advanced_event_selectors
    (one,) = shown.advanced_event_selectors
    assert (one.name, [each.field for each in one.field_selectors]) == ("n", ["eventCategory", "resources.type", "resources.ARN"])
    assert list(one.field_selectors[2].starts_with) == ["arn:aws:s3:::a/", "arn:aws:s3:::b/"]
    assert list(one.field_selectors[2].not_equals) == ["arn:aws:s3:::a/x"]
    house.call("PutEventSelectors", trail_name=trail, event_selectors=[{"read_write_type": "All", "include_management_events": True}])
    assert len(house.call("GetEventSelectors", trail_name=trail).advanced_event_selectors) == 0
    assert not house.call("GetTrail", name="main").trail.has_custom_event_selectors


def advanced(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"advanced_event_selectors": [{"field_selectors": list(fields)}]}


def data(type_: str = "AWS::S3::Object", *values: str) -> dict[str, Any]:
    return {"event_selectors": [{"data_resources": [{"type": type_, "values": list(values)}]}]}


WRONG: dict[str, dict[str, Any]] = {
    "none": {},
    "both": {"event_selectors": [{}], **advanced(MANAGEMENT)},
    "six": {"event_selectors": [{}] * 6},
    "nothing_selected": {"event_selectors": [{"include_management_events": False}]},
    "excluded_source": {"event_selectors": [{"exclude_management_event_sources": ["iam.amazonaws.com"]}]},
    "data_type": data("nonsense", "arn:aws:s3"),
    "data_without_values": data(),
    "data_value": data("AWS::S3::Object", "bucket"),
    "too_many_values": data("AWS::S3::Object", *["arn:aws:s3"] * 251),
    "no_category": advanced({"field": "readOnly", "equals": ["true"]}),
    "unknown_category": advanced({"field": "eventCategory", "equals": ["Weather"]}),
    "two_categories": advanced({"field": "eventCategory", "equals": ["Management", "Data"]}),
    "category_by_another_operator": advanced({"field": "eventCategory", "starts_with": ["Data"]}),
    "field_twice": advanced(MANAGEMENT, MANAGEMENT),
    "data_without_type": advanced(DATA),
    "data_of_two_types": advanced(DATA, {"field": "resources.type", "equals": ["A::B", "C::D"]}),
    "type_of_management": advanced(MANAGEMENT, TYPE),
    "unknown_field": advanced(DATA, TYPE, {"field": "weather", "equals": ["fine"]}),
    "field_of_stores": advanced(MANAGEMENT, {"field": "errorCode", "equals": ["AccessDenied"]}),
    "field_without_operator": advanced(DATA, TYPE, {"field": "eventName"}),
    "read_only_maybe": advanced(MANAGEMENT, {"field": "readOnly", "equals": ["maybe"]}),
    "read_only_twice": advanced(MANAGEMENT, {"field": "readOnly", "equals": ["true", "false"]}),
    "source_equals": advanced(MANAGEMENT, {"field": "eventSource", "equals": ["kms.amazonaws.com"]}),
    "too_many_conditions": advanced(DATA, TYPE, {"field": "eventName", "equals": ["n"] * 499}),
}


@pytest.mark.parametrize("case", WRONG)
def test_selectors_that_cannot_be_are_refused_and_the_old_ones_stay(house: House, trail: str, failing: Failing, case: str) -> None:
    house.call("PutEventSelectors", trail_name=trail, event_selectors=[{"read_write_type": "ReadOnly"}])
    assert failing("PutEventSelectors", trail_name=trail, **WRONG[case]) == "InvalidEventSelectors"
    assert house.call("GetEventSelectors", trail_name=trail).event_selectors[0].read_write_type == "ReadOnly"


def test_what_an_enumeration_does_not_have_is_a_validation_error(trail: str, failing: Failing) -> None:
    assert failing("PutEventSelectors", trail_name=trail, event_selectors=[{"read_write_type": "Some"}]) == "ValidationError"


def test_insight_selectors_are_kept_until_an_empty_list_takes_them(house: House, trail: str, refused: Refused) -> None:
    nothing = ("InsightNotEnabled", "Insights are not enabled for main.")
    assert refused("GetInsightSelectors", trail_name=trail) == nothing
    put = house.call("PutInsightSelectors", trail_name=trail, insight_selectors=[{"insight_type": "ApiCallRateInsight"}])
    assert (put.trail_arn, put.insight_selectors[0].insight_type) == (trail, "ApiCallRateInsight")
    assert house.call("GetInsightSelectors", trail_name="main").insight_selectors == put.insight_selectors
    assert house.call("GetTrail", name="main").trail.has_insight_selectors
    house.call("PutInsightSelectors", trail_name=trail, insight_selectors=[])
    assert refused("GetInsightSelectors", trail_name=trail) == nothing


def test_insight_selectors_that_cannot_be_are_refused(trail: str, failing: Failing) -> None:
    twice = [{"insight_type": "ApiErrorRateInsight"}] * 2
    assert failing("PutInsightSelectors", trail_name=trail, insight_selectors=twice) == "InvalidInsightSelectors"
    assert failing("PutInsightSelectors", trail_name=trail, insight_selectors=[{}]) == "InvalidInsightSelectors"
    assert failing("PutInsightSelectors", insight_selectors=[]) == "InvalidParameterCombination"
    assert failing("GetInsightSelectors") == "InvalidParameterCombination"
    assert failing("PutInsightSelectors", trail_name=trail, insights_destination="x" * 36) == "InvalidParameterCombination"
    assert failing("GetInsightSelectors", event_data_store="x" * 36) == "EventDataStoreNotFound"
