"""`sekisho db` and the other commands beside the server: they make nothing by looking, and name what they did not find."""

from pathlib import Path

import pytest

from tests.cli.command import one_line, sekisho


def test_current_writes_nothing(tmp_path: Path) -> None:
    assert sekisho("db", "current", "--data-dir", tmp_path / "none").stdout == "none\n"
    assert sekisho("db", "current", "--database", f"sqlite:///{tmp_path}/none.db").stdout == "none\n"
    assert list(tmp_path.iterdir()) == []
    url = f"sqlite:///{tmp_path}/some.db"
    version = sekisho("db", "upgrade", "--database", url).stdout
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()}
    assert sekisho("db", "current", "--database", url).stdout == version
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()} == before


def test_a_database_that_is_made_is_its_users_alone(tmp_path: Path) -> None:
    sekisho("db", "upgrade", "--database", f"sqlite:///{tmp_path}/some.db")
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {"some.db": 0o600, "some.db.lock": 0o600}


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("no database at all, and long enough to be read as one" * 20)
    said = one_line(sekisho("db", "current", "--database", f"sqlite:///{tmp_path}/x.db"))
    assert said == f"the database {tmp_path}/x.db: file is not a database"


NO_DATABASE = [("db", "check"), ("account", "create"), ("account", "list")]


@pytest.mark.parametrize("command", NO_DATABASE, ids=" ".join)
def test_a_database_that_is_not_there_is_named_and_not_made(tmp_path: Path, command: tuple[str, ...]) -> None:
    said = one_line(sekisho(*command, "--database", f"sqlite:///{tmp_path}/none.db"))
    assert said.startswith(f"there is no database `{tmp_path}/none.db`")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("db", "current"), ("db", "check"), ("db", "upgrade"), ("account", "list")], ids=" ".join)
def test_a_postgresql_that_refuses_is_named_without_its_password(command: tuple[str, ...]) -> None:
    said = one_line(sekisho(*command, "--database", "postgresql+psycopg://ana:secret@127.0.0.1:1/sekisho"))
    assert said.startswith("the database postgresql+psycopg://ana:***@127.0.0.1:1/sekisho: ")
    assert said.endswith("Connection refused")


def test_a_server_that_cannot_reach_its_database_says_why(tmp_path: Path) -> None:
    listen = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data-dir", tmp_path / "data")
    said = one_line(sekisho("serve", *listen, "--database", "postgresql+psycopg://ana:secret@127.0.0.1:1/sekisho"))
    assert said.startswith("the database postgresql+psycopg://ana:***@127.0.0.1:1/sekisho cannot be opened: ")
    assert said.endswith("Connection refused")
    said = one_line(sekisho("serve", *listen, "--database", f"sqlite:///{tmp_path}/none/x.db"))
    assert f"{tmp_path}/none/x.db" in said


def test_a_database_that_postgresql_does_not_have_is_named(postgres_url: str) -> None:
    said = one_line(sekisho("db", "check", "--database", postgres_url.rpartition("/")[0] + "/nowhere"))
    assert 'database "nowhere" does not exist' in said


def test_accounts_are_listed(tmp_path: Path) -> None:
    from sekisho.node.options import Options
    from sekisho.node.prepare import prepare

    prepare(Options(data_dir=tmp_path / "data", account_id="111122223333"))
    assert sekisho("account", "list", "--data-dir", tmp_path / "data").stdout == "111122223333  ACTIVE  root\n"
    sekisho("account", "create", "--name", "branch", "--data-dir", tmp_path / "data")
    second = sekisho("account", "list", "--data-dir", tmp_path / "data").stdout.splitlines()
    assert sorted(line.split()[1:] for line in second) == [["ACTIVE", "branch"], ["ACTIVE", "root"]]
