"""The error codes of Access Analyzer. Source: https://docs.aws.amazon.com/access-analyzer/latest/APIReference/ (Errors of each action)."""

from collections.abc import Mapping

from sekisho.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted, SekishoError, ValidationError
from sekisho.operations import violations

FIELD, OTHER, NOT_SUPPORTED = "fieldValidationFailed", "other", "notSupported"
"""AWS's reasons of a ValidationException."""


class _OfResource(SekishoError):
    """An error that says which resource it is about, and of which type."""

    def __init__(self, message: str, resource_id: str, resource_type: str) -> None:
        super().__init__(message)
        self._resource_id, self._resource_type = resource_id, resource_type

    @property
    def members(self) -> Mapping[str, str]:
        """AWS's members of the error."""
        return {"resourceId": self._resource_id, "resourceType": self._resource_type}


class ResourceNotFound(_OfResource, NotFound):
    """No such thing in the caller's account."""


class Conflict(_OfResource, FailedPrecondition):
    """A name is taken, or something is under way already."""


class ServiceQuotaExceeded(_OfResource, ResourceExhausted):
    """The account has as many as it may have."""

    http = 402


class Validation(InvalidArgument):
    """A member of the request has a value that it cannot have."""

    def __init__(self, message: str, reason: str = FIELD) -> None:
        super().__init__(message)
        self._reason = reason

    @property
    def members(self) -> Mapping[str, str]:
        """AWS's members of the error."""
        return {"reason": self._reason}


class InvalidParameter(InvalidArgument):
    """A policy is not one, or not of the type that is said."""


class UnprocessableEntity(InvalidArgument):
    """A policy is valid, and cannot be analyzed."""

    http = 422


@violations("analyzer")
def _violation(error: ValidationError) -> SekishoError:
    return Validation(error.message)
