"""The status of a trail: whether it delivers, and how far delivery has come."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from sekisho.api.cloudtrail.v1 import trail_status_pb2 as pb
from sekisho.calls.call import Call
from sekisho.errors import Throttling
from sekisho.journal.trail import spans
from sekisho.operations import operation
from sekisho.services.cloudtrail import trails


@operation
def start_logging(call: Call, request: pb.StartLoggingRequest) -> pb.StartLoggingResponse:
    """A trail that delivers already goes on as it is. One that was started again and again has to wait: each time takes room for a day."""
    row = trails.find_changeable(call, request.name)
    if not row.is_logging:
        if len(spans.load_open(call.session, row.id)) >= spans.MOST:
            raise Throttling("The trail was started too often within a day. Try again later.")
        row.is_logging, row.started_at = True, call.now
        call.add(spans.begun(row.id, call.now))
    return pb.StartLoggingResponse()


@operation
def stop_logging(call: Call, request: pb.StopLoggingRequest) -> pb.StopLoggingResponse:
    """A trail that does not deliver stays as it is."""
    row = trails.find_changeable(call, request.name)
    if row.is_logging:
        row.is_logging, row.stopped_at = False, call.now
        spans.end(call.session, row.id, call.now)
    return pb.StopLoggingResponse()


@operation
def get_trail_status(call: Call, request: pb.GetTrailStatusRequest) -> pb.GetTrailStatusResponse:
    """Times that have not come are absent, and empty where AWS writes them as text."""
    row = trails.find(call, request.name)
    succeeded = row.latest_delivery_at if row.latest_delivery_error is None else None
    return pb.GetTrailStatusResponse(
        is_logging=row.is_logging,
        latest_delivery_error=row.latest_delivery_error,
        latest_delivery_time=seconds(row.latest_delivery_at),
        start_logging_time=seconds(row.started_at),
        stop_logging_time=seconds(row.stopped_at),
        latest_digest_delivery_time=seconds(row.latest_digest_at),
        latest_digest_delivery_error=row.latest_digest_error,
        latest_delivery_attempt_time=_text(row.latest_delivery_attempted_at),
        latest_notification_attempt_time="",
        latest_notification_attempt_succeeded="",
        latest_delivery_attempt_succeeded=_text(succeeded),
        time_logging_started=_text(row.started_at),
        time_logging_stopped=_text(row.stopped_at),
    )


def seconds(moment: datetime | None) -> Timestamp | None:
    """A time as messages have it, in whole seconds."""
    return Timestamp(seconds=int(moment.timestamp())) if moment is not None else None


def _text(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else ""
