"""The error codes of this service, which are IAM's where IAM has one for it."""

from sekisho.errors import InvalidArgument, NotFound, ResourceExhausted


class InvalidInput(InvalidArgument):
    """A value that cannot be meant."""


class NoSuchEntity(NotFound):
    """There is no such user or role in the account."""


class LimitExceeded(ResourceExhausted):
    """There is more than one call can look at."""
