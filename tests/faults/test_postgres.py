"""PostgreSQL stops and starts again under a node: what the cache knows is answered, the rest is UNAVAILABLE, and all recovers."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.errors import SekishoError
from sekisho.node.options import Options
from sekisho.node.prepare import prepare
from sekisho.store import db, engines, schema
from tests import clock, harness, postgres
from tests.harness import House
from tests.services.iam.documents import allow, trust

pytestmark = pytest.mark.faults


class Cluster:
    """A server of its own, always on the same port, that a test can end and start."""

    def __init__(self, server: postgres.Server) -> None:
        self.server = server
        self._source, self._data = Path(server.binaries), Path(server.folder) / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End it at once; its clients lose their connections."""
        subprocess.run(["kill", "-QUIT", str(int((self._data / "postmaster.pid").read_text().split()[0]))], check=True)
        limit = time.monotonic() + 30
        while (self._data / "postmaster.pid").exists() and time.monotonic() < limit:
            time.sleep(0.02)
        if self._process is not None:
            self._process.wait(30)

    def start(self) -> None:
        """Start it again."""
        with contextlib.suppress(FileNotFoundError):
            (self._data / "postmaster.pid").unlink()
        options = [f"--{name}={value}" for name, value in {**postgres.SETTINGS, "port": str(self.server.port)}.items()]
        with (self._data.parent / "log").open("wb") as log:
            self._process = postgres._as_nobody([self._source / "postgres", "-D", self._data, *options], stdout=log)
        assert postgres._ready(self._process, self._data)

    def end(self) -> None:
        """Stop it for good."""
        if self._process is not None and self._process.poll() is None:
            postgres.stop(self._process)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with postgres.running(postgres.binaries()) as server:
        made = Cluster(server)
        try:
            yield made
        finally:
            made.end()


def code(house: House, name: str, **fields: Any) -> str:
    """The code and status of a call's error; `ok` when it has none."""
    try:
        house.call(name, **fields)
    except SekishoError as error:
        leaks = [word for word in ("psycopg", "127.0.0.1", "SELECT") if word in error.message]
        return f"{error.code} {error.grpc} {leaks or ''}".strip()
    return "ok"


def test_the_data_plane_outlives_the_database(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.server.database() as url, harness.house(url, tmp_path) as house:
        account = house.account_id
        ann = house.user("ann", allow("orders:Ship", "authorize:Authorize", "sts:AssumeRole"))
        cold = house.user("cold", allow("orders:Ship", "authorize:Authorize"))
        house.call("CreateRole", role_name="clerk", assume_role_policy_document=trust(f"arn:aws:iam::{account}:user/ann"))
        house.call("PutRolePolicy", role_name="clerk", policy_name="p", policy_document=allow("orders:Ship"))
        role = f"arn:aws:iam::{account}:role/clerk"
        clerk = f"arn:aws:sts::{account}:assumed-role/clerk/monday"
        known: dict[str, Any] = {"action": "orders:Ship", "resource": "*"}
        questions: list[dict[str, Any]] = [
            {**known, "_as": ann},
            {**known, "principal_arn": f"arn:aws:iam::{account}:user/ann"},
            {**known, "principal_arn": clerk},
        ]
        for question in questions:
            assert house.call("Authorize", **question).outcome == pb.OUTCOME_ALLOWED
        house.assume(role, _as=ann)

        cluster.stop()
        for question in questions:
            assert house.call("Authorize", **question).outcome == pb.OUTCOME_ALLOWED
        assert house.call("Authorize", _as=ann, action="orders:Burn", resource="*").outcome == pb.OUTCOME_IMPLICITLY_DENIED
        assert house.call("GetCallerIdentity", _as=ann).arn.endswith(":user/ann")
        session = house.assume(role, _as=ann)  # its record is in the spool
        assert house.call("GetCallerIdentity", _as=session).arn.endswith("assumed-role/clerk/session")
        unavailable = "ServiceUnavailable UNAVAILABLE"
        assert code(house, "Authorize", _as=cold, **known) == unavailable
        assert code(house, "Authorize", principal_arn=f"arn:aws:iam::{account}:user/cold", **known) == unavailable
        assert code(house, "CreateUser", user_name="bob") == unavailable
        assert code(house, "ListUsers") == unavailable
        items = house.call("AuthorizeBatch", requests=[q for q in questions if "_as" not in q]).items
        assert [item.decision.outcome for item in items] == [pb.OUTCOME_ALLOWED] * 2

        with clock.stopped(datetime.now(UTC) + timedelta(minutes=30)):  # and goes on to do so
            for question in questions:
                assert house.call("Authorize", **question).outcome == pb.OUTCOME_ALLOWED
            assert house.call("GetCallerIdentity", _as=session).arn.endswith("assumed-role/clerk/session")
            assert house.call("GetCallerIdentity", _as=house.assume(role, _as=ann)).arn.endswith("assumed-role/clerk/session")
            assert code(house, "CreateUser", user_name="bob") == unavailable
            assert code(house, "Authorize", _as=cold, **known) == unavailable

        cluster.start()
        limit = time.monotonic() + 30
        while code(house, "CreateUser", user_name="bob") != "ok" and time.monotonic() < limit:
            time.sleep(0.05)
        assert {user.user_name for user in house.call("ListUsers").users} == {"ann", "cold", "bob"}
        assert house.call("Authorize", _as=cold, **known).outcome == pb.OUTCOME_ALLOWED
        house.call("DeleteUserPolicy", user_name="ann", policy_name="inline-0")
        assert code(house, "Authorize", _as=ann, **known, at_least=house.revision) == "AccessDenied PERMISSION_DENIED"


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_lacks_letters_is_refused(cluster: Cluster, tmp_path: Path, encoding: str) -> None:
    name = f"narrow_{encoding.lower()}"
    cluster.server.execute(
        f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    try:
        with pytest.raises(engines.UnsafeDatabase) as caught:
            prepare(Options(data_dir=tmp_path / "data", database=cluster.server.url(name)))
        assert caught.value.message == f"the database's settings are unsafe: server_encoding is {encoding}, not UTF8"
        with db.Database(cluster.server.url(name)) as database:
            assert schema.current(database) is None
    finally:
        cluster.server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("fsync", "off", "fsync is off, not on"),
        ("full_page_writes", "off", "full_page_writes is off, not on"),
        ("synchronous_commit", "off", "synchronous_commit is off, not on"),
        ("synchronous_commit", "local", ""),
    ],
)
def test_a_server_that_would_lose_writes_is_refused(cluster: Cluster, setting: str, value: str, words: str) -> None:
    cluster.server.execute(f"ALTER SYSTEM SET {setting} = {value}")
    cluster.server.execute("SELECT pg_reload_conf()")
    try:
        with cluster.server.database() as url, db.Database(url) as database:
            limit = time.monotonic() + 20
            while _setting(database, setting) != value and time.monotonic() < limit:
                time.sleep(0.02)
            if not words:
                db.refuse_unsafe(database)
                return
            with pytest.raises(engines.UnsafeDatabase) as caught:
                db.refuse_unsafe(database)
            assert caught.value.message == f"the database's settings are unsafe: {words}"
    finally:
        cluster.server.execute(f"ALTER SYSTEM RESET {setting}")
        cluster.server.execute("SELECT pg_reload_conf()")


def _setting(database: db.Database, name: str) -> str:
    with database.read() as session:
        return str(session.execute(text(f"SHOW {name}")).scalar_one())
