"""The error codes of IAM. Source: https://docs.aws.amazon.com/IAM/latest/APIReference/ (Errors of each action)."""

from sekisho.errors import AlreadyExists, FailedPrecondition, Internal, InvalidArgument, NotFound, PermissionDenied, ResourceExhausted
from sekisho.operations import tag_violations


class NoSuchEntity(NotFound):
    """There is no such entity in the caller's account."""


class EntityAlreadyExists(AlreadyExists):
    """The name is taken, in whatever case."""


class DeleteConflict(FailedPrecondition):
    """Something depends on the entity."""


class LimitExceeded(ResourceExhausted):
    """A quota of the account is used up."""

    http = 409


class InvalidInput(InvalidArgument):
    """A value is well formed and still not possible here."""


class MalformedCertificate(InvalidArgument):
    """A certificate, its chain or its private key cannot be read, or they do not follow from each other."""


class InvalidCertificate(InvalidArgument):
    """A certificate can be read, but not be used now."""


class KeyPairMismatch(InvalidArgument):
    """The private key is not the certificate's."""


class DuplicateCertificate(AlreadyExists):
    """The user has the certificate already."""


class InvalidPublicKey(InvalidArgument):
    """A public key is broken, too short, or of another kind than the service takes."""


class UnrecognizedPublicKeyEncoding(InvalidArgument):
    """A public key is neither in the form of OpenSSH nor PEM."""


class DuplicateSSHPublicKey(InvalidArgument):
    """The user has the public key already."""


class PolicyEvaluation(Internal):
    """A simulation could not be carried out."""


class UnmodifiableEntity(InvalidArgument):
    """Only a service may change the role."""


class PolicyNotAttachable(InvalidArgument):
    """The policy is for the roles of AWS's services only."""


class PasswordPolicyViolation(InvalidArgument):
    """A password is not what the account demands."""


class InvalidUserType(InvalidArgument):
    """The caller is no user."""


class InvalidAuthenticationCode(PermissionDenied):
    """The codes are not those that the device shows."""


class OrganizationNotFoundException(NotFound):
    """The caller's account is in no organization."""

    http = 400


class AccountNotManagementOrDelegatedAdministratorException(PermissionDenied):
    """The caller's account has no part in the root access of its organization."""

    http = 400


class CallerIsNotManagementAccountException(PermissionDenied):
    """Only the management account does this."""

    http = 400


class OrganizationNotInAllFeaturesModeException(FailedPrecondition):
    """The organization has no features but its bills."""

    http = 400


class ServiceAccessNotEnabledException(FailedPrecondition):
    """IAM has no access to the organization."""

    http = 400


class FeatureEnabled(AlreadyExists):
    """The account has the feature already."""


class FeatureDisabled(NotFound):
    """The account does not have the feature."""


class ReportNotPresent(FailedPrecondition):
    """No credential report was generated yet."""

    http = 410


class ReportExpired(FailedPrecondition):
    """The newest credential report is too old to be handed out."""

    http = 410


tag_violations("iam")(InvalidInput)
