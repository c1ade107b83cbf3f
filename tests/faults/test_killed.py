"""A worker is killed in the middle of writing: what it acknowledged is there, and what is there is whole."""

import json
import os
import random
import signal
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from sqlalchemy import select

from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.journal.spool import Spool
from sekisho.node import assembly
from sekisho.store import db, schema
from sekisho.store.tables import AccessKey, AuditRecord, Change, Revision, User
from tests import processes
from tests.harness import House
from tests.services.iam.documents import trust

pytestmark = pytest.mark.faults
ROUNDS = 4


def write_until_killed(url: str, folder: Path, account: accounts.NewAccount, number: int, acknowledged: Connection) -> None:
    """Make users with keys and sessions, and say the name of each when its reply was there."""
    with (
        db.Database(url) as database,
        assembly.opened(database, KeyRing.open(folder / "keyring.json"), folder / "spool.db", audience="sekisho") as made,
    ):
        house = House(made, account)
        ann = house.user(f"ann-{number}")
        trusting = trust(f"arn:aws:iam::{account.account_id}:user/ann-{number}")
        role = house.call("CreateRole", role_name=f"r{number}", assume_role_policy_document=trusting)
        acknowledged.send(("ready", ""))
        for index in range(10_000):
            name = f"u-{number}-{index}"
            house.call("CreateUser", user_name=name)
            acknowledged.send(("user", name))
            house.call("CreateAccessKey", user_name=name)
            acknowledged.send(("key", name))
            house.assume(role.role.arn, session=f"s-{number}-{index}", _as=ann)
            acknowledged.send(("session", f"s-{number}-{index}"))


def test_what_was_acknowledged_is_there_and_what_is_there_is_whole(database_url: str, tmp_path: Path) -> None:
    with db.Database(database_url) as database:
        schema.upgrade(database)
        account = accounts.create(database, KeyRing.create(tmp_path / "keyring.json"))
    chance = random.Random(7)
    acknowledged: dict[str, set[str]] = {"user": set(), "key": set(), "session": set()}
    for number in range(ROUNDS):
        ours, theirs = processes.CONTEXT.Pipe(duplex=False)
        process = processes.CONTEXT.Process(target=write_until_killed, args=(database_url, tmp_path, account, number, theirs))
        process.start()
        theirs.close()
        assert ours.recv() == ("ready", "")
        for _ in range(chance.randrange(4, 16)):
            kind, name = ours.recv()
            acknowledged[kind].add(name)
        assert process.pid is not None
        _spin(chance.randrange(20_000))  # to die at some other point of the next call
        os.kill(process.pid, signal.SIGKILL)
        process.join(20)
        try:
            while True:
                kind, name = ours.recv()
                acknowledged[kind].add(name)
        except EOFError:
            pass
    assert all(len(names) > ROUNDS for names in acknowledged.values())
    with db.Database(database_url) as database:
        assert schema.check(database) == []
        with database.read() as session:
            users = dict(session.execute(select(User.name, User.id)).all())
            owners = set(session.scalars(select(AccessKey.owner_id)))
            revisions = list(session.scalars(select(Revision.number).order_by(Revision.number)))
            changed = set(session.scalars(select(Change.number)))
            audited = Counter(session.scalars(select(AuditRecord.revision).where(AuditRecord.revision.is_not(None))))
            events = Counter(session.scalars(select(AuditRecord.event_name).where(AuditRecord.revision.is_not(None))))
        assert acknowledged["user"] <= users.keys()
        assert {users[name] for name in acknowledged["key"]} <= owners
        assert revisions == list(range(1, len(revisions) + 1))
        assert audited == Counter(revisions)
        assert changed == set(revisions)
        assert events["CreateUser"] == len(users)
        assert _recorded_sessions(database, tmp_path) >= acknowledged["session"]


def _spin(turns: int) -> None:
    for _ in range(turns):
        pass


def _recorded_sessions(database: db.Database, folder: Path) -> set[str]:
    """The names of sessions in the audit trail, and in what the spool still has for it."""
    spool = Spool(folder / "spool.db")
    try:
        requests = [json.loads(entry.body).get("request", "{}") for entry in spool.waiting(10_000)]
    finally:
        spool.close()
    with database.read() as session:
        requests += session.scalars(select(AuditRecord.request).where(AuditRecord.event_name == "AssumeRole")).all()
    return {json.loads(request).get("roleSessionName", "") for request in requests}
