"""A load for HTTP servers: requests that were made beforehand, sent over kept connections as fast as the answers come."""

import contextlib
import socket
import threading
import time
from collections.abc import Sequence

CONNECTIONS = 4


class FailedAnswer(Exception):  # noqa: N818  # ends the benchmark
    """An answer that is not 200."""


def send(address: tuple[str, int], requests: Sequence[bytes]) -> float:
    """Requests a second. The connections share the requests; each waits for its answer before it sends the next."""
    barrier = threading.Barrier(CONNECTIONS + 1)
    failures: list[BaseException] = []

    def worker(mine: Sequence[bytes]) -> None:
        try:
            with contextlib.closing(_Connection(address)) as connection:
                barrier.wait()
                for request in mine:
                    connection.ask(request)
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=worker, args=(requests[number::CONNECTIONS],)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    with contextlib.suppress(threading.BrokenBarrierError):
        barrier.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return len(requests) / (time.perf_counter() - began)


class _Connection:
    """A connection that is made again when the server closed it after an answer."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def ask(self, request: bytes) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(self._address)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        head = data[:end].lower()
        if not head.startswith((b"http/1.1 200", b"http/1.0 200")):
            raise FailedAnswer(data[:2000].decode(errors="replace"))
        missing = int(head.partition(b"content-length:")[2].split(b"\r\n")[0]) - (len(data) - end - 4)
        while missing > 0:
            missing -= len(self._more())
        if b"connection: close" in head or head.startswith(b"http/1.0"):
            self.close()

    def _more(self) -> bytes:
        assert self._socket is not None
        data = self._socket.recv(262_144)
        if not data:
            raise FailedAnswer("the server closed the connection")
        return data

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
