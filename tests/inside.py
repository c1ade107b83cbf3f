"""A house with a real gRPC server in the test's own process, so that a test sees both what comes and what the server holds for it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from sekisho import sigv4
from sekisho.calls.workloads import Workloads
from sekisho.client import Client, Retries, transport
from sekisho.edges.grpc.lean.port import SUPPORTED
from sekisho.edges.grpc.lean.served import Lean
from sekisho.edges.grpc.server import Server
from sekisho.edges.lanes import Lanes
from sekisho.node import listeners
from tests.harness import House, house


@dataclass
class Inside:
    """The house, its server, and where that listens."""

    house: House
    server: Server | Lean
    address: str

    def client(self, credentials: sigv4.Credentials | None = None, timeout: float = 60.0) -> Client:
        """A client on a connection of its own."""
        with mock.patch.object(transport, "OPTIONS", (*transport.OPTIONS, ("grpc.use_local_subchannel_pool", 1))):
            made = Client(self.address, credentials or self.house.root, timeout=timeout, retries=Retries(attempts=100))
        made.sts.get_caller_identity()  # connects, with as many tries as that takes on a busy machine; a stream has only one
        return made


@contextmanager
def inside(url: str, folder: Path, *, lean: bool = SUPPORTED) -> Iterator[Inside]:
    """A server on an empty database, on the listener that is usual, or on one of the two."""
    with ExitStack() as stack:
        made = stack.enter_context(house(url, folder))
        if lean:
            server, address = stack.enter_context(leanly(made))
            yield Inside(made, server, address)
        else:
            stock = stack.enter_context(served(made))
            yield Inside(made, stock, f"127.0.0.1:{stock.port}")


@contextmanager
def served(made: House) -> Iterator[Server]:
    """A server of a house."""
    lanes = Lanes("inside", decide=4, control=4)
    with Server(made.node, lanes, "127.0.0.1:0", workloads=Workloads(), grace=5.0) as server:
        yield server


@contextmanager
def leanly(made: House) -> Iterator[tuple[Lean, str]]:
    """The same on the lean listener, and where that listens."""
    lanes, bound = Lanes("inside", decide=4, control=4), listeners.shared("127.0.0.1:0")
    where = listeners.address(bound)
    with Lean(made.node, lanes, bound, workloads=Workloads(), grace=5.0, age=60.0) as lean:
        yield lean, where
    lanes.close()
