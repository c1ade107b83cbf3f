"""How the lean listener of a worker ends."""

import socket
import threading
import time
from pathlib import Path
from typing import Any

import grpc

from sekisho.calls.workloads import Workloads
from sekisho.edges.grpc.lean.asked import Method
from sekisho.edges.grpc.lean.served import Lean
from sekisho.edges.lanes import Lanes
from tests import harness
from tests.edges.grpc.ways import BESIDE, CLIENT, PATIENCE


def test_its_end_does_not_shorten_the_time_that_calls_were_given(database_url: str, tmp_path: Path) -> None:
    """A worker that leaves gives its calls longer than one that stops."""
    entered, gate = threading.Event(), threading.Event()

    def hold(body: bytes, _context: Any) -> bytes:
        entered.set()
        gate.wait(PATIENCE)
        return body

    with harness.house(database_url, tmp_path) as house, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        lanes = Lanes("test", decide=2, control=2)
        lean = Lean(house.node, lanes, bound, workloads=Workloads(), grace=0.0, age=60.0)
        lean._port._methods = {BESIDE: Method(BESIDE, None, hold, lanes.control)}
        with grpc.insecure_channel(f"127.0.0.1:{bound.getsockname()[1]}", CLIENT) as channel:
            began = time.monotonic()
            with lean:
                call = channel.unary_unary(BESIDE, None, None).future(b"late", timeout=PATIENCE)
                assert entered.wait(PATIENCE)
                assert began <= lean.turned <= time.monotonic()  # by which a worker that hangs is told
                over = lean.stop(PATIENCE)
                threading.Timer(0.5, gate.set).start()
            assert call.result() == b"late"
            assert over.is_set()
        lanes.close()
