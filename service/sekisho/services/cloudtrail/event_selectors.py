"""Event selectors of a trail: basic ones or advanced ones, and what they may be.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
"""

import json
from collections.abc import Iterable
from typing import Any

from sekisho.api.cloudtrail.v1 import event_selectors_pb2 as pb
from sekisho.calls.call import Call
from sekisho.journal.trail import selectors
from sekisho.operations import operation
from sekisho.services.cloudtrail import advanced_selectors, trails
from sekisho.services.cloudtrail.errors import InvalidEventSelectors
from sekisho.store.tables import Trail

MOST = 5
"""Basic selectors of a trail."""

MOST_RESOURCES = 250
"""Data resources of a trail."""

_EXCLUDED = ("kms.amazonaws.com", "rdsdata.amazonaws.com")
"""Sources whose management events a basic selector can leave out."""


@operation
def put_event_selectors(call: Call, request: pb.PutEventSelectorsRequest) -> pb.PutEventSelectorsResponse:
    """They replace those that were there, of either kind."""
    row = trails.find_changeable(call, request.trail_name)
    if bool(request.event_selectors) == bool(request.advanced_event_selectors):
        raise InvalidEventSelectors("Specify either EventSelectors or AdvancedEventSelectors.")
    if request.advanced_event_selectors:
        advanced_selectors.refuse_wrong(request.advanced_event_selectors, advanced_selectors.OF_TRAILS)
        row.event_selectors = None
        row.advanced_event_selectors = json.dumps(advanced_selectors.plain(request.advanced_event_selectors))
    else:
        _refuse_wrong(request.event_selectors)
        row.event_selectors, row.advanced_event_selectors = json.dumps([_plain(one) for one in request.event_selectors]), None
    return pb.PutEventSelectorsResponse(trail_arn=trails.arn_of(row), **_members(row))


@operation
def get_event_selectors(call: Call, request: pb.GetEventSelectorsRequest) -> pb.GetEventSelectorsResponse:
    """A trail that was given none has the usual one: all management events."""
    row = trails.find(call, request.trail_name)
    return pb.GetEventSelectorsResponse(trail_arn=trails.arn_of(row), **_members(row))


def _refuse_wrong(given: Iterable[pb.EventSelector]) -> None:
    """InvalidEventSelectors for basic selectors that cannot be."""
    wanted = list(given)
    if len(wanted) > MOST:
        raise InvalidEventSelectors(f"A trail can have up to {MOST} event selectors.")
    resources = [each for one in wanted for each in one.data_resources]
    if sum(len(each.values) for each in resources) > MOST_RESOURCES:
        raise InvalidEventSelectors(f"A trail can have up to {MOST_RESOURCES} data resources.")
    for each in resources:
        if not advanced_selectors.is_type(each.type):
            raise InvalidEventSelectors(f"{each.type[:256]} is not a valid type of data resource.")
        if not each.values:
            raise InvalidEventSelectors("A data resource must have at least one value.")
        for value in each.values:
            if not value.startswith("arn:"):
                raise InvalidEventSelectors(f"{value[:256]} is not a valid value of a data resource.")
    for one in wanted:
        management = one.include_management_events or not one.HasField("include_management_events")
        if not management and not one.data_resources:
            raise InvalidEventSelectors("An event selector must include management events or data resources.")
        for source in one.exclude_management_event_sources:
            if source not in _EXCLUDED:
                raise InvalidEventSelectors(f"{source[:256]} is not a source that can be excluded: {', '.join(_EXCLUDED)}.")


def _plain(one: pb.EventSelector) -> dict[str, Any]:
    """A basic selector as it is kept: with all that it does not say."""
    return {
        "ReadWriteType": one.read_write_type or "All",
        "IncludeManagementEvents": one.include_management_events or not one.HasField("include_management_events"),
        "DataResources": [{"Type": each.type, "Values": list(each.values)} for each in one.data_resources],
        "ExcludeManagementEventSources": list(one.exclude_management_event_sources),
    }


def _members(row: Trail) -> dict[str, Any]:
    if row.advanced_event_selectors is not None:
        return {"advanced_event_selectors": advanced_selectors.messages(row.advanced_event_selectors)}
    kept = json.loads(row.event_selectors) if row.event_selectors is not None else selectors.USUAL
    return {
        "event_selectors": [
            pb.EventSelector(
                read_write_type=one["ReadWriteType"],
                include_management_events=one["IncludeManagementEvents"],
                data_resources=[pb.DataResource(type=each["Type"], values=each["Values"]) for each in one["DataResources"]],
                exclude_management_event_sources=one["ExcludeManagementEventSources"],
            )
            for one in kept
        ]
    }
