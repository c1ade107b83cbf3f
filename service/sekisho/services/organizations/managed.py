"""The policies of AWS's own, which every organization has: they allow everything, and nobody changes them."""

from dataclasses import dataclass

from sekisho.world import RCP, SCP
from sekisho.world.control_policies import DOCUMENTS, FULL_ACCESS, RCP_FULL_ACCESS


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A policy of AWS's."""

    id: str
    type: str
    name: str
    description: str

    @property
    def arn(self) -> str:
        """It is of no account."""
        return f"arn:aws:organizations::aws:policy/{self.type.lower()}/{self.id}"

    @property
    def content(self) -> str:
        """The document."""
        return DOCUMENTS[self.id]


POLICIES = {
    FULL_ACCESS: ManagedPolicy(FULL_ACCESS, SCP, "FullAWSAccess", "Allows access to every operation"),
    RCP_FULL_ACCESS: ManagedPolicy(RCP_FULL_ACCESS, RCP, "RCPFullAWSAccess", "Allows access to every resource"),
}

ATTACHED = {SCP: FULL_ACCESS, RCP: RCP_FULL_ACCESS}
"""What is attached to everything, by type, from the moment at which the type is enabled or the thing is made."""
