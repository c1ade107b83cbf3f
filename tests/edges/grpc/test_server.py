"""What the gRPC server announces to everybody who connects, looked at frame by frame (RFC 9113), and what it answers to whom."""

from tests.edges.grpc import frames
from tests.edges.grpc.frames import Peer
from tests.served import Served


def test_a_connection_carries_a_hundred_calls_at_once_and_no_more(served: Served) -> None:
    with Peer(served.endpoints["grpc"]) as peer:
        assert peer.settings()[frames.MAX_CONCURRENT_STREAMS] == 100
