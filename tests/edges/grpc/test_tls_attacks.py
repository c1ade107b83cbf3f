"""TLS and mutual TLS under attack: certificates that nobody vouches for, that are over, that are another's; no certificate; and callers who
speak something else on the port.
"""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from sekisho.calls import workloads
from sekisho.edges.grpc.lean.served import Lean
from sekisho.edges.grpc.server import Server
from sekisho.edges.http import listener
from sekisho.edges.http.listener import Listener
from sekisho.node import listeners
from sekisho.node.certificates import Certificates
from sekisho.node.roles import GRPC, ROLES
from tests.certificates import NOW, Authority, Made
from tests.edges.grpc import frames
from tests.edges.grpc.frames import Peer
from tests.harness import BY_NAME, house

ALICE = "spiffe://shop.example/sa/alice"
IDENTITY = BY_NAME["GetCallerIdentity"].path


@dataclass(frozen=True, slots=True)
class Ground:
    """A gRPC server that asks for certificates and an HTTP listener, with their authority."""

    authority: Authority
    grpc: str
    http: str

    def as_(self, client: Made | None) -> str:
        """How a call with this certificate ends: the name of its status."""
        credentials = grpc.ssl_channel_credentials(self.authority.certificate, *((client.key, client.certificate) if client else ()))
        with grpc.secure_channel(self.grpc, credentials, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            try:
                channel.unary_unary(IDENTITY, request_serializer=None, response_deserializer=None)(b"", timeout=60)
            except grpc.RpcError as error:
                return str(error.code().name)
        return "OK"


@pytest.fixture(scope="module", params=["stock", "lean"])
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder, authority = tmp_path_factory.mktemp("tls"), Authority()
    with ExitStack() as stack:
        made = stack.enter_context(house(f"sqlite:///{folder / 'sekisho.db'}", folder))
        made.user("alice")
        (folder / "ca.pem").write_bytes(authority.certificate)
        certificates = Certificates(*authority.server().write(folder, "own"), folder / "ca.pem")
        known = workloads.parse(f"{ALICE}: arn:aws:iam::{made.account_id}:user/alice")
        lanes, credentials = ROLES["all"].lanes(GRPC), certificates.over_grpc()
        server = stack.enter_context(Server(made.node, lanes, "127.0.0.1:0", workloads=known, credentials=credentials, grace=1.0))
        bound = listeners.shared("127.0.0.1:0")
        http = Listener(listener.application(listener.health(made.node)), bound, tls=certificates.over_http())
        http.start()
        stack.callback(http.stop)
        endpoint = f"127.0.0.1:{server.port}"
        if request.param == "lean":
            beside = listeners.shared("127.0.0.1:0")
            endpoint = listeners.address(beside)
            stack.enter_context(Lean(made.node, lanes, beside, workloads=known, tls=certificates.over_lean, grace=1.0, age=600.0))
        yield Ground(authority, endpoint, listeners.address(bound))


def test_alice_gets_in(ground: Ground) -> None:
    """Otherwise the attacks would prove nothing."""
    assert ground.as_(ground.authority.client(ALICE)) == "OK"


CLIENTS: dict[str, tuple[Callable[[Authority], Made | None], str]] = {
    "no_certificate": (lambda _: None, "UNAVAILABLE"),
    "another_authority_of_the_same_name": (lambda _: Authority().client(ALICE), "UNAVAILABLE"),
    "signed_by_itself": (lambda _: Authority().alone(ALICE), "UNAVAILABLE"),
    "over_for_an_hour": (lambda authority: authority.client(ALICE, begins=NOW - timedelta(hours=2)), "UNAVAILABLE"),
    "from_tomorrow_on": (lambda authority: authority.client(ALICE, begins=NOW + timedelta(days=1)), "UNAVAILABLE"),
    "the_name_as_common_name_alone": (lambda authority: authority.client(common_name=ALICE), "UNAUTHENTICATED"),
    "the_name_as_common_name_beside_another": (lambda authority: authority.client(ALICE + "x", common_name=ALICE), "UNAUTHENTICATED"),
    "two_names": (lambda authority: authority.client(ALICE, ALICE + "x"), "UNAUTHENTICATED"),
    "the_name_in_capitals": (lambda authority: authority.client(ALICE.upper()), "UNAUTHENTICATED"),
    "the_name_with_more": (lambda authority: authority.client(ALICE + "/admin"), "UNAUTHENTICATED"),
    "the_name_with_NUL": (lambda authority: authority.client(ALICE + "\0.evil.example"), "UNAUTHENTICATED"),
    "the_name_as_host": (lambda authority: authority.client(host="shop.example"), "UNAUTHENTICATED"),
    "an_authority_of_its_own": (lambda authority: authority.client(ALICE, authority=True, signs=True), "UNAUTHENTICATED"),
    "the_servers_own": (lambda authority: authority.server(), "UNAUTHENTICATED"),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_who_does_not_get_in(ground: Ground, name: str) -> None:
    make, status = CLIENTS[name]
    assert ground.as_(make(ground.authority)) == status


def test_a_certificate_that_somebody_without_authority_signed(ground: Ground) -> None:
    below = ground.authority.client("spiffe://shop.example/sa/other")  # a leaf, which signs nothing
    assert ground.as_(Authority.of(below).client(ALICE)) == "UNAVAILABLE"


@pytest.mark.parametrize("edge", ["grpc", "http"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(ground: Ground, edge: str, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(listeners.split(getattr(ground, edge)), timeout=60) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain)


def test_plain_http2_on_the_encrypted_port_is_answered_with_nothing(ground: Ground) -> None:
    with Peer(ground.grpc) as peer, suppress(EOFError, ConnectionError):
        peer.send(frames.headers(1, frames.opening(IDENTITY)), frames.data(1, frames.message(b""), flags=frames.END_STREAM))
        answered = peer.receive()
        pytest.fail(f"it answered {answered}")


def test_plain_http_on_the_encrypted_port_is_answered_with_nothing(ground: Ground) -> None:
    with socket.create_connection(listeners.split(ground.http), timeout=60) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        said = b""
        with suppress(ConnectionError):
            while part := plain.recv(4096):
                said += part
    assert b"HTTP" not in said


@pytest.mark.skipif(shutil.which("openssl") is None, reason="renegotiates with the command openssl, which this machine has not")
@pytest.mark.parametrize("edge", ["grpc", "http"])
def test_nobody_renegotiates(ground: Ground, edge: str, tmp_path: Path) -> None:
    certificate, key = ground.authority.client(ALICE).write(tmp_path, "client")
    command = ["openssl", "s_client", "-connect", getattr(ground, edge), "-tls1_2", "-cert", certificate, "-key", key]
    done = subprocess.run([*command, "-alpn", "h2,http/1.1"], input=b"R\n", capture_output=True, timeout=60, check=False)
    assert "Cipher is ECDHE" in done.stdout.decode(errors="replace")  # it was connected before
    before, asked, after = done.stderr.decode(errors="replace").partition("RENEGOTIATING")
    assert "depth=0" in before  # where it says whose certificate it was shown
    assert asked
    assert "depth=0" not in after
    assert "error:" in after
