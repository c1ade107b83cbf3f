"""A data node beside a standby: the primary dies under load, the standby takes over, all databases go, the node itself is killed."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import grpc
import pytest

from sekisho import sigv4
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.memory.cache import World
from sekisho.memory.confirmation import Stale
from sekisho.node import draining
from sekisho.store import db, schema, standby
from tests import planes, postgres, replication
from tests.faults.test_postgres import Cluster
from tests.harness import BY_NAME
from tests.served import Served, signed
from tests.services.iam.documents import allow, trust

pytestmark = pytest.mark.faults


Record = Callable[..., None]


@pytest.fixture
def record(record_property: Callable[[str, object], None]) -> Record:
    """Keeps figures with the test's result: `pytest --junit-xml FILE` has them."""

    def kept(**figures: object) -> None:
        for name, value in figures.items():
            record_property(name, value)

    return kept


def send(served: Served, name: str, who: sigv4.Credentials, **fields: Any) -> Any:
    """The response of a call, or the status and the message that it ended with."""
    operation = BY_NAME[name]
    body = operation.request(**fields).SerializeToString()
    answer = served.send(operation.path, body, signed(who, operation.path, body))
    return operation.response.FromString(answer.body) if answer.status is grpc.StatusCode.OK else f"{answer.status.name} {answer.message}"


def ask(data: Served, who: sigv4.Credentials, **fields: Any) -> Any:
    """What a data node says to whether the caller may ship."""
    return send(data, "Authorize", who, action="orders:Ship", resource="*", **fields)


@dataclass(slots=True)
class Ledger:
    """What was attempted and what was acknowledged; `wrong` are answers that should not have been."""

    attempted: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    sessions: set[str] = field(default_factory=set)
    wrong: list[Any] = field(default_factory=list)

    def more(self, of: str, count: int) -> Callable[[], bool]:
        """Whether there are so many more than now."""

        def size() -> int:
            found = getattr(self, of)
            return found if isinstance(found, int) else len(found)

        before = size()
        return lambda: size() >= before + count


@contextmanager
def threads(*bodies: Callable[[], None]) -> Iterator[None]:
    """Each body again and again, in a thread of its own, until the block ends."""
    stop = threading.Event()

    def again(body: Callable[[], None]) -> None:
        while not stop.is_set():
            body()

    running = [threading.Thread(target=again, args=(body,)) for body in bodies]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in running:
            thread.join()


@dataclass(slots=True)
class Cast:
    """Who is who: ann may ship and assume the role clerk."""

    ann: sigv4.Credentials
    role: str

    @classmethod
    def made(cls, control: Served) -> "Cast":
        control.call("CreateUser", user_name="ann")
        document = allow("orders:Ship", "authorize:Authorize", "sts:AssumeRole")
        control.call("PutUserPolicy", user_name="ann", policy_name="p", policy_document=document)
        key = control.call("CreateAccessKey", user_name="ann").access_key
        account = control.call("GetCallerIdentity").account
        trusting = trust(f"arn:aws:iam::{account}:user/ann")
        role = control.call("CreateRole", role_name="clerk", assume_role_policy_document=trusting).role
        control.write("PutRolePolicy", role_name="clerk", policy_name="p", policy_document=document)
        return cls(sigv4.Credentials(key.access_key_id, key.secret_access_key), role.arn)

    def decides(self, data: Served, ledger: Ledger) -> Callable[[], None]:
        """Ask for what is allowed and for what is not."""

        def body() -> None:
            for action, outcome in (("orders:Ship", pb.OUTCOME_ALLOWED), ("orders:Burn", pb.OUTCOME_IMPLICITLY_DENIED)):
                found = send(data, "Authorize", self.ann, action=action, resource="*")
                ledger.answers += 1
                if getattr(found, "outcome", None) != outcome:
                    ledger.wrong.append(found)

        return body

    def issues(self, data: Served, ledger: Ledger) -> Callable[[], None]:
        """Assume the role, and act as it."""

        def body() -> None:
            name = f"s{len(ledger.sessions)}"
            made = send(data, "AssumeRole", self.ann, role_arn=self.role, role_session_name=name)
            if isinstance(made, str):
                ledger.wrong.append(made)
                return
            ledger.sessions.add(name)
            found = made.credentials
            session = sigv4.Credentials(found.access_key_id, found.secret_access_key, found.session_token)
            who = send(data, "GetCallerIdentity", session)
            if isinstance(who, str) or not who.arn.endswith(f":assumed-role/clerk/{name}"):
                ledger.wrong.append(who)

        return body


def writes(control: Served, ledger: Ledger, writer: int) -> Callable[[], None]:
    """Make users, each once."""
    numbers = iter(range(1_000_000))

    def body() -> None:
        name = f"u-{writer}-{next(numbers)}"
        ledger.attempted.add(name)
        found = send(control, "CreateUser", control.root, user_name=name)
        if isinstance(found, str):
            ledger.failures[found.partition(" ")[0]] += 1
            time.sleep(0.02)
        else:
            ledger.acknowledged.add(name)

    return body


def test_the_primary_dies_under_load(tmp_path: Path, record: Record) -> None:
    with replication.running() as pair:
        pair.primary.execute("CREATE DATABASE sekisho")
        url = pair.url("sekisho")
        with planes.control_node(url, tmp_path / "control") as control:
            reader, drain = planes.grant(pair.primary, "sekisho")
            cast = Cast.made(control)
            seen = "SELECT count(*) FROM inline_policies"
            replication.until(lambda: replication.asked(pair.standby, seen, "sekisho") == 2, "the standby does not follow")
            with planes.data_node(control, planes.url_as(pair.standby, "sekisho", reader), tmp_path / "data") as data:
                ledger = Ledger()
                bodies = [cast.decides(data, ledger), cast.issues(data, ledger), *(writes(control, ledger, n) for n in range(4))]
                for body in bodies[:2]:
                    body()
                with threads(*bodies):
                    replication.until(ledger.more("acknowledged", 20), "nobody writes")
                    pair.kill_primary()
                    replication.until(ledger.more("answers", 60), "nobody decides")
                    replication.until(ledger.more("sessions", 10), "nobody issues")
                    assert sum(ledger.failures.values()), "writes fail while there is no primary"
                    pair.promote()
                    promoted, back = time.monotonic(), ledger.more("acknowledged", 1)
                    replication.until(back, "nobody writes again")
                    took = time.monotonic() - promoted
                    replication.until(ledger.more("acknowledged", 20), "nobody writes on")
                    replication.until(ledger.more("answers", 60), "nobody decides on")
                assert ledger.wrong == []
                users = {user.user_name for user in _all_users(control)} - {"ann"}
                assert ledger.acknowledged <= users, "no write that was acknowledged is lost"
                assert users <= ledger.attempted
                assert len(users - ledger.acknowledged) <= ledger.failures["INTERNAL"], (
                    "what is there and was not acknowledged was said to be open"
                )
                revision = control.write("DeleteUserPolicy", user_name="ann", policy_name="p")
                assert ask(data, cast.ann, at_least=revision).startswith("PERMISSION_DENIED")
                draining.run(tmp_path / "data" / "data", planes.url_as(pair.standby, "sekisho", drain), once=True)
        recorded = replication.asked(pair.standby, "SELECT json_agg(request) FROM audit_records WHERE event_name = 'AssumeRole'", "sekisho")
        assert {json.loads(request)["roleSessionName"] for request in recorded} == ledger.sessions
    record(failover_seconds=took, writes=len(ledger.acknowledged), failures=dict(ledger.failures), answers=ledger.answers)


def _all_users(control: Served) -> Iterator[Any]:
    marker = ""
    while True:
        page = control.call("ListUsers", max_items=1000, marker=marker or None)
        yield from page.users
        if not page.is_truncated:
            return
        marker = page.marker


def test_a_standby_says_how_old_it_is_and_a_node_answers_no_longer_than_it_may() -> None:
    with replication.running() as pair:
        pair.primary.execute("CREATE DATABASE sekisho")
        with db.Database(pair.url("sekisho")) as primary:
            schema.upgrade(primary)
            assert standby.lag(primary) == 0.0
        reader, _ = planes.grant(pair.primary, "sekisho")
        replication.until(lambda: replication.asked(pair.standby, f"SELECT 1 FROM pg_roles WHERE rolname = '{reader}'"), "does not follow")
        replication.until(lambda: replication.asked(pair.standby, GRANTED.format(reader), "sekisho"), "grants do not follow")
        with db.Database(planes.url_as(pair.standby, "sekisho", reader)) as database:
            world = World(database, lambda _: "", max_staleness=3600.0)
            assert database.glance(HEARD) == ("t",), "its role sees when the primary was last heard of"
            replication.until(lambda: standby.lag(database) < 30, "the primary has nothing to say, but says that")
            world.look_at_lag()
            world.poll()
            world.consistent(lambda _: None)
            pair.kill_primary()
            least = standby.lag(database)
            replication.until(lambda: standby.lag(database) > least + 2, "it does not get older")
            with mock.patch.object(standby, "lag", return_value=3700.0):  # as after as many seconds
                world.confirmed.at -= 3700
                world.look_at_lag()
                world.poll()
                with pytest.raises(Stale):
                    world.consistent(lambda _: None)


HEARD = "SELECT last_msg_receipt_time IS NOT NULL FROM pg_stat_wal_receiver"
GRANTED = "SELECT 1 WHERE has_table_privilege('{}', 'revisions', 'SELECT')"


def test_every_database_is_gone_and_the_node_is_killed(tmp_path: Path, record: Record) -> None:
    with postgres.running(postgres.binaries()) as server:
        cluster = Cluster(server)
        server.execute("CREATE DATABASE sekisho")
        try:
            with planes.control_node(server.url("sekisho"), tmp_path / "control") as control:
                reader, _ = planes.grant(server, "sekisho")
                cast = Cast.made(control)
                url = planes.url_as(server, "sekisho", reader)
                _gone(cluster, control, cast, url, tmp_path / "data", record)
        finally:
            cluster.end()


def _gone(cluster: Cluster, control: Served, cast: Cast, url: str, folder: Path, record: Record) -> None:
    ledger = Ledger()
    snapshot = folder / "data" / "snapshots" / "0.snapshot"
    with planes.data_node(control, url, folder) as data:
        bodies = (cast.decides(data, ledger), cast.issues(data, ledger))
        for body in bodies:
            body()
        before = snapshot.stat().st_mtime_ns if snapshot.exists() else 0
        replication.until(lambda: snapshot.exists() and snapshot.stat().st_mtime_ns > before, "no snapshot is written")
        written = snapshot.stat().st_mtime_ns
        replication.until(lambda: snapshot.stat().st_mtime_ns > written, "no other snapshot is written")
        cluster.stop()
        began = time.monotonic()
        assert send(control, "CreateUser", control.root, user_name="bob").startswith("UNAVAILABLE The database")
        refused = time.monotonic() - began
        with threads(*bodies):
            replication.until(ledger.more("answers", 40), "nobody decides")
        data.process.kill()
        data.process.wait()
    began = time.monotonic()
    with planes.data_node(control, url, folder) as data:
        answering = time.monotonic() - began
        bodies = (cast.decides(data, ledger), cast.issues(data, ledger))
        for body in bodies:
            body()
        assert ledger.wrong == []
        assert "snapshot.restored" in data.log.read_text()
        assert ask(data, control.root, principal_arn=f"{cast.role}x").startswith("UNAVAILABLE The database")
        cluster.start()
        revision = _written(control)
        assert ask(data, cast.ann, at_least=revision).startswith("PERMISSION_DENIED")
        cluster.stop()
        assert ask(data, cast.ann).startswith("PERMISSION_DENIED")
        assert data.stop() == 0
    content = bytearray(snapshot.read_bytes())
    content[len(content) // 2] ^= 1
    snapshot.write_bytes(content)
    with pytest.raises(AssertionError, match=r"snapshot\.rejected"), planes.data_node(control, url, folder):
        pass
    record(refused_seconds=refused, answering_seconds=answering)


def _written(control: Served) -> str:
    """The revision of a write that takes something back, as soon as one is possible again."""
    operation = BY_NAME["DeleteUserPolicy"]
    body = operation.request(user_name="ann", policy_name="p").SerializeToString()

    def attempt() -> str:
        answer = control.send(operation.path, body, signed(control.root, operation.path, body))
        return str(answer.trailing["sekisho-revision"]) if answer.status is grpc.StatusCode.OK else ""

    return str(replication.until(attempt, "no write is possible again"))
