"""A running server with the shop in it, started and loaded by the command line itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sekisho.cli import throwaway
from sekisho.cli.examples import example
from tests.cli.command import sekisho


@dataclass(frozen=True, slots=True)
class Shop:
    """A server's data directory and address, and the account that holds the shop."""

    data_dir: Path
    grpc: str
    account: str

    def user(self, path: str) -> str:
        """The ARN of a user."""
        return f"arn:aws:iam::{self.account}:user/{path}"

    def order(self, name: str) -> str:
        """The ARN of an order."""
        return f"arn:aws:orders:eu-west-1:{self.account}:order/{name}"


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """The shop on a server of this test run; tests only ask it, and add what nobody else looks for."""
    with throwaway.server() as server:
        done = sekisho("load", example("shop"), "--data-dir", server.data_dir)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "21 created, 0 changed, 0 unchanged"
        answer = sekisho("authorize", "--data-dir", server.data_dir, "--action", "a:b", "--resource", "*", "--json")
        account = json.loads(answer.stdout)["principal_arn"].split(":")[4]
        yield Shop(server.data_dir, server.grpc, account)
