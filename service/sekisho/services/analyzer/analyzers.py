"""Analyzers: made, shown, changed and removed.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-getting-started.html
"""

import json
import secrets
import uuid
from typing import Any

from google.protobuf.json_format import ParseDict
from sqlalchemy import func, select

from sekisho.api.analyzer.v1 import analyzers_pb2 as pb
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied
from sekisho.journal.analyzers import zones
from sekisho.operations import operation
from sekisho.services.analyzer import archive_rules, configurations, names, organizations, pages, questions, quotas, tags
from sekisho.services.analyzer.errors import Conflict, ServiceQuotaExceeded, Validation
from sekisho.store.tables import Analyzer, ArchiveRule


@operation
def create_analyzer(call: Call, request: pb.CreateAnalyzerRequest) -> pb.CreateAnalyzerResponse:
    """It begins to look at once; one of an organization is the account's that makes it."""
    if request.type in configurations.PROVING:
        questions.refuse_impossible()
    organization = organizations.find_administered(call) if request.type.startswith("ORGANIZATION") else None
    if names.get(call, request.analyzer_name) is not None:
        raise Conflict(f"Analyzer with name {request.analyzer_name} already exists.", request.analyzer_name, names.ANALYZER)
    own = Analyzer.account_id == call.account_id, Analyzer.type == request.type, Analyzer.deleted_at.is_(None)
    if (call.session.scalar(select(func.count()).where(*own)) or 0) >= quotas.ANALYZERS[request.type]:
        said = f"You have reached the maximum number of analyzers of type {request.type}: {quotas.ANALYZERS[request.type]}."
        raise ServiceQuotaExceeded(said, request.analyzer_name, names.ANALYZER)
    row = Analyzer(
        id=f"analyzer-{uuid.UUID(bytes=secrets.token_bytes(16), version=4)}",
        account_id=call.account_id,
        name=request.analyzer_name,
        type=request.type,
        organization_id=organization.id if organization is not None else None,
        configuration=json.dumps(configurations.of(request.type, request.configuration)),
        created_at=call.now,
        scan_after="",
        scan_began_at=call.now,
        scan_turn=0,
        zone="",
    )
    call.add(row)
    tags.put(call, row, request.tags)
    for rule in request.archive_rules:
        archive_rules.put(call, row, rule.rule_name, rule.filter)
    return pb.CreateAnalyzerResponse(arn=names.arn_of(row))


@operation
def get_analyzer(call: Call, request: pb.GetAnalyzerRequest) -> pb.GetAnalyzerResponse:
    """With its tags."""
    return pb.GetAnalyzerResponse(analyzer=summary(call, names.find(call, request.analyzer_name)))


@operation
def list_analyzers(call: Call, request: pb.ListAnalyzersRequest) -> pb.ListAnalyzersResponse:
    """By name; of one type, where the request says so."""
    query = select(Analyzer).where(Analyzer.account_id == call.account_id, Analyzer.deleted_at.is_(None))
    if request.type:
        query = query.where(Analyzer.type == request.type)
    found = pages.page(call, request, query, key=[Analyzer.name], of=lambda row: [row.name])
    return pb.ListAnalyzersResponse(analyzers=[summary(call, row) for row in found.rows], next_token=found.marker)


@operation
def update_analyzer(call: Call, request: pb.UpdateAnalyzerRequest) -> pb.UpdateAnalyzerResponse:
    """What is left out or looked at is worked out anew; the age of unused access stays as it was made."""
    row = names.find(call, request.analyzer_name)
    if row.type in configurations.WITHOUT:
        raise Validation(f"An analyzer of type {row.type} has no configuration that could be changed.")
    if request.HasField("configuration"):
        made = configurations.of(row.type, request.configuration)
        configurations.refuse_other_age(json.loads(row.configuration), made)
        row.configuration = json.dumps(made)
        row.scan_after, row.scan_began_at = "", call.now
    return pb.UpdateAnalyzerResponse(configuration=_configuration(row))


@operation
def delete_analyzer(call: Call, request: pb.DeleteAnalyzerRequest) -> pb.DeleteAnalyzerResponse:
    """Nothing of it is shown from here on; the scan clears away what it found."""
    row = names.find(call, request.analyzer_name)
    tags.clear(call, row)
    for rule in call.session.scalars(select(ArchiveRule).where(ArchiveRule.analyzer_id == row.id)).all():
        call.session.delete(rule)
    row.name, row.deleted_at, row.scan_after = row.id, call.now, None
    return pb.DeleteAnalyzerResponse()


@operation
def create_service_linked_analyzer(call: Call, request: pb.CreateServiceLinkedAnalyzerRequest) -> pb.CreateServiceLinkedAnalyzerResponse:
    """Services of AWS make analyzers in accounts of theirs; nobody with credentials of ours is one."""
    raise _only_services(call)


@operation
def delete_service_linked_analyzer(call: Call, request: pb.DeleteServiceLinkedAnalyzerRequest) -> pb.DeleteServiceLinkedAnalyzerResponse:
    """As above."""
    raise _only_services(call)


def _only_services(call: Call) -> AccessDenied:
    said = f"User: {call.caller.arn} is not authorized to perform: {call.operation.action} because only AWS services can call it"
    return AccessDenied(said)


def summary(call: Call, row: Analyzer) -> pb.AnalyzerSummary:
    """An analyzer in every answer."""
    reason = zones.standing(call.session, row)
    return pb.AnalyzerSummary(
        arn=names.arn_of(row),
        name=row.name,
        type=row.type,
        created_at=row.created_at.replace(microsecond=0),
        last_resource_analyzed=row.last_resource,
        last_resource_analyzed_at=row.last_resource_at.replace(microsecond=0) if row.last_resource_at is not None else None,
        tags=tags.of(call, row),
        status="DISABLED" if reason else "ACTIVE",
        status_reason=pb.StatusReason(code=reason) if reason else None,
        configuration=_configuration(row),
    )


def _configuration(row: Analyzer) -> pb.AnalyzerConfiguration | None:
    held: dict[str, Any] = json.loads(row.configuration)
    return ParseDict(held, pb.AnalyzerConfiguration()) if held else None
