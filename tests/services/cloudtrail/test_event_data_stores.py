"""Event data stores: made, shown, changed, stopped, removed and brought back."""

from datetime import timedelta
from typing import Any

import pytest

from sekisho.journal.trail.lake.asking import Asking
from sekisho.services.cloudtrail import quotas
from sekisho.store.tables import EventDataStore
from tests import clock
from tests.harness import House
from tests.services.cloudtrail.conftest import Failing
from tests.services.organizations.tree import Organization


def make(house: House, name: str = "all", **fields: Any) -> str:
    """A new store's ARN."""
    made: str = house.call("CreateEventDataStore", name=name, termination_protection_enabled=False, **fields).event_data_store_arn
    return made


def test_a_new_store_shows_what_it_was_given_and_what_is_usual(house: House) -> None:
    made = house.call("CreateEventDataStore", name="all", tags_list=[{"key": "k", "value": "v"}])
    assert made.event_data_store_arn.startswith(f"arn:aws:cloudtrail:us-east-1:{house.account_id}:eventdatastore/")
    assert (made.name, made.status, made.retention_period, made.billing_mode) == ("all", "ENABLED", 366, "EXTENDABLE_RETENTION_PRICING")
    assert (made.multi_region_enabled, made.organization_enabled, made.termination_protection_enabled) == (True, False, True)
    (selector,) = made.advanced_event_selectors
    assert [(each.field, list(each.equals)) for each in selector.field_selectors] == [("eventCategory", ["Management"])]
    shown = house.call("GetEventDataStore", event_data_store=made.event_data_store_arn)
    assert (shown.name, shown.advanced_event_selectors, shown.created_timestamp) == (
        "all",
        made.advanced_event_selectors,
        made.created_timestamp,
    )
    assert house.call("GetEventDataStore", event_data_store=made.event_data_store_arn.rpartition("/")[2]) == shown
    assert [store.name for store in house.call("ListEventDataStores").event_data_stores] == ["all"]
    tags = house.call("ListTags", resource_id_list=[made.event_data_store_arn]).resource_tag_list
    assert [(tag.key, tag.value) for tag in tags[0].tags_list] == [("k", "v")]


def test_an_account_has_ten_stores_and_each_name_once(house: House, failing: Failing) -> None:
    for number in range(10):
        make(house, f"store-{number}")
    assert failing("CreateEventDataStore", name="store-0") == "EventDataStoreAlreadyExists"
    assert failing("CreateEventDataStore", name="another") == "EventDataStoreMaxLimitExceeded"
    page = house.call("ListEventDataStores", max_results=6)
    rest = house.call("ListEventDataStores", max_results=6, next_token=page.next_token)
    assert {store.name for each in (page, rest) for store in each.event_data_stores} == {f"store-{number}" for number in range(10)}
    assert failing("ListEventDataStores", next_token="AAAA") == "InvalidNextToken"


def test_an_update_changes_what_it_names(house: House, failing: Failing) -> None:
    arn = make(house)
    make(house, "other")
    selectors = [{"field_selectors": [{"field": "eventCategory", "equals": ["Management"]}, {"field": "readOnly", "equals": ["false"]}]}]
    changed = house.call("UpdateEventDataStore", event_data_store=arn, name="new", retention_period=7, advanced_event_selectors=selectors)
    assert (changed.name, changed.retention_period, changed.multi_region_enabled) == ("new", 7, True)
    assert len(changed.advanced_event_selectors[0].field_selectors) == 2
    assert failing("UpdateEventDataStore", event_data_store=arn, name="other") == "EventDataStoreAlreadyExists"
    fixed = {"billing_mode": "FIXED_RETENTION_PRICING", "retention_period": 2558}
    assert failing("UpdateEventDataStore", event_data_store=arn, **fixed) == "InvalidParameter"
    wrong = [{"field_selectors": [{"field": "eventCategory", "equals": ["Weather"]}]}]
    assert failing("UpdateEventDataStore", event_data_store=arn, advanced_event_selectors=wrong) == "InvalidEventSelectors"
    assert house.call("GetEventDataStore", event_data_store=arn).retention_period == 7


def test_ingestion_stops_and_begins(house: House, failing: Failing) -> None:
    arn = make(house)
    assert failing("StartEventDataStoreIngestion", event_data_store=arn) == "InvalidEventDataStoreStatus"
    house.call("StopEventDataStoreIngestion", event_data_store=arn)
    assert house.call("GetEventDataStore", event_data_store=arn).status == "STOPPED_INGESTION"
    assert failing("StopEventDataStoreIngestion", event_data_store=arn) == "InvalidEventDataStoreStatus"
    house.call("StartEventDataStoreIngestion", event_data_store=arn)
    assert house.call("GetEventDataStore", event_data_store=arn).status == "ENABLED"
    idle = house.call("CreateEventDataStore", name="idle", start_ingestion=False)
    assert idle.status == "STOPPED_INGESTION"


def test_a_store_waits_seven_days_for_its_end(house: House, failing: Failing) -> None:
    arn = house.call("CreateEventDataStore", name="all").event_data_store_arn
    assert failing("DeleteEventDataStore", event_data_store=arn) == "EventDataStoreTerminationProtected"
    assert failing("RestoreEventDataStore", event_data_store=arn) == "InvalidEventDataStoreStatus"
    house.call("UpdateEventDataStore", event_data_store=arn, termination_protection_enabled=False)
    house.call("DeleteEventDataStore", event_data_store=arn)
    assert house.call("GetEventDataStore", event_data_store=arn).status == "PENDING_DELETION"
    id_ = arn.rpartition("/")[2]
    for name, fields in {
        "UpdateEventDataStore": {"event_data_store": arn},
        "DeleteEventDataStore": {"event_data_store": arn},
        "StartEventDataStoreIngestion": {"event_data_store": arn},
        "StopEventDataStoreIngestion": {"event_data_store": arn},
        "StartQuery": {"query_statement": f"SELECT eventName FROM {id_}"},
    }.items():
        assert failing(name, **fields) == "InactiveEventDataStore"
    assert house.call("RestoreEventDataStore", event_data_store=arn).status == "ENABLED"
    house.call("DeleteEventDataStore", event_data_store=arn)
    asking = Asking(house.node.database)
    asking.purge(clock.now() + timedelta(days=6))
    assert house.call("GetEventDataStore", event_data_store=arn).status == "PENDING_DELETION"
    asking.purge(clock.now() + timedelta(days=7, minutes=1))
    asking.close()
    assert failing("GetEventDataStore", event_data_store=arn) == "EventDataStoreNotFound"
    with house.node.database.read() as session:
        assert session.get(EventDataStore, id_) is None


def test_an_organizations_store_is_seen_by_those_who_administer_its_trails(house: House, org: Organization, failing: Failing) -> None:
    account = org.account()
    member = org.inside(account)
    assert failing("CreateEventDataStore", _as=member, name="all", organization_enabled=True) == "NotOrganizationMasterAccount"
    arn = make(house, organization_enabled=True)
    assert failing("GetEventDataStore", _as=member, event_data_store=arn) == "EventDataStoreNotFound"
    assert list(house.call("ListEventDataStores", _as=member).event_data_stores) == []
    house.call("RegisterOrganizationDelegatedAdmin", member_account_id=account)
    assert house.call("GetEventDataStore", _as=member, event_data_store=arn).organization_enabled
    assert failing("GetEventDataStore", _as=house.account(), event_data_store=arn) == "EventDataStoreNotFound"
    assert not house.call("UpdateEventDataStore", event_data_store=arn, organization_enabled=False).organization_enabled
    assert failing("GetEventDataStore", _as=member, event_data_store=arn) == "EventDataStoreNotFound"


@pytest.mark.parametrize(
    "name", ["GetEventDataStore", "UpdateEventDataStore", "DeleteEventDataStore", "RestoreEventDataStore", "ListQueries"]
)
def test_a_store_that_is_not_there_is_not_found(house: House, failing: Failing, name: str) -> None:
    nothing = "01234567-89ab-cdef-0123-456789abcdef"
    assert failing(name, event_data_store=nothing) == "EventDataStoreNotFound"
    assert (
        failing(name, event_data_store=f"arn:aws:cloudtrail:us-east-1:{house.account_id}:eventdatastore/{nothing}")
        == "EventDataStoreNotFound"
    )
    assert failing(name, event_data_store="arn:aws:s3:::bucket") == "EventDataStoreARNInvalid"


def test_insights_of_a_store_go_to_another(house: House, failing: Failing) -> None:
    source, destination = make(house), make(house, "insights")
    insight = [{"insight_type": "ApiCallRateInsight"}]
    assert failing("PutInsightSelectors", event_data_store=source, insight_selectors=insight) == "InvalidParameterCombination"
    put = house.call("PutInsightSelectors", event_data_store=source, insight_selectors=insight, insights_destination=destination)
    assert (put.event_data_store_arn, put.insights_destination) == (source, destination)
    shown = house.call("GetInsightSelectors", event_data_store=source)
    assert (shown.insights_destination, shown.insight_selectors[0].insight_type) == (destination, "ApiCallRateInsight")


def test_ingestion_begins_so_many_times(house: House, failing: Failing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spans of a store are one text, and each is a condition of every query."""
    monkeypatch.setattr(quotas, "INGESTIONS", 2)
    made = house.call("CreateEventDataStore", name="spans", termination_protection_enabled=False).event_data_store_arn
    house.call("StopEventDataStoreIngestion", event_data_store=made)
    house.call("StartEventDataStoreIngestion", event_data_store=made)
    house.call("StopEventDataStoreIngestion", event_data_store=made)
    assert failing("StartEventDataStoreIngestion", event_data_store=made) == "InvalidEventDataStoreStatus"
    assert house.call("GetEventDataStore", event_data_store=made).status == "STOPPED_INGESTION"
