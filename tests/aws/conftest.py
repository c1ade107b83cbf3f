"""A server as operators start it, and callers who know of it what AWS's own tools need: an address and keys."""

import configparser
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from sekisho.store.db import Database
from sekisho.store.tables import Account, Policy, PolicyVersion
from tests import postgres, started
from tests.aws import forked

REGION = "eu-west-1"
S3_READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


@dataclass(frozen=True, slots=True)
class Served:
    """A running server and the keys of its first account's root user."""

    url: str
    access_key_id: str
    secret_access_key: str
    region: str = REGION
    grpc: str = ""

    def environment(self, **more: str) -> dict[str, str]:
        """What AWS's tools are given, and nothing else that could lead elsewhere."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SEKISHO_"))}
        return kept | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
            **more,
        }


@pytest.fixture(scope="session")
def program() -> Iterator[forked.Program]:
    """The `aws` program, loaded once by each process of this test run."""
    with forked.loaded() as made:
        yield made


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server in a process of its own, on SQLite."""
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, f"sqlite:///{folder / 'sekisho.db'}") as made:
        yield made
        assert left(made) == []


@pytest.fixture(scope="module")
def served_postgresql(tmp_path_factory: pytest.TempPathFactory, postgres_server: postgres.Server) -> Iterator[Served]:
    """The same on PostgreSQL."""
    with postgres_server.database() as url, serving(tmp_path_factory.mktemp("served"), url) as made:
        yield made
        assert left(made) == []


def left(served: Served) -> list[str]:
    """The ARNs of what clients made and did not take away again, read by boto3."""
    keys = {"aws_access_key_id": served.access_key_id, "aws_secret_access_key": served.secret_access_key}
    iam = boto3.client("iam", endpoint_url=served.url, region_name=REGION, **keys)
    found = [
        *iam.list_users()["Users"],
        *iam.list_groups()["Groups"],
        *iam.list_roles()["Roles"],
        *iam.list_policies(Scope="Local")["Policies"],
        *iam.list_instance_profiles()["InstanceProfiles"],
    ]
    return [one["Arn"] for one in found]


class serving:  # noqa: N801  # reads as the function that it stands for
    """`sekisho serve` on a database; ends with the block."""

    def __init__(self, folder: Path, url: str, *options: str, environment: Mapping[str, str] | None = None) -> None:
        self._folder, self._url, self._options, self._environment = folder, url, options, environment or {}

    def __enter__(self) -> Served:
        data = self._folder / "data"
        command = ["serve", "--data-dir", str(data), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--database", self._url]
        command += self._options
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SEKISHO_"))}
        environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
        environment |= self._environment
        (self._folder / "log").touch()
        self._process = started.forked("from sekisho.cli import main; main()", command, environment, self._folder / "log")
        limit = time.monotonic() + 120
        while not (data / "endpoints.json").exists():
            if self._process.poll() is not None or time.monotonic() > limit:
                raise AssertionError(f"the server did not start:\n{(self._folder / 'log').read_text()}")
            time.sleep(0.05)
        with Database(self._url) as database:
            aws_policies(database)
        keys = configparser.ConfigParser(interpolation=None)
        keys.read(data / "credentials")
        listeners = json.loads((data / "endpoints.json").read_text())
        root = keys["root"]
        return Served(f"http://{listeners['http']}", root["aws_access_key_id"], root["aws_secret_access_key"], grpc=listeners["grpc"])

    def __exit__(self, *exc: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


def aws_policies(database: Database) -> None:
    """The AWS-managed policy that the commands attach, unless the server brings its own."""
    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"}]}'
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with database.write(("aws",)) as session:
        if session.query(Policy).filter_by(account_id="aws", name="AmazonS3ReadOnlyAccess").first() is not None:
            return
        if session.get(Account, "aws") is None:
            session.add(Account(id="aws", name="aws", created_at=now))
            session.flush()
        names = {"name": "AmazonS3ReadOnlyAccess", "name_key": "amazons3readonlyaccess", "path": "/"}
        numbers = {"default_version": 1, "last_version": 1}
        session.add(Policy(id="ANPAS3READONLY2222222", account_id="aws", created_at=now, updated_at=now, **names, **numbers))
        session.flush()
        session.add(PolicyVersion(policy_id="ANPAS3READONLY2222222", number=1, document=document, created_at=now))
