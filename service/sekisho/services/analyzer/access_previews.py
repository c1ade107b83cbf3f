"""Access previews: the findings that a change of a resource would make, before it is made.

They are worked out while the preview is made, with neither lock nor snapshot. Source:
https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-access-preview.html
"""

import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from google.protobuf.json_format import MessageToDict, ParseDict
from sqlalchemy import func, select

from sekisho.api.analyzer.v1 import access_previews_pb2 as pb
from sekisho.api.analyzer.v1 import configurations_pb2
from sekisho.api.analyzer.v1.findings_pb2 import FindingSource
from sekisho.calls.call import Call
from sekisho.journal.analyzers import filters, writing
from sekisho.journal.analyzers.external import together
from sekisho.journal.analyzers.found import RESOLVED, columns
from sekisho.operations import operation, prepare
from sekisho.services.analyzer import criteria, names, pages, previewed, questions, quotas
from sekisho.services.analyzer.errors import Conflict, ResourceNotFound, ServiceQuotaExceeded
from sekisho.services.analyzer.proposed import POLICY
from sekisho.store.tables import AccessFinding, AccessPreview, Analyzer, ArchiveRule

PREVIEW = "AccessPreview"
"""The type of resource, as errors say it."""


@operation
def create_access_preview(call: Call, request: pb.CreateAccessPreviewRequest) -> pb.CreateAccessPreviewResponse:
    """It is complete when it is made; one of a document that is no policy has failed."""
    row = names.find(call, request.analyzer_arn)
    made: _Made = call.prepared
    lately = AccessPreview.account_id == call.account_id, AccessPreview.created_at > call.now - timedelta(hours=1)
    if (call.session.scalar(select(func.count()).select_from(AccessPreview).where(*lately)) or 0) >= quotas.PREVIEWS:
        raise ServiceQuotaExceeded(f"You can create up to {quotas.PREVIEWS} access previews per hour.", row.name, PREVIEW)
    preview = AccessPreview(
        id=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
        analyzer_id=row.id,
        account_id=call.account_id,
        configurations=json.dumps({name: _plain(one) for name, one in request.configurations.items()}),
        findings=json.dumps(made.findings),
        status="FAILED" if made.reason else "COMPLETED",
        status_reason=made.reason or None,
        created_at=call.now,
    )
    call.add(preview)
    return pb.CreateAccessPreviewResponse(id=preview.id)


class _Made(NamedTuple):
    """The findings of a preview, or why there are none."""

    findings: list[dict[str, Any]]
    reason: str = ""


@prepare(create_access_preview)
def _work_out(call: Call, request: pb.CreateAccessPreviewRequest) -> Callable[[], _Made]:
    """Read what is there now; then work out what there would be."""
    row = names.find(call, request.analyzer_arn)
    trusted = previewed.find_zone(call, row)
    plan = previewed.planned(call, trusted, request.configurations)
    now = call.now
    if plan is None:
        return lambda: _Made([], "INVALID_CONFIGURATION")
    source = plan.source
    wanted = AccessFinding.analyzer_id == row.id, AccessFinding.resource == source.arn
    existing = {one.id: one for one in call.session.scalars(select(AccessFinding).where(*wanted))}
    rules = [json.loads(text) for text in call.session.scalars(select(ArchiveRule.filter).where(ArchiveRule.analyzer_id == row.id))]

    def work() -> _Made:
        grants = questions.external(call, source, trusted)
        if grants is None:
            return _Made([], "INTERNAL_ERROR")
        written, others = previewed.parted(plan, grants)
        shown = []
        left = dict(existing)
        for one, came_from in [(one, POLICY) for one in together(written)] + [(one, plan.proposed.source) for one in together(others)]:
            values = {"id": one.id(row.id, source.id), **columns(one, source)}
            known = left.pop(values["id"], None)
            status = known.status if known is not None and known.status != RESOLVED else writing.status_of(values, rules)
            shown.append(_finding(values, status, known, now, came_from))
        gone = [one for one in left.values() if one.status != RESOLVED]
        shown += [_finding({name: getattr(one, name) for name in (*_COLUMNS, "id")}, RESOLVED, one, now) for one in gone]
        return _Made(shown)

    return work


_COLUMNS = ("resource", "resource_type", "owner", "principal", "actions", "condition", "is_public", "restriction", "error", "type")


def _finding(values: Mapping[str, Any], status: str, known: AccessFinding | None, now: Any, came_from: str = POLICY) -> dict[str, Any]:
    """A finding of a preview as JSON of the API, with what filters ask beside."""
    change = "NEW" if known is None else "UNCHANGED" if known.status == status else "CHANGED"
    message = pb.AccessPreviewFinding(
        id=str(uuid.uuid4()) if known is None else known.id,
        existing_finding_id=known.id if known is not None else None,
        existing_finding_status=known.status if known is not None else None,
        principal=json.loads(values["principal"]),
        action=json.loads(values["actions"]),
        condition=json.loads(values["condition"]),
        resource=values["resource"],
        is_public=values["is_public"],
        resource_type=values["resource_type"],
        created_at=now.replace(microsecond=0),
        change_type=change,
        status=status,
        resource_owner_account=values["owner"],
        error=values["error"],
        sources=[FindingSource(type=came_from)] if values["error"] is None else [],
        resource_control_policy_restriction=values["restriction"],
    )
    return _plain(message)


@operation
def get_access_preview(call: Call, request: pb.GetAccessPreviewRequest) -> pb.GetAccessPreviewResponse:
    """Without its findings."""
    row = names.find(call, request.analyzer_arn)
    found = _find(call, row, request.access_preview_id)
    held: Mapping[str, Any] = json.loads(found.configurations)
    return pb.GetAccessPreviewResponse(
        access_preview=pb.AccessPreview(
            id=found.id,
            analyzer_arn=names.arn_of(row),
            configurations={name: ParseDict(one, configurations_pb2.Configuration()) for name, one in held.items()},
            created_at=found.created_at.replace(microsecond=0),
            status=found.status,
            status_reason=_reason(found),
        )
    )


@operation
def list_access_previews(call: Call, request: pb.ListAccessPreviewsRequest) -> pb.ListAccessPreviewsResponse:
    """In the order in which they were made."""
    row = names.find(call, request.analyzer_arn)
    key = (AccessPreview.created_at, AccessPreview.id)
    query = select(AccessPreview).where(AccessPreview.analyzer_id == row.id)
    found = pages.page_by_time(call, request, query, key=key, of=lambda one: (one.created_at, one.id))
    shown = [
        pb.AccessPreviewSummary(
            id=one.id,
            analyzer_arn=names.arn_of(row),
            created_at=one.created_at.replace(microsecond=0),
            status=one.status,
            status_reason=_reason(one),
        )
        for one in found.rows
    ]
    return pb.ListAccessPreviewsResponse(access_previews=shown, next_token=found.marker)


@operation
def list_access_preview_findings(call: Call, request: pb.ListAccessPreviewFindingsRequest) -> pb.ListAccessPreviewFindingsResponse:
    """Those that would be new, those that would be resolved, and those that would stay."""
    preview = _find(call, names.find(call, request.analyzer_arn), request.access_preview_id)
    if preview.status != "COMPLETED":
        raise Conflict(f"Access preview {preview.id} is not completed.", preview.id, PREVIEW)
    filter_ = criteria.plain(request.filter)
    every = [ParseDict(one, pb.AccessPreviewFinding()) for one in json.loads(preview.findings)]
    found = pages.cut(call, request, [one for one in every if filters.matches(filter_, _properties(one))])
    return pb.ListAccessPreviewFindingsResponse(findings=found.rows, next_token=found.marker)


def _find(call: Call, row: Analyzer, id_: str) -> AccessPreview:
    found = call.session.get(AccessPreview, id_)
    if found is None or found.analyzer_id != row.id:
        raise ResourceNotFound(f"Access preview {id_} does not exist.", id_, PREVIEW)
    return found


def _reason(preview: AccessPreview) -> pb.AccessPreviewStatusReason | None:
    return pb.AccessPreviewStatusReason(code=preview.status_reason) if preview.status_reason is not None else None


def _properties(finding: pb.AccessPreviewFinding) -> dict[str, Any]:
    """The properties of a preview's finding that filters name."""
    columns_ = {
        "id": finding.id,
        "resource": finding.resource,
        "resource_type": finding.resource_type,
        "owner": finding.resource_owner_account,
        "type": "ExternalAccess",
        "status": finding.status,
        "error": finding.error if finding.HasField("error") else None,
        "is_public": finding.is_public,
        "restriction": finding.resource_control_policy_restriction,
        "principal": json.dumps(dict(finding.principal)),
        "condition": json.dumps(dict(finding.condition)),
    }
    found = {**filters.properties(columns_), "changeType": (finding.change_type,)}
    if finding.HasField("existing_finding_id"):
        found |= {"existingFindingId": (finding.existing_finding_id,), "existingFindingStatus": (finding.existing_finding_status,)}
    return found


def _plain(message: Any) -> dict[str, Any]:
    return dict(MessageToDict(message, preserving_proto_field_name=True))
