"""The quotas of an account, checked inside the write's own transaction, alone in its account: a race cannot exceed them.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from sekisho.iam.errors import LimitExceeded

# Names as GetAccountSummary has them; where it has none, in its manner.
QUOTAS = {
    "UsersQuota": 5000,
    "GroupsQuota": 300,
    "RolesQuota": 1000,
    "PoliciesQuota": 1500,
    "GroupsPerUserQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 20,
    "AccessKeysPerUserQuota": 2,
    "VersionsPerPolicyQuota": 5,
    "PolicySizeQuota": 6144,
    "UserPolicySizeQuota": 2048,
    "GroupPolicySizeQuota": 5120,
    "RolePolicySizeQuota": 10240,
    "AssumeRolePolicySizeQuota": 2048,
    "TagsPerResourceQuota": 50,
}

_CANNOT_EXCEED = "Cannot exceed quota for {}: {{quota}}"
_INLINE = "Maximum policy size of {{quota}} bytes exceeded for {} {{name}}"

# AWS's sentence for each; `{quota}` is the number, `{name}` what `check` was told.
_SENTENCES = {
    "UsersQuota": _CANNOT_EXCEED.format("UsersPerAccount"),
    "GroupsQuota": _CANNOT_EXCEED.format("GroupsPerAccount"),
    "RolesQuota": _CANNOT_EXCEED.format("RolesPerAccount"),
    "PoliciesQuota": _CANNOT_EXCEED.format("PoliciesPerAccount"),
    "GroupsPerUserQuota": _CANNOT_EXCEED.format("GroupsPerUser"),
    "AttachedPoliciesPerUserQuota": _CANNOT_EXCEED.format("PoliciesPerUser"),
    "AttachedPoliciesPerGroupQuota": _CANNOT_EXCEED.format("PoliciesPerGroup"),
    "AttachedPoliciesPerRoleQuota": _CANNOT_EXCEED.format("PoliciesPerRole"),
    "AccessKeysPerUserQuota": _CANNOT_EXCEED.format("AccessKeysPerUser"),
    "VersionsPerPolicyQuota": (
        "A managed policy can have up to {quota} versions. Before you create a new version, you must delete an existing version."
    ),
    "PolicySizeQuota": _CANNOT_EXCEED.format("PolicySize"),
    "UserPolicySizeQuota": _INLINE.format("user"),
    "GroupPolicySizeQuota": _INLINE.format("group"),
    "RolePolicySizeQuota": _INLINE.format("role"),
    "AssumeRolePolicySizeQuota": _CANNOT_EXCEED.format("ACLSizePerRole"),
    "TagsPerResourceQuota": "The number of tags has reached the maximum limit.",
}


def check(quota: str, count: int, *, name: str = "") -> None:
    """Raise LimitExceeded when `count`, with what the call would add, is more than the quota allows."""
    if count > QUOTAS[quota]:
        raise LimitExceeded(_SENTENCES[quota].format(quota=QUOTAS[quota], name=name))
