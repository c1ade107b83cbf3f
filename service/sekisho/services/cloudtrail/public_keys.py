"""Public keys: those that signed the digest files of a span of time. They are the server's, and the same for all accounts."""

from sqlalchemy import select

from sekisho.api.cloudtrail.v1 import public_keys_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.cloudtrail import pages
from sekisho.services.cloudtrail.errors import InvalidTimeRange
from sekisho.services.cloudtrail.trail_status import seconds
from sekisho.store.tables import TrailKey

_PAGE = 100


@operation
def list_public_keys(call: Call, request: pb.ListPublicKeysRequest) -> pb.ListPublicKeysResponse:
    """The oldest first; of this moment when the request names no time."""
    begin = request.start_time.ToDatetime(call.now.tzinfo) if request.HasField("start_time") else call.now
    end = request.end_time.ToDatetime(call.now.tzinfo) if request.HasField("end_time") else call.now
    if end < begin:
        raise InvalidTimeRange("The start time must not be later than the end time.")
    query = select(TrailKey).where(TrailKey.begins_at <= end, TrailKey.ends_at >= begin)
    found = pages.page(call, request, query, key=[TrailKey.fingerprint], of=lambda row: [row.fingerprint], most=_PAGE)
    shown = [
        pb.PublicKey(
            value=row.public_key,
            validity_start_time=seconds(row.begins_at),
            validity_end_time=seconds(row.ends_at),
            fingerprint=row.fingerprint,
        )
        for row in sorted(found.rows, key=lambda row: row.begins_at)
    ]
    return pb.ListPublicKeysResponse(public_key_list=shown, next_token=found.marker)
