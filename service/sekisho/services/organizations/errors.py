"""The error codes of Organizations. Source: https://docs.aws.amazon.com/organizations/latest/APIReference/ (Errors of each action)."""

from collections.abc import Mapping

from sekisho.errors import (
    AccessDenied,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    SekishoError,
    ValidationError,
)
from sekisho.operations import tag_violations, violations

DENIED = "You don't have permissions to access this resource."


def denied() -> AccessDenied:
    """The refusal of those whose account the organization has not given the right to ask."""
    return AccessDenied(DENIED)


class AWSOrganizationsNotInUse(FailedPrecondition):
    """The caller's account is in no organization."""


class AlreadyInOrganization(FailedPrecondition):
    """The caller's account is in an organization already."""


class OrganizationNotEmpty(FailedPrecondition):
    """Accounts are left beside the management account."""


class MasterCannotLeaveOrganization(FailedPrecondition):
    """The management account stays as long as its organization."""


class AccountNotFound(NotFound):
    """No account of the organization has the id."""


class AccountAlreadyClosed(FailedPrecondition):
    """The account is closed."""


class AccountNotRegistered(FailedPrecondition):
    """The account does not administer the service."""


class AccountAlreadyRegistered(AlreadyExists):
    """The account administers the service already."""


class CreateAccountStatusNotFound(NotFound):
    """No request for an account has the id."""


class RootNotFound(NotFound):
    """The organization has no such root."""


class OrganizationalUnitNotFound(NotFound):
    """The organization has no such unit."""


class OrganizationalUnitNotEmpty(FailedPrecondition):
    """Accounts or units hang in the unit."""


class DuplicateOrganizationalUnit(AlreadyExists):
    """A unit beside has the name."""


class ParentNotFound(NotFound):
    """The organization has no such root or unit."""


class SourceParentNotFound(NotFound):
    """The account does not hang there."""


class DestinationParentNotFound(NotFound):
    """The organization has no such root or unit."""


class DuplicateAccount(AlreadyExists):
    """The account hangs there already."""


class ChildNotFound(NotFound):
    """The organization has no such unit or account."""


class TargetNotFound(NotFound):
    """The organization has no such root, unit, account or policy."""


class PolicyNotFound(NotFound):
    """The organization has no such policy."""


class DuplicatePolicy(AlreadyExists):
    """A policy of the type has the name."""


class PolicyInUse(FailedPrecondition):
    """The policy is attached to something."""


class PolicyNotAttached(FailedPrecondition):
    """The policy is not attached to the target."""


class DuplicatePolicyAttachment(AlreadyExists):
    """The policy is attached to the target already."""


class PolicyTypeNotEnabled(FailedPrecondition):
    """The type of policy is not in force."""


class PolicyTypeAlreadyEnabled(AlreadyExists):
    """The type of policy is in force."""


class PolicyTypeNotAvailableForOrganization(FailedPrecondition):
    """The organization cannot have policies of the type."""


class EffectivePolicyNotFound(NotFound):
    """No policy of the type applies."""


class ResourcePolicyNotFound(NotFound):
    """The organization has no policy of its own."""


class HandshakeNotFound(NotFound):
    """The caller's account has no part in such a handshake."""


class HandshakeAlreadyInState(FailedPrecondition):
    """The handshake is what it was to become."""


class InvalidHandshakeTransition(FailedPrecondition):
    """The handshake cannot become that any more, or not yet."""


class DuplicateHandshake(AlreadyExists):
    """The account has been asked already."""


class _Reasoned(SekishoError):
    """An error whose `Reason` says which of many things it is."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self._reason = reason

    @property
    def members(self) -> Mapping[str, str]:
        """The member that the error's shape has beside its message."""
        return {"Reason": self._reason}


class ConstraintViolation(_Reasoned, FailedPrecondition):
    """A quota, or a rule about what may be done when."""


class HandshakeConstraintViolation(_Reasoned, FailedPrecondition):
    """A handshake cannot be made or agreed to as things are."""


class InvalidInput(_Reasoned, InvalidArgument):
    """A value that cannot be right."""


_REASONS = (
    ("Member must not be null", "INPUT_REQUIRED"),
    ("regular expression pattern", "INVALID_PATTERN"),
    ("enum value set", "INVALID_ENUM"),
    ("have length less than", "MAX_LENGTH_EXCEEDED"),
    ("have length greater than", "MIN_LENGTH_EXCEEDED"),
    ("have value less than", "MAX_VALUE_EXCEEDED"),
    ("have value greater than", "MIN_VALUE_EXCEEDED"),
)


@violations("organizations")
def invalid_input(error: ValidationError) -> InvalidInput:
    """A member that breaks its rules, as Organizations says it: the first rule that is broken is the reason."""
    found = sorted((at, reason) for phrase, reason in _REASONS if (at := error.message.find(phrase)) >= 0)
    return InvalidInput(found[0][1] if found else "INVALID_PATTERN", error.message)


@tag_violations("organizations")
def tag_policy_violation(said: str) -> ConstraintViolation:
    """A tag that a tag policy does not allow, as Organizations says it."""
    return ConstraintViolation("TAG_POLICY_VIOLATION", said)
