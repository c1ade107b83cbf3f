"""The error codes of IAM. Source: https://docs.aws.amazon.com/IAM/latest/APIReference/ (Errors of each action)."""

from sekisho.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted


class NoSuchEntity(NotFound):
    """There is no such entity in the caller's account."""


class EntityAlreadyExists(AlreadyExists):
    """The name is taken, in whatever case."""


class DeleteConflict(FailedPrecondition):
    """Something depends on the entity."""


class LimitExceeded(ResourceExhausted):
    """A quota of the account is used up."""

    http = 409


class InvalidInput(InvalidArgument):
    """A value is well formed and still not possible here."""
