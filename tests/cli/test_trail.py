"""`sekisho trail`: proof, export and retention out of a database, without a server."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.command import Done, one_line, sekisho
from tests.journal.trail import campaign
from tests.journal.trail.campaign import Dump


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    return campaign.settled(campaign.dump(tmp_path_factory.mktemp("dump"), 30))


@pytest.fixture
def folder(original: Dump, tmp_path: Path) -> Path:
    """A dump with its key ring and its checkpoints."""
    shutil.copytree(original.file.parent, tmp_path / "dump")
    return tmp_path / "dump"


def verify(folder: Path, *arguments: object) -> Done:
    ring, database = folder / "keyring.json", f"sqlite:///{folder}/dump.db"
    return sekisho("trail", "verify", "--database", database, "--key-ring", ring, "--checkpoints", folder / "published", *arguments)


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "dump.db")) as connection, connection:
        connection.execute(statement)


def test_nothing_is_wrong(folder: Path) -> None:
    done = verify(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "30 links of 3 accounts, 5 checkpoints up to ordinal 30\nnothing is wrong\n"
    said = json.loads(verify(folder, "--json").stdout)
    assert (said["whole"], said["links"], said["checkpoints"], said["proven"], said["faults"]) == (True, 30, 5, True, [])


def test_the_first_record_that_is_wrong_is_named(folder: Path) -> None:
    change(folder, "UPDATE audit_records SET source_ip = '192.0.2.9' WHERE id = 'r-1-4'")
    done = verify(folder)
    assert done.returncode == 1
    assert done.stdout.splitlines()[1:] == [
        "wrong: account 444455556666, sequence 4, record r-1-4: the record, its place or the link before it was changed"
    ]
    (fault,) = json.loads(verify(folder, "--json").stdout)["faults"]
    assert (fault["account"], fault["sequence"], fault["ordinal"], fault["record"]) == ("444455556666", 4, 11, "r-1-4")
    assert verify(folder, "--account", "111122223333").returncode == 0
    assert verify(folder, "--from", "2026-05-04T03:30:00Z").returncode == 0
    assert verify(folder, "--to", "2026-05-04T03:30:00").returncode == 1
    assert verify(folder, "--without-key-ring").returncode == 0  # no checkpoint names it


def test_an_account_that_is_mistyped_is_no_account_without_faults(folder: Path) -> None:
    said = "there is no account `111122223334`, and no record of one"
    ring = "--key-ring", folder / "keyring.json", "--checkpoints", folder / "published"
    database = "--database", f"sqlite:///{folder}/dump.db"
    assert one_line(sekisho("trail", "verify", "--account", "111122223334", *database, *ring)) == said
    assert one_line(sekisho("trail", "export", "--account", "111122223334", *database)) == said


def test_a_public_key_that_is_trusted(folder: Path) -> None:
    (key,) = (folder / "published").glob("*.der")
    trusted = shutil.copy(key, folder / "trusted.der")
    key.unlink()
    assert verify(folder, "--public-key", trusted).returncode == 0
    done = verify(folder)
    assert done.returncode == 1
    assert "checkpoint 1 is signed with a key that is not known" in done.stdout


def test_an_export_is_verified_as_the_database(folder: Path) -> None:
    database, file = f"sqlite:///{folder}/dump.db", folder / "records.jsonl"
    done = sekisho("trail", "export", "--format", "records", "--database", database, file)
    assert (done.returncode, done.stderr) == (0, "30 records\n")
    ring = "--key-ring", folder / "keyring.json", "--checkpoints", folder / "published"
    assert sekisho("trail", "verify", "--export", file, *ring).returncode == 0
    file.write_text(file.read_text().replace("192.0.2.1", "192.0.2.9"))
    assert sekisho("trail", "verify", "--export", file, *ring).returncode == 1
    assert one_line(sekisho("trail", "verify", "--export", file, *ring, "--account", "111122223333")).startswith(
        "an export is verified whole"
    )


def test_retention_is_said_and_shown(folder: Path) -> None:
    database = "--database", f"sqlite:///{folder}/dump.db"
    assert one_line(sekisho("trail", "retain", "--account", "1", "--days", 3, *database)) == "there is no account `1`"
    change(
        folder, "INSERT INTO accounts (id, name, created_at, status) VALUES ('111122223333', 'a', '2026-01-01 00:00:00.000000', 'ACTIVE')"
    )
    change(folder, "INSERT INTO trail_cursors (name, position) VALUES ('sink', 20)")
    done = sekisho("trail", "retain", "--account", "111122223333", "--days", 3, *database)
    assert done.stdout == "111122223333  3 days\nreader sink: 10 records behind\n"
    done = sekisho("trail", "retain", "--account", "111122223333", "--days", 0, "--forget", "sink", *database)
    assert done.stdout == "111122223333  for ever\n"
    assert sekisho("trail", "retain", "--account", "111122223333", "--usual", *database).stdout == ""
    assert "could be forgotten" in one_line(sekisho("trail", "retain", "--forget", "sealer", *database))


def test_what_is_not_there_is_named(folder: Path) -> None:
    said = one_line(sekisho("trail", "verify", "--database", f"sqlite:///{folder}/dump.db", "--data-dir", folder / "none"))
    assert said == f"there is no key ring `{folder}/none/keyring.json`; name it with --key-ring, or say --without-key-ring"
    assert one_line(verify(folder, "--from", "yesterday")) == "`yesterday` is not a time such as 2026-05-04T12:00:00Z"
    assert one_line(sekisho("trail", "export", "--format", "parquet", "--database", f"sqlite:///{folder}/dump.db")).startswith(
        "Parquet goes"
    )
