"""Archive rules: which findings are expected, and set aside as soon as they are made.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-archive-rules.html
"""

import json
from collections.abc import Mapping

from sqlalchemy import func, select

from sekisho.api.analyzer.v1 import archive_rules_pb2 as pb
from sekisho.api.analyzer.v1.criteria_pb2 import Criterion
from sekisho.calls.call import Call
from sekisho.journal.analyzers import filters
from sekisho.journal.analyzers.found import ACTIVE, ARCHIVED
from sekisho.operations import operation
from sekisho.services.analyzer import criteria, listing, names, pages, quotas
from sekisho.services.analyzer.errors import Conflict, ResourceNotFound, ServiceQuotaExceeded, Validation
from sekisho.store.db import remaining
from sekisho.store.tables import AccessFinding, Analyzer, ArchiveRule

_AT_ONCE = 500
"""Findings that are looked at together."""


@operation
def create_archive_rule(call: Call, request: pb.CreateArchiveRuleRequest) -> pb.CreateArchiveRuleResponse:
    """For findings to come: those that are there stay as they are."""
    row = names.find(call, request.analyzer_name)
    put(call, row, request.rule_name, request.filter)
    return pb.CreateArchiveRuleResponse()


@operation
def get_archive_rule(call: Call, request: pb.GetArchiveRuleRequest) -> pb.GetArchiveRuleResponse:
    """By name."""
    rule = _find(call, names.find(call, request.analyzer_name), request.rule_name)
    return pb.GetArchiveRuleResponse(archive_rule=_summary(rule))


@operation
def list_archive_rules(call: Call, request: pb.ListArchiveRulesRequest) -> pb.ListArchiveRulesResponse:
    """By name."""
    row = names.find(call, request.analyzer_name)
    query = select(ArchiveRule).where(ArchiveRule.analyzer_id == row.id)
    found = pages.page(call, request, query, key=[ArchiveRule.name], of=lambda rule: [rule.name])
    return pb.ListArchiveRulesResponse(archive_rules=[_summary(rule) for rule in found.rows], next_token=found.marker)


@operation
def update_archive_rule(call: Call, request: pb.UpdateArchiveRuleRequest) -> pb.UpdateArchiveRuleResponse:
    """For findings to come."""
    rule = _find(call, names.find(call, request.analyzer_name), request.rule_name)
    rule.filter, rule.updated_at = json.dumps(_plain(request.filter)), call.now
    return pb.UpdateArchiveRuleResponse()


@operation
def delete_archive_rule(call: Call, request: pb.DeleteArchiveRuleRequest) -> pb.DeleteArchiveRuleResponse:
    """The findings that it has archived stay so."""
    call.session.delete(_find(call, names.find(call, request.analyzer_name), request.rule_name))
    return pb.DeleteArchiveRuleResponse()


@operation
def apply_archive_rule(call: Call, request: pb.ApplyArchiveRuleRequest) -> pb.ApplyArchiveRuleResponse:
    """Archive the active findings that the rule is about."""
    row = names.find(call, request.analyzer_arn)
    filter_ = json.loads(_find(call, row, request.rule_name).filter)
    query = listing.narrowed(select(AccessFinding), filter_)
    query = query.where(AccessFinding.analyzer_id == row.id, AccessFinding.status == ACTIVE).order_by(AccessFinding.id).limit(_AT_ONCE)
    last = ""
    while rows := call.session.scalars(query.where(AccessFinding.id > last)).all():
        remaining(call.deadline)
        for finding in rows:
            if filters.matches(filter_, filters.of_row(finding)):
                finding.status, finding.updated_at = ARCHIVED, call.now
        last = rows[-1].id
        call.session.flush()
        call.session.expunge_all()  # many analyzers have more than fits
    return pb.ApplyArchiveRuleResponse()


def put(call: Call, row: Analyzer, name: str, filter_: Mapping[str, Criterion]) -> None:
    """Make a rule; Conflict when the analyzer has one of the name."""
    if call.session.get(ArchiveRule, (row.id, name)) is not None:
        raise Conflict(f"Archive rule with name {name} already exists.", name, names.RULE)
    own = ArchiveRule.analyzer_id == row.id
    if (call.session.scalar(select(func.count()).select_from(ArchiveRule).where(own)) or 0) >= quotas.ARCHIVE_RULES:
        said = f"You have reached the maximum number of archive rules: {quotas.ARCHIVE_RULES}."
        raise ServiceQuotaExceeded(said, name, names.RULE)
    kept = json.dumps(_plain(filter_))
    columns = {"analyzer_id": row.id, "name": name, "account_id": row.account_id}
    call.add(ArchiveRule(**columns, filter=kept, created_at=call.now, updated_at=call.now))


def _plain(filter_: Mapping[str, Criterion]) -> dict[str, object]:
    if not filter_:
        raise Validation("An archive rule has at least one filter criterion.")
    return criteria.plain(filter_)


def _find(call: Call, row: Analyzer, name: str) -> ArchiveRule:
    found = call.session.get(ArchiveRule, (row.id, name))
    if found is None:
        raise ResourceNotFound(f"Archive rule {name[:256]} does not exist.", name[:256], names.RULE)
    return found


def _summary(rule: ArchiveRule) -> pb.ArchiveRuleSummary:
    return pb.ArchiveRuleSummary(
        rule_name=rule.name,
        filter=criteria.messages(json.loads(rule.filter)),
        created_at=rule.created_at.replace(microsecond=0),
        updated_at=rule.updated_at.replace(microsecond=0),
    )
