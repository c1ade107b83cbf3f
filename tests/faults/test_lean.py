"""The lean listener of a real server: told to stop under load, and under load for long. `make campaign` does more of both."""

import os
import re
import signal
import threading
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.calls import Load, Seen
from sekisho.edges.grpc.handlers import AUTHORIZE
from sekisho.edges.grpc.server import AGE
from sekisho.sigv4 import bearer
from tests.harness import BY_NAME
from tests.served import Served, serving

pytestmark = pytest.mark.faults

STOPS = int(os.environ.get("STOPS", "2"))
CALLS = int(os.environ.get("CALLS", "2000"))
QUESTION = BY_NAME["Authorize"].request(action="orders:Ship", resource="*").SerializeToString()
ANSWERED = {"0", "8"}
"""Ends of calls while the server runs: with a decision, or refused because there are too many."""
STOPPED = {"1", "14", "closed", "reset", "lost"}
"""Ends of calls that came when it was told to stop: not begun by then, so that its caller may ask elsewhere."""


def load(served: Served, connections: int = 10) -> Load:
    """Calls of the root user."""
    token = bearer.make(served.root, "sekisho", datetime.now(UTC))
    return Load(served.endpoints["grpc"], AUTHORIZE, QUESTION, (("authorization", token),), connections=connections)


def scraped(served: Served, metric: str) -> float:
    """A number of the server's metrics, 0 where it is not there."""
    with urllib.request.urlopen(f"http://{served.endpoints['http']}/metrics", timeout=60) as answer:
        found = re.search(rf"^{re.escape(metric)} (\S+)$", answer.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def descriptors_of(served: Served) -> int:
    """How many files and connections the server has open."""
    return sum(1 for _ in Path(f"/proc/{served.process.pid}/fd").iterdir())


def resident(served: Served) -> int:
    """Bytes of memory that the server has."""
    return int(Path(f"/proc/{served.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("number", range(STOPS))
def test_it_stops_when_told_to_under_load(tmp_path: Path, number: int) -> None:
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, listener="lean") as served:
        calls = load(served)
        seen = Seen()
        thread = threading.Thread(target=lambda: calls.closed(streams=10, seconds=60, seen=seen))
        thread.start()
        limit = time.monotonic() + 60
        while seen.ends["0"] < 100 + 50 * number:
            assert time.monotonic() < limit
            time.sleep(0.001)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(timeout=60) == 0
        thread.join()
        assert set(+seen.ends) <= ANSWERED | STOPPED
        assert "lean.fault" not in served.log.read_text()
        assert "server.cut" not in served.log.read_text()


def test_many_calls_leave_nothing_behind(tmp_path: Path) -> None:
    """Neither calls nor descriptors nor memory, and the listener's own thread is what answered them."""
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, listener="lean") as served:
        calls, done, renewed = load(served), Counter[str](), time.monotonic()
        done.update(calls.closed(streams=10, seconds=1.0).ends)
        descriptors, memory = descriptors_of(served), resident(served)
        while done.total() < CALLS:
            if time.monotonic() - renewed > AGE / 4:  # this client does not hear that the server wants its connections to end
                calls.close()
                calls, renewed = load(served), time.monotonic()
            done.update(calls.closed(streams=10, seconds=1.0).ends)
        assert set(+done) <= ANSWERED
        assert descriptors_of(served) <= descriptors + 5
        assert resident(served) <= memory + 32 * 1024 * 1024
        limit = time.monotonic() + 60
        while scraped(served, 'sekisho_lean_calls_total{end="inline"}') < done["0"] / 2:
            assert time.monotonic() < limit
            time.sleep(0.1)
        assert scraped(served, 'sekisho_lean_connections{worker="0"}') == 10.0
        calls.close()
        while scraped(served, 'sekisho_lean_connections{worker="0"}'):
            assert time.monotonic() < limit
            time.sleep(0.1)
        assert served.stop() == 0
