"""The error codes of STS. Source: https://docs.aws.amazon.com/STS/latest/APIReference/ (Errors of each action)."""

from sekisho.errors import InvalidArgument, PermissionDenied, Unavailable


class RegionDisabled(PermissionDenied):
    """STS is not on in the region."""


class InvalidParameterValue(InvalidArgument):
    """A value that this call cannot take."""


class InvalidIdentityToken(InvalidArgument):
    """The token that an identity provider is said to have made could not be validated."""


class IDPRejectedClaim(PermissionDenied):
    """The provider's own word is against the token: it is not what the provider vouches for any more, or not for us."""


class IDPCommunicationError(Unavailable):
    """The provider could not be reached, or did not answer with what it should; the call may be made again."""

    http = 400  # AWS's status


class ExpiredTokenException(InvalidArgument):
    """The token has expired or is not valid yet."""


class InvalidAuthorizationMessageException(InvalidArgument):
    """The message is not one that was encoded for the account."""
