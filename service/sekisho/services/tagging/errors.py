"""The error codes of the Resource Groups Tagging API.

Source: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/CommonErrors.html
"""

from sekisho.errors import InvalidArgument, ValidationError
from sekisho.operations import violations


class InvalidParameter(InvalidArgument):
    """A member of the request has a value that it cannot have."""


@violations("tagging")
def broken_rules(error: ValidationError) -> InvalidParameter:
    """AWS calls a broken rule InvalidParameterException here."""
    return InvalidParameter(error.message)
