"""`sekisho health` and the hint of a server with TLS: a container's health check succeeds, and what the server prints can be pasted."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho.cli import throwaway
from tests import commanded
from tests.certificates import Authority
from tests.cli.command import environment, one_line, sekisho


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[throwaway.Server, Path]]:
    """A server with TLS on both ports, and the file of the authority that vouches for it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority()
    certificate, key = authority.server().write(folder, "server")
    ca = folder / "ca.pem"
    ca.write_bytes(authority.certificate)
    with commanded.server("--tls-cert", str(certificate), "--tls-key", str(key)) as server:
        yield server, ca


def test_a_server_with_tls_is_healthy_without_a_word_about_it(secured: tuple[throwaway.Server, Path]) -> None:
    server, _ = secured
    done = sekisho("health", "--data-dir", server.data_dir)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith('{"status": "ok"')


def test_an_authority_that_is_named_must_be_the_servers(secured: tuple[throwaway.Server, Path], tmp_path: Path) -> None:
    server, ca = secured
    assert sekisho("health", "--data-dir", server.data_dir, env={"SEKISHO_CA": str(ca)}).returncode == 0
    other = tmp_path / "other.pem"
    other.write_bytes(Authority().certificate)
    assert "CERTIFICATE_VERIFY_FAILED" in one_line(sekisho("health", "--data-dir", server.data_dir, "--ca", other))


def test_a_file_that_holds_no_certificate_is_named(secured: tuple[throwaway.Server, Path], tmp_path: Path) -> None:
    server, _ = secured
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    for command in (("health",), ("whoami",)):
        said = one_line(sekisho(*command, "--data-dir", server.data_dir, "--ca", bad))
        assert said == f"`{bad}` holds no certificate in PEM"
        missing = one_line(sekisho(*command, "--data-dir", server.data_dir, "--ca", tmp_path / "none.pem"))
        assert missing == f"{tmp_path}/none.pem: No such file or directory"


def test_what_the_server_prints_can_be_pasted(secured: tuple[throwaway.Server, Path], tmp_path: Path) -> None:
    """Every command but grpcurl's, of which only the token is made."""
    server, _ = secured
    said = (server.data_dir.parent / "log").read_text().partition("Try in another terminal:\n")[2].splitlines()
    lines = [line.strip() for line in said if line.startswith("  ")]
    assert [shlex.split(line)[-1].rpartition("/")[2] for line in lines] == ["shop", "--explain", "GetCallerIdentity"]
    trusted = next(word for word in shlex.split(lines[0]) if word.startswith("SEKISHO_CA="))
    program = tmp_path / "bin/sekisho"  # `sekisho` as the server that was started with `-m` says it
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sekisho.cli "$@"\n')
    program.chmod(0o755)
    env = environment(PATH=f"{program.parent}:{os.environ['PATH']}")
    codes = []
    for line in (*lines[:2], lines[2].partition("$(")[2].partition(")")[0]):
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, env=env, check=False)
        codes.append(done.returncode)
        assert "sekisho:" not in done.stderr, done.stderr
    assert codes == [0, 3, 0]
    assert Path(trusted.partition("=")[2]).is_file()
