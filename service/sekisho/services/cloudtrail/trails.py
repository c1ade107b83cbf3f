"""Trails: made, shown, changed and removed."""

import json
import secrets
import uuid
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from sekisho import arn
from sekisho.api.cloudtrail.v1 import trails_pb2 as pb
from sekisho.calls.call import Call
from sekisho.journal.trail import selectors
from sekisho.operations import operation
from sekisho.services.cloudtrail import buckets, destinations, membership, names, pages, quotas, tags
from sekisho.services.cloudtrail.errors import (
    InvalidParameterCombination,
    InvalidS3BucketName,
    MaximumNumberOfTrailsExceeded,
    NotOrganizationMasterAccount,
    TrailAlreadyExists,
    TrailNotFound,
    UnsupportedOperation,
)
from sekisho.services.cloudtrail.names import Named
from sekisho.store.tables import Trail, TrailLink

_PAGE = 100
_EMPTIED = ("s3_key_prefix", "sns_topic_name", "kms_key_id", "cloud_watch_logs_log_group_arn", "cloud_watch_logs_role_arn")
"""Members that an empty text takes away."""

_SHOWN = ("name", "s3_bucket_name", "include_global_service_events", "is_multi_region_trail", "log_file_validation_enabled")


@operation
def create_trail(call: Call, request: pb.CreateTrailRequest) -> pb.CreateTrailResponse:
    """Five trails an account; one of an organization is the management account's."""
    names.refuse_wrong(request.name)
    if not request.s3_bucket_name:
        raise InvalidS3BucketName("Bucket name cannot be blank!")
    _refuse_wrong(call, request)
    membership.lock(call)  # another account may make an organization's trail for this one at the same time
    organization = membership.find_administered(call) if request.is_organization_trail else None
    owner = organization.management_account_id if organization is not None else call.account_id
    if _count(call, Trail.account_id == owner, Trail.name == request.name):
        raise TrailAlreadyExists(f"Trail {request.name} already exists for customer: {owner}")
    if _count(call, Trail.account_id == owner) >= quotas.TRAILS:
        raise MaximumNumberOfTrailsExceeded(f"User: {owner} already has {quotas.TRAILS} trails in {arn.REGION}.")
    row = Trail(
        id=str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
        account_id=owner,
        name=request.name,
        home_region=arn.REGION,
        organization_id=organization.id if organization is not None else None,
        s3_bucket_name=request.s3_bucket_name,
        include_global_service_events=request.include_global_service_events or not request.HasField("include_global_service_events"),
        is_multi_region_trail=request.is_multi_region_trail,
        is_organization_trail=request.is_organization_trail,
        log_file_validation_enabled=request.enable_log_file_validation,
        created_at=call.now,
        is_logging=False,
        position=call.session.scalar(select(func.max(TrailLink.ordinal))) or 0,
        **{member: getattr(request, member) or None for member in _EMPTIED},
    )
    _refuse_combination(row)
    tags.put(call, row.id, request.tags_list)
    call.add(row)
    return pb.CreateTrailResponse(**_members(row))


@operation
def update_trail(call: Call, request: pb.UpdateTrailRequest) -> pb.UpdateTrailResponse:
    """Leave whatever the request does not name."""
    row = find_changeable(call, request.name)
    _refuse_wrong(call, request)
    if request.HasField("is_organization_trail") and request.is_organization_trail != row.is_organization_trail:
        _set_organization(call, row, wanted=request.is_organization_trail)
    if request.s3_bucket_name:
        row.s3_bucket_name = request.s3_bucket_name
    for member in _EMPTIED:
        if request.HasField(member):
            setattr(row, member, getattr(request, member) or None)
    for member, column in _FLAGS.items():
        if request.HasField(member):
            setattr(row, column, getattr(request, member))
    _refuse_combination(row)
    return pb.UpdateTrailResponse(**_members(row))


@operation
def delete_trail(call: Call, request: pb.DeleteTrailRequest) -> pb.DeleteTrailResponse:
    """With its tags; what it has delivered stays where it is."""
    row = find_changeable(call, request.name)
    tags.clear(call, row.id)
    call.session.delete(row)
    return pb.DeleteTrailResponse()


@operation
def get_trail(call: Call, request: pb.GetTrailRequest) -> pb.GetTrailResponse:
    """By name for the account's own, by ARN for all that it sees."""
    return pb.GetTrailResponse(trail=_message(find(call, request.name)))


@operation
def list_trails(call: Call, request: pb.ListTrailsRequest) -> pb.ListTrailsResponse:
    """By id, which says nothing of a trail."""
    query = select(Trail).where(visible(call))
    found = pages.page(call, request, query, key=[Trail.id], of=lambda row: [row.id], most=_PAGE)
    shown = [pb.TrailInfo(trail_arn=arn_of(row), name=row.name, home_region=row.home_region) for row in found.rows]
    return pb.ListTrailsResponse(trails=shown, next_token=found.marker)


@operation
def describe_trails(call: Call, request: pb.DescribeTrailsRequest) -> pb.DescribeTrailsResponse:
    """Names that are nobody's are left out. Without shadow trails, an account sees its own alone."""
    own = request.HasField("include_shadow_trails") and not request.include_shadow_trails
    query = select(Trail).where(Trail.account_id == call.account_id if own else visible(call))
    if request.trail_name_list:
        wanted = [names.trail(call.account_id, text) for text in request.trail_name_list]
        query = query.where(or_(*(_is(named) for named in wanted)))
    return pb.DescribeTrailsResponse(trail_list=[_message(row) for row in call.session.scalars(query.order_by(Trail.name, Trail.id))])


def find(call: Call, text: str) -> Trail:
    """The trail that is named, if the caller's account sees it; or TrailNotFound."""
    named = names.trail(call.account_id, text)
    query = select(Trail).where(_is(named), visible(call)).execution_options(populate_existing=not call.reads)
    row = call.session.scalars(query).one_or_none()
    if row is None:
        raise TrailNotFound(f"Unknown trail: {text[:256]} for the user: {call.account_id}")
    return row


def find_changeable(call: Call, text: str) -> Trail:
    """The trail that is named, which the caller's account may change: NotOrganizationMasterAccount to members of an organization."""
    row = find(call, text)
    membership.lock(call)
    if row.organization_id is not None and not _is_orphaned(call, row):
        membership.find_administered(call)
    return find(call, text)  # as it is now that nobody else changes it


def _is_orphaned(call: Call, row: Trail) -> bool:
    """True of a trail of an organization that its account is not in any more: it is the account's alone."""
    own = membership.get_own(call)
    return row.account_id == call.account_id and (own is None or own.id != row.organization_id)


def visible(call: Call) -> ColumnElement[bool]:
    """The condition that the caller's account sees a trail: its own, and those of its organization."""
    own: ColumnElement[bool] = Trail.account_id == call.account_id
    organization = membership.get_own(call)
    return own if organization is None else or_(own, Trail.organization_id == organization.id)


def arn_of(row: Trail) -> str:
    """The ARN of a trail."""
    return arn.cloudtrail(row.account_id, "trail", row.name)


def _is(named: Named) -> ColumnElement[bool]:
    return (Trail.account_id == named.account_id) & (Trail.name == named.name) & (Trail.home_region == named.region)


def _count(call: Call, *wanted: ColumnElement[bool]) -> int:
    return call.session.scalar(select(func.count()).select_from(Trail).where(*wanted)) or 0


_FLAGS = {
    "include_global_service_events": "include_global_service_events",
    "is_multi_region_trail": "is_multi_region_trail",
    "enable_log_file_validation": "log_file_validation_enabled",
}


def _refuse_wrong(call: Call, request: Any) -> None:
    """Raise for destinations that cannot be, and for what this server does not do."""
    if request.recursive_logging:
        raise UnsupportedOperation("This server does not deliver events of its own deliveries.")
    destinations.refuse_wrong(request)
    if request.s3_bucket_name:
        buckets.refuse_unknown(call, request.s3_bucket_name)


def _refuse_combination(row: Trail) -> None:
    if row.is_multi_region_trail and not row.include_global_service_events:
        raise InvalidParameterCombination("Multi-Region trail must include global service events.")
    if row.is_organization_trail and not row.include_global_service_events:
        raise InvalidParameterCombination("Organization trail must include global service events.")
    destinations.refuse_half(row.cloud_watch_logs_log_group_arn, row.cloud_watch_logs_role_arn)


def _set_organization(call: Call, row: Trail, *, wanted: bool) -> None:
    """Make a trail the organization's, or its account's alone again; only the management account does, to its own."""
    if not wanted and _is_orphaned(call, row):
        row.is_organization_trail, row.organization_id = False, None
        return
    organization = membership.find_administered(call)
    if organization.management_account_id != call.account_id:
        raise NotOrganizationMasterAccount("Only the management account can convert a trail of its own.")
    row.is_organization_trail, row.organization_id = wanted, organization.id if wanted else None


def _members(row: Trail) -> dict[str, Any]:
    """The members of a trail in every answer; what it does not have is left out."""
    topic = row.sns_topic_name
    if topic is not None:
        named = topic if topic.startswith("arn:") else f"arn:{arn.PARTITION}:sns:{row.home_region}:{row.account_id}:{topic}"
        topics = {"sns_topic_name": topic.rpartition(":")[2], "sns_topic_arn": named}
    else:
        topics = {}
    return {
        **{member: getattr(row, member) for member in (*_SHOWN, *_EMPTIED) if getattr(row, member) is not None},
        **topics,
        "trail_arn": arn_of(row),
        "is_organization_trail": row.is_organization_trail,
    }


def _message(row: Trail) -> pb.Trail:
    return pb.Trail(
        **_members(row),
        home_region=row.home_region,
        has_custom_event_selectors=_has_custom_selectors(row),
        has_insight_selectors=row.insight_selectors is not None,
    )


def _has_custom_selectors(row: Trail) -> bool:
    basic = row.event_selectors
    return row.advanced_event_selectors is not None or (basic is not None and json.loads(basic) != selectors.USUAL)
