"""A node without a write path: it answers what it reads, and refuses to write, to migrate and to make an account."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
import pytest
from sqlalchemy import inspect

from sekisho import operations
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.calls.call import NoWritePath
from sekisho.calls.workloads import Workloads
from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.edges import aws
from sekisho.edges.budgets import Budget
from sekisho.edges.grpc import handlers
from sekisho.edges.grpc.lot import Lot
from sekisho.edges.grpc.receives import Receives
from sekisho.edges.grpc.streams import Places
from sekisho.edges.lanes import Lanes
from sekisho.errors import InvalidArgument, SekishoError
from sekisho.memory import feed, loaders, organizations, places, resources
from sekisho.node import assembly, roles
from sekisho.node.databases import DatabaseUnusable
from sekisho.node.options import Options, check
from sekisho.node.prepare import prepare
from sekisho.node.reading import KeyRingTooWide
from sekisho.store import changes, db, grants
from sekisho.store.tables import AuditRecord, Base
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
    made = {**roles.ROLES, "reader": replace(roles.ROLES["all"], writes=False)}
    for module in ("prepare", "reading", "options"):
        monkeypatch.setattr(f"sekisho.node.{module}.ROLES", made)
    monkeypatch.setattr(grants, "refuse_excess", lambda session: None)  # the tests' own role may do everything
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
    (tmp_path / "data").mkdir(mode=0o700)
    KeyRing.create(tmp_path / "data" / "keyring.json")
    with db.Database(bare_database_url) as database:
        with database.read():  # which makes the file of SQLite
            pass
        with pytest.raises(SekishoError, match="schema version none") as caught:
            prepare(Options(data_dir=tmp_path / "data", database=bare_database_url, role=reader))
        assert caught.value.code == "SchemaMismatch"
        assert inspect(database.engine).get_table_names() == []
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["keyring.json"]


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


@pytest.mark.parametrize(
    ("role", "services", "writes", "purposes"),
    [
        ("all", ["authorize", "iam", "sts"], True, None),
        ("control", ["iam", "sts"], True, None),
        ("data", ["authorize", "sts"], False, ("access-keys", "sessions", "snapshot")),
    ],
)
def test_what_each_role_is(role: str, services: list[str], writes: bool, purposes: tuple[str, ...] | None) -> None:
    made = roles.ROLES[role]
    assert made.packages & {"authorize", "iam", "sts"} == set(services)
    assert (made.writes, made.purposes) == (writes, purposes)
    if made.services is None:
        assert made.packages == set(operations.packages()) - ({"authorize"} if role == "control" else set()), "all others that there are"


def test_the_threads_of_roles() -> None:
    found = {name: {edge: (threads.decide, threads.control) for edge, threads in role.edges.items()} for name, role in roles.ROLES.items()}
    assert found == {
        "all": {"grpc": (6, 12), "http": (4, 2)},
        "control": {"grpc": (6, 12), "http": (4, 2)},
        "data": {"grpc": (6, 6), "http": (4, 2)},
    }
    loads = places.MOST + feed.WAITERS
    assert all(threads["grpc"][0] > loads or name == "control" for name, threads in found.items()), "so that a warm decision finds one"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"role": "reader"}, "--role is one of all, control, data"),
        ({"role": "data"}, "--role data reads what another node writes; name its database with --database"),
        ({"max_staleness": -1}, "--max-staleness must be 0, for no limit, or a number of seconds"),
        ({"snapshot_interval": 0}, "--snapshot-interval must be at least 1 second"),
        ({"decision_log_level": "denies"}, "--decision-log-level is about a log; give --decision-log"),
    ],
)
def test_what_cannot_be_meant(given: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check(Options(data_dir=tmp_path, **given))
    assert caught.value.message == message


@pytest.fixture
def written(database_url: str, tmp_path: Path) -> Options:
    """A node that writes, with an account."""
    options = Options(data_dir=tmp_path / "control", database=database_url)
    options.data_dir.mkdir(mode=0o700)
    with db.Database(database_url) as database:
        accounts.create(database, KeyRing.create(options.data_dir / "keyring.json"))
    return options


def data_options(written: Options, tmp_path: Path) -> Options:
    """A data node on the same database, with a ring of its own still to come."""
    (tmp_path / "data").mkdir(mode=0o700)
    return Options(data_dir=tmp_path / "data", database=written.database, role="data")


def test_a_data_node_refuses_a_ring_with_the_keys_of_seeds(written: Options, tmp_path: Path) -> None:
    options = data_options(written, tmp_path)
    ring = KeyRing.open(written.data_dir / "keyring.json")
    ring.export(options.data_dir / "keyring.json", ("access-keys", "sessions", "snapshot", "mfa"))
    with pytest.raises(KeyRingTooWide) as caught:
        prepare(options)
    assert caught.value.message == (
        f"{tmp_path}/data/keyring.json has keys that a node of role `data` must not have (mfa); "
        "make one without them: sekisho keys export FILE --role data"
    )
    ring.export(options.data_dir / "keyring.json", ("access-keys", "sessions"))
    with pytest.raises(SekishoError, match="holds no keys for snapshot"):
        prepare(options)


def test_a_data_node_refuses_a_database_that_is_not_its_own(written: Options, tmp_path: Path) -> None:
    options = data_options(written, tmp_path)
    KeyRing.create(options.data_dir / "keyring.json", purposes=("access-keys", "sessions", "snapshot"))
    with pytest.raises(SekishoError) as caught:
        prepare(options)
    assert caught.value.code == ("WrongKeyRing" if written.database.startswith("sqlite") else "TooManyPrivileges")
    gone = replace(options, database=f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(DatabaseUnusable, match="there is no such file"):
        prepare(gone)
    assert not (tmp_path / "none.db").exists()


def test_every_table_is_read_by_data_nodes_or_none_of_their_business() -> None:
    """A table that is new has to be put on one side: a data node reads no seeds, no hashes of passwords, no private keys."""
    assert set(grants.READ) - {"alembic_version"} <= set(Base.metadata.tables)
    assert {
        "mfa_devices",
        "login_profiles",
        "password_history",
        "saml_private_keys",
        "issuer_private_keys",
        "audit_records",
    } <= grants.UNREAD
    for table in grants.READ:
        columns = Base.metadata.tables[table].columns.keys() if table != "alembic_version" else []
        assert not {"seed", "hash", "private_key"} & set(columns), table


def test_a_data_node_may_read_whatever_memory_loads() -> None:
    read = {
        made.__tablename__
        for module in (loaders, organizations, resources, changes)
        for made in vars(module).values()
        if isinstance(made, type) and issubclass(made, Base) and made not in (Base, AuditRecord)
    }
    assert len(read) > 15
    assert read <= set(grants.READ)


def test_an_edge_answers_what_the_node_has_although_more_is_loaded(house: House) -> None:
    node = replace(house.node, services=frozenset({"sts"}))
    assert {operation.service.package for operation in node.operations} == {"sts"}
    lanes = Lanes("test", decide=1, control=1)
    receives = Receives(Budget())
    rest = (Workloads(), receives, Lot(node.world), Places())
    try:
        found = handlers.generic(node, lanes, *rest)
        served = {path: _behaviour(found, path) for path in (SAYS_WHO, CREATES)}
        every = {path: _behaviour(handlers.generic(house.node, lanes, *rest), path) for path in (SAYS_WHO, CREATES)}
        assert served == {SAYS_WHO: "answer", CREATES: "elsewhere"}
        assert every == {SAYS_WHO: "answer", CREATES: "answer"}
        assert _behaviour(found, "/grpc.health.v1.Health/Check") == ""
        assert {route.service.package for route in aws.application(node, lanes, timedelta(minutes=5))._router.routes()} == {"sts"}
    finally:
        receives.close()
        lanes.close()


SAYS_WHO, CREATES = "/sekisho.api.sts.v1.StsService/GetCallerIdentity", "/sekisho.api.iam.v1.IamService/CreateUser"


def _behaviour(found: "list[grpc.GenericRpcHandler[bytes, bytes]]", path: str) -> str:
    """The name of the function that the first handler has for a call; empty when none has one."""
    details = mock.Mock(method=path, invocation_metadata=())
    handler: Any = next(filter(None, (one.service(details) for one in found)), None)
    return str(handler.unary_unary.__name__) if handler is not None else ""
