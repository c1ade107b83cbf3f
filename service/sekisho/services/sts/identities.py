"""Whom credentials belong to."""

from sekisho.api.sts.v1 import identities_pb2 as pb
from sekisho.calls.call import Call
from sekisho.credentials import key_ids
from sekisho.errors import ValidationError
from sekisho.operations import operation


@operation
def get_caller_identity(call: Call, request: pb.GetCallerIdentityRequest) -> pb.GetCallerIdentityResponse:
    """Every caller may ask, even one whom a policy denies it."""
    return pb.GetCallerIdentityResponse(user_id=call.caller.user_id, account=call.account_id, arn=call.caller.arn)


@operation
def get_access_key_info(call: Call, request: pb.GetAccessKeyInfoRequest) -> pb.GetAccessKeyInfoResponse:
    """The account is in the id itself; whether there is such a key is not said."""
    account = key_ids.account_of_key_id(request.access_key_id)
    if account is None:
        raise ValidationError(f"Invalid access key id: {request.access_key_id}")
    return pb.GetAccessKeyInfoResponse(account=account)
