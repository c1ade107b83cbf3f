"""The error codes of STS. Source: https://docs.aws.amazon.com/STS/latest/APIReference/ (Errors of each action)."""

from sekisho.errors import InvalidArgument, PermissionDenied


class RegionDisabled(PermissionDenied):
    """STS is not on in the region."""


class InvalidParameterValue(InvalidArgument):
    """A value that this call cannot take."""


class OutboundWebIdentityFederationDisabledException(PermissionDenied):
    """The account issues no tokens for other services."""


class SessionDurationEscalationException(PermissionDenied):
    """A token would outlive the session that asks for it."""
