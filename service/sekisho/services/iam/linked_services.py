"""The services of AWS that have a role of their own: what it is called, and which policy of AWS it bears.

A row a service, with its source: `recorded` is what AWS answered when it was asked to create the role.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class LinkedService:
    """A service: the name of its role, the ARN of the policy, and whether there may be more roles, told apart by a suffix."""

    service: str
    role_name: str
    policy_arn: str
    suffixed: bool


@cache
def table() -> Mapping[str, LinkedService]:
    """The services by name: `autoscaling.amazonaws.com`."""
    lines = resources.files(__package__).joinpath("linked_services.tsv").read_text("utf-8").splitlines()
    found = {}
    for line in lines[1:]:
        service, role_name, policy_arn, suffixed, _ = line.split("\t")
        found[service] = LinkedService(service, role_name, policy_arn, suffixed == "yes")
    return MappingProxyType(found)
