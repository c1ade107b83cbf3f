"""Decisions as data events of the account whose service asked for them, where its selectors, or its organization's, take them.

The event is the principal's: it did, or was refused, what the service asked about. `eventSource` and `eventName` are the two parts of the
action, `resources` has the one resource with a type made of the service's name and of the ARN (`journal/trail/resources.py`).
Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html
"""

import json
import re
import uuid
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sekisho import policy
from sekisho.calls import audit, identities
from sekisho.calls.call import Call
from sekisho.journal.spool import Entry
from sekisho.journal.trail import resources, selectors
from sekisho.store.tables.trail import DATA, UNSAID
from sekisho.world import Acting, DataSelectors, Question

_READS = re.compile(
    r"(?:BatchGet|Check|Count|Describe|Get|Head|List|Lookup|Preview|Query|Read|Scan|Search|Select|Simulate|Test|Validate|View)(?![a-z])"
)
"""The beginnings of actions that read."""

_LONGEST_ADDRESS = 64


class Decided(NamedTuple):
    """A decision, and no more of its question than its event shows: what waits is to be small."""

    account_id: str
    at: datetime
    asked_by: str
    who: Acting
    action: str
    resource: str
    owner: str
    source_ip: str
    user_agent: str
    outcome: str
    layer: str
    refusal: str
    """AWS's sentence; empty for what was allowed."""
    decision_id: str


def note(call: Call, who: Acting, question: Question, decision: policy.Decision, decision_id: str) -> None:
    """Have a decision recorded, of an account that wants any; whether it wants this one is found out beside the call."""
    wanted = call.caller.data_selectors
    if wanted:
        asked = question[0]
        made = Decided(
            account_id=call.account_id,
            at=call.now,
            asked_by=call.caller.arn,
            who=who,
            action=asked.action,
            resource=asked.resource,
            owner=asked.owner,
            source_ip=_given(asked, "aws:sourceip", call.peer.source_ip)[:_LONGEST_ADDRESS],
            user_agent=_given(asked, "aws:useragent", call.peer.user_agent)[: audit.LONGEST],
            outcome=decision.outcome.value,
            layer=decision.layer.value if decision.layer is not None else "",
            refusal="" if decision.allowed else policy.sentence(asked, decision)[:2048],
            decision_id=decision_id,
        )
        call.node.data_events.add(call.account_id, entry, wanted, made)


def _given(asked: policy.Request, key: str, otherwise: str) -> str:
    """The key that the service gave of its own client, which is who did something; else what is known of the service."""
    value = asked.context.get(key)
    return value.replace("\0", "\ufffd") if isinstance(value, str) else otherwise


def entry(wanted: DataSelectors, decided: Decided) -> Entry | None:
    """The entry of a decision, None when no selector takes it."""
    record = _record(decided)
    event = {
        "eventCategory": DATA,
        "eventSource": record["event_source"],
        "eventName": record["event_name"],
        "eventType": record["event_type"],
        "readOnly": record["read_only"],
        "userIdentity": json.loads(record["identity"]),
        "resources": json.loads(record["resources"]),
    }
    if not any(selectors.selected(_parsed(kind, text), event) for kind, text in wanted):
        return None
    return Entry(audit.KIND, json.dumps(record), account=record["account_id"])


@lru_cache(maxsize=64)
def _parsed(kind: str, text: str) -> selectors.Selectors:
    return selectors.parsed(None, text) if kind == "advanced" else selectors.parsed(text, None)


def _record(decided: Decided) -> dict[str, Any]:
    """The columns of AuditRecord. Of a principal of another account, its id and account are shown, as CloudTrail shows a stranger."""
    who = decided.who
    own = who.subject.account_id == decided.account_id
    identity = identities.of(who) if own else identities.elsewhere(who)
    prefix, _, name = decided.action.partition(":")
    shown = {"ARN": decided.resource, "accountId": decided.owner, "type": resources.data_type(prefix, decided.resource)}
    outcome = {"decision": decided.outcome, "layer": decided.layer, "decisionId": decided.decision_id, "askedBy": decided.asked_by}
    return {
        "id": decided.decision_id if "/" not in decided.decision_id else str(uuid.uuid5(uuid.NAMESPACE_OID, decided.decision_id)),
        "account_id": decided.account_id,
        "at": decided.at.isoformat(),
        "event_source": f"{prefix.lower()}.amazonaws.com",
        "event_name": name,
        "read_only": _READS.match(name) is not None,
        "principal_id": who.user_id,
        "principal_arn": who.arn if own else "",
        "access_key_id": who.subject.access_key_id if own else "",
        "source_ip": decided.source_ip,
        "user_agent": decided.user_agent,
        "request": json.dumps({"action": decided.action, "resource": decided.resource}),
        "response": json.dumps({key: value for key, value in outcome.items() if value}),
        "error_code": "AccessDenied" if decided.refusal else None,
        "error_message": decided.refusal or None,
        "category": DATA,
        "event_type": UNSAID["event_type"],
        "region": audit.REGION,
        "username": identity.username,
        "identity": identity.text,
        "resources": json.dumps([shown]),
        "tls": UNSAID["tls"],
        "shared_id": None,
    }
