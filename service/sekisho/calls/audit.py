"""Audit records: what was called, by whom, with what and with what result, in the terms of a CloudTrail record.

Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

import json
import uuid
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from google.protobuf.message import Message
from sqlalchemy.orm import Session

from sekisho import arn
from sekisho.calls import identities, shown
from sekisho.calls.call import Call, Peer
from sekisho.errors import SekishoError
from sekisho.journal.spool import Entry
from sekisho.journal.trail import resources
from sekisho.operations.annotations import Access
from sekisho.store import changes
from sekisho.store.tables.trail import UNSAID

KIND = "audit"
REGION = "us-east-1"
"""Where everything happens, as AWS says of its global services."""

_SHARED = frozenset((Access.WRITE, Access.ISSUE))
"""The levels of operations that another account hears of, whose resource was used."""

Event = dict[str, Any]

KEPT = 4_096
"""Constant parts of records of reads that are kept in all, at two to four kilobytes each: whoever makes up user agents has no more."""
LONGEST = 256
"""Characters of a user agent that a record shows."""
_same: dict[tuple[str, str, str, Peer], tuple[str, str, tuple[str, ...]]] = {}
_OF_ONE_CALL = frozenset(("id", "at", "request", "resources"))

_quoted = json.encoder.encode_basestring_ascii
_dumps = json.JSONEncoder(check_circular=False).encode


def event(call: Call, request: Message | None, response: Message | None, error: SekishoError | None = None) -> Event:
    """The record of a call as a flat dictionary of JSON values; the keys are the columns of AuditRecord."""
    acting = call.acting
    vouched = call.vouched
    who = identities.of(acting) if acting is not None else vouched.identity if vouched is not None else identities.NOBODY
    return {
        "id": call.request_id,
        "account_id": acting.subject.account_id if acting is not None else call.recipient,
        "at": call.now.isoformat(),
        "event_source": call.operation.service.event_source,
        "event_name": call.operation.name,
        "read_only": call.operation.level != Access.WRITE,
        "principal_id": acting.user_id if acting is not None else vouched.principal_id if vouched is not None else "",
        "principal_arn": acting.arn if acting is not None else "",
        "access_key_id": acting.subject.access_key_id if acting is not None else "",
        "source_ip": call.peer.source_ip,
        "user_agent": call.peer.user_agent[:LONGEST],
        "request": shown.text(request),
        "response": shown.text(response),
        "error_code": error.code if error is not None else None,
        "error_message": error.message[:2048].replace("\0", "\ufffd") if error is not None else None,
        "category": UNSAID["category"],
        "event_type": UNSAID["event_type"],
        "region": REGION,
        "username": who.username,
        "identity": who.text,
        "resources": _resources(call),
        "tls": call.peer.tls or UNSAID["tls"],
        "shared_id": None,
    }


def events(call: Call, request: Message | None, response: Message | None) -> list[Event]:
    """The records of a call that succeeded: the caller's account's first, then those of other accounts whose resources it used.

    They see the caller as CloudTrail shows a stranger, and of the resources their own. What was refused is the caller's account's alone:
    nobody fills the records of others with what they are not permitted to do.
    """
    first = event(call, request, response)
    acting = call.acting
    if acting is None or not call.resources or call.operation.level not in _SHARED:
        return [first]
    about = json.loads(first["resources"])
    others = sorted({one["accountId"] for one in about if arn.is_account_id(one["accountId"])} - {first["account_id"]})
    if not others:
        return [first]
    first["shared_id"] = call.request_id
    stranger = identities.elsewhere(acting)._asdict()
    return [first, *(_elsewhere(first, other, about, stranger["text"]) for other in others)]


def _elsewhere(first: Event, account: str, about: list[dict[str, str]], identity: str) -> Event:
    return first | {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{first['id']} {account}")),
        "account_id": account,
        "principal_arn": "",
        "access_key_id": "",
        "username": "",
        "identity": identity,
        "resources": _dumps([one for one in about if one["accountId"] == account]),
    }


def _resources(call: Call) -> str:
    """The resources that the caller was authorized for, each once; a pattern is not one."""
    return _named(tuple([one.arn for one in call.resources])) if call.resources else "[]"


@lru_cache(maxsize=4096)
def _named(arns: tuple[str, ...]) -> str:
    return _dumps([resources.shown(text) for text in dict.fromkeys(arns) if "*" not in text])


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
    """The record as an entry of the spool; calls are alike by the same principal of the same operation, with the same error or none."""
    alike = (record["principal_id"], record["event_source"], record["event_name"], record["error_code"] or "")
    return Entry(KIND, json.dumps(record), account=record["account_id"], alike=alike)


def entry_of_read(call: Call, request: Message) -> Entry:
    """The entry of a call that read and succeeded: `entry(event(...))`, at a fifth of the price.

    Reads are many, so all that is the same in each call of a caller to an operation from one peer is made once.
    """
    who = identities.of(call.caller)
    key = (who.text, who.username, call.operation.path, call.peer)  # which say all that is the same
    made = _same.get(key)
    if made is None:
        same = entry(event(call, None, None))
        constant = {name: value for name, value in json.loads(same.body).items() if name not in _OF_ONE_CALL}
        made = (json.dumps(constant)[:-1], same.account, same.alike)
        if len(call.peer.user_agent) <= LONGEST:
            if len(_same) >= KEPT:
                _same.clear()
            _same[key] = made
    text, account, alike = made
    body = (
        f'{text}, "id": {_quoted(call.request_id)}, "at": "{call.now.isoformat()}", '
        f'"request": {_quoted(shown.text(request))}, "resources": {_quoted(_resources(call))}}}'
    )
    return Entry(KIND, body, 0, account, alike)
