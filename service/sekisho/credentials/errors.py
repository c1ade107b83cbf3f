"""The errors of what an identity provider is said to have made. Source: the Errors of
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from sekisho.errors import InvalidArgument, PermissionDenied, Unavailable


class InvalidIdentityToken(InvalidArgument):
    """The token that an identity provider is said to have made could not be validated."""


class IDPRejectedClaim(PermissionDenied):
    """The provider's own word is against the token: it is not what the provider vouches for any more, or not yet, or not for us."""


class IDPCommunicationError(Unavailable):
    """The provider could not be reached, or did not answer with what it should; the call may be made again."""

    http = 400  # AWS's status


class ExpiredTokenException(InvalidArgument):
    """The token was good, and is not any more."""
