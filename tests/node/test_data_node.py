"""A data node beside a control node, over the wire: what each answers and refuses, and how the data node's spool gets into the database."""

import http.client
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from sqlalchemy import select

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.journal import room
from sekisho.journal.outlet import Outlet
from sekisho.journal.spool import Entry, Spool
from sekisho.node import draining
from sekisho.store import db
from sekisho.store.tables import AccessKey, AuditRecord
from tests import planes
from tests.cli.command import one_line, sekisho
from tests.harness import BY_NAME
from tests.served import Served, signed

AUTHORIZE = "authorize.v1.AuthorizeService"
ELSEWHERE = "This node does not have the operation: nodes of role `data` decide and issue, those of role `control` do the rest."


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    """A control node and a data node on one file."""
    folder = tmp_path_factory.mktemp("planes")
    url = f"sqlite:///{folder / 'sekisho.db'}"
    with planes.control_node(url, folder / "control") as control, planes.data_node(control, url, folder / "data", anew=True) as data:
        yield control, data


def refused(served: Served, name: str, **fields: Any) -> tuple[str, str, str]:
    """The status, the reason and the message of a signed call that ends with an error."""
    operation = BY_NAME[name]
    body = operation.request(**fields).SerializeToString()
    answer = served.send(operation.path, body, signed(served.root, operation.path, body))
    return answer.status.name, answer.reason, answer.message


def test_a_data_node_has_no_operation_of_the_control_plane(nodes: tuple[Served, Served]) -> None:
    control, data = nodes
    before = control.rows()
    for name, fields in (("CreateUser", {"user_name": "ann"}), ("ListUsers", {}), ("CreateAccessKey", {})):
        assert refused(data, name, **fields) == ("UNIMPLEMENTED", "NOT_SERVED", ELSEWHERE)
    assert refused(control, "Authorize", action="orders:Ship", resource="*") == ("UNIMPLEMENTED", "NOT_SERVED", ELSEWHERE)
    assert control.rows() == before
    answer = data.send("/somebody.else.v1.Service/Call", b"")
    assert (answer.status, answer.reason) == (grpc.StatusCode.UNIMPLEMENTED, "")


def test_each_says_over_grpc_which_services_it_has(nodes: tuple[Served, Served]) -> None:
    control, data = ((nodes[0], "iam.v1.IamService", AUTHORIZE), (nodes[1], AUTHORIZE, "iam.v1.IamService"))
    for served, has, lacks in (control, data):
        health = health_pb2_grpc.HealthStub(served.channel)
        serving = health.Check(health_pb2.HealthCheckRequest(service=f"sekisho.api.{has}"), timeout=20).status
        assert serving == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError):
            health.Check(health_pb2.HealthCheckRequest(service=f"sekisho.api.{lacks}"), timeout=20)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        (listed,) = reflection_pb2_grpc.ServerReflectionStub(served.channel).ServerReflectionInfo(asked, timeout=20)
        names = {service.name for service in listed.list_services_response.service}
        assert f"sekisho.api.{has}" in names
        assert f"sekisho.api.{lacks}" not in names


def over_http(served: Served, action: str, version: str, service: str, **parameters: str) -> tuple[int, str]:
    """What the gateway answers to a signed request of AWS's Query protocol."""
    body = "&".join(f"{name}={value}" for name, value in {"Action": action, "Version": version, **parameters}.items())
    where = served.endpoints["http"]
    headers = {"content-type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", f"http://{where}/", headers=headers, data=body)
    SigV4Auth(Credentials(served.root.access_key_id, served.root.secret_access_key), service, "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(where, timeout=20)
    try:
        connection.request("POST", "/", body, dict(request.headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_gateway_of_a_data_node_has_sts_alone(nodes: tuple[Served, Served]) -> None:
    control, data = nodes
    status, body = over_http(data, "GetCallerIdentity", "2011-06-15", "sts")
    assert (status, control.call("GetCallerIdentity").arn in body) == (200, True)
    assert over_http(control, "CreateUser", "2010-05-08", "iam", UserName="over-http")[0] == 200
    status, body = over_http(data, "DeleteUser", "2010-05-08", "iam", UserName="over-http")
    assert status == 400
    assert "<Code>InvalidAction</Code><Message>Could not find operation DeleteUser for version 2010-05-08</Message>" in body
    assert "over-http" in [user.user_name for user in control.call("ListUsers").users]


def test_a_code_of_an_mfa_device_needs_a_node_that_writes(nodes: tuple[Served, Served]) -> None:
    given = {"serial_number": "arn:aws:iam::111122223333:mfa/phone", "token_code": "123456"}
    assert refused(nodes[1], "GetSessionToken", **given) == (
        "UNAVAILABLE",
        "NO_WRITE_PATH",
        "This node does not write; send the call to one of the control plane. Nothing was written.",
    )


def test_it_verifies_tokens_for_other_services_and_signs_none(nodes: tuple[Served, Served]) -> None:
    """A token that the control plane signed is taken here, whose ring and database role lead to no private key."""
    control, data = nodes
    control.write("EnableOutboundWebIdentityFederation")
    asked: dict[str, Any] = {"audience": ["orders.example.com"], "signing_algorithm": "ES384"}
    token = control.call("GetWebIdentityToken", **asked).web_identity_token
    question: dict[str, Any] = {"bearer_token": token, "audience": "orders.example.com", "action": "orders:Ship", "resource": "*"}
    found = data.call("Authorize", **question, at_least=control.write("CreateUser", user_name="later"))
    assert found.principal_arn.endswith(":root")
    assert refused(data, "GetWebIdentityToken", **asked) == (
        "UNAVAILABLE",
        "CANNOT_SIGN",
        "This node does not sign tokens for other services; send the call to one of the control plane.",
    )
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert refused(data, "Authorize", **question | {"bearer_token": forged})[0] == "UNAUTHENTICATED"


def test_it_holds_no_key_of_seeds(nodes: tuple[Served, Served]) -> None:
    ring = json.loads((nodes[1].folder / "data" / "keyring.json").read_text())
    assert {key["purpose"] for key in ring["keys"]} == {"access-keys", "sessions", "snapshot"}
    assert not (nodes[1].folder / "data" / "credentials").exists()


def test_what_it_issues_is_recorded_by_the_process_beside_it(nodes: tuple[Served, Served]) -> None:
    control, data = nodes
    control.call("CreateUser", user_name="bob")
    key = control.call("CreateAccessKey", user_name="bob").access_key
    bob = sigv4.Credentials(key.access_key_id, key.secret_access_key)
    data.call("GetSessionToken", _as=bob)
    data.call("GetSessionToken", _as=bob)
    folder = data.folder / "data"
    with Outlet(folder / "spool" / "0.db") as outlet:
        waiting = [entry for entry in outlet.waiting() if entry.kind == "audit" and bob.access_key_id in entry.body]
    assert len(waiting) == 2, "its own process leaves them alone"
    assert sekisho("spool", "drain", "--once", "--data-dir", folder, "--database", control.url).returncode == 0
    draining.run(folder, control.url, once=True)  # nothing more, and nothing twice
    with db.Database(control.url) as database, database.read() as session:
        names = list(session.scalars(select(AuditRecord.event_name).where(AuditRecord.access_key_id == bob.access_key_id)))
        used = session.scalars(select(AccessKey.last_used_service).where(AccessKey.id == bob.access_key_id)).one()
    assert names == ["GetSessionToken"] * 2
    assert used in ("sts", None)  # what is noted meanwhile comes with the next second's
    assert data.call("Authorize", action="orders:Ship", resource="*").outcome == pb.OUTCOME_ALLOWED


def test_it_decides_about_resources_that_are_registered_elsewhere(nodes: tuple[Served, Served]) -> None:
    control, data = nodes
    account = data.call("GetCallerIdentity").account
    order = f"arn:aws:orders::{account}:order/7"
    assert refused(data, "PutResource", resource_arn=order)[1] == "NOT_SERVED"
    deny = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"orders:Ship","Resource":"*"}]}'
    for name, fields, outcome in (
        ("PutResource", {"resource_policy": deny}, pb.OUTCOME_EXPLICITLY_DENIED),
        ("DeleteResource", {}, pb.OUTCOME_ALLOWED),
    ):
        revision = control.write(name, resource_arn=order, **fields)
        assert data.call("Authorize", action="orders:Ship", resource=order, at_least=revision).outcome == outcome


def test_what_others_take_out_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LIMIT", 20)
    spool = Spool(tmp_path / "0.db")
    for _ in range(10):
        spool.append(Entry("audit", "{}", account=""), timeout=60)
    assert spool.add(Entry("audit", "{}")).exception(60) is not None
    with Outlet(tmp_path / "0.db") as outlet:
        outlet.delivered(outlet.waiting()[6].number)
        assert len(outlet.waiting()) == 3
    spool.recount()
    spool.append(Entry("audit", "{}"), timeout=60)  # for which there is other room; it is there once it was counted
    assert [spool.add(Entry("audit", "{}")).exception(60) for _ in range(6)] == [None] * 6
    assert spool.add(Entry("audit", "{}")).exception(60) is not None
    spool.close()
    with Outlet(tmp_path / "0.db") as outlet:
        assert len(outlet.waiting()) == 10


def test_an_outlet_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.Error), Outlet(tmp_path / "none.db"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_commands_beside_a_data_node(nodes: tuple[Served, Served], tmp_path: Path) -> None:
    control = nodes[0].folder / "data"
    done = sekisho("keys", "export", tmp_path / "ring.json", "--data-dir", control)
    assert done.stdout == f"{tmp_path}/ring.json has the keys for access-keys, sessions, snapshot\n"
    assert (tmp_path / "ring.json").stat().st_mode & 0o777 == 0o600
    said = one_line(sekisho("keys", "export", tmp_path / "other.json", "--role", "control", "--data-dir", control))
    assert said == "`control` is not a role that has some keys only; that is data"
    assert not (tmp_path / "other.json").exists()
    assert one_line(sekisho("db", "grants")) == "name a role with --reader or with --drain"
    assert one_line(sekisho("db", "grants", "--reader", 'x"; DROP TABLE users')).endswith(
        "is not a plain name of a role: lower-case letters, digits and underscores"
    )
    printed = sekisho("db", "grants", "--reader", "sekisho_reader", "--drain", "sekisho_drain").stdout.splitlines()
    assert printed[0] == "GRANT USAGE ON SCHEMA public TO sekisho_reader;"
    assert printed[-1] == "GRANT SELECT (id, last_used_at), UPDATE (last_used_at, last_used_region) ON roles TO sekisho_drain;"
    assert not any("mfa_devices" in line or "login_profiles" in line for line in printed)
    assert one_line(sekisho("spool", "drain", "--data-dir", tmp_path)) == "name the primary database with --database"
    said = one_line(sekisho("spool", "drain", "--data-dir", tmp_path, "--database", f"sqlite:///{tmp_path}/x.db"))
    assert said == f"there is no spool in `{tmp_path}`; start its node first"
