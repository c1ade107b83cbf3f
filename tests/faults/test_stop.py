"""SIGTERM while somebody's computation lasts: the server ends all the same."""

import contextlib
import threading
import time
from pathlib import Path

import grpc
import pytest

from tests import served
from tests.harness import BY_NAME
from tests.services.iam.documents import allow

pytestmark = pytest.mark.faults

ENDLESS = """
from sekisho.services.iam import simulator

def endless(*_, **__):
    open("{begun}", "w").close()
    while True:
        pass

simulator.Simulation.result = endless
"""


def test_a_simulation_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """It computes for ever here; nobody waits for it beyond the grace that calls under way have."""
    begun = tmp_path / "begun"
    program = ENDLESS.format(begun=begun) + served.PROGRAM
    with served.serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, program=program) as server:
        operation = BY_NAME["SimulateCustomPolicy"]
        body = operation.request(policy_input_list=[allow("s3:*")], action_names=["s3:GetObject"]).SerializeToString()

        def simulate() -> None:
            with contextlib.suppress(grpc.RpcError):
                server.send(operation.path, body, served.signed(server.root, operation.path, body), timeout=300.0)

        simulating = threading.Thread(target=simulate, daemon=True)
        simulating.start()
        limit = time.monotonic() + 60
        while not begun.exists():
            assert time.monotonic() < limit
            time.sleep(0.02)
        assert server.stop() == 0
        simulating.join(60)
        assert not simulating.is_alive()
