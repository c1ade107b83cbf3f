"""The quotas of an account, checked inside the write's own transaction, alone in its account: a race cannot exceed them.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from sekisho.calls.call import Call
from sekisho.services.iam.errors import LimitExceeded
from sekisho.store.tables import QuotaOverride

# Names as GetAccountSummary has them; where it has none, in its manner.
QUOTAS = {
    "UsersQuota": 5000,
    "GroupsQuota": 300,
    "RolesQuota": 1000,
    "PoliciesQuota": 1500,
    "InstanceProfilesQuota": 1000,
    "GroupsPerUserQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 20,
    "AccessKeysPerUserQuota": 2,
    "MFADevicesQuota": 5000,
    "MFADevicesPerUserQuota": 8,
    "RolesPerInstanceProfileQuota": 1,
    "VersionsPerPolicyQuota": 5,
    "PolicySizeQuota": 6144,
    "UserPolicySizeQuota": 2048,
    "GroupPolicySizeQuota": 5120,
    "RolePolicySizeQuota": 10240,
    "AssumeRolePolicySizeQuota": 2048,
    "TagsPerResourceQuota": 50,
    "ServerCertificatesQuota": 20,
    "SigningCertificatesPerUserQuota": 2,
    "SSHPublicKeysPerUserQuota": 5,
    "ServiceSpecificCredentialsPerUserQuota": 2,
    "OpenIdConnectProvidersQuota": 100,
    "ClientIdsPerOpenIdConnectProviderQuota": 100,
    "SAMLProvidersQuota": 100,
    "PrivateKeysPerSAMLProviderQuota": 2,
}

_CANNOT_EXCEED = "Cannot exceed quota for {}: {{quota}}"
_INLINE = "Maximum policy size of {{quota}} bytes exceeded for {} {{name}}"

# AWS's sentence for each; `{quota}` is the number, `{name}` what `check` was told.
_SENTENCES = {
    "UsersQuota": _CANNOT_EXCEED.format("UsersPerAccount"),
    "GroupsQuota": _CANNOT_EXCEED.format("GroupsPerAccount"),
    "RolesQuota": _CANNOT_EXCEED.format("RolesPerAccount"),
    "PoliciesQuota": _CANNOT_EXCEED.format("PoliciesPerAccount"),
    "InstanceProfilesQuota": _CANNOT_EXCEED.format("InstanceProfilesPerAccount"),
    "GroupsPerUserQuota": _CANNOT_EXCEED.format("GroupsPerUser"),
    "AttachedPoliciesPerUserQuota": _CANNOT_EXCEED.format("PoliciesPerUser"),
    "AttachedPoliciesPerGroupQuota": _CANNOT_EXCEED.format("PoliciesPerGroup"),
    "AttachedPoliciesPerRoleQuota": _CANNOT_EXCEED.format("PoliciesPerRole"),
    "AccessKeysPerUserQuota": _CANNOT_EXCEED.format("AccessKeysPerUser"),
    "MFADevicesQuota": _CANNOT_EXCEED.format("MFADevicesPerAccount"),
    "MFADevicesPerUserQuota": _CANNOT_EXCEED.format("MFADevicesPerUser"),
    "RolesPerInstanceProfileQuota": _CANNOT_EXCEED.format("InstanceSessionsPerInstanceProfile"),
    "VersionsPerPolicyQuota": (
        "A managed policy can have up to {quota} versions. Before you create a new version, you must delete an existing version."
    ),
    "PolicySizeQuota": _CANNOT_EXCEED.format("PolicySize"),
    "UserPolicySizeQuota": _INLINE.format("user"),
    "GroupPolicySizeQuota": _INLINE.format("group"),
    "RolePolicySizeQuota": _INLINE.format("role"),
    "AssumeRolePolicySizeQuota": _CANNOT_EXCEED.format("ACLSizePerRole"),
    "TagsPerResourceQuota": "The number of tags has reached the maximum limit.",
    "ServerCertificatesQuota": _CANNOT_EXCEED.format("ServerCertificatesPerAccount"),
    "SigningCertificatesPerUserQuota": _CANNOT_EXCEED.format("CertificatesPerUser"),
    "SSHPublicKeysPerUserQuota": _CANNOT_EXCEED.format("SSHPublicKeysPerUser"),
    "ServiceSpecificCredentialsPerUserQuota": _CANNOT_EXCEED.format("ServiceSpecificCredentialsPerUser"),
    "OpenIdConnectProvidersQuota": _CANNOT_EXCEED.format("OpenIdConnectProvidersPerAccount"),
    "ClientIdsPerOpenIdConnectProviderQuota": _CANNOT_EXCEED.format("ClientIdsPerOpenIdConnectProvider"),
    "SAMLProvidersQuota": _CANNOT_EXCEED.format("SAMLProvidersPerAccount"),
    "PrivateKeysPerSAMLProviderQuota": _CANNOT_EXCEED.format("PrivateKeysPerSAMLProvider"),
}


def check(quota: str, count: int, *, name: str = "") -> None:
    """Raise LimitExceeded when `count`, with what the call would add, is more than the quota allows."""
    _check(quota, count, QUOTAS[quota], name)


def check_set(quota: str, count: int, override: int | None) -> None:
    """As `check`, for a quota that an operator may have set to another value for the account."""
    _check(quota, count, QUOTAS[quota] if override is None else override, "")


def of_account(call: Call, quota: str) -> int:
    """What a quota of the caller's account is."""
    override = call.session.get(QuotaOverride, (call.account_id, quota))
    return override.value if override is not None else QUOTAS[quota]


def _check(quota: str, count: int, most: int, name: str) -> None:
    if count > most:
        raise LimitExceeded(_SENTENCES[quota].format(quota=most, name=name))
