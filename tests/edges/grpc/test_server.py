"""What the gRPC server announces to everybody who connects, looked at frame by frame (RFC 9113), and what it answers to whom."""

import grpc

from tests.edges.grpc import frames
from tests.edges.grpc.frames import Peer
from tests.served import Served


def test_a_connection_carries_a_hundred_calls_at_once_and_no_more(served: Served) -> None:
    with Peer(served.endpoints["grpc"]) as peer:
        assert peer.settings()[frames.MAX_CONCURRENT_STREAMS] == 100


def check(served: Served) -> bytes:
    """What health says, from a connection of its own."""
    with grpc.insecure_channel(served.endpoints["grpc"]) as channel:
        answer: bytes = channel.unary_unary("/grpc.health.v1.Health/Check", None, None)(b"", timeout=60)
        return answer


SERVING = b"\x08\x01"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def test_health_answers_beside_fifty_open_reflection_streams(served: Served) -> None:
    with Peer(served.endpoints["grpc"]) as peer:
        peer.send(*[frames.headers(2 * index + 1, frames.opening(REFLECTION)) for index in range(50)])
        peer.send(frames.data(1, frames.message(b"\x3a\x00")))  # list the services: the streams are there
        while peer.receive()[0] != frames.DATA:
            pass
        assert check(served) == SERVING


def test_health_answers_beside_checks_that_send_no_message(served: Served) -> None:
    with Peer(served.endpoints["grpc"], source="127.0.0.2") as peer:
        peer.send(*[frames.headers(2 * index + 1, frames.opening("/grpc.health.v1.Health/Check")) for index in range(50)])
        peer.send(*[frames.headers(2 * index + 101, frames.opening("/grpc.health.v1.Health/Watch")) for index in range(50)])
        peer.send(frames.frame(frames.PING, 0, 0, b"12345678"))
        while peer.receive()[0] != frames.PING:
            pass
        assert check(served) == SERVING
