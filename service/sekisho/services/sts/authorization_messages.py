"""DecodeAuthorizationMessage: the reasons of a denial, for those of the account who are permitted to read them.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html
"""

from sekisho.api.sts.v1 import authorization_messages_pb2 as pb
from sekisho.calls.call import Call
from sekisho.credentials import authorization_messages
from sekisho.operations import operation
from sekisho.services.sts.errors import InvalidAuthorizationMessageException


@operation
def decode_authorization_message(call: Call, request: pb.DecodeAuthorizationMessageRequest) -> pb.DecodeAuthorizationMessageResponse:
    """What cannot be read is refused with one sentence, whether it was made up, changed, too old or another account's."""
    try:
        decoded = authorization_messages.opened(request.encoded_message, call.account_id, call.node.ring, call.now)
    except authorization_messages.UnreadableMessage:
        raise InvalidAuthorizationMessageException("Message is not valid") from None
    return pb.DecodeAuthorizationMessageResponse(decoded_message=decoded)
