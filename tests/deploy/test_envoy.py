"""The Envoy of `deploy/envoy.yaml`, started for real before a server: calls pass, too large metadata never reaches the server."""

import importlib.util
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.edges.grpc import frames
from tests.edges.grpc.frames import Peer
from tests.harness import BY_NAME
from tests.served import Served, serving, signed

FOUND = importlib.util.find_spec("envoy")
PROGRAM = Path(FOUND.origin).parent / "_bin" / "envoy" if FOUND is not None and FOUND.origin is not None else None
CONFIG = Path(__file__).parents[2] / "deploy" / "envoy.yaml"
PATH = BY_NAME["GetCallerIdentity"].path

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="starts Envoy, 107 MB, which `make campaign` installs")


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    """A server, and where the Envoy before it listens."""
    folder = tmp_path_factory.mktemp("envoy")
    with serving(f"sqlite:///{folder / 'sekisho.db'}", folder) as served:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        text = CONFIG.read_text().replace("0.0.0.0, port_value: 8443", f"127.0.0.1, port_value: {port}")
        text = text.replace("sekisho, port_value: 8444", f"127.0.0.1, port_value: {served.endpoints['grpc'].rpartition(':')[2]}")
        (folder / "envoy.yaml").write_text(text)
        command = [str(PROGRAM), "-c", str(folder / "envoy.yaml"), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]
        with subprocess.Popen(command) as envoy:
            limit = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    assert envoy.poll() is None
                    assert time.monotonic() < limit
                    time.sleep(0.1)
            yield served, f"127.0.0.1:{port}"
            envoy.terminate()


def peak(served: Served) -> int:
    """KiB that the server has held at the most."""
    status = (Path("/proc") / str(served.process.pid) / "status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def test_a_call_passes(front: tuple[Served, str]) -> None:
    served, endpoint = front
    with grpc.insecure_channel(endpoint) as channel:
        method = channel.unary_unary(PATH, request_serializer=None, response_deserializer=None)
        answer = method(b"", metadata=signed(served.root, PATH, b""), timeout=60)
    found: Any = BY_NAME["GetCallerIdentity"].response.FromString(answer)
    assert found.arn.endswith(":root")


BLOCKS = {
    "sixteen_thousand_entries": frames.literal(b"a", b"b") * 16_001,
    "a_hundred_entries": b"".join(frames.literal(b"x%d" % number, b"b") for number in range(100)),
    "one_of_thirty_thousand_bytes": frames.literal(b"a", b"b" * 30_000),
    "four_hundred_thousand_from_the_table": frames.literal(b"a", b"b", kept=True) + frames.newest(400_000),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_metadata_that_is_too_large_does_not_reach_the_server(front: tuple[Served, str], name: str) -> None:
    served, endpoint = front
    before = peak(served)
    for _ in range(5):
        with Peer(endpoint, settles=False) as peer:
            try:
                peer.send(
                    frames.headers(1, frames.opening(PATH) + BLOCKS[name]), frames.data(1, frames.message(b""), flags=frames.END_STREAM)
                )
                said = peer.ended(1)
            except (EOFError, ConnectionError):  # it is cut off at once
                said = b""
        assert b"grpc-status" not in said or b"sekisho" not in said
        assert b"\x010" not in said.partition(b"grpc-status")[2][:3]
    assert peak(served) < before + 20 * 1024
