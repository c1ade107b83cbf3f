"""An edge for tests that has its worker hold memory: `/hold/400` makes it 400 MiB more. The answer is the worker's process."""

import os
from datetime import timedelta

from sekisho.calls.call import Node
from sekisho.edges.http.listener import Event, Receive, Send
from sekisho.edges.lanes import Lanes

_held: list[bytearray] = []


class Greedy:
    """The edge of a node."""

    def takes(self, scope: Event) -> bool:
        """True of what it is asked to hold."""
        return str(scope["path"]).startswith("/hold/")

    async def __call__(self, scope: Event, _receive: Receive, send: Send) -> None:
        """Hold it."""
        size = int(scope["path"].removeprefix("/hold/")) * 1024 * 1024
        _held.append(bytearray(b"x") * size)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


def edge(_node: Node, _lanes: Lanes, _skew: timedelta) -> Greedy:
    """The edge, for `serve`."""
    return Greedy()
