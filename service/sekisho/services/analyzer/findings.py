"""Findings of external access, as the first version of the API shows them, and what becomes of them."""

import json
import uuid
from typing import Any

from sqlalchemy import select

from sekisho.api.analyzer.v1 import findings_pb2 as pb
from sekisho.calls.call import Call
from sekisho.journal.analyzers.found import EXTERNAL, RESOLVED
from sekisho.operations import operation
from sekisho.services.analyzer import listing, names, quotas
from sekisho.services.analyzer.errors import ResourceNotFound, Validation
from sekisho.store.tables import AccessFinding, Analyzer

FINDING = "Finding"
"""The type of resource, as errors say it."""

_OF_EXTERNAL = ("ACCOUNT", "ORGANIZATION")


@operation
def get_finding(call: Call, request: pb.GetFindingRequest) -> pb.GetFindingResponse:
    """By id; of an analyzer of external access."""
    row = find(call, _find_external(call, request.analyzer_arn), request.id)
    return pb.GetFindingResponse(finding=pb.Finding(**_members(row)))


@operation
def list_findings(call: Call, request: pb.ListFindingsRequest) -> pb.ListFindingsResponse:
    """In the order in which they were made, where the request asks for no other."""
    found = listing.page(call, request, _find_external(call, request.analyzer_arn), EXTERNAL)
    return pb.ListFindingsResponse(findings=[pb.FindingSummary(**_members(row)) for row in found.rows], next_token=found.marker)


@operation
def update_findings(call: Call, request: pb.UpdateFindingsRequest) -> pb.UpdateFindingsResponse:
    """By their ids, or all of a resource. What is resolved stays so."""
    row = names.find(call, request.analyzer_arn)
    if bool(request.ids) == request.HasField("resource_arn"):
        raise Validation("Specify either ids or resourceArn.")
    if len(request.ids) > quotas.IDS:
        raise Validation(f"You can update up to {quotas.IDS} findings at once.")
    query = select(AccessFinding).where(AccessFinding.analyzer_id == row.id)
    if request.ids:
        found = [find(call, row, id_) for id_ in dict.fromkeys(request.ids)]
    else:
        found = list(call.session.scalars(query.where(AccessFinding.resource == request.resource_arn).order_by(AccessFinding.id)))
    for one in found:
        if one.status not in (RESOLVED, request.status):
            one.status, one.updated_at = request.status, call.now
    return pb.UpdateFindingsResponse()


def find(call: Call, row: Analyzer, text: str) -> AccessFinding:
    """The finding of an analyzer by id, or ResourceNotFound."""
    found = call.session.get(AccessFinding, text) if _is_id(text) else None
    if found is None or found.analyzer_id != row.id:
        raise ResourceNotFound(f"Finding {text[:256]} does not exist.", text[:256], FINDING)
    return found


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _find_external(call: Call, text: str) -> Analyzer:
    row = names.find(call, text)
    if row.type not in _OF_EXTERNAL:
        raise Validation("This operation is for analyzers of external access; use the second version of it for others.")
    return row


def _members(row: AccessFinding) -> dict[str, Any]:
    """The members of a finding in every answer."""
    return {
        "id": row.id,
        "principal": json.loads(row.principal),
        "action": json.loads(row.actions),
        "resource": row.resource,
        "is_public": row.is_public,
        "resource_type": row.resource_type,
        "condition": json.loads(row.condition),
        "created_at": row.created_at.replace(microsecond=0),
        "analyzed_at": row.analyzed_at.replace(microsecond=0),
        "updated_at": row.updated_at.replace(microsecond=0),
        "status": row.status,
        "resource_owner_account": row.owner,
        "error": row.error,
        "sources": [] if row.error is not None else [pb.FindingSource(type="POLICY")],
        "resource_control_policy_restriction": row.restriction,
    }
