"""The error codes of Account Management. Source: https://docs.aws.amazon.com/accounts/latest/reference/api-reference.html"""

from sekisho.errors import FailedPrecondition, NotFound


class ResourceNotFound(NotFound):
    """The account has no such contact."""


class Conflict(FailedPrecondition):
    """The region is on its way to what is asked already, or cannot be changed."""
