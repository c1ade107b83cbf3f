"""The contents of an account, in numbers.

Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html
"""

from sqlalchemy import Select, func, select

from sekisho.api.iam.v1 import account_summaries_pb2 as pb
from sekisho.calls import devices
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.iam import quotas, security_token_preferences
from sekisho.store.tables import AccessKey, Authenticator, Entity, EntityCount, MfaDevice, PolicyVersion, SigningCertificate

# Entities by the name under which they are counted.
_KINDS = {
    "Users": ("user",),
    "Groups": ("group",),
    "Roles": ("role",),
    "Policies": ("policy",),
    "InstanceProfiles": ("instance-profile",),
    "ServerCertificates": ("server-certificate",),
    "MFADevices": ("mfa",),
    "Providers": ("oidc-provider", "saml-provider"),
}
_ACCOUNT_QUOTAS = ("UsersQuota", "GroupsQuota", "RolesQuota", "PoliciesQuota", "InstanceProfilesQuota", "ServerCertificatesQuota")
_QUOTAS = (
    *("AccessKeysPerUserQuota", "AssumeRolePolicySizeQuota", "GroupsPerUserQuota", "PolicySizeQuota", "SigningCertificatesPerUserQuota"),
    *("AttachedPoliciesPerGroupQuota", "AttachedPoliciesPerRoleQuota", "AttachedPoliciesPerUserQuota", "VersionsPerPolicyQuota"),
    *("GroupPolicySizeQuota", "RolePolicySizeQuota", "UserPolicySizeQuota"),
)
_VERSIONS_IN_USE = 10_000  # AWS's number; here the policies and their versions are limited, and nothing else


@operation
def get_account_summary(call: Call, request: pb.GetAccountSummaryRequest) -> pb.GetAccountSummaryResponse:
    """A root user has no password here."""
    counts = select(EntityCount.kind, EntityCount.held).where(EntityCount.account_id == call.account_id)
    by_kind = {kind: count for kind, count in call.session.execute(counts)}  # noqa: C416  # a Row is no tuple to mypy
    root = call.account_id
    versions = select(func.count()).select_from(PolicyVersion).join(Entity, Entity.id == PolicyVersion.policy_id)
    others = select(func.count()).select_from(Authenticator).where(Authenticator.account_id == root)
    in_use = MfaDevice.user_id.is_not(None) | MfaDevice.of_root
    summary = {name: sum(by_kind.get(kind, 0) for kind in kinds) for name, kinds in _KINDS.items()}
    summary |= {name: quotas.of_account(call, name) for name in _ACCOUNT_QUOTAS}
    summary |= {name: quotas.QUOTAS[name] for name in _QUOTAS}
    summary |= {
        "AccountAccessKeysPresent": min(1, _count(call, select(func.count()).select_from(AccessKey).where(AccessKey.owner_id == root))),
        "AccountMFAEnabled": 1 if devices.load_of(call.session, root, root) else 0,
        "AccountPasswordPresent": 0,
        "AccountSigningCertificatesPresent": min(
            1, _count(call, select(func.count()).select_from(SigningCertificate).where(SigningCertificate.owner_id == root))
        ),
        "GlobalEndpointTokenVersion": security_token_preferences.token_version(call),
        "MFADevices": summary["MFADevices"] + _count(call, others),
        "MFADevicesInUse": _count(call, select(func.count()).select_from(MfaDevice).where(MfaDevice.account_id == root, in_use))
        + _count(call, others.where(Authenticator.owner_id.is_not(None))),
        "PolicyVersionsInUse": _count(call, versions.where(Entity.account_id == call.account_id)),
        "PolicyVersionsInUseQuota": _VERSIONS_IN_USE,
    }
    return pb.GetAccountSummaryResponse(summary_map=summary)


def _count(call: Call, query: Select[int]) -> int:
    return call.session.scalars(query).one()
