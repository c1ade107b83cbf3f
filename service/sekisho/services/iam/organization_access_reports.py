"""Reports on which services the accounts of an organization may use by its service control policies, and when they were last used.

A report says what is known when it is read; who asked for one finds it for a week. A service that a policy denies altogether is not open,
whatever allows it; what is denied in part, or by a condition, is. The management account is limited by nothing, so it counts for itself
alone. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed-view-data-orgs.html
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import func, select

from sekisho import arn, policy
from sekisho.api.iam.v1 import organization_access_reports_pb2 as pb
from sekisho.api.iam.v1.service_access_pb2 import ErrorDetails
from sekisho.calls import affiliation
from sekisho.calls.call import Call
from sekisho.errors import AccessDenied
from sekisho.operations import Resource, operation, resource
from sekisho.services.iam import entities, last_accessed, service_access, services
from sekisho.services.iam.errors import InvalidInput, NoSuchEntity
from sekisho.store.tables import Access, Member, Organization, OrganizationAccessReport, OrganizationPolicy, PolicyType, Target, Unit
from sekisho.world import SCP
from sekisho.world.control_policies import FULL_ACCESS, FULL_ACCESS_RECORD

_CHUNK = 500  # values that a statement takes
_ORDERS: dict[str, tuple[bool, bool]] = {
    "": (False, False),
    "SERVICE_NAMESPACE_ASCENDING": (False, False),
    "SERVICE_NAMESPACE_DESCENDING": (False, True),
    "LAST_AUTHENTICATED_TIME_ASCENDING": (True, False),
    "LAST_AUTHENTICATED_TIME_DESCENDING": (True, True),
}
"""By the request's key: whether it is the time that counts, and whether the last comes first."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The entity of a report: the policies on the way to it, level by level, and the accounts in it by id, each with its path."""

    levels: Sequence[Sequence[policy.Policy]] | None
    accounts: dict[str, str]


@resource("access-report")
def access_report(call: Call, request: Message, field: str) -> Resource:
    """The report about the path that the request names."""
    return Resource(f"arn:{arn.PARTITION}:iam::{call.account_id}:access-report/{getattr(request, field)}")


@operation
def generate_organizations_access_report(
    call: Call, request: pb.GenerateOrganizationsAccessReportRequest
) -> pb.GenerateOrganizationsAccessReportResponse:
    """Ready at once. Reports that nobody finds any more go."""
    organization = _managed(call)
    _subject(call, organization, request.entity_path, request.organizations_policy_id or None)
    old = OrganizationAccessReport.account_id == call.account_id, OrganizationAccessReport.created_at < call.now - last_accessed.KEPT
    for row in call.session.scalars(select(OrganizationAccessReport).where(*old).limit(last_accessed.MOST_SWEPT)):
        call.session.delete(row)
    report = OrganizationAccessReport(
        id=str(uuid.uuid4()),
        account_id=call.account_id,
        entity_path=request.entity_path,
        policy_id=request.organizations_policy_id or None,
        created_at=call.now,
    )
    call.add(report)
    return pb.GenerateOrganizationsAccessReportResponse(job_id=report.id)


@operation
def get_organizations_access_report(call: Call, request: pb.GetOrganizationsAccessReportRequest) -> pb.GetOrganizationsAccessReportResponse:
    """FAILED once the entity or the policy is gone."""
    organization = _managed(call)
    report = call.session.get(OrganizationAccessReport, request.job_id)
    if report is None or report.account_id != call.account_id or report.created_at < call.now - last_accessed.KEPT:
        raise NoSuchEntity(f"Job {request.job_id} was not found.")
    response = pb.GetOrganizationsAccessReportResponse(
        job_status="COMPLETED",
        job_creation_date=entities.seconds(report.created_at),
        job_completion_date=entities.seconds(report.created_at),
        is_truncated=False,
    )
    try:
        subject = _subject(call, organization, report.entity_path, report.policy_id)
    except InvalidInput as error:
        response.job_status = "FAILED"
        response.error_details.CopyFrom(ErrorDetails(message=error.message, code=error.code))
        return response
    uses = _uses(call, subject)
    open_ = _open(subject, {*services.NAMES, *uses})
    response.number_of_services_accessible = len(open_)
    response.number_of_services_not_accessed = sum(1 for one in open_ if one not in uses)
    shown, marker = last_accessed.cut(call, request, _ordered(open_, uses, request.sort_key))
    response.access_details.extend(_detail(call, subject, namespace, uses.get(namespace, {})) for namespace in shown)
    if marker is not None:
        response.is_truncated, response.marker = True, marker
    return response


def _managed(call: Call) -> Organization:
    """The organization that the caller's account manages, in which service control policies are in force."""
    found = affiliation.get(call)
    if found is None or found.management_account_id != call.account_id:
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform: {call.operation.action} outside of a management account")
    if call.session.get(PolicyType, (found.root_id, SCP)) is None:
        raise InvalidInput("Service control policies are not enabled in the root of your organization.")
    return found


def _subject(call: Call, organization: Organization, path: str, policy_id: str | None) -> Subject:
    """The entity of a path; InvalidInput when there is no such entity, or no such policy."""
    rows = call.session.execute(select(Unit.id, Unit.parent_id).where(Unit.organization_id == organization.id))
    parents: dict[str, str | None] = {row.id: row.parent_id for row in rows}
    members = select(Member.account_id, Member.unit_id).where(Member.organization_id == organization.id)
    homes = {row.account_id: row.unit_id for row in call.session.execute(members)}
    last = path.rstrip("/").rpartition("/")[2]
    paths = {account_id: f"{_path(organization, parents, home)}{account_id}/" for account_id, home in homes.items()}
    whole = paths.get(last) or (_path(organization, parents, last) if last in parents else "")
    if whole.rstrip("/") != path.rstrip("/"):
        raise InvalidInput(f"The entity path {path} does not exist in your organization.")
    if last == organization.management_account_id:
        return Subject(None, {last: whole})
    within = {id_: at for id_, at in paths.items() if at.startswith(whole) and id_ != organization.management_account_id}
    if policy_id is not None:
        return Subject([_documents(call, organization, OrganizationPolicy.id == policy_id, policy_id)], within)
    way = whole.rstrip("/").split("/")[1:]
    return Subject([_attached(call, organization, target) for target in way], within)


def _path(organization: Organization, parents: dict[str, str | None], unit_id: str) -> str:
    way, at = [], parents[unit_id]
    while at is not None:
        way.append(at)
        at = parents[at]
    return "/".join((organization.id, *reversed(way), unit_id, ""))


def _attached(call: Call, organization: Organization, target_id: str) -> list[policy.Policy]:
    """The documents of the service control policies on a target itself."""
    query = select(Target.policy_id).where(Target.target_id == target_id, Target.type == SCP)
    ids = call.session.scalars(query).all()
    return _documents(call, organization, OrganizationPolicy.id.in_(ids), *ids) if ids else []


def _documents(call: Call, organization: Organization, wanted: Any, *ids: str) -> list[policy.Policy]:
    """The documents of service control policies; InvalidInput when a single one that is wanted is not there."""
    query = select(OrganizationPolicy.content).where(
        wanted, OrganizationPolicy.organization_id == organization.id, OrganizationPolicy.type == SCP
    )
    found = [policy.compiled(content).policy for content in call.session.scalars(query)]
    if FULL_ACCESS in ids:
        found.append(FULL_ACCESS_RECORD.attached.program.policy)
    if not found:
        raise InvalidInput(f"The policy {ids[0]} does not exist in your organization.")
    return found


def _open(subject: Subject, known: set[str]) -> list[str]:
    """The services that every level leaves open, by namespace."""
    if subject.levels is None:
        return sorted(known)
    known |= service_access.granted([document for level in subject.levels for document in level], known)
    found = known
    for level in subject.levels:
        denied = {one for one in found if any(service_access.denies(document, one) for document in level)}
        found = (service_access.granted(level, found) & found) - denied
    return sorted(found)


def _uses(call: Call, subject: Subject) -> dict[str, dict[str, datetime]]:
    """When each account last used each service."""
    found: dict[str, dict[str, datetime]] = {}
    ids = sorted(subject.accounts)
    for start in range(0, len(ids), _CHUNK):
        query = select(Access.account_id, Access.service, func.max(Access.at).label("at"))
        query = query.where(Access.account_id.in_(ids[start : start + _CHUNK])).group_by(Access.account_id, Access.service)
        for row in call.session.execute(query):
            found.setdefault(row.service, {})[row.account_id] = row.at
    return found


def _ordered(open_: Sequence[str], uses: dict[str, dict[str, datetime]], key: str) -> list[str]:
    """In the order that is asked for; by time, what was never used comes last."""
    by_time, reverse = _ORDERS[key]
    if not by_time:
        return sorted(open_, reverse=reverse)
    used = sorted((one for one in open_ if one in uses), key=lambda one: (max(uses[one].values()), one), reverse=reverse)
    return [*used, *(one for one in open_ if one not in uses)]


def _detail(call: Call, subject: Subject, namespace: str, used: dict[str, datetime]) -> pb.AccessDetail:
    shown = pb.AccessDetail(
        service_name=services.name(namespace), service_namespace=namespace, total_authenticated_entities=len(used) or None
    )
    if used:
        account_id = max(used, key=lambda one: (used[one], one))
        last = Access.account_id == account_id, Access.service == namespace, Access.at == used[account_id]
        shown.entity_path = subject.accounts[account_id]
        shown.last_authenticated_time.FromDatetime(used[account_id].replace(microsecond=0))
        region = call.session.scalar(select(func.max(Access.region)).where(*last))
        if region:
            shown.region = region
    return shown
