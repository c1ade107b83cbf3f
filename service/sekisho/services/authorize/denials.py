"""What an encoded authorization message says of a denial, in the shape of AWS's.

Whoever decodes it is of the denied principal's account. Where another account's service asked, the message has the request alone: neither
that account's policies nor what is said of its resources.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from sekisho import policy
from sekisho.calls.call import Call
from sekisho.credentials import authorization_messages
from sekisho.world import Question

_OF_OWNER = ("aws:resource",)
_TAGS = ("aws:resourcetag/",)
"""Of another account's resource, which may have registered them."""
_MOST_STATEMENTS = 16
_MOST_CHARACTERS = 65_536
"""Of the context: more does not fit into a message, however well it is packed, and would take long to find out."""


def encoded(call: Call, question: Question, decision: policy.Decision) -> str:
    """The message for the account of the principal; empty where there is no room for any."""
    return authorization_messages.sealed(_contents(call, question, decision), question[0].principal.account, call.node.ring, call.now)


def _contents(call: Call, question: Question, decision: policy.Decision) -> Iterator[dict[str, Any]]:
    """The whole, then without the conditions of the request, then without the statements."""
    asked = question[0]
    own = asked.principal.account == call.account_id
    matched = [_statement(asked, match) for match in decision.matched[:_MOST_STATEMENTS]] if own else []
    hidden = _OF_OWNER if not own else _TAGS if asked.owner != call.account_id else ()
    keys = {key: value for key, value in asked.context.items() if not key.startswith(hidden)}
    if sum(len(key) + sum(map(len, values)) for key, values in keys.items()) > _MOST_CHARACTERS:
        keys = {}
    for statements, values in ((matched, keys), (matched, {}), ([], {})):
        yield {
            "allowed": False,
            "explicitDeny": decision.outcome is policy.Outcome.EXPLICITLY_DENIED,
            "matchedStatements": {"items": statements},
            "failures": {"items": []},
            "context": {
                "principal": _principal(asked),
                "action": asked.action,
                "resource": asked.resource,
                "conditions": _conditions(values.items()),
            },
        }


def _principal(asked: policy.Request) -> dict[str, str]:
    name = asked.principal.arn.rpartition("/")[2] if "/" in asked.principal.arn else asked.principal.arn.rpartition(":")[2]
    return {"id": str(asked.context.get("aws:userid", "")), "name": name, "arn": asked.principal.arn}


def _statement(asked: policy.Request, match: policy.Match) -> dict[str, Any]:
    statement = match.statement
    named = statement.principals
    principals = (*named.aws, *named.service, *named.federated, *named.canonical) if named is not None else (_principal(asked)["id"],)
    return {
        "statementId": statement.sid or "",
        "effect": statement.effect.upper(),
        "principals": _items(principals or ("*",)),
        "principalGroups": {"items": []},
        "actions": _items(statement.actions),
        "resources": _items(statement.resources or ()),
        "conditions": _conditions((condition.key, condition.values) for condition in statement.conditions),
    }


def _conditions(keys: Iterable[tuple[str, str | tuple[str, ...]]]) -> dict[str, Any]:
    return {"items": [{"key": key, "values": _items((values,) if isinstance(values, str) else values)} for key, values in keys]}


def _items(values: Iterable[str]) -> dict[str, Any]:
    return {"items": [{"value": value} for value in values]}
