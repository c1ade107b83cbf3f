"""Policies of what a principal of the caller's account did."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from sekisho import arn
from sekisho.analysis import generation
from sekisho.api.insight.v1 import observed_policies_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.insight import observed_uses
from sekisho.services.insight.errors import InvalidInput, NoSuchEntity

LONGEST = timedelta(days=90)
"""The window of a policy, as long as AWS's. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-policy-generation.html"""


@operation
def generate_policy(call: Call, request: pb.GeneratePolicyRequest) -> pb.GeneratePolicyResponse:
    """Of what was recorded: decisions are only where selectors of data events ask for that."""
    named = arn.entity(request.principal_arn)
    found = call.entity(named.kind, request.principal_arn) if named is not None and named.kind in ("user", "role") else None
    if found is None:
        raise NoSuchEntity(f"`{request.principal_arn}` is no user or role of the account {call.account_id}")
    ends = _moment(request.ends_at) if request.HasField("ends_at") else call.now
    begins = _moment(request.begins_at) if request.HasField("begins_at") else ends - LONGEST
    if not timedelta(0) <= ends - begins <= LONGEST:
        raise InvalidInput(f"the window begins before it ends, and is {LONGEST.days} days long at the most")
    observed = observed_uses.load(call, found, begins, ends)
    document = generation.generate(observed.uses, {}, generalize=request.generalize, parameters=request.parameters)
    return pb.GeneratePolicyResponse(
        policy_document=document,
        uses=[pb.ObservedUse(action=one.action, resource=one.resource, times=one.times) for one in observed.uses],
        events=observed.events,
        begins_at=begins.replace(microsecond=0),
        ends_at=ends.replace(microsecond=0),
    )


def _moment(given: Timestamp) -> datetime:
    try:
        return given.ToDatetime(UTC)
    except ValueError:
        raise InvalidInput("a time lies beyond the years that there are") from None
