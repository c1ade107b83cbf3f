"""Fifty who create at once, in eight processes, do not exceed a quota; not one that an operator has set, either."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.store import db, schema
from sekisho.store.tables import Entity, EntityCount, MfaDevice
from tests import processes
from tests.harness import House
from tests.services.iam.documents import TRUST_EC2
from tests.services.iam.mfa import phone

PROCESSES, TRIES = 8, 50
QUOTAS = {"UsersQuota": 7, "GroupsQuota": 3, "RolesQuota": 5, "InstanceProfilesQuota": 0}


def race(houses: Sequence[House], number: int) -> list[tuple[str, str]]:
    """This process's share of fifty tries at each."""
    made = []
    for index in range(number, TRIES, PROCESSES):
        for name, fields in (
            ("CreateUser", {"user_name": f"u{index}"}),
            ("CreateGroup", {"group_name": f"g{index}"}),
            ("CreateRole", {"role_name": f"r{index}", "assume_role_policy_document": TRUST_EC2}),
            ("CreateInstanceProfile", {"instance_profile_name": f"i{index}"}),
        ):
            made.append((name, processes.outcome(houses[0], name, **fields)))
    return made


def enable(houses: Sequence[House], number: int) -> list[str]:
    """This process gives a user two devices more."""
    made = []
    for index in range(2):
        device = phone(houses[0], f"phone-{number}-{index}")
        made.append(processes.outcome(houses[0], "EnableMFADevice", user_name="ann", serial_number=device.serial, **device.pair()))
    return made


def ann(houses: Sequence[House], _number: int) -> str:
    """A user who gets devices."""
    return processes.outcome(houses[0], "CreateUser", user_name="ann")


@pytest.fixture
def known(database_url: str, tmp_path: Path) -> accounts.NewAccount:
    """An account on a migrated database."""
    with db.Database(database_url) as database:
        schema.upgrade(database)
        return accounts.create(database, KeyRing.create(tmp_path / "keyring.json"))


def test_no_quota_of_an_account_is_exceeded(database_url: str, tmp_path: Path, known: accounts.NewAccount) -> None:
    with db.Database(database_url) as database:
        for quota, value in QUOTAS.items():
            accounts.set_quota(database, known.account_id, quota, value)
    results = [one for of_process in processes.run(database_url, tmp_path, [known], race, processes=PROCESSES) for one in of_process]
    counted = Counter(results)
    assert counted == {
        ("CreateUser", "ok"): 7,
        ("CreateUser", "LimitExceeded"): 43,
        ("CreateGroup", "ok"): 3,
        ("CreateGroup", "LimitExceeded"): 47,
        ("CreateRole", "ok"): 5,
        ("CreateRole", "LimitExceeded"): 45,
        ("CreateInstanceProfile", "LimitExceeded"): 50,
    }
    with db.Database(database_url) as database, database.read() as session:
        kinds = dict(session.execute(select(Entity.kind, func.count()).group_by(Entity.kind)).all())
    assert kinds == {"root": 1, "user": 7, "group": 3, "role": 5}


def test_no_user_has_more_devices_than_eight(database_url: str, tmp_path: Path, known: accounts.NewAccount) -> None:
    assert processes.run(database_url, tmp_path, [known], ann, processes=1) == ["ok"]
    results = processes.run(database_url, tmp_path, [known], enable, processes=PROCESSES)
    assert Counter(code for of_process in results for code in of_process) == {"ok": 8, "LimitExceeded": 8}
    with db.Database(database_url) as database, database.read() as session:
        assert session.scalar(select(func.count()).select_from(MfaDevice).where(MfaDevice.user_id.is_not(None))) == 8


def churn(houses: Sequence[House], number: int) -> list[str]:
    """This process makes users and deletes them again, at the edge of the quota; those of the last round stay."""
    made = []
    for turn in range(6):
        name = f"u{number}-{turn}"
        made.append(processes.outcome(houses[0], "CreateUser", user_name=name))
        if made[-1] == "ok" and turn < 5:
            assert processes.outcome(houses[0], "DeleteUser", user_name=name) == "ok"
    return made


def test_eight_who_create_and_delete_at_the_edge_stay_within(database_url: str, tmp_path: Path, known: accounts.NewAccount) -> None:
    with db.Database(database_url) as database:
        accounts.set_quota(database, known.account_id, "UsersQuota", 3)
    results = [code for of_process in processes.run(database_url, tmp_path, [known], churn, processes=PROCESSES) for code in of_process]
    assert set(results) <= {"ok", "LimitExceeded"}
    with db.Database(database_url) as database, database.read() as session:
        there = session.scalar(select(func.count()).select_from(Entity).where(Entity.kind == "user"))
        counted = session.scalars(select(EntityCount.held).where(EntityCount.kind == "user")).one()
    assert counted == there
    assert there is not None
    assert 1 <= there <= 3
