"""Clients' sockets, as the thread that polls them has them: TLS, what is read, and what waits to be sent."""

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sekisho.edges.grpc.lean.connection import Connection

READ = 16 * 1024
"""Bytes that are read of a client before it is another's turn."""
UNSENT = 256 * 1024
"""Bytes that wait to be sent, beyond which no more is read of a client."""
INSECURE: Mapping[str, Any] = {"transport_security_type": [b"insecure"]}
"""What gRPC's authentication context says without TLS."""

_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Gone(Exception):  # noqa: N818  # what has happened
    """The client has gone, or never was one."""


class Peer:
    """A client. `stuck` is since when nothing could be sent to it, `parted` since when nothing more will be, `ends` when it is told to go;
    `held` are the bytes of answers that wait for it, `taken` the flows whose message has gone to it, `asked` when it was asked for a sign.
    """

    __slots__ = (
        "address",
        "asked",
        "auth",
        "began",
        "connection",
        "ends",
        "held",
        "mask",
        "name",
        "number",
        "parted",
        "shaking",
        "stuck",
        "taken",
        "unsent",
        "_socket",
    )

    connection: Connection

    def __init__(self, connected: socket.socket, where: tuple[Any, ...], address: str, began: float, ends: float) -> None:
        self._socket, self.number = connected, connected.fileno()
        host, port = where[:2]
        self.name = f"ipv6:%5B{host}%5D:{port}" if ":" in host else f"ipv4:{host}:{port}"
        self.address, self.began, self.ends = address, began, ends
        self.auth: Mapping[str, Any] = INSECURE
        self.shaking = isinstance(connected, ssl.SSLSocket)
        self.unsent = _NOTHING
        self.stuck = self.parted = self.asked = 0.0
        self.taken: list[Any] = []
        self.mask = self.held = 0

    def shake(self) -> None:
        """Go on with the handshake; Gone where the client does not speak HTTP/2, or shows no certificate that is asked for."""
        tls: Any = self._socket
        try:
            tls.do_handshake()
        except _LATER:
            return
        except (OSError, ValueError):
            raise Gone from None
        if tls.selected_alpn_protocol() != "h2":
            raise Gone
        self.shaking = False
        auth: dict[str, Any] = {"transport_security_type": [b"ssl"]}
        if certificate := tls.getpeercert(binary_form=True):
            auth["x509_pem_cert"] = [ssl.DER_cert_to_PEM_cert(certificate).encode()]
        self.auth = auth

    def read(self) -> bytes:
        """What has come, nothing where nothing has; Gone at the end."""
        try:
            data = self._socket.recv(READ)
        except _LATER:
            return b""
        except OSError:
            raise Gone from None
        if not data:
            raise Gone
        return data

    @property
    def has_more(self) -> bool:
        """True where TLS has opened bytes that no poll tells of."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def send(self, now: float) -> None:
        """Send what there is, as far as that goes; Gone where it does not go at all."""
        out = self.connection.out
        data: bytes | memoryview = self.unsent
        if out:
            data = b"".join((data, *out)) if data or len(out) > 1 else out[0]
            out.clear()
        if not data:
            return
        try:
            sent = self._socket.send(data)
        except _LATER:
            sent = 0
        except OSError:
            raise Gone from None
        self.unsent = _left(data, sent)
        if not self.unsent:
            self.stuck = 0.0
        elif sent or not self.stuck:
            self.stuck = now

    def part(self, now: float) -> None:
        """Send nothing more. What it still sends is read on, until it closes: if it was not, what it has not received yet would be lost
        (RFC 9112, 9.6). Gone where it has closed already.
        """
        try:
            socket.socket.shutdown(self._socket, socket.SHUT_WR)  # TLS's own would end the reading, too
        except OSError:
            raise Gone from None
        self.parted = now

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self._socket.close()


_NOTHING = memoryview(b"")


def _left(data: bytes | memoryview, sent: int) -> memoryview:
    """What is left of data that has gone in part. Of megabytes some kilobytes may go at a time: they are copied when half of them have
    gone, so that what is kept is no more than twice what is counted.
    """
    if sent == len(data):
        return _NOTHING
    left = memoryview(data)[sent:]
    whole: bytes = left.obj  # type: ignore[assignment]  # of what we join, and never of anything else
    return left if 2 * len(left) >= len(whole) else memoryview(bytes(left))
