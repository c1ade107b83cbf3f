"""Cedar (cedarpy, Rust): policies parsed once, as conditions over strings, and as Cedar likes it: what can be an entity is one.

In the second writing action patterns are groups of actions and resource prefixes are containers, so that Cedar can leave policies out
by their scope.
"""

import json
from collections.abc import Iterator
from typing import Any

from bench.peers import Arm, InProcess, library
from bench.workload import Request, Statement, Workload

NAME, CONDITIONS = "cedar", True


def writings(workload: Workload) -> Iterator[tuple[str, Arm]]:
    """Strings, and entities where there are resources to tell statements apart."""
    cedar = library("cedarpy")
    yield "strings", _arm(cedar, "\n".join(map(_by_strings, workload.statements)), [], [_asked(request) for request in workload.requests])
    text = "\n".join(map(_by_entities, workload.statements))
    requests = [
        {**_asked(request), "action": f'Action::"{request.action}"', "resource": f'Thing::"{request.resource}"'}
        for request in workload.requests
    ]
    yield "entities", _arm(cedar, text, _entities(workload), requests)


def _arm(cedar: Any, text: str, entities: list[dict[str, Any]], requests: list[dict[str, Any]]) -> InProcess:
    policies, known = cedar.PolicySet.from_str(text), cedar.Entities.from_json_str(json.dumps(entities))
    ask = cedar.is_authorized
    return InProcess(lambda request: ask(request, policies, known).allowed, requests)


def _conditions(statement: Statement) -> str:
    team = f'context.team like "{statement.team}"' if "*" in statement.team else f'context.team == "{statement.team}"'
    return f'{team} && {"!" if statement.outside else ""}context.address.isInRange(ip("{statement.network}"))'


def _by_strings(statement: Statement) -> str:
    tests = [f'context.action like "{statement.action}"', _conditions(statement)]
    if statement.resource != "*":
        tests.insert(1, f'context.resource like "{statement.resource}"')
    return f'{_effect(statement)}(principal == User::"alice", action, resource) when {{ {" && ".join(tests)} }};'


def _by_entities(statement: Statement) -> str:
    scope = "resource" if statement.resource == "*" else f'resource in Under::"{statement.resource}"'
    action = f'action in Action::"{statement.action}"'
    return f'{_effect(statement)}(principal == User::"alice", {action}, {scope}) when {{ {_conditions(statement)} }};'


def _effect(statement: Statement) -> str:
    return "forbid" if statement.deny else "permit"


def _asked(request: Request) -> dict[str, Any]:
    return {
        "principal": 'User::"alice"',
        "action": 'Action::"call"',
        "resource": 'Thing::"any"',
        "context": {
            "action": request.action,
            "resource": request.resource,
            "team": request.team,
            "address": {"__extn": {"fn": "ip", "arg": request.address}},
        },
    }


def _entities(workload: Workload) -> list[dict[str, Any]]:
    patterns = sorted({statement.action for statement in workload.statements if "*" in statement.action})
    prefixes = {statement.resource[:-1] for statement in workload.statements} - {""}
    entities = []
    for action in sorted({request.action for request in workload.requests}):
        groups = [("Action", pattern) for pattern in patterns if action.startswith(pattern[:-1])]
        entities.append(_entity("Action", action, groups))
    for resource in sorted({request.resource for request in workload.requests}):
        above = [resource[:length] for length in range(len(resource)) if resource[:length] in prefixes]
        entities.append(_entity("Thing", resource, [("Under", f"{prefix}*") for prefix in above]))
    return entities


def _entity(kind: str, name: str, parents: list[tuple[str, str]]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": {}, "parents": [{"type": kind_, "id": name_} for kind_, name_ in parents]}
