"""The error codes of the catalog."""

from sekisho.errors import InvalidArgument, NotFound, ResourceExhausted


class NoSuchServiceDefinition(NotFound):
    """The account has not defined the service."""


class BuiltInService(InvalidArgument):
    """The service is one of this server's own, whose definition follows from the server."""


class ServiceNameMismatch(InvalidArgument):
    """The definition is of another service than the request."""


class LimitExceeded(ResourceExhausted):
    """The account has as many definitions as it may, or they are too long together."""


class InvalidToken(InvalidArgument):
    """A token that this list did not give."""
