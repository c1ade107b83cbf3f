"""`sekisho serve`, `db` and `account`: the commands beside the server."""

import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, SSLError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sekisho.cli import serve
from sekisho.client import Client, Credentials, credentials
from sekisho.node.options import Endpoints
from tests import commanded, served
from tests.cli.command import environment, one_line, sekisho
from tests.cli.conftest import Shop

ANYWHERE = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")


def test_serve_says_where_it_listens_and_stops_when_told(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    env = environment(
        SEKISHO_GRPC="127.0.0.1:0", SEKISHO_HTTP="127.0.0.1:0", SEKISHO_DATA_DIR=str(data_dir), SEKISHO_ACCOUNT_ID="111122223333"
    )
    with subprocess.Popen([sys.executable, "-m", "sekisho.cli", "serve"], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(9)]
        endpoints = json.loads((data_dir / "endpoints.json").read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert said[0] == "Sekisho serves.\n"
    assert said[1].split() == ["gRPC", endpoints["grpc"]]
    assert said[2].split() == ["HTTP", f"http://{endpoints['http']}/readyz"]
    assert f"{data_dir}/credentials (profile `root`)" in said[3]
    commands = "".join(said[6:])
    for part in (" load ", " authorize --principal user/support/amara ", " token)", f"SEKISHO_DATA_DIR={data_dir} ", endpoints["grpc"]):
        assert part in commands
    assert not (data_dir / "endpoints.json").exists()
    assert (data_dir / "credentials").stat().st_mode & 0o777 == 0o600
    assert "secret" not in "".join(said)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for loopback that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sekisho.test")])
    start, serial = datetime.now(UTC) - timedelta(days=1), x509.random_serial_number()
    built = x509.CertificateBuilder(name, name, key.public_key(), serial, start, start + timedelta(days=2))
    built = built.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    cert_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert_file.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    return cert_file, key_file


def test_over_tls_the_server_is_trusted_by_name(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    with commanded.server("--tls-cert", str(cert), "--tls-key", str(key)) as server:
        question = ("authorize", "--data-dir", server.data_dir, "--action", "a:b", "--resource", "*")
        assert sekisho(*question, "--ca", cert).returncode == 0
        assert "if it serves TLS, give --ca or an https:// endpoint" in one_line(sekisho(*question))
        assert "CERTIFICATE_VERIFY_FAILED" in one_line(sekisho(*question, "--endpoint", f"https://{server.grpc}"))
        said = (server.data_dir.parent / "log").read_text()
    assert f"SEKISHO_CA={cert} " in said
    assert f"grpcurl -cacert {cert} -H" in said


def test_over_https_aws_tools_call_it(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    with commanded.server("--tls-cert", str(cert), "--tls-key", str(key)) as server:
        endpoints = json.loads((server.data_dir / "endpoints.json").read_text())
        keys = credentials.from_file(server.data_dir / "credentials", "root")

        def sts(**options: Any) -> Any:
            return boto3.client(
                "sts",
                region_name="eu-west-1",
                aws_access_key_id=keys.access_key_id,
                aws_secret_access_key=keys.secret_access_key,
                config=Config(retries={"total_max_attempts": 1}),
                **options,
            )

        where = f"https://{endpoints['http']}"
        assert sts(endpoint_url=where, verify=str(cert)).get_caller_identity()["Arn"].endswith(":root")
        with pytest.raises(SSLError):
            sts(endpoint_url=where).get_caller_identity()
        with pytest.raises(ConnectionClosedError):  # nothing is said in the clear
            sts(endpoint_url=f"http://{endpoints['http']}").get_caller_identity()
        said = (server.data_dir.parent / "log").read_text()
    assert f"{where}/readyz" in said


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot keep a thread on a core")
@pytest.mark.parametrize(("options", "cores"), [((), 1), (("--no-pin",), None)], ids=["by itself", "told not to"])
def test_a_worker_stays_on_one_core(tmp_path: Path, options: tuple[str, ...], cores: int | None) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    process = commanded.started(data, log, *options)
    try:
        served.endpoints(process, data, log)
        tasks = [int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir()]
        seen = {len(os.sched_getaffinity(task)) for task in tasks}
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
    assert seen == {cores or len(os.sched_getaffinity(0))}
    assert len(tasks) > 5


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--grpc", "0.0.0.0:0"], "would carry credentials in the clear"),
        (["--http", "0.0.0.0:0"], "would carry credentials in the clear"),
        (["--grpc", "127.0.0.1"], "is not HOST:PORT"),
        (["--tls-cert", "cert.pem"], "--tls-cert and --tls-key go together"),
        (["--database", "nonsense"], "Could not parse SQLAlchemy URL"),
        (["--account-id", "12"], "`12` is not an account id of twelve digits"),
        (["--grpc-listener", "both"], "--grpc-listener is lean or grpcio"),
        (["--log-format", "xml"], "--log-format is one of json, text"),
        (["--log-level", "loud"], "--log-level is one of debug, info, warning, error"),
        (["--trail-bucket", "logs=/var/trail"], "--trail-bucket: `logs` is neither file:///absolute/folder nor s3://bucket/prefix"),
        (["--master-key-file", "/nowhere/key"], "--master-key-file: /nowhere/key cannot be read: No such file or directory"),
        (["--tls-cert", "/nowhere/cert", "--tls-key", "/nowhere/key"], "/nowhere/cert cannot be read: No such file or directory"),
        (
            ["--database", "sqlite:////nowhere/at/all.db"],
            "the database sqlite:////nowhere/at/all.db cannot be opened: there is no folder /nowhere/at",
        ),
    ],
    ids=lambda option: option[0] if isinstance(option, list) else "",
)
def test_serve_refuses_in_one_line(tmp_path: Path, option: list[str], said: str) -> None:
    done = sekisho("serve", "--data-dir", tmp_path / "data", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", *option)
    assert said in one_line(done)


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        url = f"postgresql+psycopg://sekisho:hunter2@127.0.0.1:{port}/iam"
        said = one_line(sekisho("serve", "--data-dir", tmp_path / "data", "--database", url, *ANYWHERE))
    assert said.startswith(f"the database postgresql+psycopg://sekisho:***@127.0.0.1:{port}/iam cannot be opened: ")
    assert "Connection refused" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("key_id", "secret", "said"),
    [
        ("AKIAIOSFODNN7EXAMPL", "s" * 40, "SEKISHO_ROOT_ACCESS_KEY_ID is not an access key id: 20 letters, digits and underscores"),
        ("AKIAIOSFODNN7EXAMP-E", "s" * 40, "SEKISHO_ROOT_ACCESS_KEY_ID is not an access key id"),
        ("ASIAIOSFODNN7EXAMPLE", "s" * 40, "SEKISHO_ROOT_ACCESS_KEY_ID is not an access key id"),
        ("AKIAIOSFODNN7EXAMPLE", "s" * 39, "SEKISHO_ROOT_SECRET_ACCESS_KEY is not a secret access key: 40 visible ASCII characters"),
        ("AKIAIOSFODNN7EXAMPLE", "s" * 39 + " ", "SEKISHO_ROOT_SECRET_ACCESS_KEY is not a secret access key"),
        ("AKIAIOSFODNN7EXAMPLE", "", "SEKISHO_ROOT_ACCESS_KEY_ID and SEKISHO_ROOT_SECRET_ACCESS_KEY go together"),
        ("", "s" * 40, "SEKISHO_ROOT_ACCESS_KEY_ID and SEKISHO_ROOT_SECRET_ACCESS_KEY go together"),
    ],
    ids=["short id", "no letter", "a session's id", "short secret", "a blank", "no secret", "no id"],
)
def test_root_keys_from_the_environment_have_the_form_of_keys(tmp_path: Path, key_id: str, secret: str, said: str) -> None:
    env = {"SEKISHO_ROOT_ACCESS_KEY_ID": key_id, "SEKISHO_ROOT_SECRET_ACCESS_KEY": secret}
    line = one_line(sekisho("serve", "--data-dir", tmp_path / "data", *ANYWHERE, env=env))
    assert line.startswith(said)
    assert not secret or secret not in line
    assert not (tmp_path / "data").exists()


def test_a_second_server_is_refused_the_port_and_the_data_directory(shop: Shop, tmp_path: Path) -> None:
    said = one_line(sekisho("serve", "--data-dir", tmp_path / "data", "--grpc", shop.grpc, "--http", "127.0.0.1:0"))
    assert said == f"cannot listen on {shop.grpc}: another program does already"
    said = one_line(sekisho("serve", "--data-dir", shop.data_dir, *ANYWHERE))
    assert said.startswith(f"a server runs in the data directory {shop.data_dir} already (process ")
    assert sekisho("health", "--data-dir", shop.data_dir).returncode == 0  # its endpoints are still there
    both = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", shop.grpc)
    assert "another program" in one_line(sekisho("serve", "--data-dir", tmp_path / "data", *both))


def test_a_master_key_from_outside_is_needed_by_whoever_opens_the_key_ring(tmp_path: Path) -> None:
    key = tmp_path / "master"
    key.write_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    key.chmod(0o600)
    with commanded.server("--master-key-file", str(key)) as server:
        command = ("account", "create", "--data-dir", server.data_dir)
        assert "was made with a master key from outside, which is missing" in one_line(sekisho(*command))
        assert sekisho(*command, "--master-key-file", key).returncode == 0
        assert sekisho(*command, env={"SEKISHO_MASTER_KEY": key.read_text()}).returncode == 0


def test_db_from_nothing_to_now(bare_database_url: str) -> None:
    assert sekisho("db", "current", "--database", bare_database_url).stdout == "none\n"
    missing = sekisho("db", "check", "--database", bare_database_url)
    assert (missing.returncode, "schema version none" in missing.stderr) == (1, True)
    version = sekisho("db", "upgrade", "--database", bare_database_url).stdout
    assert version.strip().isdigit()
    assert sekisho("db", "upgrade", "--database", bare_database_url).stdout == version
    assert sekisho("db", "current", env={"SEKISHO_DATABASE": bare_database_url}).stdout == version
    fits = sekisho("db", "check", "--database", bare_database_url)
    assert (fits.returncode, fits.stdout) == (0, "the database fits\n")


def test_an_account_beside_the_running_server(shop: Shop) -> None:
    done = sekisho("account", "create", "--name", "branch", "--data-dir", shop.data_dir)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert list(made) == ["account_id", "access_key_id", "secret_access_key"]
    with Client(shop.grpc, Credentials(made["access_key_id"], made["secret_access_key"])) as client:
        deadline = time.monotonic() + 60
        while True:
            try:
                assert client.sts.get_caller_identity().arn == f"arn:aws:iam::{made['account_id']}:root"
                break
            except Exception:
                # another process wrote it: the server's look at the change log may be still to come
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        assert list(client.iam.list_users().users) == []


def test_an_account_needs_a_server_that_was_started_once(tmp_path: Path) -> None:
    assert "start the server once" in one_line(sekisho("account", "create", "--data-dir", tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_what_a_killed_server_left_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "server.lock").write_text("1\n")
    (tmp_path / "endpoints.json").write_text('{"grpc": "127.0.0.1:1", "http": "127.0.0.1:2"}')
    (tmp_path / "credentials").write_text("[root]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = s\n")
    said = one_line(sekisho("authorize", "--data-dir", tmp_path, "--action", "a:b", "--resource", "*"))
    assert said.startswith(f"no server runs in the data directory `{tmp_path}`")


def test_a_long_start_shows_that_it_goes_on_and_what_comes_after_it_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said: list[str] = []

    @contextmanager
    def waiting(what: str) -> Iterator[None]:
        said.append(what)
        yield
        said.append("no longer")

    def started(options: object, ready: Callable[[Endpoints], None], *, edges: object) -> int:
        ready(Endpoints("127.0.0.1:1", "127.0.0.1:2"))
        said.append("served")
        return 0

    monkeypatch.setattr("sekisho.cli.screen.waiting", waiting)
    monkeypatch.setattr("sekisho.node.run.serve", started)
    monkeypatch.setattr("sekisho.cli.serve._welcome", lambda *_: said.append("welcome"))
    with pytest.raises(SystemExit) as ended:
        serve.serve(data_dir=tmp_path / "data")
    assert ended.value.code == 0
    assert said == ["preparing the database and starting the workers", "no longer", "welcome", "served"]
