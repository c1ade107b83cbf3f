"""Events of the last 90 days. Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html"""

import json
from datetime import UTC, timedelta
from typing import Any

from sekisho.api.cloudtrail.v1 import events_pb2 as pb
from sekisho.calls import pages
from sekisho.calls.call import Call
from sekisho.journal.trail import events, lookup, resources
from sekisho.operations import operation
from sekisho.services.cloudtrail.errors import InvalidLookupAttributes, InvalidNextToken, InvalidTimeRange
from sekisho.store import paging
from sekisho.store.tables import AuditRecord


@operation
def lookup_events(call: Call, request: pb.LookupEventsRequest) -> pb.LookupEventsResponse:
    """Those of the caller's account, the newest first. Of unusual activity, which nobody looks for here, there are none."""
    if len(request.lookup_attributes) > 1:
        raise InvalidLookupAttributes("You can specify only one lookup attribute.")
    wanted = _wanted(call, request)
    cursor = pages.cursor(call, request, place="next_token", size="max_results")
    try:
        behind = cursor.open(request.next_token) if request.next_token else None
    except paging.InvalidMarker:
        raise InvalidNextToken("The specified token is not valid.") from None
    if request.event_category:
        return pb.LookupEventsResponse()
    found, last = lookup.page(call.session, wanted, behind=behind, most=request.max_results or lookup.PAGE)
    return pb.LookupEventsResponse(events=[_message(record) for record in found], next_token=cursor.marker(last) if last else None)


def _wanted(call: Call, request: pb.LookupEventsRequest) -> lookup.Wanted:
    begins, ends = call.now - lookup.SPAN, call.now
    if request.HasField("start_time"):
        begins = max(begins, request.start_time.ToDatetime(UTC))
    if request.HasField("end_time"):  # events are shown with whole seconds, so the whole of the last one is meant
        ends = min(ends, request.end_time.ToDatetime(UTC) + timedelta(seconds=1, microseconds=-1))
    if request.HasField("start_time") and request.HasField("end_time") and request.end_time.seconds < request.start_time.seconds:
        raise InvalidTimeRange("The start time must not be later than the end time.")
    (key, value) = next(((one.attribute_key, one.attribute_value) for one in request.lookup_attributes), ("", ""))
    return lookup.Wanted(call.account_id, begins, ends, key, value)


def _message(record: AuditRecord) -> pb.Event:
    event = events.event(record)
    return pb.Event(
        event_id=record.id,
        event_name=record.event_name,
        read_only="true" if record.read_only else "false",
        event_time={"seconds": int(record.at.timestamp())},
        event_source=record.event_source,
        username=record.username or None,
        access_key_id=record.access_key_id or None,
        resources=[_resource(one) for one in event.get("resources", ())],
        cloud_trail_event=json.dumps(event),
    )


def _resource(shown: dict[str, Any]) -> pb.Resource:
    return pb.Resource(resource_type=shown.get("type"), resource_name=resources.names(shown)[-1])
