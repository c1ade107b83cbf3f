"""Sekisho: the evaluation of one program, and the whole decision with nothing but that program attached."""

from collections.abc import Iterator

from bench.peers import Arm, InProcess
from bench.workload import ACCOUNT, PRINCIPAL, Workload, iam_context, iam_policy
from sekisho import policy
from sekisho.policy import evaluate, keys
from sekisho.policy.compile import Program

NAME, CONDITIONS = "sekisho", True
PRINCIPAL_ = policy.Principal("user", PRINCIPAL, ACCOUNT)


def writings(workload: Workload) -> Iterator[tuple[str, Arm]]:
    """Both on the same program; the larger ones are longer than a document may be, so that they are not parsed from text."""
    program = policy.compile_policy(policy.from_json(iam_policy(workload)))
    requests = asked(workload)
    layers = policy.Layers(identity=(policy.Attached(program),))
    yield "evaluate", InProcess(lambda request: evaluated(program, request), requests)
    yield "decide", InProcess(lambda request: policy.decide(request, layers).allowed, requests)


def asked(workload: Workload) -> list[policy.Request]:
    """Requests as a server makes them, with the keys that the principal implies."""
    implied = {"aws:PrincipalArn": PRINCIPAL, "aws:PrincipalAccount": ACCOUNT, "aws:PrincipalType": "User", "aws:ResourceAccount": ACCOUNT}
    return [
        policy.Request(PRINCIPAL_, request.action, request.resource, ACCOUNT, keys.context({**implied, **iam_context(request)}))
        for request in workload.requests
    ]


def evaluated(program: Program, request: policy.Request) -> bool:
    """What `decide` does with one identity policy: no Deny matches and some Allow does."""
    deny, allow, _ = program.identity.get(request.action) or program.identity_bucket(request.action)
    if deny is not None and evaluate.first(deny, request.resource, request.context) is not None:
        return False
    return allow is not None and evaluate.first(allow, request.resource, request.context) is not None
