"""vakt (Python): a policy object a statement, rules on action, resource and context."""

from collections.abc import Iterator
from typing import Any

from bench.peers import Arm, InProcess, library
from bench.workload import PRINCIPAL, Statement, Workload

NAME, CONDITIONS = "vakt", True


def writings(workload: Workload) -> Iterator[tuple[str, Arm]]:
    """Policies in its storage in memory, asked by its checker of rules."""
    vakt, rules = library("vakt"), library("vakt.rules")
    storage = vakt.MemoryStorage()
    for statement in workload.statements:
        storage.add(_policy(vakt, rules, statement))
    guard = vakt.Guard(storage, vakt.RulesChecker())
    requests = [
        vakt.Inquiry(
            subject=PRINCIPAL,
            action=request.action,
            resource=request.resource,
            context={"team": request.team, "address": request.address},
        )
        for request in workload.requests
    ]
    yield "rules", InProcess(guard.is_allowed, requests)


def _policy(vakt: Any, rules: Any, statement: Statement) -> Any:
    action = rules.StartsWith(statement.action[:-1]) if "*" in statement.action else rules.Eq(statement.action)
    inside = rules.CIDR(statement.network)
    return vakt.Policy(
        statement.sid,
        effect=vakt.DENY_ACCESS if statement.deny else vakt.ALLOW_ACCESS,
        subjects=[rules.Eq(PRINCIPAL)],
        actions=[action],
        resources=[rules.Any() if statement.resource == "*" else rules.StartsWith(statement.resource[:-1])],
        context={
            "team": rules.Contains(statement.team[1:-1]) if "*" in statement.team else rules.Eq(statement.team),
            "address": rules.Not(inside) if statement.outside else inside,
        },
    )
