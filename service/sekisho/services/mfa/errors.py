"""The error codes of this service, which are IAM's where IAM has one for it."""

from sekisho.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, ResourceExhausted


class PasskeysNotConfigured(FailedPrecondition):
    """The server was not told under which domain passkeys are made."""


class InvalidPasskey(PermissionDenied):
    """What the browser made is not a passkey for this server, this user and this challenge."""


class InvalidAuthenticationCode(PermissionDenied):
    """The codes are not those that the device shows."""


class InvalidInput(InvalidArgument):
    """A value that cannot be meant."""


class EntityAlreadyExists(AlreadyExists):
    """There is such a device already, or it is somebody's."""


class NoSuchEntity(NotFound):
    """There is no such device or user."""


class DeleteConflict(FailedPrecondition):
    """The device is somebody's."""


class LimitExceeded(ResourceExhausted):
    """There are as many as there can be."""
