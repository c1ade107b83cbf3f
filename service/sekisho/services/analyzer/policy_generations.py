"""Policies made of what a user or role has done, as the trail says. They are made beside the calls, and kept for a week.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_generate-policy.html
"""

import json
import secrets
import uuid
from datetime import UTC, timedelta
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from sqlalchemy import func, select

from sekisho import arn
from sekisho.analysis import generation
from sekisho.api.analyzer.v1 import policy_generations_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import Resource, operation, resource
from sekisho.services.analyzer import pages, quotas
from sekisho.services.analyzer.errors import Conflict, ServiceQuotaExceeded, Validation
from sekisho.store.tables import Entity, PolicyGeneration, Trail

JOB = "PolicyGeneration"
"""The type of resource, as errors say it."""

LONGEST = timedelta(days=90)
"""The events that a policy is made of, at most."""

_PASSED_TO = "access-analyzer.amazonaws.com"
_UNDER_WAY = "IN_PROGRESS"


@resource("access-role")
def access_role(call: Call, request: Any, field: str) -> Resource:
    """The role by which the trail is read in AWS; whoever names one must be permitted to pass it."""
    return Resource(getattr(request, field).access_role, keys={"iam:PassedToService": _PASSED_TO})


@operation
def start_policy_generation(call: Call, request: pb.StartPolicyGenerationRequest) -> pb.StartPolicyGenerationResponse:
    """One at a time. Without details of a trail, it is made of the last ninety days."""
    principal = _find_principal(call, request.policy_generation_details.principal_arn)
    details = _details(call, request)
    own = PolicyGeneration.account_id == call.account_id
    if _count(call, own, PolicyGeneration.status == _UNDER_WAY) >= quotas.GENERATIONS:
        raise Conflict("A policy generation is in progress in the account already.", principal.id, JOB)
    if _count(call, own, PolicyGeneration.started_at > call.now - timedelta(days=1)) >= quotas.GENERATIONS_A_DAY:
        raise ServiceQuotaExceeded(f"You can start up to {quotas.GENERATIONS_A_DAY} policy generations per day.", principal.id, JOB)
    row = PolicyGeneration(
        id=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
        account_id=call.account_id,
        principal_arn=request.policy_generation_details.principal_arn,
        principal_id=principal.id,
        details=json.dumps(details),
        status=_UNDER_WAY,
        is_complete=False,
        started_at=call.now,
    )
    call.add(row)
    return pb.StartPolicyGenerationResponse(job_id=row.id)


@operation
def get_generated_policy(call: Call, request: pb.GetGeneratedPolicyRequest) -> pb.GetGeneratedPolicyResponse:
    """With parameters for account and region, where the request wants placeholders; else filled in."""
    row = _find(call, request.job_id)
    result = pb.GeneratedPolicyResult(
        properties=pb.GeneratedPolicyProperties(
            principal_arn=row.principal_arn,
            is_complete=row.is_complete,
            cloud_trail_properties=ParseDict(json.loads(row.details), pb.CloudTrailProperties()),
        )
    )
    if row.policy is not None:
        wanted = request.include_resource_placeholders
        text = row.policy if wanted else generation.filled(row.policy, account=row.account_id, region=arn.REGION)
        result.generated_policies.add(policy=text)
    return pb.GetGeneratedPolicyResponse(job_details=_job(row), generated_policy_result=result)


@operation
def cancel_policy_generation(call: Call, request: pb.CancelPolicyGenerationRequest) -> pb.CancelPolicyGenerationResponse:
    """One that is over stays as it is."""
    row = _find(call, request.job_id)
    if row.status == _UNDER_WAY:
        row.status, row.completed_at = "CANCELED", call.now
    return pb.CancelPolicyGenerationResponse()


@operation
def list_policy_generations(call: Call, request: pb.ListPolicyGenerationsRequest) -> pb.ListPolicyGenerationsResponse:
    """In the order in which they were started; of one user or role, where the request says so."""
    query = select(PolicyGeneration).where(PolicyGeneration.account_id == call.account_id)
    if request.HasField("principal_arn"):
        query = query.where(PolicyGeneration.principal_arn == request.principal_arn)
    key = (PolicyGeneration.started_at, PolicyGeneration.id)
    found = pages.page_by_time(call, request, query, key=key, of=lambda row: (row.started_at, row.id))
    shown = [
        pb.PolicyGeneration(
            job_id=row.id,
            principal_arn=row.principal_arn,
            status=row.status,
            started_on=row.started_at.replace(microsecond=0),
            completed_on=row.completed_at.replace(microsecond=0) if row.completed_at is not None else None,
        )
        for row in found.rows
    ]
    return pb.ListPolicyGenerationsResponse(policy_generations=shown, next_token=found.marker)


def _find_principal(call: Call, text: str) -> Entity:
    named = arn.entity(text)
    if named is None or named.account != call.account_id:
        raise Validation("principalArn must be the ARN of a user or role of the account.")
    wanted = Entity.account_id == named.account, Entity.kind == named.kind, Entity.name_key == named.key
    found = call.session.scalars(select(Entity).where(*wanted)).one_or_none()
    if found is None or (found.name, found.path) != (named.name, named.path):
        raise Validation(f"The principal {text[:256]} does not exist.")
    return found


def _details(call: Call, request: pb.StartPolicyGenerationRequest) -> dict[str, Any]:
    """The events that are read, as JSON of the answer's properties."""
    now = call.now.replace(microsecond=0)
    made = pb.CloudTrailProperties()
    if not request.HasField("cloud_trail_details"):
        made.start_time.FromDatetime(now - LONGEST)
        made.end_time.FromDatetime(now)
        return dict(MessageToDict(made, preserving_proto_field_name=True))
    asked = request.cloud_trail_details
    begin = asked.start_time.ToDatetime(UTC)
    end = min(asked.end_time.ToDatetime(UTC), now) if asked.HasField("end_time") else now
    if begin >= end:
        raise Validation("startTime must be before endTime.")
    if end - begin > LONGEST:
        raise Validation(f"The events of up to {LONGEST.days} days are read.")
    _refuse_role(call, asked.access_role)
    for trail in asked.trails:
        _refuse_trail(call, trail)
        made.trail_properties.add(cloud_trail_arn=trail.cloud_trail_arn, regions=trail.regions, all_regions=trail.all_regions)
    made.start_time.FromDatetime(begin)
    made.end_time.FromDatetime(end)
    return dict(MessageToDict(made, preserving_proto_field_name=True))


def _refuse_role(call: Call, text: str) -> None:
    named = arn.entity(text)
    if named is None or named.account != call.account_id or call.entity("role", text) is None:
        raise Validation(f"The role {text[:256]} does not exist in the account.")


def _refuse_trail(call: Call, trail: pb.Trail) -> None:
    if trail.all_regions and trail.regions:
        raise Validation("Specify either regions or allRegions of a trail.")
    named = arn.parse(trail.cloud_trail_arn)
    wanted = Trail.account_id == call.account_id, Trail.name == named.resource.partition("/")[2]
    if named.account != call.account_id or not _count(call, *wanted, of=Trail):
        raise Validation(f"The trail {trail.cloud_trail_arn[:256]} does not exist in the account.")


def _count(call: Call, *wanted: Any, of: Any = PolicyGeneration) -> int:
    return call.session.scalar(select(func.count()).select_from(of).where(*wanted)) or 0


def _find(call: Call, id_: str) -> PolicyGeneration:
    found = call.session.get(PolicyGeneration, id_)
    if found is None or found.account_id != call.account_id:
        raise Validation(f"The policy generation {id_[:256]} does not exist.")
    return found


def _job(row: PolicyGeneration) -> pb.JobDetails:
    return pb.JobDetails(
        job_id=row.id,
        status=row.status,
        started_on=row.started_at.replace(microsecond=0),
        completed_on=row.completed_at.replace(microsecond=0) if row.completed_at is not None else None,
        job_error=pb.JobError(code=row.error_code, message=row.error_message) if row.error_code is not None else None,
    )
