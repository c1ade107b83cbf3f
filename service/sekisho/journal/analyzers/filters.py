"""Filters of findings: criteria by property, all of which are met.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-filter-keys.html and
https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_Criterion.html
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sekisho.journal.analyzers.found import EXTERNAL, INTERNAL
from sekisho.store.tables import AccessFinding

PROPERTIES = frozenset(
    """
    accessType error existingFindingId existingFindingStatus changeType findingType id isPublic principalOwnerAccount principalType
    resource resourceControlPolicyRestriction resourceOwnerAccount resourceType serviceControlPolicyRestriction status
    """.split()  # noqa: SIM905  # as a list it takes sixteen lines
)
"""What a filter can name, beside `principal.` and `condition.` with what follows."""

_DETAILS = {
    "accessType": "access_type",
    "principalOwnerAccount": "principal_owner_account",
    "principalType": "principal_type",
    "serviceControlPolicyRestriction": "service_control_policy_restriction",
}
"""Properties of findings of internal access, by what their details call them."""
_PREFIXES = ("principal.", "condition.")

Criterion = Mapping[str, Any]
"""A criterion as JSON of the API: `eq`, `neq`, `contains`, `exists`."""

Filter = Mapping[str, Criterion]


def is_property(name: str) -> bool:
    """Whether findings have a property of this name."""
    return name in PROPERTIES or any(name.startswith(prefix) and len(name) > len(prefix) for prefix in _PREFIXES)


def matches(filter_: Filter, properties: Mapping[str, Sequence[str]]) -> bool:
    """Whether a finding with these properties meets all criteria."""
    return all(_meets(criterion, properties.get(_folded(name), ())) for name, criterion in filter_.items())


def _folded(name: str) -> str:
    """Condition keys are the same in whatever case."""
    return name.lower() if name.startswith("condition.") else name


def _meets(criterion: Criterion, values: Sequence[str]) -> bool:
    if "eq" in criterion and not any(value in criterion["eq"] for value in values):
        return False
    if "neq" in criterion and any(value in criterion["neq"] for value in values):
        return False
    if "contains" in criterion and not any(part in value for value in values for part in criterion["contains"]):
        return False
    return "exists" not in criterion or criterion["exists"] == bool(values)


def properties(columns: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The properties of a finding, from the columns of its row."""
    held: dict[str, Sequence[str]] = {
        "id": (columns["id"],),
        "resource": (columns["resource"],),
        "resourceType": (columns["resource_type"],),
        "resourceOwnerAccount": (columns["owner"],),
        "findingType": (columns["type"],),
        "status": (columns["status"],),
    }
    if columns["error"] is not None:
        held["error"] = (columns["error"],)
    if columns["type"] in (EXTERNAL, INTERNAL):
        if columns["type"] == EXTERNAL and columns["error"] is None:  # else nobody knows
            held["isPublic"] = ("true" if columns["is_public"] else "false",)
        held["resourceControlPolicyRestriction"] = (columns["restriction"],)
    if columns["type"] == INTERNAL:
        told = json.loads(columns["details"])
        held |= {name: (told[member],) for name, member in _DETAILS.items() if member in told}
    for prefix, column in (("principal", "principal"), ("condition", "condition")):
        held |= {_folded(f"{prefix}.{name}"): (value,) for name, value in json.loads(columns[column]).items()}
    return held


def of_row(row: AccessFinding) -> dict[str, Sequence[str]]:
    """The properties of a finding's row."""
    return properties({column: getattr(row, column) for column in _COLUMNS})


_COLUMNS = (
    *("id", "resource", "resource_type", "owner", "type", "status"),
    *("error", "is_public", "restriction", "principal", "condition", "details"),
)
