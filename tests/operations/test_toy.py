"""Adding a service: from a proto, functions and nothing else it answers over gRPC and over the AWS wire.

The toy has two nouns, speaks JSON 1.1, and has a READ, a WRITE, a WRITE that nobody signs and a stream.
"""

import importlib
import shutil
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import boto3
import botocore.exceptions
import grpc
import pytest
from sqlalchemy import select

import sekisho.api
import sekisho.services
from hatch_build import compile_protos
from sekisho import client, operations, sigv4
from sekisho.calls import pipeline
from sekisho.calls.workloads import Workloads
from sekisho.edges import aws
from sekisho.edges.budgets import Budget
from sekisho.edges.grpc import handlers
from sekisho.edges.grpc.lot import Lot
from sekisho.edges.grpc.receives import Receives
from sekisho.edges.grpc.streams import Places
from sekisho.edges.http import listener
from sekisho.edges.lanes import Lanes
from sekisho.operations import OPERATIONS, PREPARATIONS, RESOURCES
from sekisho.store.tables import AuditRecord
from tests import harness, scraped
from tests.harness import House
from tests.services.iam.documents import allow, trust

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "toy"
LANES = {"decide": 2, "control": 2}


class Toy:
    """A server with the toy service: its house, its gRPC address, an AWS client of root, and the package of its functions."""

    def __init__(self, house: House, grpc_address: str, http_address: str, module: ModuleType) -> None:
        self.house, self.grpc, self._http, self.shops = house, grpc_address, http_address, module

    def boto(self, credentials: sigv4.Credentials | None = None) -> Any:
        """boto3's own client of the service."""
        who = credentials or self.house.root
        return boto3.session.Session().client(
            "toy",
            region_name="eu-west-1",
            endpoint_url=self._http,
            aws_access_key_id=who.access_key_id,
            aws_secret_access_key=who.secret_access_key,
        )

    def typed(self, credentials: sigv4.Credentials | None = None) -> Any:
        """The typed client that was made from the proto."""
        made = importlib.import_module("sekisho.api.toy.v1.client")
        connection = client.Client(self.grpc, credentials or self.house.root)
        return made.ToyClient(connection._transport)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout's protos with the toy's beside them, compiled as `make gen` does."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "proto", root / "proto")
    shutil.copytree(TOY / "proto", root / "proto/sekisho/api/toy/v1")
    (root / "service/sekisho").mkdir(parents=True)
    shutil.copy(ROOT / "service/sekisho/naming.py", root / "service/sekisho")
    compile_protos(root)
    return root


@pytest.fixture(scope="module")
def toy(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    """A server that found the toy among its services."""
    folder = tmp_path_factory.mktemp("toy")
    model = folder / "models/toy/2026-01-01/service-2.json"
    model.parent.mkdir(parents=True)
    shutil.copy(TOY / "models/service-2.json", model)
    tables: tuple[dict[Any, Any], ...] = (OPERATIONS, RESOURCES, PREPARATIONS)
    before = [(table, dict(table)) for table in tables]
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DATA_PATH", str(folder / "models"))
        patch.setattr(sekisho.api, "__path__", [*sekisho.api.__path__, str(checkout / "service/sekisho/api")])
        patch.setattr(sekisho.services, "__path__", [*sekisho.services.__path__, str(TOY / "services")])
        assert "toy" in operations.load()
        house = stack.enter_context(harness.house(f"sqlite:///{folder / 'sekisho.db'}", folder))
        lanes = Lanes("toy", **LANES)
        stack.callback(lanes.close)
        receives = Receives(Budget())
        stack.callback(receives.close)
        lot = Lot(house.node.world)
        stack.callback(lot.close)
        server = grpc.server(ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers(tuple(handlers.generic(house.node, lanes, Workloads(), receives, lot, Places(1, 1))))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        stack.callback(server.stop, None)
        bound = socket.create_server(("127.0.0.1", 0))
        serving = listener.Listener(listener.application({}, (aws.application(house.node, lanes, timedelta(minutes=5)),)), bound)
        serving.start()
        stack.callback(serving.stop)
        shops = importlib.import_module("sekisho.services.toy.shops")
        yield Toy(house, f"127.0.0.1:{port}", f"http://127.0.0.1:{bound.getsockname()[1]}", shops)
    for table, content in before:
        table.clear()
        table.update(content)
    for name in [name for name in sys.modules if name.startswith(("sekisho.services.toy", "sekisho.api.toy"))]:
        del sys.modules[name]


def records(toy: Toy, name: str) -> list[AuditRecord]:
    """The audit records of an event of the toy's."""
    with toy.house.node.database.read() as session:
        query = select(AuditRecord).where(AuditRecord.event_source == "toy.example.com", AuditRecord.event_name == name)
        return list(session.scalars(query))


def test_writes_and_reads_over_grpc_and_the_aws_wire_alike(toy: Toy) -> None:
    assert toy.typed().open_shop(name="tea").id == "shop-tea"
    assert toy.boto().open_shop(Name="rice")["Id"] == "shop-rice"
    assert toy.boto().get_shop(Name="tea")["Name"] == "tea"
    assert toy.typed().get_shop(name="rice").name == "rice"
    found = records(toy, "OpenShop")
    assert {record.request for record in found} == {'{"name": "tea"}', '{"name": "rice"}'}
    assert all(record.revision and record.account_id == toy.house.account_id for record in found)


def test_errors_are_said_as_the_model_names_them(toy: Toy) -> None:
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        toy.boto().get_shop(Name="none")
    assert raised.value.response["Error"]["Code"] == "NoSuchShopException"
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        toy.boto().close_shop(Name="tea")  # AWS's model has it, our proto has not
    assert raised.value.response["Error"]["Message"] == "The operation CloseShop is not implemented by this server."


def test_policies_name_its_actions_by_its_own_prefix(toy: Toy) -> None:
    ann = toy.house.user("ann", allow("toys:GetShop"))
    toy.typed().open_shop(name="ink")
    assert toy.typed(ann).get_shop(name="ink").id == "shop-ink"
    with pytest.raises(client.Denied) as raised:
        toy.typed(ann).open_shop(name="ann")
    assert raised.value.message == (
        f"User: arn:aws:iam::{toy.house.account_id}:user/ann is not authorized to perform: toys:OpenShop "
        f"on resource: arn:aws:toys::{toy.house.account_id}:shop/ann because no identity-based policy allows the toys:OpenShop action"
    )


def test_requests_are_held_to_its_rules(toy: Toy) -> None:
    with pytest.raises(client.InvalidArgument, match="Value 'a b' at 'name'"):
        toy.typed().open_shop(name="a b")


def test_a_write_that_nobody_signs_is_done_and_recorded_without_its_secrets(toy: Toy) -> None:
    with client.Client(toy.grpc, None) as nobody:
        made = importlib.import_module("sekisho.api.toy.v1.client").ToyClient(nobody._transport)
        assert made.register_visitor(visitor_name="amara", secret="hidden").visitor_id == "visitor-amara"
    assert toy.boto().register_visitor(VisitorName="bea")["VisitorId"] == "visitor-bea"  # whatever boto3 signs is not looked at
    first, second = records(toy, "RegisterVisitor")
    assert first.request == '{"visitorName": "amara", "secret": "HIDDEN_DUE_TO_SECURITY_REASONS"}'
    assert {first.account_id, second.account_id, first.principal_arn, first.username, second.username} == {""}
    assert first.revision
    assert second.revision


def test_unsigned_calls_that_fail_are_counted_and_not_recorded(toy: Toy) -> None:
    labels = {"operation": "/sekisho.api.toy.v1.ToyService/RegisterVisitor", "code": "ValidationError"}
    before = scraped.value("sekisho_unsigned_failures_total", **labels)
    written = len(records(toy, "RegisterVisitor"))
    with client.Client(toy.grpc, None) as nobody, pytest.raises(client.InvalidArgument):
        importlib.import_module("sekisho.api.toy.v1.client").ToyClient(nobody._transport).register_visitor(visitor_name="a" * 17)
    assert scraped.value("sekisho_unsigned_failures_total", **labels) == before + 1.0
    assert len(records(toy, "RegisterVisitor")) == written


def test_a_stream_brings_each_message_and_ends(toy: Toy) -> None:
    for event in ("opened", "closed", ""):
        toy.shops.EVENTS.put(event)
    assert [answer.event for answer in toy.typed().watch_shop(name="tea", timeout=60)] == ["opened", "closed"]


def test_a_stream_ends_when_its_permission_is_taken_back(toy: Toy) -> None:
    bob = toy.house.user("bob", allow("toys:WatchShop"))
    watching = toy.typed(bob).watch_shop(name="tea", timeout=60)
    toy.shops.EVENTS.put("opened")
    assert next(watching).event == "opened"
    toy.house.call("DeleteUserPolicy", user_name="bob", policy_name="inline-0")
    toy.shops.EVENTS.put("closed")
    with pytest.raises(client.Denied, match="toys:WatchShop"):
        next(watching)


def test_a_stream_ends_with_its_credentials(toy: Toy) -> None:
    trust_root = trust(f"arn:aws:iam::{toy.house.account_id}:root")
    role = toy.house.call("CreateRole", role_name="watcher", assume_role_policy_document=trust_root).role
    toy.house.call("PutRolePolicy", role_name="watcher", policy_name="p", policy_document=allow("toys:WatchShop"))
    ann = toy.house.user("assumer", allow("sts:AssumeRole"))
    watching = toy.typed(toy.house.assume(role.arn, _as=ann, duration_seconds=900)).watch_shop(name="tea", timeout=60)
    toy.shops.EVENTS.put("opened")
    assert next(watching).event == "opened"

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=901)

    with mock.patch.object(pipeline, "datetime", Later):
        toy.shops.EVENTS.put("closed")
        with pytest.raises(client.Unauthenticated, match="expired"):
            next(watching)


def test_who_is_not_permitted_sees_no_message_of_a_stream(toy: Toy) -> None:
    eve = toy.house.user("eve")
    toy.shops.EVENTS.put("kept")
    with pytest.raises(client.Denied):
        next(toy.typed(eve).watch_shop(name="tea", timeout=60))
    assert toy.shops.EVENTS.get(timeout=60) == "kept"


def test_a_stream_too_many_is_refused_at_once_and_others_are_answered(toy: Toy) -> None:
    watching = toy.typed().watch_shop(name="tea", timeout=60)
    toy.shops.EVENTS.put("opened")
    assert next(watching).event == "opened"
    with pytest.raises(client.ResourceExhausted, match="Rate exceeded"):
        next(toy.typed().watch_shop(name="tea", timeout=60))
    assert toy.house.call("Authorize", action="toys:GetShop", resource="*").decision_id
    toy.shops.EVENTS.put("")
    assert list(watching) == []


def test_a_stream_needs_a_caller(toy: Toy) -> None:
    with client.Client(toy.grpc, None) as nobody:
        watching = importlib.import_module("sekisho.api.toy.v1.client").ToyClient(nobody._transport).watch_shop(name="tea", timeout=60)
        with pytest.raises(client.Unauthenticated):
            next(watching)
