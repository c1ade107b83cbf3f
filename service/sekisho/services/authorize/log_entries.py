"""The entries of the decision log: who asked about whom, what came of it, why, and how long it took. No proof, no context, no tag."""

import time
from datetime import UTC, datetime

from sekisho import policy
from sekisho.calls.call import Call
from sekisho.journal.decision_log import Entry
from sekisho.store.changes import Point
from sekisho.world import Question


def note(call: Call, question: Question, decision: policy.Decision, point: Point, decision_id: str) -> None:
    """Have a decision logged, if there is a log and it wants it."""
    log = call.node.decision_log
    if log is not None and log.wants(decision_id, allowed=decision.allowed):
        now = time.time()
        log.add(entry, now, now - call.now.timestamp(), call.caller.arn, question[0], decision, point, decision_id)


def entry(
    now: float, seconds: float, caller: str, asked: policy.Request, decision: policy.Decision, point: Point, decision_id: str
) -> Entry:
    """The entry of a decision; `seconds` are those from the call's beginning, which a batch has once for all of its questions."""
    return {
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds"),
        "decision_id": decision_id,
        "account": asked.principal.account,
        "caller": caller,
        "principal": asked.principal.arn,
        "action": asked.action,
        "resource": asked.resource,
        "outcome": decision.outcome.value,
        "layer": decision.layer.value if decision.layer is not None else "",
        "matched": [_matched(match) for match in decision.matched],
        "error": decision.error,
        "revision": point.token,
        "microseconds": max(0, round(seconds * 1e6)),
    }


def _matched(match: policy.Match) -> Entry:
    return {
        "layer": match.layer.value,
        "policy": match.attached.arn or match.attached.name,
        "version": match.attached.version,
        "sid": match.statement.sid or "",
        "index": match.statement.index,
    }
