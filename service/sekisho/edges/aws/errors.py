"""What the edge itself refuses. Source: the "Common Errors" of AWS's API references."""

from sekisho.errors import InvalidArgument, ResourceExhausted, Unimplemented


class InvalidAction(InvalidArgument):
    """There is no such operation in AWS's service."""


class UnknownOperation(InvalidArgument):
    """There is no such operation in AWS's service, or no such service here."""


class NotImplemented(Unimplemented):
    """AWS has the operation or the member, this server has not."""


class MalformedQueryString(InvalidArgument):
    """The parameters are not what the Query protocol can mean."""


class MalformedInput(InvalidArgument):
    """A parameter is of another kind than the operation has, or the operation has none of its name."""


class Serialization(InvalidArgument):
    """A JSON body that is not one, or in which a member is of another kind, or of a name that the operation does not have."""


class RequestEntityTooLarge(ResourceExhausted):
    """The body is larger than this server reads."""

    http = 413


class BadRequest(InvalidArgument):
    """The request is not one that HTTP can mean in only one way."""


class MissingAction(InvalidArgument):
    """The request names no operation at all."""
