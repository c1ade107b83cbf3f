"""What the gRPC server announces to everybody who connects, looked at frame by frame (RFC 9113)."""

import socket
import struct

from tests.served import Served

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = 4
MAX_CONCURRENT_STREAMS = 3
EMPTY_SETTINGS = b"\0\0\0\x04\0\0\0\0\0"


def settings(endpoint: str) -> dict[int, int]:
    """The first SETTINGS frame of a server: each identifier with its value."""
    host, _, port = endpoint.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection, connection.makefile("rb") as reader:
        connection.sendall(PREFACE + EMPTY_SETTINGS)
        while True:
            head = reader.read(9)
            body = reader.read(int.from_bytes(head[:3]))
            if head[3] == SETTINGS and not head[4]:  # no acknowledgement
                return dict(struct.iter_unpack(">HI", body))


def test_a_connection_carries_a_hundred_calls_at_once_and_no_more(served: Served) -> None:
    assert settings(served.endpoints["grpc"])[MAX_CONCURRENT_STREAMS] == 100
