"""The error codes of STS. Source: https://docs.aws.amazon.com/STS/latest/APIReference/ (Errors of each action)."""

from sekisho.credentials.errors import ExpiredTokenException as ExpiredTokenException
from sekisho.credentials.errors import IDPCommunicationError as IDPCommunicationError
from sekisho.credentials.errors import IDPRejectedClaim as IDPRejectedClaim
from sekisho.credentials.errors import InvalidIdentityToken as InvalidIdentityToken
from sekisho.errors import InvalidArgument, PermissionDenied


class RegionDisabled(PermissionDenied):
    """STS is not on in the region."""


class InvalidParameterValue(InvalidArgument):
    """A value that this call cannot take."""


class InvalidAuthorizationMessageException(InvalidArgument):
    """The message is not one that was encoded for the account."""


class OutboundWebIdentityFederationDisabledException(PermissionDenied):
    """The account issues no tokens for other services."""


class SessionDurationEscalationException(PermissionDenied):
    """A token would outlive the session that asks for it."""
