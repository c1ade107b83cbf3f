"""moto's evaluator (Python): IAM documents, parsed once. It leaves the conditions of identity policies out, which its answers show."""

import json
from collections.abc import Iterator

from bench.peers import Arm, InProcess, library
from bench.workload import Request, Workload, iam_policy

NAME, CONDITIONS = "moto", False


def writings(workload: Workload) -> Iterator[tuple[str, Arm]]:
    """The document as it is."""
    control = library("moto.iam.access_control")
    policy, permitted = control.IAMPolicy(json.dumps(iam_policy(workload))), control.PermissionResult.PERMITTED

    def decide(request: Request) -> bool:
        return policy.is_action_permitted(request.action, request.resource) is permitted

    yield "document", InProcess(decide, workload.requests)
