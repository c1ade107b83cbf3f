"""The example in docs/examples/plans, run as its README says: a service of its own, whose database filters by plans of a real server."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sekisho.cli import connection, load
from sekisho.cli.examples import example
from sekisho.client import Client, Credentials, token
from tests import commanded
from tests.cli.command import environment

AUDIENCE = "orders.shop.example"


@dataclass(frozen=True, slots=True)
class Service:
    """Where it listens, and the keys of who calls it."""

    http: str
    keys: dict[str, Credentials]

    def orders(self, name: str, after: str = "", audience: str = AUDIENCE) -> tuple[int, Any]:
        """What a user gets."""
        made = http.client.HTTPConnection(self.http, timeout=30)
        try:
            bearer = token(self.keys[name], audience, datetime.now(UTC))
            made.request("GET", f"/orders?after={after}", headers={"authorization": f"Bearer {bearer}"})
            answer = made.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            made.close()


@pytest.fixture
def service(bare_database_url: str) -> Iterator[Service]:
    with ExitStack() as stack:
        server = stack.enter_context(commanded.server())
        with Client(server.grpc, connection.credentials("root", server.data_dir)) as root:
            load.loaded(root, example("shop"), {})
            account = root.sts.get_caller_identity().account
            keys = {}
            for name in ("amara", "elif", "farid"):
                key = root.iam.create_access_key(user_name=name).access_key
                keys[name] = Credentials(key.access_key_id, key.secret_access_key)
        with Client(server.grpc, keys["farid"]) as farid:
            role = f"arn:aws:iam::{account}:role/shop/order-service"
            own = farid.sts.assume_role(role_arn=role, role_session_name="orders-1").credentials
        env = environment(
            SEKISHO_ENDPOINT=server.grpc,
            AWS_ACCESS_KEY_ID=own.access_key_id,
            AWS_SECRET_ACCESS_KEY=own.secret_access_key,
            AWS_SESSION_TOKEN=own.session_token,
            PYTHONPATH=os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path if entry),
        )
        database = bare_database_url.replace("postgresql://", "postgresql+psycopg://")
        line = [sys.executable, "-B", str(example("plans") / "service.py"), "--http", "127.0.0.1:0", "--database", database]
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env) as process:
            try:
                assert process.stdout is not None
                yield Service(json.loads(process.stdout.readline())["http"], keys)
            finally:
                process.terminate()


def test_everybody_gets_what_they_may_see(service: Service) -> None:
    status, page = service.orders("amara")
    assert status == 200
    first = page["orders"]
    assert len(first) == 100
    assert {order["region"] for order in first} == {"eu"}, "neither those of EU nor those without a region"
    assert [order["order_id"] for order in first[:5]] == ["1000", "1001", "1005", "1006", "1010"]
    assert first[-1]["order_id"] == "1246"
    _, page = service.orders("amara", after="1246")
    assert page["orders"][0]["order_id"] == "1250"
    assert service.orders("elif") == (200, {"orders": []}), "finance reads invoices"
    assert service.orders("farid") == (200, {"orders": []}), "an engineer needs a role first"
    assert service.orders("amara", audience="sekisho")[0] == 401
