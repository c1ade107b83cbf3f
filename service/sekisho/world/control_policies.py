"""The control policies that AWS attaches to all that is new in an organization: they allow everything, and no organization owns them."""

from sekisho import policy
from sekisho.world.records import ControlPolicyRecord

FULL_ACCESS, RCP_FULL_ACCESS = "p-FullAWSAccess", "p-RCPFullAWSAccess"

DOCUMENTS = {
    FULL_ACCESS: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    RCP_FULL_ACCESS: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}',
}

FULL_ACCESS_RECORD = ControlPolicyRecord(
    FULL_ACCESS,
    policy.Attached(
        policy.compiled(DOCUMENTS[FULL_ACCESS]),
        arn=f"arn:aws:organizations::aws:policy/service_control_policy/{FULL_ACCESS}",
        name="FullAWSAccess",
    ),
)
"""The one that decides. Its counterpart for RCPs does not: what an RCP allows is allowed anyway, and it can nowhere be detached."""
