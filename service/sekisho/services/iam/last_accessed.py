"""Reports on which services an entity may use and when they were last used, from the decisions that were asked for.

A report says what is known when it is read; who asked for one finds it for a week. Attempts count, also those that were denied.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import select

from sekisho.api.iam.v1 import service_access_pb2 as pb
from sekisho.calls.call import Call
from sekisho.operations import operation
from sekisho.services.iam import entities, policy_sources, service_access, services
from sekisho.services.iam.errors import NoSuchEntity
from sekisho.services.iam.requests import Paged
from sekisho.store.paging import PAGE
from sekisho.store.tables import Access, AccessReport, Attachment, Entity, Group, Membership, Policy, Role, User

KEPT = timedelta(days=7)
MOST_SWEPT = 100
"""Old reports that go when a new one is asked for."""
_CHUNK = 500  # values that a statement takes
_ACTIONS = "ACTION_LEVEL"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Use:
    """The last time that somebody asked for an action of a service."""

    who: Entity
    service: str
    action: str
    at: datetime
    region: str


@operation
def generate_service_last_accessed_details(
    call: Call, request: pb.GenerateServiceLastAccessedDetailsRequest
) -> pb.GenerateServiceLastAccessedDetailsResponse:
    """Ready at once. Reports that nobody finds any more go."""
    entity = policy_sources.find(call, request.arn)
    old = select(AccessReport).where(AccessReport.account_id == call.account_id, AccessReport.created_at < call.now - KEPT)
    for row in call.session.scalars(old.limit(MOST_SWEPT)):
        call.session.delete(row)
    report = AccessReport(
        id=str(uuid.uuid4()),
        account_id=call.account_id,
        entity_arn=entities.arn_of(entity),
        granularity=request.granularity or "SERVICE_LEVEL",
        created_at=call.now,
    )
    call.add(report)
    return pb.GenerateServiceLastAccessedDetailsResponse(job_id=report.id)


@operation
def get_service_last_accessed_details(
    call: Call, request: pb.GetServiceLastAccessedDetailsRequest
) -> pb.GetServiceLastAccessedDetailsResponse:
    """By the service's namespace: those that the entity's policies allow something of."""
    report, entity = _report(call, request.job_id)
    found = _uses(call, entity)
    known = {*services.NAMES, *call.session.scalars(select(Access.service).where(Access.account_id == call.account_id).distinct())}
    documents = [one.attached.program.policy for one in _policies(call, entity)]
    allowed = sorted(service_access.granted(documents, known))
    shown, marker = cut(call, request, allowed)
    return pb.GetServiceLastAccessedDetailsResponse(
        job_status="COMPLETED",
        job_type=report.granularity,
        job_creation_date=entities.seconds(report.created_at),
        job_completion_date=entities.seconds(report.created_at),
        services_last_accessed=[
            _service(namespace, [use for use in found if use.service == namespace], by_action=report.granularity == _ACTIONS)
            for namespace in shown
        ],
        is_truncated=marker is not None,
        marker=marker,
    )


@operation
def get_service_last_accessed_details_with_entities(
    call: Call, request: pb.GetServiceLastAccessedDetailsWithEntitiesRequest
) -> pb.GetServiceLastAccessedDetailsWithEntitiesResponse:
    """Users and roles that can have used the service through the entity; who has not has no date, and comes last."""
    report, entity = _report(call, request.job_id)
    last = _latest((use for use in _uses(call, entity) if use.service == request.service_namespace.lower()), lambda use: use.who.id)
    everyone = sorted(_principals(call, entity), key=lambda row: (row.id not in last, row.kind, row.name_key))
    shown, marker = cut(call, request, everyone)
    return pb.GetServiceLastAccessedDetailsWithEntitiesResponse(
        job_status="COMPLETED",
        job_creation_date=entities.seconds(report.created_at),
        job_completion_date=entities.seconds(report.created_at),
        entity_details_list=[
            pb.EntityDetails(
                entity_info=pb.EntityInfo(arn=entities.arn_of(row), name=row.name, type=row.kind.upper(), id=row.id, path=row.path),
                last_authenticated=entities.seconds(last[row.id].at) if row.id in last else None,
            )
            for row in shown
        ],
        is_truncated=marker is not None,
        marker=marker,
    )


def _report(call: Call, job_id: str) -> tuple[AccessReport, Entity]:
    """The report and what it is about; NoSuchEntity when either is gone."""
    report = call.session.get(AccessReport, job_id)
    if report is None or report.account_id != call.account_id or report.created_at < call.now - KEPT:
        raise NoSuchEntity(f"Job {job_id} was not found.")
    return report, policy_sources.find(call, report.entity_arn)


def _principals(call: Call, entity: Entity) -> Sequence[Entity]:
    """Those who act as the entity: a user or role itself, the members of a group, those of the account that have a policy."""
    if isinstance(entity, User | Role):
        return [entity]
    holders = select(Attachment.owner_id).where(Attachment.policy_id == entity.id)
    groups = (Membership.group_id == entity.id) if isinstance(entity, Group) else Membership.group_id.in_(holders)
    of_them = Entity.id.in_(select(Membership.user_id).where(groups)) | Entity.id.in_(holders)
    query = select(Entity).where(Entity.account_id == call.account_id, Entity.kind.in_(("user", "role")), of_them)
    return call.session.scalars(query).all()


def _policies(call: Call, entity: Entity) -> list[policy_sources.SourcePolicy]:
    if isinstance(entity, Policy):
        return [policy_sources.managed(call, entity)]
    assert isinstance(entity, User | Group | Role)
    return policy_sources.identity(call, entity)


def _uses(call: Call, entity: Entity) -> list[Use]:
    """The uses by those who act as the entity, the newest first."""
    who = {row.id: row for row in _principals(call, entity)}
    found = []
    ids = sorted(who)
    for start in range(0, len(ids), _CHUNK):
        rows = call.session.scalars(select(Access).where(Access.principal_id.in_(ids[start : start + _CHUNK])))
        found += [Use(who[row.principal_id], row.service, row.action, row.at, row.region) for row in rows]
    return sorted(found, key=lambda use: (use.at, use.who.id, use.action), reverse=True)


def _service(namespace: str, found: Sequence[Use], *, by_action: bool) -> pb.ServiceLastAccessed:
    shown = pb.ServiceLastAccessed(service_name=services.name(namespace), service_namespace=namespace)
    shown.total_authenticated_entities = len({use.who.id for use in found})
    if found:
        newest = found[0]
        shown.last_authenticated.FromDatetime(newest.at.replace(microsecond=0))
        shown.last_authenticated_entity = entities.arn_of(newest.who)
        if newest.region:
            shown.last_authenticated_region = newest.region
    if by_action:
        for action, use in sorted(_latest(found, lambda use: use.action).items()):
            shown.tracked_actions_last_accessed.add(
                action_name=action,
                last_accessed_entity=entities.arn_of(use.who),
                last_accessed_time=entities.seconds(use.at),
                last_accessed_region=use.region or None,
            )
    return shown


def _latest(found: Iterable[Use], key: Callable[[Use], str]) -> dict[str, Use]:
    """The first of each key, which is the newest."""
    latest: dict[str, Use] = {}
    for use in found:
        latest.setdefault(key(use), use)
    return latest


def cut(call: Call, request: Paged, whole: Sequence[T]) -> tuple[Sequence[T], str | None]:
    """A page of a list that is made anew for each page; its marker is a place."""
    cursor = entities.cursor(call, request)
    start = cursor.open(request.marker)[0] if request.marker else 0
    end = start + (request.max_items or PAGE)
    return whole[start:end], cursor.marker([end]) if end < len(whole) else None
