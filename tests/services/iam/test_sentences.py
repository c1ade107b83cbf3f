"""Numbers and sentences of quotas, and what errors are over HTTP, each as AWS has it."""

import pytest

from sekisho.errors import SekishoError
from sekisho.services.iam import errors, quotas

CANNOT = "Cannot exceed quota for {}: {{}}"
QUOTAS: dict[str, tuple[int, str]] = {
    "UsersQuota": (5000, CANNOT.format("UsersPerAccount")),
    "GroupsQuota": (300, CANNOT.format("GroupsPerAccount")),
    "RolesQuota": (1000, CANNOT.format("RolesPerAccount")),
    "PoliciesQuota": (1500, CANNOT.format("PoliciesPerAccount")),
    "InstanceProfilesQuota": (1000, CANNOT.format("InstanceProfilesPerAccount")),
    "GroupsPerUserQuota": (10, CANNOT.format("GroupsPerUser")),
    "AttachedPoliciesPerUserQuota": (10, CANNOT.format("PoliciesPerUser")),
    "AttachedPoliciesPerGroupQuota": (10, CANNOT.format("PoliciesPerGroup")),
    "AttachedPoliciesPerRoleQuota": (20, CANNOT.format("PoliciesPerRole")),
    "AccessKeysPerUserQuota": (2, CANNOT.format("AccessKeysPerUser")),
    "MFADevicesQuota": (5000, CANNOT.format("MFADevicesPerAccount")),
    "MFADevicesPerUserQuota": (8, CANNOT.format("MFADevicesPerUser")),
    "RolesPerInstanceProfileQuota": (1, CANNOT.format("InstanceSessionsPerInstanceProfile")),
    "VersionsPerPolicyQuota": (
        5,
        "A managed policy can have up to {} versions. Before you create a new version, you must delete an existing version.",
    ),
    "PolicySizeQuota": (6144, CANNOT.format("PolicySize")),
    "UserPolicySizeQuota": (2048, "Maximum policy size of {} bytes exceeded for user ann"),
    "GroupPolicySizeQuota": (5120, "Maximum policy size of {} bytes exceeded for group ann"),
    "RolePolicySizeQuota": (10240, "Maximum policy size of {} bytes exceeded for role ann"),
    "AssumeRolePolicySizeQuota": (2048, CANNOT.format("ACLSizePerRole")),
    "TagsPerResourceQuota": (50, "The number of tags has reached the maximum limit."),
    "ServerCertificatesQuota": (20, CANNOT.format("ServerCertificatesPerAccount")),
    "SigningCertificatesPerUserQuota": (2, CANNOT.format("CertificatesPerUser")),
    "SSHPublicKeysPerUserQuota": (5, CANNOT.format("SSHPublicKeysPerUser")),
    "ServiceSpecificCredentialsPerUserQuota": (2, CANNOT.format("ServiceSpecificCredentialsPerUser")),
    "OpenIdConnectProvidersQuota": (100, CANNOT.format("OpenIdConnectProvidersPerAccount")),
    "ClientIdsPerOpenIdConnectProviderQuota": (100, CANNOT.format("ClientIdsPerOpenIdConnectProvider")),
    "SAMLProvidersQuota": (100, CANNOT.format("SAMLProvidersPerAccount")),
    "PrivateKeysPerSAMLProviderQuota": (2, CANNOT.format("PrivateKeysPerSAMLProvider")),
}
"""Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def test_there_are_no_others() -> None:
    assert quotas.QUOTAS.keys() == QUOTAS.keys()


@pytest.mark.parametrize("quota", QUOTAS)
def test_a_quota_is_exceeded_by_one_more(quota: str) -> None:
    most, sentence = QUOTAS[quota]
    quotas.check(quota, most, name="ann")
    quotas.check_set(quota, most, None)
    quotas.check_set(quota, most + 7, most + 7)
    with pytest.raises(errors.LimitExceeded) as caught:
        quotas.check(quota, most + 1, name="ann")
    assert caught.value.message == sentence.format(most)
    for count, override in ((most + 1, None), (most + 8, most + 7), (1, 0)):
        with pytest.raises(errors.LimitExceeded) as caught:
            quotas.check_set(quota, count, override)
        assert caught.value.message == sentence.format(count - 1).removesuffix("ann")


@pytest.mark.parametrize(
    ("error", "http", "grpc"),
    [
        (errors.LimitExceeded, 409, "RESOURCE_EXHAUSTED"),
        (errors.OrganizationNotFoundException, 400, "NOT_FOUND"),
        (errors.AccountNotManagementOrDelegatedAdministratorException, 400, "PERMISSION_DENIED"),
        (errors.CallerIsNotManagementAccountException, 400, "PERMISSION_DENIED"),
        (errors.OrganizationNotInAllFeaturesModeException, 400, "FAILED_PRECONDITION"),
        (errors.ServiceAccessNotEnabledException, 400, "FAILED_PRECONDITION"),
        (errors.ReportNotPresent, 410, "FAILED_PRECONDITION"),
        (errors.ReportExpired, 410, "FAILED_PRECONDITION"),
    ],
)
def test_errors_over_http(error: type[SekishoError], http: int, grpc: str) -> None:
    assert (error.http, error.grpc) == (http, grpc)
