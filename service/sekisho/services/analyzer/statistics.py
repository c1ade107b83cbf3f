"""How many findings an analyzer has, and of what."""

from collections import Counter

from sqlalchemy import case, func, select

from sekisho.api.analyzer.v1 import statistics_pb2 as pb
from sekisho.calls.call import Call
from sekisho.journal.analyzers.found import ACTIVE, ARCHIVED, RESOLVED
from sekisho.journal.analyzers.kinds import EXTERNAL, INTERNAL, UNUSED, kind_of
from sekisho.operations import operation
from sekisho.services.analyzer import names
from sekisho.store.tables import AccessFinding, Analyzer

_TOTALS = {"total_active_findings": ACTIVE, "total_archived_findings": ARCHIVED, "total_resolved_findings": RESOLVED}
_TOP = 10
"""Accounts that are told which have the most."""


@operation
def get_findings_statistics(call: Call, request: pb.GetFindingsStatisticsRequest) -> pb.GetFindingsStatisticsResponse:
    """As they are now."""
    row = names.find(call, request.analyzer_arn)
    return pb.GetFindingsStatisticsResponse(
        findings_statistics=[_OF[kind_of(row)](call, row)], last_updated_at=call.now.replace(microsecond=0)
    )


def _totals(call: Call, row: Analyzer) -> dict[str, int]:
    query = select(AccessFinding.status, func.count()).where(AccessFinding.analyzer_id == row.id).group_by(AccessFinding.status)
    counted: dict[str, int] = {row[0]: row[1] for row in call.session.execute(query)}
    return {name: counted.get(status, 0) for name, status in _TOTALS.items()}


def _external(call: Call, row: Analyzer) -> pb.FindingsStatistics:
    kind = case((AccessFinding.error.is_not(None), "errors"), (AccessFinding.is_public, "public"), else_="cross_account")
    wanted = AccessFinding.analyzer_id == row.id, AccessFinding.status == ACTIVE
    query = select(AccessFinding.resource_type, kind, func.count()).where(*wanted).group_by(AccessFinding.resource_type, kind)
    counted: dict[str, pb.ResourceTypeDetails] = {}
    for type_, what, number in call.session.execute(query):
        setattr(counted.setdefault(type_, pb.ResourceTypeDetails()), f"total_active_{what}", number)
    for details in counted.values():
        for what in ("public", "cross_account", "errors"):
            setattr(details, f"total_active_{what}", getattr(details, f"total_active_{what}"))  # what there is none of is said, too
    found = pb.ExternalAccessFindingsStatistics(**_totals(call, row), resource_type_statistics=counted)
    return pb.FindingsStatistics(external_access_findings_statistics=found)


def _internal(call: Call, row: Analyzer) -> pb.FindingsStatistics:
    wanted = AccessFinding.analyzer_id == row.id
    query = select(AccessFinding.resource_type, AccessFinding.status, func.count()).where(wanted)
    counted: dict[str, pb.InternalAccessResourceTypeDetails] = {}
    for type_, status, number in call.session.execute(query.group_by(AccessFinding.resource_type, AccessFinding.status)):
        if type_ not in counted:  # what there is none of is said, too
            counted[type_] = pb.InternalAccessResourceTypeDetails(**dict.fromkeys(_TOTALS, 0))
        setattr(counted[type_], next(name for name, one in _TOTALS.items() if one == status), number)
    found = pb.InternalAccessFindingsStatistics(**_totals(call, row), resource_type_statistics=counted)
    return pb.FindingsStatistics(internal_access_findings_statistics=found)


def _unused(call: Call, row: Analyzer) -> pb.FindingsStatistics:
    wanted = AccessFinding.analyzer_id == row.id, AccessFinding.status == ACTIVE
    query = select(AccessFinding.owner, AccessFinding.type, func.count()).where(*wanted).group_by(AccessFinding.owner, AccessFinding.type)
    of_types: Counter[str] = Counter()
    of_accounts: dict[str, dict[str, int]] = {}
    for owner, type_, number in call.session.execute(query):
        of_types[type_] += number
        of_accounts.setdefault(owner, {})[type_] = number
    top = sorted(of_accounts.items(), key=lambda item: (-sum(item[1].values()), item[0]))[:_TOP]
    found = pb.UnusedAccessFindingsStatistics(
        **_totals(call, row),
        unused_access_type_statistics=[
            pb.UnusedAccessTypeStatistics(unused_access_type=type_, total=of_types[type_]) for type_ in sorted(of_types)
        ],
        top_accounts=[
            pb.FindingAggregationAccountDetails(account=owner, number_of_active_findings=sum(details.values()), details=details)
            for owner, details in top
        ],
    )
    return pb.FindingsStatistics(unused_access_findings_statistics=found)


_OF = {EXTERNAL: _external, INTERNAL: _internal, UNUSED: _unused}
"""Statistics by the kind of analyzer."""
