"""The messages of the example in docs/examples/orders, and what Sekisho answers about them."""

import sys
from typing import Any

import grpc

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.cli.examples import example

ACCOUNT = "111122223333"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
ORDER = "arn:aws:orders:eu-west-1:{account}:order/{order_id}"
BEARER = (("authorization", "Bearer dG9rZW4"),)


def messages() -> Any:
    """The module with the messages of orders.proto, compiled once for each process."""
    folder = str(example("orders"))
    sys.path.insert(0, folder)
    try:
        return grpc.protos("orders.proto")
    finally:
        sys.path.remove(folder)


def answer(outcome: Any = pb.OUTCOME_ALLOWED, **fields: Any) -> pb.AuthorizeResponse:
    """A decision about Alice."""
    return pb.AuthorizeResponse(outcome=outcome, decision_id="d-1", revision="r1", principal_arn=ALICE, **fields)


ALLOWED = answer().SerializeToString()
DENIED = answer(
    pb.OUTCOME_EXPLICITLY_DENIED,
    layer=pb.LAYER_SCP,
    matched=[pb.MatchedStatement(layer=pb.LAYER_SCP, policy_arn="arn:aws:organizations::1:policy/p-1", sid="NoShipping")],
).SerializeToString()
