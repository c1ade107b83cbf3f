"""A house for each module, an account for each test, and questions to it, which take both ways through a gRPC server."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from sekisho import errors, sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls.call import Peer
from sekisho.calls.workloads import Workloads
from sekisho.credentials import accounts
from sekisho.edges.grpc.lean.served import Lean
from sekisho.edges.grpc.server import Server
from sekisho.node import listeners
from sekisho.node.roles import GRPC, ROLES
from tests import clock
from tests.harness import BY_NAME, House
from tests.services.conftest import refused, shared  # noqa: F401  # fixtures, found by their names here

Ask = Callable[..., pb.AuthorizeResponse]


class Wired(House):
    """A house whose Authorize comes over gRPC."""

    channel: grpc.Channel

    def call(self, name: str, /, _as: sigv4.Credentials | None = None, _peer: Peer | None = None, **fields: Any) -> Any:
        """As in any house; an error is one of the code and the message that arrived."""
        if name != "Authorize" or _peer is not None:
            return super().call(name, _as, _peer, **fields)
        operation = BY_NAME[name]
        body = operation.request(**fields).SerializeToString()
        signed = sigv4.sign_call(_as or self.root, operation.path, body, "sekisho", clock.now(), nonce=secrets.token_urlsafe(16))
        try:
            answer, call = self.channel.unary_unary(operation.path, None, None).with_call(body, metadata=signed, timeout=self.seconds)
        except grpc.RpcError as error:
            raise arrived(error) from None
        self.revision = str(dict(call.trailing_metadata() or ())["sekisho-revision"])
        return operation.response.FromString(answer)


def arrived(error: Any) -> errors.SekishoError:
    """The error that an answer tells of."""
    info = error_details_pb2.ErrorInfo()
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert status_pb2.Status.FromString(details).details[0].Unpack(info)
    made = type(info.metadata["code"], (errors.SekishoError,), {"grpc": error.code().name})
    found: errors.SekishoError = made(error.details())
    return found


@pytest.fixture(scope="module", params=["stock", "lean"])
def channel(request: pytest.FixtureRequest, shared: House) -> Iterator[grpc.Channel]:  # noqa: F811  # the fixture
    """To a server of the module's node, on the listener of grpcio or the lean one."""
    with ExitStack() as stack:
        lanes = ROLES["all"].lanes(GRPC)
        if request.param == "lean":
            stack.callback(lanes.close)
            bound = listeners.shared("127.0.0.1:0")
            stack.enter_context(Lean(shared.node, lanes, bound, workloads=Workloads(), grace=1.0, age=600.0))
            endpoint = listeners.address(bound)
        else:
            server = stack.enter_context(Server(shared.node, lanes, "127.0.0.1:0", workloads=Workloads(), grace=1.0))
            endpoint = f"127.0.0.1:{server.port}"
        yield stack.enter_context(grpc.insecure_channel(endpoint, (("grpc.max_send_message_length", -1),)))


@pytest.fixture
def house(shared: House, channel: grpc.Channel) -> House:  # noqa: F811  # the fixture
    """A new account on the module's node."""
    made = Wired(shared.node, accounts.create(shared.node.database, shared.node.ring))
    made.channel = channel
    return made


@pytest.fixture
def ask(house: House) -> Ask:
    """Asks whether somebody may ship an order; by default the root user asks."""

    def question(**fields: Any) -> pb.AuthorizeResponse:
        defaults = {"action": "orders:Ship", "resource": f"arn:aws:orders::{house.account_id}:order/1"}
        made: pb.AuthorizeResponse = house.call("Authorize", **{**defaults, **fields})
        return made

    return question
