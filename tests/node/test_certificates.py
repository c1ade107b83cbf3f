"""Certificates that are read anew while the server runs: the next connection is shown the new one, on both edges."""

import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sekisho.calls.workloads import Workloads
from sekisho.cli import connection, throwaway
from sekisho.edges.grpc.server import Server
from sekisho.edges.http import listener
from sekisho.edges.http.listener import Listener
from sekisho.errors import SekishoError
from sekisho.node import listeners
from sekisho.node.certificates import Certificates
from sekisho.node.roles import GRPC, ROLES
from tests import commanded
from tests.certificates import Authority, Made
from tests.cli.command import sekisho
from tests.harness import house


def shown(endpoint: str, client: tuple[Path, Path] | None = None) -> bytes:
    """The certificate that a listener shows, as PEM."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    if client is not None:
        context.load_cert_chain(*client)
    with socket.create_connection(listeners.split(endpoint), timeout=60) as plain, context.wrap_socket(plain) as secure:
        found = secure.getpeercert(binary_form=True)
    assert found is not None
    return ssl.DER_cert_to_PEM_cert(found).encode()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Where the certificate and the key are."""
    return Authority().server().write(tmp_path, "own")


def put(files: tuple[Path, Path], made: Made) -> bytes:
    """Replace the files; the new certificate."""
    made.write(files[0].parent, "own")
    return made.certificate


@pytest.fixture
def both(files: tuple[Path, Path], tmp_path: Path) -> Iterator[tuple[Certificates, str, str]]:
    """Certificates, and the addresses of a gRPC server and an HTTP listener with them."""
    certificates = Certificates(*files)
    with ExitStack() as stack:
        node = stack.enter_context(house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path)).node
        lanes, credentials = ROLES["all"].lanes(GRPC), certificates.over_grpc()
        server = Server(node, lanes, "127.0.0.1:0", workloads=Workloads(), credentials=credentials, grace=1.0)
        stack.enter_context(server)
        bound = listeners.shared("127.0.0.1:0")
        http = Listener(listener.application(listener.health(node)), bound, tls=certificates.over_http())
        http.start()
        stack.callback(http.stop)
        yield certificates, f"127.0.0.1:{server.port}", listeners.address(bound)


def test_both_edges_show_what_was_read_last(both: tuple[Certificates, str, str], files: tuple[Path, Path]) -> None:
    certificates, grpc, http = both
    first = files[0].read_bytes()
    assert (shown(grpc), shown(http)) == (first, first)
    for _ in range(2):
        before = shown(http)
        after = put(files, Authority().server())
        assert (shown(grpc), shown(http)) == (before, before)  # nobody has said that they are to be read
        certificates.reload()
        assert before != after
        assert (shown(grpc), shown(http), shown(grpc)) == (after, after, after)


def test_files_that_are_wrong_leave_the_old_ones_in_use(both: tuple[Certificates, str, str], files: tuple[Path, Path]) -> None:
    certificates, grpc, http = both
    certificate, key = files
    first = certificate.read_bytes()
    certificate.write_bytes(Authority().server().certificate)
    said = f"the certificate {certificate} and the key {key} do not go together: key values mismatch"
    assert refused(certificates) == said
    key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n")
    assert refused(certificates) == f"{key} holds no private key in PEM that opens without a password"
    certificate.write_bytes(b"no")
    assert refused(certificates) == f"{certificate} holds no certificate in PEM"
    certificate.unlink()
    assert refused(certificates) == f"{certificate} cannot be read: No such file or directory"
    assert (shown(grpc), shown(http)) == (first, first)


def refused(certificates: Certificates) -> str:
    with pytest.raises(SekishoError) as caught:
        certificates.reload()
    assert caught.value.code == "CertificateUnusable"
    return caught.value.message


def until_shown(endpoint: str, certificate: bytes) -> None:
    """Wait until every one of many connections is shown this certificate: on whatever worker it ends."""
    limit = time.monotonic() + 120
    while not all(shown(endpoint) == certificate for _ in range(12)):
        assert time.monotonic() < limit, "the old certificate is still shown"
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_hangs_up_is_told_to_read_them_again(workers: int, files: tuple[Path, Path]) -> None:
    arguments = ("--tls-cert", str(files[0]), "--tls-key", str(files[1]), "--workers", str(workers))
    with commanded.server(*arguments) as server:
        process = int((server.data_dir / "server.lock").read_text())
        endpoints = connection.endpoints(server.data_dir)
        new = put(files, Authority().server())
        os.kill(process, signal.SIGHUP)
        for endpoint in endpoints.values():
            until_shown(endpoint, new)
        files[1].write_bytes(b"")
        os.kill(process, signal.SIGHUP)
        log = server.data_dir.parent / "log"
        limit = time.monotonic() + 120
        while log.read_text().count("worker.certificates_kept") < workers:
            assert time.monotonic() < limit
            time.sleep(0.05)
        for endpoint in endpoints.values():
            until_shown(endpoint, new)


def test_without_certificates_hanging_up_does_nothing() -> None:
    """Here alone the workers are spawned, as those of an operator's server are."""
    with throwaway.server("--workers", "2", "--log-format", "text") as server:
        log = server.data_dir.parent / "log"
        os.kill(int((server.data_dir / "server.lock").read_text()), signal.SIGHUP)
        limit = time.monotonic() + 120
        while log.read_text().count("worker.nothing_to_reload") < 2:
            assert time.monotonic() < limit
            time.sleep(0.05)
        assert sekisho("health", "--data-dir", server.data_dir).returncode == 0
        assert not [line for line in log.read_text().splitlines() if line.startswith("{")]  # what workers say is text, too
