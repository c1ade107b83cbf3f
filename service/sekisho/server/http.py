"""The HTTP listener: `/healthz` (the process lives) and `/readyz` (it can answer)."""

import socket
import threading
import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sekisho.authorize.call import Node

STALE = 5.0
"""Seconds without a look at the database after which a worker says that it is not ready."""


def app(node: Node) -> Starlette:
    """The application."""

    def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    def readyz(_: Request) -> JSONResponse:
        age = time.monotonic() - node.world.fresh_at
        ready = age < STALE
        return JSONResponse({"status": "ok" if ready else "stale", "staleness_seconds": round(age, 3)}, status_code=200 if ready else 503)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])


class Listener:
    """uvicorn in a thread, on a socket that is bound already."""

    def __init__(self, node: Node, bound: socket.socket) -> None:
        config = uvicorn.Config(app(node), log_config=None, access_log=False, lifespan="off", http="httptools", timeout_keep_alive=10)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [bound]}, name="http", daemon=True)

    def start(self) -> None:
        """Begin to listen; returns when connections are accepted."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)

    def stop(self) -> None:
        """Finish what is under way, then stop."""
        self._server.should_exit = True
        self._thread.join(timeout=10)
