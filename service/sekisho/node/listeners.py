"""Listeners: HOST:PORT as text and as sockets that the workers of one server share, and nobody else."""

import errno
import ipaddress
import socket

from sekisho.errors import FailedPrecondition, InvalidArgument


class PortInUse(FailedPrecondition):
    """Another program listens there, or another server of ours."""


def split(listener: str) -> tuple[str, int]:
    """`127.0.0.1:50051` or `[::1]:50051` as host and port."""
    host, _, port = listener.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidArgument(f"`{listener}` is not HOST:PORT")
    return host.strip("[]"), int(port)


def join(host: str, port: int) -> str:
    """Host and port as one text."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def beside(listener: str, index: int) -> str:
    """The listener that many ports further on; none is none, and a port that the system picks is another one anyway."""
    if not listener:
        return ""
    host, port = split(listener)
    return join(host, port + index if port else 0)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reserve(listener: str) -> socket.socket:
    """Take a port without listening on it: workers listen on it beside us (`shared`), and everybody else is refused.

    SO_REUSEPORT alone would let a second server of the same user in, which would then get half of the calls. So the port is taken alone,
    and opened to workers afterwards. Connections of an earlier server that are not forgotten yet (TIME_WAIT) do not stand in the way.
    """
    host, port = split(listener)
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        try:
            bound.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"cannot listen on {listener}: another program does already") from error
        raise FailedPrecondition(f"cannot listen on {listener}: {error.strerror}") from error
    return bound


def address(bound: socket.socket) -> str:
    """HOST:PORT of a bound socket."""
    host, port = bound.getsockname()[:2]
    return join(host, port)


def shared(listener: str) -> socket.socket:
    """A worker's own socket on a port that its server has reserved."""
    host, port = split(listener)
    # asyncio sets TCP_NODELAY only where it is told that this is TCP; without it every answer waits for a delayed ACK.
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # The second, so that its connections in TIME_WAIT do not keep the next server from `reserve`.
    for option in (socket.SO_REUSEPORT, socket.SO_REUSEADDR):
        bound.setsockopt(socket.SOL_SOCKET, option, 1)
    bound.bind((host, port))
    return bound
