"""Rego (celine-regorus, Rust): one rule over statements as data, with prefixes cut beforehand, since globs are compiled at every call.

Nothing but `net.cidr_contains` and string built-ins: the rule is what a reader of the data would write.
"""

import json
from collections.abc import Iterator

from bench.peers import Arm, InProcess, library
from bench.workload import Statement, Workload

NAME, CONDITIONS = "regorus", True

_RULE = """package authz
import rego.v1
default allow := false
allow if {
  not denied
  some statement in data.allows
  matches(statement)
}
denied if {
  some statement in data.denies
  matches(statement)
}
matches(statement) if {
  startswith(input.action, statement.action)
  startswith(input.resource, statement.resource)
  %s
}
"""
_TOLD_APART = "statement.team == input.team\n  net.cidr_contains(statement.network, input.address)"
_BY_PATTERN = "contains(input.team, statement.team)\n  not net.cidr_contains(statement.network, input.address)"


def writings(workload: Workload) -> Iterator[tuple[str, Arm]]:
    """The rule and its data; literal actions are as good as prefixes here."""
    engine = library("regorus").Engine()
    engine.add_policy("authz.rego", _RULE % (_BY_PATTERN if workload.shape.told_by == "pattern" else _TOLD_APART))
    engine.add_data(
        {
            "allows": [_row(statement) for statement in workload.statements if not statement.deny],
            "denies": [_row(statement) for statement in workload.statements if statement.deny],
        }
    )
    requests = [
        json.dumps({"action": request.action, "resource": request.resource, "team": request.team, "address": request.address})
        for request in workload.requests
    ]

    def decide(request: str) -> bool:
        engine.set_input_json(request)
        return engine.eval_rule("data.authz.allow") is True

    yield "rego", InProcess(decide, requests)


def _row(statement: Statement) -> dict[str, str]:
    return {
        "action": statement.action.removesuffix("*"),
        "resource": statement.resource.removesuffix("*"),
        "team": statement.team.strip("*"),
        "network": statement.network,
    }
