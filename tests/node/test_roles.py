"""A node without a write path: it answers what it reads, and refuses to write, to migrate and to make an account."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect

from sekisho import accounts
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls.call import NoWritePath
from sekisho.errors import SekishoError
from sekisho.node import assembly, roles
from sekisho.node.options import Options
from sekisho.node.prepare import prepare
from sekisho.store import db
from tests import harness
from tests.harness import House
from tests.services.iam.documents import allow, trust


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """`prepare` sets the umask of the process."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> str:
    """A role that reads only."""
    made = replace(roles.ROLES["all"], writes=False)
    monkeypatch.setattr("sekisho.node.prepare.ROLES", {**roles.ROLES, "reader": made})
    return "reader"


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    with harness.house(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def reading(house: House, tmp_path: Path) -> Iterator[House]:
    """The same account on a node without a write path."""
    account = accounts.NewAccount(house.account_id, house.root.access_key_id, house.root.secret_access_key)
    with (
        db.Database(house.node.database.url) as database,
        assembly.opened(database, house.node.ring, tmp_path / "reader.db", audience="sekisho", writes=False) as node,
    ):
        assert node.writes is None
        yield House(node, account)


def test_a_node_without_a_write_path_reads_decides_and_issues(house: House, reading: House) -> None:
    ann = house.user("ann", allow("orders:Ship", "authorize:Authorize", "sts:AssumeRole"))
    role = house.call("CreateRole", role_name="clerk", assume_role_policy_document=trust(f"arn:aws:iam::{house.account_id}:user/ann")).role
    assert [user.user_name for user in reading.call("ListUsers").users] == ["ann"]
    question: dict[str, Any] = {"action": "orders:Ship", "resource": "*", "at_least": house.revision}
    assert reading.call("Authorize", _as=ann, **question).outcome == pb.OUTCOME_ALLOWED
    session = reading.assume(role.arn, _as=ann)
    assert reading.call("GetCallerIdentity", _as=session).arn.endswith(":assumed-role/clerk/session")


def test_a_write_on_it_is_unavailable_and_writes_nothing(house: House, reading: House) -> None:
    writes: dict[str, dict[str, Any]] = {
        "CreateUser": {"user_name": "ann"},
        "CreateLoginProfile": {"user_name": "ann", "password": "Correct-horse-1"},
    }
    for name, fields in writes.items():
        with pytest.raises(NoWritePath, match="This node does not write") as caught:
            reading.call(name, **fields)
        assert (caught.value.grpc, caught.value.http) == ("UNAVAILABLE", 503)
    assert list(house.call("ListUsers").users) == []
    house.call("CreateUser", user_name="ann")
    assert [user.user_name for user in reading.call("ListUsers").users] == ["ann"]


def test_its_spool_keeps_what_it_has_issued(house: House, reading: House) -> None:
    ann = house.user("ann", allow("sts:GetSessionToken"))
    reading.call("GetSessionToken", _as=ann)
    assert [entry.kind for entry in reading.node.spool.waiting()].count("audit") == 1


def test_it_makes_nothing_in_an_empty_database(reader: str, bare_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(SekishoError, match="schema version none") as caught:
        prepare(Options(data_dir=tmp_path / "data", database=bare_database_url, role=reader))
    assert caught.value.code == "SchemaMismatch"
    with db.Database(bare_database_url) as database:
        assert inspect(database.engine).get_table_names() == []
    assert list((tmp_path / "data").iterdir()) == []


def test_it_starts_beside_what_another_has_made(reader: str, database_url: str, tmp_path: Path) -> None:
    writing = Options(data_dir=tmp_path / "data", database=database_url)
    prepare(writing)
    before = {path.name: path.read_bytes() for path in writing.data_dir.iterdir() if path.suffix in (".json", "")}
    prepare(replace(writing, role=reader))
    assert {path.name: path.read_bytes() for path in writing.data_dir.iterdir() if path.suffix in (".json", "")} == before
    (writing.data_dir / "keyring.json").unlink()
    with pytest.raises(SekishoError) as caught:
        prepare(replace(writing, role=reader))
    assert caught.value.code == "KeyRingUnusable"
    assert not (writing.data_dir / "keyring.json").exists()


def test_the_one_role_of_today() -> None:
    everything = roles.ROLES["all"]
    assert everything.services is None, "all there are"
    assert everything.writes
    assert {edge: (threads.decide, threads.control) for edge, threads in everything.edges.items()} == {"grpc": (6, 12), "http": (4, 2)}
