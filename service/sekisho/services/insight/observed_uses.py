"""What a principal did and was permitted, as the records of the trail tell it.

A data event is a decision, and says its action and its resource. A management event is a call of ours: what its rpc demands says the
actions, and the event's resources on what. What was refused is no use.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, or_, select

from sekisho import arn
from sekisho.analysis.generation import Used
from sekisho.calls import audit
from sekisho.calls.call import Call
from sekisho.operations import OPERATIONS, Check, Operation
from sekisho.services.insight.errors import LimitExceeded
from sekisho.store.db import remaining
from sekisho.store.tables import AuditRecord
from sekisho.store.tables.trail import DATA
from sekisho.world import EntityRecord

MOST_EVENTS = 100_000
"""Events that one call looks at; and the different actions on resources that it makes a policy of."""
MOST_USES = 5_000
_BATCH = 1_000

Pair = tuple[str, str]
"""An action, and the resource that it was permitted on."""


class Observed(NamedTuple):
    """The uses, each action on each resource once, and how many events they are of."""

    uses: tuple[Used, ...]
    events: int


def load(call: Call, who: EntityRecord, begins: datetime, ends: datetime) -> Observed:
    """The uses of a user or role in a window; LimitExceeded when there are too many events in it, or too many different uses."""
    counts: Counter[Pair] = Counter()
    events = 0
    for record in _records(call, who, begins, ends):
        events += 1
        if events > MOST_EVENTS:
            raise LimitExceeded(f"there are more than {MOST_EVENTS} events in the window; ask for a shorter one")
        counts.update(dict.fromkeys(pairs(record), record.count))
        if len(counts) > MOST_USES:
            raise LimitExceeded(f"more than {MOST_USES} different uses are in the window; ask for a shorter one")
    return Observed(tuple(_used(call, pair, times) for pair, times in sorted(counts.items())), events)


def _used(call: Call, pair: Pair, times: int) -> Used:
    action, resource = pair
    return Used(action, resource, arn.account_of(resource) or call.account_id, arn.region_of(resource) or audit.REGION, times)


def _records(call: Call, who: EntityRecord, begins: datetime, ends: datetime) -> Iterator[AuditRecord]:
    """What the principal did without being refused, the oldest first; a role's sessions have its id before a colon."""
    own = AuditRecord.principal_id == who.id if who.kind == "user" else AuditRecord.principal_id.like(f"{who.id}:%")
    wanted = (AuditRecord.account_id == call.account_id, own, AuditRecord.error_code.is_(None), AuditRecord.at <= ends)
    after = (begins, "")
    while True:
        remaining(call.deadline)
        behind = or_(AuditRecord.at > after[0], and_(AuditRecord.at == after[0], AuditRecord.id > after[1]))
        query = select(AuditRecord).where(*wanted, AuditRecord.at >= after[0], behind)
        rows = call.session.scalars(query.order_by(AuditRecord.at, AuditRecord.id).limit(_BATCH)).all()
        yield from rows
        if len(rows) < _BATCH:
            return
        after = (rows[-1].at, rows[-1].id)
        call.session.expunge_all()


def pairs(record: AuditRecord) -> Iterator[Pair]:
    """What a record shows to have been permitted."""
    request = _object(record.request)
    if record.category == DATA:
        action, resource = request.get("action"), request.get("resource")
        if isinstance(action, str) and isinstance(resource, str):
            yield action, resource
        return
    operation = _by_event().get((record.event_source, record.event_name))
    if operation is None:
        return
    named = [one["ARN"] for one in _list(record.resources) if isinstance(one, dict) and isinstance(one.get("ARN"), str)]
    if operation.permitted_to_all:  # but for what a trust policy leaves to the caller's own policies
        yield from ((operation.action, resource) for resource in named)
        return
    for check in operation.checks:
        if not check.when_field or _camel(check.when_field) in request:
            action = check.action or operation.action
            yield from ((action, resource) for resource in _resources(check, named))


def _resources(check: Check, named: list[str]) -> list[str]:
    """The resources that a check was about: those of its kind, or where none says that, all of them; `*` for one about none."""
    if not check.kind:
        return ["*"]
    of_kind = [resource for resource in named if resource.split(":", 5)[-1].partition("/")[0] == check.kind]
    return of_kind or named or ["*"]


def _by_event() -> Mapping[tuple[str, str], Operation]:
    if not _OPERATIONS:
        _OPERATIONS.update({(one.service.event_source, one.name): one for one in OPERATIONS.values()})
    return _OPERATIONS


_OPERATIONS: dict[tuple[str, str], Operation] = {}


def _camel(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _object(text: str) -> dict[str, Any]:
    found = _read(text)
    return found if isinstance(found, dict) else {}


def _list(text: str) -> list[Any]:
    found = _read(text)
    return found if isinstance(found, list) else []


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # of a record that somebody wrote past this server
        return None
