"""The place of an account in its organization: the path to it, and the control policies on that path, level by level.

Records are looked up one by one, so that a policy's change or an account's move makes one of them stale and no other. Who is exempt is
said here as far as the organization decides it: neither the management account's principals nor its resources are restricted. That
service-linked roles are exempt, `policy.decide` knows.
Source: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html and ..._rcps.html
"""

from typing import NamedTuple

from sekisho import policy
from sekisho.errors import Unavailable
from sekisho.world.records import AccountRecord, ControlPolicyRecord, Lookup, UnitRecord

SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"
"""The types of policies that decide."""

DEEPEST = 16
"""Units above an account: AWS has a root and five levels beneath; more than this is a circle."""

Levels = tuple[tuple[policy.Attached, ...], ...]
"""Policies by level, the root of the organization first, the account itself last."""


class Placement(NamedTuple):
    """The organization of an account; `path` ends with the unit in which the account hangs, and a slash. None: nothing restricts."""

    organization_id: str
    path: str
    scps: Levels | None
    rcps: Levels | None


def placement(account: AccountRecord, lookup: Lookup) -> Placement | None:
    """The place of an account; None outside of any organization. Unavailable when a record on the way to the root is missing."""
    if account.unit_id is None:
        return None
    units = units_of(account.unit_id, lookup)
    root = units[-1]
    path = "/".join((root.organization_id, *(unit.id for unit in reversed(units)), ""))
    if root.management_id == account.id:
        return Placement(root.organization_id, path, None, None)
    scps = rcps = None
    if SCP in root.types:
        scps = (*(_policies(unit.scp_ids, lookup) for unit in reversed(units)), _policies(account.scp_ids, lookup))
    if RCP in root.types:
        rcps = (*(_policies(unit.rcp_ids, lookup) for unit in reversed(units)), _policies(account.rcp_ids, lookup))
        if not any(rcps):  # which is the usual case, and an RCP only ever denies
            rcps = None
    return Placement(root.organization_id, path, scps, rcps)


def restricting(account: AccountRecord, lookup: Lookup) -> frozenset[str]:
    """The ids of all by which an organization restricts what is done in an account: none for the account that manages it."""
    if account.unit_id is None:
        return frozenset()
    units = units_of(account.unit_id, lookup)
    if units[-1].management_id == account.id:
        return frozenset()
    found: list[AccountRecord | UnitRecord] = [account, *units]
    return frozenset(id_ for one in found for id_ in (one.id, *one.scp_ids, *one.rcp_ids, *one.tag_policy_ids))


def root_of(unit_id: str, lookup: Lookup) -> UnitRecord:
    """The root above a unit; Unavailable when a record on the way to it is missing."""
    return units_of(unit_id, lookup)[-1]


def units_of(unit_id: str, lookup: Lookup) -> list[UnitRecord]:
    """The unit and all above it, the root last."""
    found: list[UnitRecord] = []
    parent: str | None = unit_id
    while parent is not None:
        record = lookup(parent)
        if not isinstance(record, UnitRecord) or len(found) >= DEEPEST:
            raise Unavailable(f"The unit {parent} of the organization could not be loaded.")
        found.append(record)
        parent = record.parent_id
    return found


def _policies(ids: tuple[str, ...], lookup: Lookup) -> tuple[policy.Attached, ...]:
    found = []
    for id_ in ids:
        record = lookup(id_)
        if not isinstance(record, ControlPolicyRecord):
            raise Unavailable(f"The policy {id_} of the organization could not be loaded.")
        found.append(record.attached)
    return tuple(found)
