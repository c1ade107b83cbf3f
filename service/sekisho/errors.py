"""Every error that a caller can meet, and how each is said over gRPC and HTTP.

    SekishoError
    ├── InvalidArgument      400 INVALID_ARGUMENT     the request is wrong as it stands
    ├── FailedPrecondition   409 FAILED_PRECONDITION  the state of the world forbids it
    ├── AlreadyExists        409 ALREADY_EXISTS
    ├── NotFound             404 NOT_FOUND
    ├── PermissionDenied     403 PERMISSION_DENIED    the caller is known and may not
    ├── Unauthenticated      403 UNAUTHENTICATED      the caller could not be established
    ├── ResourceExhausted    429 RESOURCE_EXHAUSTED   a quota, a size, a rate
    ├── Unavailable          503 UNAVAILABLE          nothing was decided; the same call may succeed later
    ├── DeadlineExceeded     504 DEADLINE_EXCEEDED
    ├── Unimplemented        501 UNIMPLEMENTED
    └── Internal             500 INTERNAL             a defect of ours; says nothing about the inside

The name of the class is the AWS error code. Codes of one service live in ``<service>/errors.py``.
"""

from collections.abc import Mapping
from types import MappingProxyType

from sekisho.naming import snake

_NONE: Mapping[str, str] = MappingProxyType({})


class SekishoError(Exception):
    """The root of all errors that reach a caller; `message` is written for that caller."""

    grpc = "UNKNOWN"
    http = 500
    retryable = False

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    @property
    def code(self) -> str:
        """The AWS error code, such as `NoSuchEntity`."""
        return type(self).__name__

    @property
    def members(self) -> Mapping[str, str]:
        """The members that AWS's shape of the error has beside its message, such as `Reason`."""
        return _NONE

    @property
    def reason(self) -> str:
        """The code as google.rpc.ErrorInfo writes a reason: `NO_SUCH_ENTITY`."""
        return snake(self.code).upper()


class InvalidArgument(SekishoError):
    """The request cannot be right, whatever the state of the world."""

    grpc = "INVALID_ARGUMENT"
    http = 400


class FailedPrecondition(SekishoError):
    """The request is well formed; something that exists stands against it."""

    grpc = "FAILED_PRECONDITION"
    http = 409


class AlreadyExists(SekishoError):
    """The name is taken."""

    grpc = "ALREADY_EXISTS"
    http = 409


class NotFound(SekishoError):
    """No such thing in the caller's account."""

    grpc = "NOT_FOUND"
    http = 404


class PermissionDenied(SekishoError):
    """The caller is known, and the policies do not let it."""

    grpc = "PERMISSION_DENIED"
    http = 403


class Unauthenticated(SekishoError):
    """Who is calling could not be established."""

    grpc = "UNAUTHENTICATED"
    http = 403


class ResourceExhausted(SekishoError):
    """A quota, a size or a rate is used up."""

    grpc = "RESOURCE_EXHAUSTED"
    http = 429


class Unavailable(SekishoError):
    """Nothing was decided and nothing was written; trying again may succeed."""

    grpc = "UNAVAILABLE"
    http = 503
    retryable = True


class DeadlineExceeded(SekishoError):
    """The caller's deadline passed before there was an answer; nothing was written."""

    grpc = "DEADLINE_EXCEEDED"
    http = 504


class Unimplemented(SekishoError):
    """An operation or a member of a request that this server does not have."""

    grpc = "UNIMPLEMENTED"
    http = 501


class Internal(SekishoError):
    """A defect of ours. The details are in the server's log under the request id."""

    grpc = "INTERNAL"
    http = 500


# Codes that more than one service raises. Source: the "Common Errors" page of each AWS API reference.


class ValidationError(InvalidArgument):
    """A member of the request breaks its constraints."""


class MalformedPolicyDocument(InvalidArgument):
    """A policy document is not valid; the message is AWS's own sentence where AWS has one."""


class AccessDenied(PermissionDenied):
    """AWS's sentence: who may not do what on what, and which kind of policy is the reason."""


class ServiceFailure(Internal):
    """What a caller sees of an exception that we did not foresee."""


class ServiceUnavailable(Unavailable):
    """The database, the spool or the key ring cannot be reached or cannot take the write."""


class RequestTimeout(DeadlineExceeded):
    """The caller's deadline passed."""


class Throttling(ResourceExhausted):
    """More calls than the worker can answer in time, or remember; nothing was done."""

    http = 400  # AWS's status; its SDKs look at the code


class TagPolicyViolation(InvalidArgument):
    """A tag is not what the tag policies of the account's organization allow."""


class InvalidArn(InvalidArgument):
    """A string that should be an ARN is not one."""
