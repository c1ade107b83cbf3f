"""A running server with the shop in it, started and loaded by the command line itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sekisho.cli.examples import example
from sekisho.client import Client
from tests import commanded
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
    with commanded.server() as server:
        done = sekisho("load", example("shop"), "--data-dir", server.data_dir)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "21 created, 0 changed, 0 unchanged"
        answer = sekisho("authorize", "--data-dir", server.data_dir, "--action", "a:b", "--resource", "*", "--json")
        account = json.loads(answer.stdout)["principal_arn"].split(":")[4]
        yield Shop(server.data_dir, server.grpc, account)


@pytest.fixture(scope="session")
def role(shop: Shop) -> str:
    """The ARN of a role that `carla` assumes, whose keys stand in the data directory."""
    with Client.from_profile("root", shop.data_dir / "credentials", endpoint=shop.grpc) as client:
        user = client.iam.create_user(user_name="carla").user
        key = client.iam.create_access_key(user_name="carla").access_key
        trust = {"Effect": "Allow", "Principal": {"AWS": user.arn}, "Action": "sts:AssumeRole"}
        made = client.iam.create_role(
            role_name="couriers", assume_role_policy_document=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
    with (shop.data_dir / "credentials").open("a") as file:
        file.write(f"[carla]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n")
        file.write(f"[courier]\nrole_arn = {made.role.arn}\nsource_profile = carla\nrole_session_name = tour\nduration_seconds = 900\n")
    return made.role.arn
