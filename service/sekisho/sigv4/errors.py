"""Why a caller could not be established.

All are Unauthenticated, whatever their HTTP status, so that one `except` meters failed authentication.
Codes and statuses: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html; the sentences are those that STS gives.
"""

from sekisho.errors import Unauthenticated

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)


class MissingAuthenticationToken(Unauthenticated):
    """The request carries no signature at all."""

    def __init__(self, message: str = "Request is missing Authentication Token") -> None:
        super().__init__(message)


class IncompleteSignature(Unauthenticated):
    """There is a signature, but not in a form that could be checked."""

    http = 400


class SignatureDoesNotMatch(Unauthenticated):
    """The signature is another one than ours, or not of this day, time, service or audience."""

    def __init__(self, message: str = _MISMATCH) -> None:
        super().__init__(message)


class RequestExpired(Unauthenticated):
    """A presigned request is used after its end."""

    http = 400


class RequestReplayed(Unauthenticated):
    """A call that writes or issues came with a signature that was used before."""

    def __init__(self, message: str = "The signature of this request was used before. Sign each request anew.") -> None:
        super().__init__(message)


class PresignedRefused(Unauthenticated):
    """A presigned request, or a token, for what changes or issues something; said as AccessDenied, which tools know."""

    @property
    def code(self) -> str:
        """That of AccessDenied."""
        return "AccessDenied"


class InvalidClientTokenId(Unauthenticated):
    """The access key or the session token is none of ours. Never says which."""

    def __init__(self, message: str = "The security token included in the request is invalid.") -> None:
        super().__init__(message)


class OptInRequired(Unauthenticated):
    """The credentials are right, but their account is not active."""

    def __init__(self, message: str = "The AWS access key ID needs a subscription for the service.") -> None:
        super().__init__(message)


class ExpiredToken(Unauthenticated):
    """The session is over."""

    def __init__(self, message: str = "The security token included in the request is expired") -> None:
        super().__init__(message)
