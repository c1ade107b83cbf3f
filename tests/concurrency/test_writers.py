"""Eight processes that write at once: nothing is lost, nothing is refused that fits, no quota is exceeded, revisions rise as commits do."""

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.store import changes, db, schema
from sekisho.store.tables import AccessKey, AuditRecord, Change, Membership, PolicyVersion, Revision, User
from tests import processes
from tests.harness import House
from tests.services.iam.documents import LIST_BUCKETS

PROCESSES = 8
EACH = 15


class World:
    """An empty, migrated database with two accounts."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.database = db.Database(url)
        schema.upgrade(self.database)
        ring = KeyRing.create(folder / "keyring.json")
        self.accounts = [accounts.create(self.database, ring) for _ in range(2)]

    def run(self, work: processes.Work[processes.R]) -> list[processes.R]:
        """What each process made of the work."""
        return processes.run(self.url, self.folder, self.accounts, work, processes=PROCESSES)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    made = World(database_url, tmp_path)
    yield made
    made.database.close()


class Onlooker(threading.Thread):
    """Reads the revisions over and over, each time all that one snapshot has, and notes when a number shows before a lower one."""

    def __init__(self, url: str) -> None:
        super().__init__(name="onlooker", daemon=True)
        self._url = url
        self._ended = threading.Event()
        self.faults: list[str] = []
        self.snapshots = 0

    def run(self) -> None:
        known: list[int] = []
        with db.Database(self._url, pool_size=1) as database:
            while not self._ended.wait(0.002):
                with database.read() as session:
                    seen = list(session.scalars(select(Revision.number).order_by(Revision.number)))
                if seen != list(range(1, len(seen) + 1)) or seen[: len(known)] != known:
                    self.faults.append(f"{seen[-5:]} after {known[-5:]}")
                known = seen
                self.snapshots += 1

    def stop(self) -> None:
        self._ended.set()
        self.join(20)


def create_users(houses: Sequence[House], number: int) -> list[tuple[str, str]]:
    """Users in both accounts by turns; name and revision of each."""
    made = []
    for index in range(EACH):
        house = houses[(number + index) % 2]
        name = f"user-{number}-{index}"
        house.call("CreateUser", user_name=name, path=f"/{number}/")
        made.append((name, house.revision))
        processes.pause(number * 1000 + index)
    return made


def test_no_write_is_lost_no_process_starves_and_revisions_rise_as_commits_do(world: World) -> None:
    onlooker = Onlooker(world.url)
    onlooker.start()
    try:
        made = world.run(create_users)
    finally:
        onlooker.stop()
    assert onlooker.faults == []
    assert onlooker.snapshots > 10
    points = [[changes.parse(token) for _, token in of_process] for of_process in made]
    numbers = sorted(point.number for of_process in points for point in of_process)
    assert numbers == list(range(3, 3 + PROCESSES * EACH))  # the two accounts were revisions 1 and 2
    assert all(of_process == sorted(of_process) for of_process in points)
    with world.database.read() as session:
        users = dict(session.execute(select(User.name, User.id)).all())
        revisions = dict(session.execute(select(Revision.number, Revision.nonce)).all())
        audited = Counter(session.scalars(select(AuditRecord.revision).where(AuditRecord.event_name == "CreateUser")))
        touched = set(session.execute(select(Change.number, Change.id)).all())
    assert users.keys() == {name for of_process in made for name, _ in of_process}
    assert len(set(revisions.values())) == len(revisions)
    assert audited == Counter(numbers)
    for of_process in made:
        for name, token in of_process:
            point = changes.parse(token)
            assert revisions[point.number] == point.nonce
            assert (point.number, users[name]) in touched
    order = sorted((point.number, process) for process, of_process in enumerate(points) for point in of_process)
    first_half = Counter(process for _, process in order[: len(order) // 2])
    assert all(first_half[process] >= EACH // 8 for process in range(PROCESSES)), first_half  # nobody starves


GROUPS, TRIES = 50, 50


def race(houses: Sequence[House], number: int) -> list[tuple[str, str]]:
    """This process's share of fifty tries at each quota and at one name, in an order of its own."""
    house = houses[0]
    mine = range(number, TRIES, PROCESSES)
    tasks: list[tuple[str, dict[str, Any]]] = [
        *(("AddUserToGroup", {"user_name": "ann", "group_name": f"group-{index}"}) for index in mine),
        *(("CreateAccessKey", {"user_name": "ann"}) for _ in mine),
        *(
            ("CreatePolicyVersion", {"policy_arn": f"arn:aws:iam::{house.account_id}:policy/p", "policy_document": LIST_BUCKETS})
            for _ in mine
        ),
        *(("CreateUser", {"user_name": ("Bob", "bob", "BOB")[index % 3]}) for index in mine),
        *(("TagUser", {"user_name": "ann", "tags": [{"key": f"{number}-{index}-{n}", "value": "x"} for n in range(20)]}) for index in mine),
    ]
    random.Random(number).shuffle(tasks)
    return [(name, processes.outcome(house, name, **fields)) for name, fields in tasks]


def test_a_race_exceeds_no_quota_and_a_name_has_one_winner(world: World) -> None:
    (prepared,) = processes.run(world.url, world.folder, world.accounts, prepare, processes=1)
    assert prepared == GROUPS
    counted: dict[str, Counter[str]] = {}
    for name, code in (result for results in world.run(race) for result in results):
        counted.setdefault(name, Counter())[code] += 1
    assert counted == {
        "AddUserToGroup": {"ok": 10, "LimitExceeded": 40},
        "CreateAccessKey": {"ok": 2, "LimitExceeded": 48},
        "CreatePolicyVersion": {"ok": 4, "LimitExceeded": 46},
        "CreateUser": {"ok": 1, "EntityAlreadyExists": 49},
        "TagUser": {"ok": 2, "LimitExceeded": 48},
    }
    with world.database.read() as session:
        ann = session.scalars(select(User.id).where(User.name == "ann")).one()
        assert session.scalar(select(func.count()).select_from(Membership).where(Membership.user_id == ann)) == 10
        assert session.scalar(select(func.count()).select_from(AccessKey).where(AccessKey.owner_id == ann)) == 2
        assert session.scalar(select(func.count()).select_from(PolicyVersion)) == 5
        assert session.scalar(select(func.count()).select_from(User).where(User.name_key == "bob")) == 1


def prepare(houses: Sequence[House], _number: int) -> int:
    """A user, a policy and the groups to race for."""
    house = houses[0]
    house.call("CreateUser", user_name="ann")
    house.call("CreatePolicy", policy_name="p", policy_document=LIST_BUCKETS)
    for index in range(GROUPS):
        house.call("CreateGroup", group_name=f"group-{index}")
    return GROUPS
