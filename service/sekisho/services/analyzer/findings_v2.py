"""Findings of every type."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sekisho.api.analyzer.v1 import findings_v2_pb2 as pb
from sekisho.api.analyzer.v1.findings_pb2 import FindingSource
from sekisho.calls.call import Call
from sekisho.journal.analyzers import unused
from sekisho.journal.analyzers.found import EXTERNAL, INTERNAL
from sekisho.operations import operation
from sekisho.services.analyzer import findings, listing, names, pages
from sekisho.store.tables import AccessFinding


@operation
def get_finding_v2(call: Call, request: pb.GetFindingV2Request) -> pb.GetFindingV2Response:
    """By id, with its details, of which there may be several pages."""
    row = findings.find(call, names.find(call, request.analyzer_arn), request.id)
    found = pages.cut(call, request, _DETAILS[row.type](row))
    return pb.GetFindingV2Response(**_members(row), finding_details=found.rows, next_token=found.marker)


@operation
def list_findings_v2(call: Call, request: pb.ListFindingsV2Request) -> pb.ListFindingsV2Response:
    """Without their details."""
    found = listing.page(call, request, names.find(call, request.analyzer_arn))
    return pb.ListFindingsV2Response(findings=[pb.FindingSummaryV2(**_members(row)) for row in found.rows], next_token=found.marker)


def _members(row: AccessFinding) -> dict[str, Any]:
    return {
        "id": row.id,
        "finding_type": row.type,
        "resource": row.resource,
        "resource_type": row.resource_type,
        "resource_owner_account": row.owner,
        "status": row.status,
        "error": row.error,
        "created_at": row.created_at.replace(microsecond=0),
        "analyzed_at": row.analyzed_at.replace(microsecond=0),
        "updated_at": row.updated_at.replace(microsecond=0),
    }


def _external(row: AccessFinding) -> list[pb.FindingDetails]:
    details = pb.ExternalAccessDetails(
        action=json.loads(row.actions),
        condition=json.loads(row.condition),
        is_public=row.is_public,
        principal=json.loads(row.principal),
        sources=[] if row.error is not None else [FindingSource(type="POLICY")],
        resource_control_policy_restriction=row.restriction,
    )
    return [pb.FindingDetails(external_access_details=details)]


def _internal(row: AccessFinding) -> list[pb.FindingDetails]:
    told: dict[str, str] = json.loads(row.details)
    details = pb.InternalAccessDetails(
        action=json.loads(row.actions),
        condition=json.loads(row.condition),
        principal=json.loads(row.principal),
        sources=[] if row.error is not None else [FindingSource(type="POLICY")],
        resource_control_policy_restriction=row.restriction,
        **told,
    )
    return [pb.FindingDetails(internal_access_details=details)]


def _role(row: AccessFinding) -> list[pb.FindingDetails]:
    details = json.loads(row.details)
    return [pb.FindingDetails(unused_iam_role_details=pb.UnusedIamRoleDetails(last_accessed=_moment(details)))]


def _key(row: AccessFinding) -> list[pb.FindingDetails]:
    details = json.loads(row.details)
    key = pb.UnusedIamUserAccessKeyDetails(access_key_id=details["access_key_id"], last_accessed=_moment(details))
    return [pb.FindingDetails(unused_iam_user_access_key_details=key)]


def _password(row: AccessFinding) -> list[pb.FindingDetails]:
    password = pb.UnusedIamUserPasswordDetails(last_accessed=_moment(json.loads(row.details)))
    return [pb.FindingDetails(unused_iam_user_password_details=password)]


def _permissions(row: AccessFinding) -> list[pb.FindingDetails]:
    """One for each service."""
    return [
        pb.FindingDetails(
            unused_permission_details=pb.UnusedPermissionDetails(
                service_namespace=service["service_namespace"],
                last_accessed=_moment(service),
                actions=[pb.UnusedAction(action=one["action"], last_accessed=_moment(one)) for one in service.get("actions", ())],
            )
        )
        for service in json.loads(row.details)["services"]
    ]


def _moment(details: Mapping[str, Any]) -> datetime | None:
    return datetime.fromisoformat(details["last_accessed"]).replace(microsecond=0) if "last_accessed" in details else None


_DETAILS: Mapping[str, Callable[[AccessFinding], list[pb.FindingDetails]]] = {
    EXTERNAL: _external,
    INTERNAL: _internal,
    unused.ROLE: _role,
    unused.KEY: _key,
    unused.PASSWORD: _password,
    unused.PERMISSION: _permissions,
}
"""The details of a finding, by its type."""
