"""The kinds of policy, and what each demands beyond the grammar that they share.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html and, for organizations,
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_syntax.html and ..._rcps_syntax.html
"""

import enum
from dataclasses import dataclass

PRINCIPAL_FORBIDDEN = "Policy document should not specify a principal."
PRINCIPAL_REQUIRED = "Missing required field Principal"
RESOURCE_REQUIRED = "Missing required field Resource"
UNFIT_FOR_TYPE = "The provided policy document does not meet the requirements of the specified policy type."


class Kind(enum.StrEnum):
    """Where a document is going to be used."""

    IDENTITY = "identity"  # inline in a user, group or role
    MANAGED = "managed"  # also as a permissions boundary
    TRUST = "trust"  # who may assume a role
    RESOURCE = "resource"
    SESSION = "session"
    SCP = "scp"
    RCP = "rcp"


@dataclass(frozen=True, slots=True)
class Demands:
    """What a kind asks of a document; a sentence says how AWS refuses it, `""` that there is nothing to refuse."""

    old_version: str = ""
    principal: str = ""  # said of a document that has one
    no_principal: str = ""
    resource: str = ""  # said of a document that has one; `{}` is the element's name
    no_resource: str = ""
    quota: int = 6_144  # characters without white space outside strings; callers enforce their own
    quota_issue: str = "POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA"


_OLD = "Policy document must be version 2012-10-17 or greater."
_NO_RESOURCES = "Policy statement must contain resources."

DEMANDS = {
    Kind.IDENTITY: Demands(principal=PRINCIPAL_FORBIDDEN, no_resource=_NO_RESOURCES, quota=10_240),
    Kind.MANAGED: Demands(old_version=_OLD, principal=PRINCIPAL_FORBIDDEN, no_resource=_NO_RESOURCES),
    Kind.SESSION: Demands(principal=PRINCIPAL_FORBIDDEN, no_resource=_NO_RESOURCES, quota=2_048),
    Kind.TRUST: Demands(
        no_principal=PRINCIPAL_REQUIRED,
        resource="Has prohibited field {}",
        quota=2_048,
        quota_issue="POLICY_SIZE_EXCEEDS_ROLE_TRUST_POLICY_QUOTA",
    ),
    Kind.RESOURCE: Demands(
        no_principal=PRINCIPAL_REQUIRED,
        no_resource=RESOURCE_REQUIRED,
        quota=20_480,
        quota_issue="POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA",
    ),
    Kind.SCP: Demands(
        old_version=UNFIT_FOR_TYPE,
        principal=UNFIT_FOR_TYPE,
        no_resource=UNFIT_FOR_TYPE,
        quota=5_120,
        quota_issue="POLICY_SIZE_EXCEEDS_SCP_QUOTA",
    ),
    Kind.RCP: Demands(
        old_version=UNFIT_FOR_TYPE,
        no_principal=UNFIT_FOR_TYPE,
        no_resource=UNFIT_FOR_TYPE,
        quota=5_120,
        quota_issue="POLICY_SIZE_EXCEEDS_RCP_QUOTA",
    ),
}
