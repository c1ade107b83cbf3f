"""What a call can fail with.

Error
├── InvalidArgument      the request is wrong as it stands
├── FailedPrecondition   the state of the world forbids it
├── AlreadyExists
├── NotFound
├── Denied               the caller is known and may not
├── Unauthenticated      the caller could not be established
├── ResourceExhausted    a quota, a size, a rate
├── Unavailable          nothing was decided; the server is down or not reachable
├── TimedOut             no answer within the deadline
├── Unimplemented        the server does not have the operation
└── Internal             a defect of the server, or an answer that makes no sense
"""

from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "sekisho"
_DETAILS = "grpc-status-details-bin"


class Error(Exception):
    """A call that has no answer; `code` is the AWS error code, such as `NoSuchEntity`.

    An error that no Sekisho server sent (nobody listens, the deadline passed) has the name of its class as `code`, no `request_id`, and
    `answered` False.
    """

    grpc_code = grpc.StatusCode.UNKNOWN

    def __init__(self, message: str, *, code: str = "", request_id: str = "", answered: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).__name__
        self.request_id = request_id
        self.answered = answered

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.message, self.code, self.request_id, self.answered)


class InvalidArgument(Error):
    """The request cannot be right, whatever the state of the world."""

    grpc_code = grpc.StatusCode.INVALID_ARGUMENT


class FailedPrecondition(Error):
    """The request is well formed; something that exists stands against it."""

    grpc_code = grpc.StatusCode.FAILED_PRECONDITION


class AlreadyExists(Error):
    """The name is taken."""

    grpc_code = grpc.StatusCode.ALREADY_EXISTS


class NotFound(Error):
    """No such thing in the caller's account."""

    grpc_code = grpc.StatusCode.NOT_FOUND


class Denied(Error):
    """The caller of the operation may not call it; not what Authorize answers about others."""

    grpc_code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(Error):
    """The credentials, the signature or the clock were not accepted."""

    grpc_code = grpc.StatusCode.UNAUTHENTICATED


class ResourceExhausted(Error):
    """A quota, a size or a rate is used up."""

    grpc_code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unavailable(Error):
    """Nothing was decided; trying again may succeed. Nothing was written either, if the server itself says so (`answered`)."""

    grpc_code = grpc.StatusCode.UNAVAILABLE


class TimedOut(Error):
    """The deadline passed before there was an answer; whether a write was done is not known."""

    grpc_code = grpc.StatusCode.DEADLINE_EXCEEDED


class Unimplemented(Error):
    """The server does not have the operation or a member of the request."""

    grpc_code = grpc.StatusCode.UNIMPLEMENTED


class Internal(Error):
    """The server failed and says no more; its log has the cause under the request id."""

    grpc_code = grpc.StatusCode.INTERNAL


_BY_STATUS: dict[grpc.StatusCode, type[Error]] = {kind.grpc_code: kind for kind in Error.__subclasses__()}


def of(raised: grpc.RpcError, endpoint: str) -> Error:
    """The error that a failed call stands for."""
    call: Any = raised  # every error of a channel is a grpc.Call as well
    status = call.code()
    kind = _BY_STATUS.get(status, Error)
    info = _info(call)
    if info is not None:
        return kind(call.details() or "", code=info.metadata["code"], request_id=info.metadata["request_id"], answered=True)
    message = call.details() or status.name
    if kind is not Unavailable:
        return kind(message)
    # "failed to connect to all addresses; last error: …": there is mostly one address
    return kind(f"{endpoint} does not answer: {message.rpartition('last error: ')[2]}")


def _info(call: Any) -> error_details_pb2.ErrorInfo | None:
    """What a server of ours says about its error, or None."""
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                for detail in status_pb2.Status.FromString(value).details:
                    info = error_details_pb2.ErrorInfo()
                    if detail.Unpack(info) and info.domain == DOMAIN:
                        return info
            except DecodeError:
                return None
    return None


def _restored(kind: type[Error], message: str, code: str, request_id: str, answered: bool) -> Error:
    return kind(message, code=code, request_id=request_id, answered=answered)
