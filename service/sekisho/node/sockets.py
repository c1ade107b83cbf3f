"""The sockets that this process has on one of its listeners' ports, which belong to libraries that do not show them.

They are found where Linux lists the files of a process; elsewhere there are none to be found.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sekisho.node import listeners

_FILES = Path("/proc/self/fd")


def refuse_connections(listener: str) -> None:
    """Have no connection come to this process any more; those that there are stay. Other processes on the port get the new ones."""
    for one in _on(listener):
        if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            one.shutdown(socket.SHUT_RD)


def connections(listener: str) -> int:
    """How many connections there are."""
    return sum(map(_is_connected, _on(listener)))


def _on(listener: str) -> Iterator[socket.socket]:
    """Copies of the sockets on a port, each closed when the next one is asked for."""
    _, port = listeners.split(listener)
    for file in list(_FILES.iterdir()) if _FILES.is_dir() else ():
        with suppress(OSError):  # a file that has been closed meanwhile, or is no socket
            copy = os.dup(int(file.name))
            try:
                one = socket.socket(fileno=copy)
            except OSError:
                os.close(copy)
                raise
            with one:
                if one.family in (socket.AF_INET, socket.AF_INET6) and one.getsockname()[1] == port:
                    yield one


def _is_connected(one: socket.socket) -> bool:
    try:
        one.getpeername()
    except OSError:
        return False
    return True
