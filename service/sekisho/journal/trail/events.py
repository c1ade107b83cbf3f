"""A record as the event that CloudTrail makes of it.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

import json
from datetime import UTC, datetime
from typing import Any

from sekisho.store.tables import AuditRecord
from sekisho.store.tables.trail import DATA, MANAGEMENT

VERSION = "1.11"
REGION = "us-east-1"
"""The region of a record that a release before the trail wrote."""
INTERNAL = "AWS Internal"
"""The address, and the program, of whoever has none: it is CloudTrail's word for what did not come over the network."""

Event = dict[str, Any]


def event(record: AuditRecord) -> Event:
    """The event, with the members that CloudTrail has, in its order: those that may be absent are, where they say nothing.

    `requestParameters` and `responseElements` are null then. What a decision came to, and how many denials a record stands for, is in
    `additionalEventData`, which CloudTrail leaves to each service.
    """
    management = record.category == MANAGEMENT
    response = _object(record.response) or None
    made: Event = {
        "eventVersion": VERSION,
        "userIdentity": _object(record.identity) or _identity(record),
        "eventTime": moment(record.at),
        "eventSource": record.event_source,
        "eventName": record.event_name,
        "awsRegion": record.region or REGION,
        "sourceIPAddress": record.source_ip or INTERNAL,
        "userAgent": record.user_agent or INTERNAL,
    }
    if record.error_code is not None:
        made["errorCode"] = record.error_code
        made["errorMessage"] = record.error_message or ""
    made["requestParameters"] = _object(record.request) or None
    made["responseElements"] = response if management else None
    if additional := _additional(record, response):
        made["additionalEventData"] = additional
    made |= {"requestID": record.shared_id or record.id, "eventID": record.id, "readOnly": record.read_only}
    if resources := [one for one in _list(record.resources) if isinstance(one, dict)]:
        made["resources"] = resources
    made |= {"eventType": record.event_type, "managementEvent": management, "recipientAccountId": record.account_id}
    if record.shared_id is not None:
        made["sharedEventID"] = record.shared_id
    made["eventCategory"] = record.category
    if tls := _object(record.tls):
        made["tlsDetails"] = tls
    return made


def _object(text: str) -> dict[str, Any]:
    """The object that a column holds; an empty one for whatever else somebody has written past this server."""
    found = _read(text)
    return found if isinstance(found, dict) else {}


def _list(text: str) -> list[Any]:
    found = _read(text)
    return found if isinstance(found, list) else []


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def moment(at: datetime) -> str:
    """A time as events have it: in UTC, in whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _additional(record: AuditRecord, response: Any) -> dict[str, Any]:
    additional = dict(response) if record.category == DATA and response else {}
    if record.count > 1:
        additional |= {"count": record.count, "lastEventTime": moment(record.last_at or record.at)}
    return additional


def _identity(record: AuditRecord) -> dict[str, str]:
    """The caller of a record that a release before the trail wrote, as far as its columns tell."""
    if not record.principal_arn:
        return {"type": "AWSService", "invokedBy": record.principal_id or record.event_source}
    resource = record.principal_arn.split(":", 5)[-1]
    types = {"root": "Root", "user": "IAMUser", "assumed-role": "AssumedRole", "federated-user": "FederatedUser"}
    shown = {
        "type": types.get(resource.partition("/")[0], "Unknown"),
        "principalId": record.principal_id,
        "arn": record.principal_arn,
        "accountId": record.account_id,
    }
    if record.access_key_id:
        shown["accessKeyId"] = record.access_key_id
    return shown
