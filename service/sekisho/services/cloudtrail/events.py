"""Events of the last 90 days."""

from sekisho.api.cloudtrail.v1 import events_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.cloudtrail.errors import UnsupportedOperation


@operation
def lookup_events(call: Call, request: pb.LookupEventsRequest) -> pb.LookupEventsResponse:
    """Is refused: an empty answer would say that nothing was done."""
    raise UnsupportedOperation("This server does not look events up.")
