"""The resources that an analyzer of internal access is told to look at: by account, type and ARN.

What one inclusion names is met as a whole, of several inclusions any. Without any, nothing is looked at: it costs the more, the more
resources there are. Source: https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_InternalAccessAnalysisRuleCriteria.html
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, true

from sekisho.journal.analyzers.kinds import services_of
from sekisho.store.tables import Analyzer, RegisteredResource

Inclusions = Sequence[Mapping[str, Sequence[str]]]
"""As JSON of the message has them."""


def of(row: Analyzer) -> Inclusions:
    """Those of an analyzer."""
    held: Any = json.loads(row.configuration)
    found: Inclusions = held.get("internal_access", {}).get("analysis_rule", {}).get("inclusions", ())
    return found


def includes(told: Inclusions, arn: str, type_: str, owner: str) -> bool:
    """Whether a resource is among them."""
    return any(
        all(
            not one.get(name) or value in one[name]
            for name, value in (("account_ids", owner), ("resource_types", type_), ("resource_arns", arn))
        )
        for one in told
    )


def narrowing(told: Inclusions) -> ColumnElement[bool]:
    """A condition on registered resources that leaves out most of what is not among them."""
    return or_(false(), *(and_(true(), *_criteria(one)) for one in told))


def _criteria(one: Mapping[str, Sequence[str]]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if one.get("account_ids"):
        found.append(RegisteredResource.account_id.in_(one["account_ids"]))
    if one.get("resource_arns"):
        found.append(RegisteredResource.arn.in_(one["resource_arns"]))
    if one.get("resource_types"):
        services = sorted({service for type_ in one["resource_types"] for service in services_of(type_)})
        found.append(func.lower(RegisteredResource.service).in_(services))
    return found
