"""The error codes of resources that are not of what they share with the tagging service (`calls.resources`)."""

from sekisho.errors import InvalidArgument, NotFound


class NoSuchResourcePolicy(NotFound):
    """The resource has no policy."""


class InvalidToken(InvalidArgument):
    """A token that this list did not give, or gave for other parameters."""
