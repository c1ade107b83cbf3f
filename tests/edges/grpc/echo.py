"""An echo behind the doors of the real server: its options, its waiting for messages, little room."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc

from sekisho.edges.budgets import Budget
from sekisho.edges.grpc import sizes
from sekisho.edges.grpc.arrivals import Arrivals
from sekisho.edges.grpc.receives import Receives
from sekisho.edges.grpc.server import OPTIONS
from sekisho.edges.lanes import Claim, Lane

METHOD = "/test.Echo/Say"
SLOTS = 8
"""Unfinished messages of the worker; an address has half of them."""


class Echo:
    """An echo with room for a few messages; callers may take half a minute to send theirs. `options` replace the server's own."""

    def __init__(self, stack: ExitStack, options: dict[str, int] | None = None) -> None:
        self.budget = Budget(SLOTS * sizes.MAX_MESSAGE, SLOTS // 2 * sizes.MAX_MESSAGE)
        self.said: list[bytes] = []
        lane = Lane("test", threads=2, waiting=1000)
        waiting = Receives(self.budget, patience=30.0)

        def say(body: bytes, _context: grpc.ServicerContext) -> bytes:
            self.said.append(body)
            return body

        say.experimental_thread_pool = Arrivals(lane, lambda _: Claim(), waiting)  # type: ignore[attr-defined]
        chosen = dict(OPTIONS) | {"grpc.so_reuseport": 0} | (options or {})
        server = grpc.server(ThreadPoolExecutor(1), options=list(chosen.items()))
        handler = grpc.unary_unary_rpc_method_handler(say)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Say": handler}),))
        self.endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        stack.callback(lane.shutdown)
        stack.callback(waiting.close)
        stack.callback(lambda: server.stop(0).wait())
