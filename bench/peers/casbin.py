"""pycasbin (Python): one matcher over a table of statements, and its FastEnforcer, which looks rows up by the team where that is a text."""

import logging
from collections.abc import Iterator
from typing import Any

from bench.peers import Arm, InProcess, library
from bench.workload import PRINCIPAL, Workload

NAME, CONDITIONS = "casbin", True

_LOOKED_UP = [3, 0]  # team and subject: two, no more, no less, or it fails
_MODEL = """
[request_definition]
r = sub, obj, act, team, address
[policy_definition]
p = sub, obj, act, team, network, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.sub == p.sub && %s && keyMatch(r.obj, p.obj) && keyMatch(r.act, p.act) && %s
"""


def writings(workload: Workload) -> Iterator[tuple[str, Arm]]:
    """The plain enforcer; the fast one where the team is a text."""
    casbin = library("casbin")
    logging.getLogger("casbin").setLevel(logging.ERROR)
    pattern = workload.shape.told_by == "pattern"
    team = "within(r.team, p.team)" if pattern else "r.team == p.team"
    address = "!ipMatch(r.address, p.network)" if pattern else "ipMatch(r.address, p.network)"
    text = _MODEL % (team, address)
    model = casbin.Model()
    model.load_model_from_text(text)
    yield "table", _arm(casbin.Enforcer(model), workload)
    if not pattern:
        model = library("casbin.model.model_fast").FastModel(_LOOKED_UP)
        model.load_model_from_text(text)
        yield "by team", _arm(casbin.FastEnforcer(model, cache_key_order=_LOOKED_UP), workload)


def _arm(enforcer: Any, workload: Workload) -> InProcess:
    enforcer.add_function("within", lambda given, pattern: pattern[1:-1] in given)
    table = enforcer.model.model["p"]["p"].policy
    for statement in workload.statements:  # `add_policies` does the same in quadratic time where there is a look-up
        effect = "deny" if statement.deny else "allow"
        table.append([PRINCIPAL, statement.resource, statement.action, statement.team, statement.network, effect])
    requests = [(PRINCIPAL, request.resource, request.action, request.team, request.address) for request in workload.requests]
    return InProcess(lambda request: enforcer.enforce(*request), requests)
