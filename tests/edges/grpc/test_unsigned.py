"""Calls that nobody signs: whose threads they take."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sekisho.calls import workloads
from sekisho.edges.grpc.lean.served import Lean
from sekisho.edges.grpc.server import Server
from sekisho.edges.lanes import Lanes
from sekisho.node import listeners
from sekisho.node.roles import GRPC, ROLES
from tests.edges.grpc import frames
from tests.edges.grpc.ways import heard
from tests.harness import BY_NAME, House, house

UNSIGNED = BY_NAME["AssumeRoleWithWebIdentity"].path


@pytest.fixture
def made(tmp_path: Path) -> Iterator[House]:
    with house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as found:
        yield found


def endpoint(stack: ExitStack, made: House, way: str, lanes: Lanes) -> str:
    """A server of a way."""
    if way == "lean":
        bound = listeners.shared("127.0.0.1:0")
        stack.enter_context(Lean(made.node, lanes, bound, workloads=workloads.parse(""), grace=1.0, age=600.0))
        return str(listeners.address(bound))
    server = Server(made.node, lanes, "127.0.0.1:0", workloads=workloads.parse(""), grace=1.0)
    stack.enter_context(server)
    return f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("way", ["stock", "lean"])
def test_those_of_one_address_share(made: House, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever floods them stands in the way of those alone who come from the same address, whatever the calls claim."""
    lanes = ROLES["all"].lanes(GRPC)
    taken: list[str] = []
    submit = lanes.unsigned._submit

    def noting(account: str, part: str, work: Any) -> Any:
        taken.append(account + part)
        return submit(account, part, work)

    monkeypatch.setattr(lanes.unsigned, "_submit", noting)
    made.call("GetCallerIdentity")  # so that the account that is claimed is in memory
    claim = b"AWS4-HMAC-SHA256 Credential=" + made.root.access_key_id.encode() + b"/20260101/us-east-1/sts/aws4_request"
    with ExitStack() as stack:
        where = endpoint(stack, made, way, lanes)
        for source in ("127.0.0.1", "127.0.0.2"):
            with frames.Peer(where, source=source) as peer:
                for stream, more in ((1, ()), (3, ((b"authorization", claim),))):
                    call = frames.headers(stream, frames.opening(UNSIGNED, more))
                    peer.send(call, frames.data(stream, frames.message(b""), flags=1))
                    assert heard(peer, stream).startswith("3 ")
    lanes.close()
    assert taken == ["127.0.0.1"] * 2 + ["127.0.0.2"] * 2
