"""How the access of a finding is taken away: for permissions that nobody uses, a policy without them in the place of the one that has them.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-unused-access-recommendation.html
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from google.protobuf.json_format import ParseDict

from sekisho.analysis.unused import narrowed
from sekisho.api.analyzer.v1 import recommendations_pb2 as pb
from sekisho.calls.call import Call
from sekisho.journal.analyzers import principals, unused
from sekisho.journal.analyzers.found import RESOLVED
from sekisho.journal.analyzers.principals import Principal
from sekisho.operations import operation, prepare
from sekisho.services.analyzer import findings, names, pages
from sekisho.services.analyzer.errors import NOT_SUPPORTED, ResourceNotFound, Validation
from sekisho.store.tables import FindingRecommendation

_TYPE = "UnusedPermissionRecommendation"


@operation
def generate_finding_recommendation(
    call: Call, request: pb.GenerateFindingRecommendationRequest
) -> pb.GenerateFindingRecommendationResponse:
    """For findings of unused permissions; it is there when this returns."""
    row = names.find(call, request.analyzer_arn)
    finding = findings.find(call, row, request.id)
    made: _Made = call.prepared
    held = call.session.get(FindingRecommendation, finding.id)
    if held is not None:
        call.session.delete(held)
        call.session.flush()
    call.add(
        FindingRecommendation(
            finding_id=finding.id,
            analyzer_id=row.id,
            account_id=row.account_id,
            resource=finding.resource,
            status="FAILED" if made.error else "SUCCEEDED",
            steps=json.dumps(made.steps),
            error_code="RESOURCE_NOT_FOUND" if made.error else None,
            error_message=made.error or None,
            started_at=call.now,
            completed_at=call.now,
        )
    )
    return pb.GenerateFindingRecommendationResponse()


class _Made(NamedTuple):
    """The steps of a recommendation, or why there are none."""

    steps: list[dict[str, Any]]
    error: str = ""


@prepare(generate_finding_recommendation)
def _work_out(call: Call, request: pb.GenerateFindingRecommendationRequest) -> Callable[[], _Made]:
    """Read what the principal has and uses; then take away what it does not use."""
    row = names.find(call, request.analyzer_arn)
    finding = findings.find(call, row, request.id)
    if finding.type != unused.PERMISSION:
        raise Validation(f"There are recommendations for findings of type {unused.PERMISSION} alone.", NOT_SUPPORTED)
    age = json.loads(row.configuration)["unused_access"]["unused_access_age"]
    principal = principals.load(call.session, [finding.source_id]).get(finding.source_id)
    begins = call.now - timedelta(days=age)
    if principal is None or finding.status == RESOLVED:
        return lambda: _Made([], "The access of the finding is not there any more.")
    return lambda: _Made(_steps(principal, begins))


def _steps(principal: Principal, begins: datetime) -> list[dict[str, Any]]:
    """For each policy that permits what is not used, one that permits what is; then the old one is detached."""
    used = {action for action, at in principal.uses.items() if at > begins}
    found = []
    for one in principal.documents:
        left = narrowed(one.text, used)
        if not left.is_less:
            continue
        named = {"existing_policy_id": one.arn or one.name}
        if one.updated_at is not None:
            named["policy_updated_at"] = one.updated_at.replace(microsecond=0).isoformat()
        if left.document:
            found.append({**named, "recommended_action": "CREATE_POLICY", "recommended_policy": left.document})
        found.append({**named, "recommended_action": "DETACH_POLICY"})
    return [{"unused_permissions_recommended_step": step} for step in found]


@operation
def get_finding_recommendation(call: Call, request: pb.GetFindingRecommendationRequest) -> pb.GetFindingRecommendationResponse:
    """The newest that was made."""
    row = names.find(call, request.analyzer_arn)
    finding = findings.find(call, row, request.id)
    held = call.session.get(FindingRecommendation, finding.id)
    if held is None:
        raise ResourceNotFound(f"No recommendation was generated for finding {finding.id}.", finding.id, "Recommendation")
    steps = [ParseDict(step, pb.RecommendedStep()) for step in json.loads(held.steps)]
    found = pages.cut(call, request, steps)
    return pb.GetFindingRecommendationResponse(
        started_at=held.started_at.replace(microsecond=0),
        completed_at=held.completed_at.replace(microsecond=0) if held.completed_at is not None else None,
        next_token=found.marker,
        error=pb.RecommendationError(code=held.error_code, message=held.error_message) if held.error_code is not None else None,
        resource_arn=held.resource,
        recommended_steps=found.rows,
        recommendation_type=_TYPE,
        status=held.status,
    )
