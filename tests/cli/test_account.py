"""`sekisho account`, beside a server's data directory."""

import json
from pathlib import Path

import pytest

from sekisho.store import db, schema
from sekisho.store.tables import QuotaOverride
from tests.cli.command import one_line, sekisho


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with a database, as a server leaves it."""
    with db.Database(f"sqlite:///{tmp_path / 'sekisho.db'}") as database:
        schema.upgrade(database)
    return tmp_path


def created(data_dir: Path) -> str:
    done = sekisho("account", "create", "--data-dir", data_dir)
    assert done.returncode == 0, done
    account: str = json.loads(done.stdout)["account_id"]
    return account


def test_a_quota_is_set(data_dir: Path) -> None:
    account = created(data_dir)
    done = sekisho("account", "set-quota", "--account", account, "--quota", "UsersQuota", "--value", 12, "--data-dir", data_dir)
    assert (done.returncode, done.stdout.strip()) == (0, f"UsersQuota of {account}: 12")
    with db.Database(f"sqlite:///{data_dir / 'sekisho.db'}") as database, database.read() as session:
        assert session.get_one(QuotaOverride, (account, "UsersQuota")).value == 12


def test_what_cannot_be_set_is_said_in_a_line(data_dir: Path) -> None:
    wrong = sekisho("account", "set-quota", "--account", "000000000000", "--quota", "UsersQuota", "--value", 1, "--data-dir", data_dir)
    assert one_line(wrong) == "there is no account `000000000000`"
    wrong = sekisho("account", "set-quota", "--account", "000000000000", "--quota", "Users", "--value", 1, "--data-dir", data_dir)
    assert one_line(wrong).startswith("`Users` is no quota that can be set; those are GroupsQuota,")
