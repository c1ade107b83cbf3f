"""Resources that an analyzer has looked at, or is to look at now."""

import json

from sqlalchemy import func, select

from sekisho import arn
from sekisho.api.analyzer.v1 import analyzed_resources_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.analyzer import names, pages, quotas
from sekisho.services.analyzer.errors import ResourceNotFound, ServiceQuotaExceeded, Validation
from sekisho.store.tables import AccessFinding, AnalyzedResource, Analyzer, ScanRequest

RESOURCE = "Resource"
"""The type of resource, as errors say it."""


@operation
def get_analyzed_resource(call: Call, request: pb.GetAnalyzedResourceRequest) -> pb.GetAnalyzedResourceResponse:
    """With what was found last."""
    row = names.find(call, request.analyzer_arn)
    held = _find(call, row, request.resource_arn)
    wanted = AccessFinding.analyzer_id == row.id, AccessFinding.source_id == held.source_id
    statuses = set(call.session.scalars(select(AccessFinding.status).where(*wanted).distinct()))
    return pb.GetAnalyzedResourceResponse(
        resource=pb.AnalyzedResource(
            resource_arn=held.resource,
            resource_type=held.resource_type,
            created_at=held.created_at.replace(microsecond=0),
            analyzed_at=held.analyzed_at.replace(microsecond=0),
            updated_at=held.updated_at.replace(microsecond=0),
            is_public=held.is_public,
            actions=json.loads(held.actions),
            shared_via=["POLICY"] if json.loads(held.actions) else [],
            status=next((status for status in ("ACTIVE", "ARCHIVED", "RESOLVED") if status in statuses), None),
            resource_owner_account=held.owner,
            error=held.error,
        )
    )


@operation
def list_analyzed_resources(call: Call, request: pb.ListAnalyzedResourcesRequest) -> pb.ListAnalyzedResourcesResponse:
    """By ARN; of one type, where the request says so."""
    row = names.find(call, request.analyzer_arn)
    query = select(AnalyzedResource).where(AnalyzedResource.analyzer_id == row.id)
    if request.HasField("resource_type"):
        query = query.where(AnalyzedResource.resource_type == request.resource_type)
    key = [AnalyzedResource.resource, AnalyzedResource.source_id]
    found = pages.page(call, request, query, key=key, of=lambda one: [one.resource, one.source_id])
    shown = [
        pb.AnalyzedResourceSummary(resource_arn=one.resource, resource_owner_account=one.owner, resource_type=one.resource_type)
        for one in found.rows
    ]
    return pb.ListAnalyzedResourcesResponse(analyzed_resources=shown, next_token=found.marker)


@operation
def start_resource_scan(call: Call, request: pb.StartResourceScanRequest) -> pb.StartResourceScanResponse:
    """It is looked at within seconds, whether it has changed or not."""
    row = names.find(call, request.analyzer_arn)
    named = arn.account_of(request.resource_arn)
    owner = request.resource_owner_account or named or call.account_id
    if not arn.is_account_id(owner) or named not in ("", owner):
        raise Validation("resourceOwnerAccount is not the account of the resource.")
    if row.organization_id is None and owner != row.account_id:
        raise ResourceNotFound(f"Resource {request.resource_arn[:256]} does not exist.", request.resource_arn[:256], RESOURCE)
    held = call.session.get(ScanRequest, (row.id, request.resource_arn, owner))
    if held is None:
        waiting = select(func.count()).select_from(ScanRequest).where(ScanRequest.account_id == row.account_id)
        if (call.session.scalar(waiting) or 0) >= quotas.SCANS:
            raise ServiceQuotaExceeded(f"{quotas.SCANS} resources wait to be scanned already.", request.resource_arn[:256], RESOURCE)
        asked = {"analyzer_id": row.id, "resource": request.resource_arn, "owner": owner}
        call.add(ScanRequest(**asked, account_id=row.account_id, asked_at=call.now))
    return pb.StartResourceScanResponse()


def _find(call: Call, row: Analyzer, text: str) -> AnalyzedResource:
    own = AnalyzedResource.analyzer_id == row.id, AnalyzedResource.resource == text
    found = call.session.scalars(select(AnalyzedResource).where(*own).order_by(AnalyzedResource.source_id).limit(1)).one_or_none()
    if found is None:
        raise ResourceNotFound(f"Resource {text[:256]} has not been analyzed.", text[:256], RESOURCE)
    return found
