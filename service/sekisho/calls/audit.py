"""Audit records: what was called, by whom, with what and with what result, in the terms of a CloudTrail record.

Fields marked `debug_redact` never reach a record. Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from sqlalchemy.orm import Session

from sekisho.calls.call import Call
from sekisho.errors import SekishoError
from sekisho.journal.spool import Entry
from sekisho.operations.annotations import Access
from sekisho.store import changes

KIND = "audit"
LIMIT = 102_400
"""Bytes of a request or response that a record shows; CloudTrail leaves out what is over 100 KB, too."""
REDACTED = "HIDDEN_DUE_TO_SECURITY_REASONS"

Event = dict[str, Any]


def event(call: Call, request: Message | None, response: Message | None, error: SekishoError | None = None) -> Event:
    """The record of a call as a flat dictionary of JSON values; the keys are the columns of AuditRecord."""
    acting = call.acting
    return {
        "id": call.request_id,
        "account_id": acting.subject.account_id if acting is not None else call.recipient,
        "at": call.now.isoformat(),
        "event_source": call.operation.service.event_source,
        "event_name": call.operation.name,
        "read_only": call.operation.access.level in (Access.READ, Access.DECIDE),
        "principal_id": acting.user_id if acting is not None else "",
        "principal_arn": acting.arn if acting is not None else "",
        "access_key_id": acting.subject.access_key_id if acting is not None else "",
        "source_ip": call.peer.source_ip,
        "user_agent": call.peer.user_agent[:256],
        "request": _shown(request),
        "response": _shown(response),
        "error_code": error.code if error is not None else None,
        "error_message": error.message[:2048].replace("\0", "\ufffd") if error is not None else None,
    }


def _shown(message: Message | None) -> str:
    if message is None:
        return "{}"
    return json.dumps(plain(message)) if message.ByteSize() <= LIMIT else '{"omitted": "over 100 KB"}'


def columns(record: Event) -> dict[str, Any]:
    """The record as a row's columns, but for its place."""
    return {**record, "at": datetime.fromisoformat(record["at"])}


def deliver(session: Session, records: Iterable[Event]) -> None:
    """Write records that came by the spool: those have no revision, and some stand for several denials."""
    rows = [{"count": 1, **columns(record), "last_at": _moment(record.get("last_at"))} for record in records]
    if rows:
        changes.spooled(session, rows)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def entry(record: Event) -> Entry:
    """The record as an entry of the spool; denials are alike that refuse the same principal the same operation for the same reason."""
    alike = (record["principal_id"], record["event_source"], record["event_name"], record["error_code"] or "")
    return Entry(KIND, json.dumps(record), account=record["account_id"], alike=alike)


def plain(message: Message) -> dict[str, Any]:
    """A message as JSON with AWS's member names, secrets replaced."""
    return _redacted(MessageToDict(message), message.DESCRIPTOR)


def _redacted(value: dict[str, Any], descriptor: Any) -> dict[str, Any]:
    for field in descriptor.fields:
        if field.json_name not in value:
            continue
        if field.GetOptions().debug_redact:
            value[field.json_name] = REDACTED
        elif (
            field.message_type is not None
            and not field.message_type.GetOptions().map_entry
            and field.message_type.file.package.startswith("sekisho")
        ):
            inner = value[field.json_name]
            for item in inner if field.is_repeated else [inner]:
                _redacted(item, field.message_type)
    return value
