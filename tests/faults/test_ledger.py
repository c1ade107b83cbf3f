"""Workers are killed at random while eight callers write, and the database agrees with the ledger of what their callers were told."""

import itertools
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import select

from sekisho import sigv4
from sekisho.client import Client, Error
from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.journal.trail import evidence
from sekisho.journal.trail.evidence import Wanted, Witness
from sekisho.journal.trail.sealer import Sealer
from sekisho.node import draining
from sekisho.store import db
from sekisho.store.tables import AuditRecord, Change, Revision, TrailLink, User
from tests.faults.test_workers import serving_workers, until
from tests.harness import BY_NAME
from tests.served import OPTIONS, Served, serving, signed
from tests.services.iam.documents import allow, trust

pytestmark = pytest.mark.faults

KILLS = int(os.environ.get("KILLS", "2"))
"""`make campaign` takes more."""
WRITERS = 8
_CHANNEL = (
    *OPTIONS,
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
)


@dataclass(slots=True)
class Ledger:
    """Names of users that were acknowledged, refused by a server that answered, or left open; sessions that were acknowledged."""

    acknowledged: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)

    def writes(self, served: Served, writer: int, stop: threading.Event) -> None:
        """Make users, each once."""
        with connected(served) as mine:
            for number in itertools.count():
                if stop.is_set():
                    return
                name = f"u-{writer}-{number}"
                found = sent(mine, "CreateUser", mine.root, user_name=name)
                if found is None:
                    self.open.add(name)
                    time.sleep(0.02)
                elif isinstance(found, str):
                    self.refused[name] = found
                else:
                    self.acknowledged.add(name)

    def issues(self, served: Served, ann: sigv4.Credentials, role: str, stop: threading.Event) -> None:
        """Assume a role, each session once."""
        with connected(served) as mine:
            for number in itertools.count():
                if stop.is_set():
                    return
                found = sent(mine, "AssumeRole", ann, role_arn=role, role_session_name=f"s-{number}")
                if found is not None and not isinstance(found, str):
                    self.sessions.add(f"s-{number}")


@contextmanager
def connected(served: Served) -> Iterator[Served]:
    """The same server over a connection of one's own."""
    with grpc.insecure_channel(served.endpoints["grpc"], _CHANNEL) as channel:
        yield replace(served, channel=channel)


def sent(served: Served, name: str, who: sigv4.Credentials, **fields: Any) -> Any:
    """The response of a call; the code with which the server refused it; None where nobody knows what became of it."""
    operation = BY_NAME[name]
    body = operation.request(**fields).SerializeToString()
    answer = served.send(operation.path, body, signed(who, operation.path, body))
    if answer.status is grpc.StatusCode.OK:
        return operation.response.FromString(answer.body)
    return answer.reason if answer.reason and answer.reason != "COMMIT_UNKNOWN" else None


@contextmanager
def running(*bodies: Callable[[threading.Event], None]) -> Iterator[None]:
    """Each body in a thread of its own, told to stop at the end of the block."""
    stop = threading.Event()
    threads = [threading.Thread(target=body, args=(stop,)) for body in bodies]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_for(size: Callable[[], int], more: int, what: str) -> None:
    """Return when there are so many more than now."""
    least = size() + more
    until(lambda: size() >= least, what)


def kill_at_random(served: Served, moved: Callable[[], int]) -> None:
    """Kill a worker that serves, again and again, each time after something has moved."""
    chance, killed = random.Random(13), set[int]()
    for number in range(KILLS):
        wait_for(moved, chance.randrange(1, 12), f"kill {number}: nothing moves")
        workers = until(lambda: sorted(set(serving_workers(served.log).values()) - killed), f"kill {number}: nobody serves")
        time.sleep(chance.random() * 0.02)  # to die at some other point of a call
        killed.add(process := chance.choice(workers))
        os.kill(process, signal.SIGKILL)


def test_nothing_is_lost_and_nothing_made_up(database_url: str, tmp_path: Path) -> None:
    ledger = Ledger()
    with serving(database_url, tmp_path, workers=2) as served:
        served.call("CreateUser", user_name="ann")
        key = served.call("CreateAccessKey", user_name="ann").access_key
        ann = sigv4.Credentials(key.access_key_id, key.secret_access_key)
        account = served.call("GetCallerIdentity").account
        with db.Database(database_url) as database:
            accounts.set_quota(database, account, "UsersQuota", 1_000_000)  # five thousand users are made before three hundred kills
        role = served.call("CreateRole", role_name="clerk", assume_role_policy_document=trust(f"arn:aws:iam::{account}:user/ann")).role.arn
        writers = (partial(ledger.writes, served, number) for number in range(WRITERS))
        with running(*writers, partial(ledger.issues, served, ann, role)):
            kill_at_random(served, lambda: len(ledger.acknowledged))
            wait_for(lambda: len(ledger.sessions), 1, "nobody issues")
        assert served.stop() == 0
    draining.run(tmp_path / "data", database_url, once=True)  # what a worker that was killed last has left
    proven = verified(database_url, tmp_path / "data" / "keyring.json")
    with db.Database(database_url) as database, database.read() as session:
        users = set(session.scalars(select(User.name))) - {"ann"}
        revisions = list(session.scalars(select(Revision.number).order_by(Revision.number)))
        changed = set(session.scalars(select(Change.number)))
        audited = Counter(session.scalars(select(AuditRecord.revision).where(AuditRecord.revision.is_not(None))))
        made = Counter(session.scalars(select(AuditRecord.event_name).where(AuditRecord.revision.is_not(None))))["CreateUser"]
        assumed = session.scalars(select(AuditRecord.request).where(AuditRecord.event_name == "AssumeRole")).all()
    assert ledger.acknowledged - users == set(), "lost"
    assert users - ledger.acknowledged - ledger.open == set(), "made up"
    assert users & ledger.refused.keys() == set(), "there, although its caller was told that it is not"
    assert made == len(users) + 1
    assert revisions == list(range(1, len(revisions) + 1))
    assert (audited, changed) == (Counter(revisions), set(revisions))
    names = Counter(json.loads(request)["roleSessionName"] for request in assumed)
    assert ledger.sessions <= names.keys()
    assert set(names.values()) <= {1}, "recorded once"
    with db.Database(database_url) as database, database.read() as session:
        records = set(session.scalars(select(AuditRecord.id)))
        linked = Counter(session.scalars(select(TrailLink.record_id)))
    assert (linked, proven) == (Counter(records), len(records)), "each record has one link"


def verified(url: str, ring: Path) -> int:
    """Link what is not linked yet; the number of links, with which nothing is wrong."""
    keys = KeyRing.open(ring)
    with db.Database(url) as database:
        sealer = Sealer(database, keys)
        while sealer.once():
            pass
        report = evidence.of_database(database, Witness(keys), Wanted())
    assert report.faults == []
    assert report.unsealed == 0
    return report.links


def test_callers_who_try_again_notice_nothing(tmp_path: Path) -> None:
    """The client's own retries, with a worker killed under them again and again."""
    answers: list[bool] = []
    failures: list[Error] = []
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, workers=2) as served:
        served.call("CreateUser", user_name="ann")
        served.write("PutUserPolicy", user_name="ann", policy_name="p", policy_document=allow("orders:Ship"))
        ann = f"arn:aws:iam::{served.call('GetCallerIdentity').account}:user/ann"

        def asks(stop: threading.Event) -> None:
            with Client(served.endpoints["grpc"], served.root, timeout=60.0) as client:
                while not stop.wait(0.01):  # faster, they would take the processor from who comes in the place of a worker
                    try:
                        answers.append(bool(client.authorize(principal=ann, action="orders:Ship", resource="*")))
                    except Error as error:
                        failures.append(error)

        with running(*(asks for _ in range(4))):
            for number in range(KILLS):
                wait_for(lambda: len(answers), 40, f"kill {number}: nobody answers")
                workers = until(lambda: both_serve(served), f"kill {number}: the worker that was killed is not replaced")
                killed = random.Random(number).choice(workers)
                os.kill(killed, signal.SIGKILL)
                until(gone(served, killed), f"kill {number}: nobody comes in its place")
            wait_for(lambda: len(answers), 40, "nobody answers at the end")
    assert failures == []
    assert all(answers)


def both_serve(served: Served) -> list[int]:
    """The two workers, once both serve."""
    found = sorted(serving_workers(served.log).values())
    return found if len(found) == 2 else []


def gone(served: Served, process: int) -> Callable[[], bool]:
    """Whether another serves in the place of a process."""
    return lambda: process not in serving_workers(served.log).values()
