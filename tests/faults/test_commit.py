"""What goes wrong in the last round trip of a write on PostgreSQL, which has its rows, its revision and its COMMIT."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from sekisho.credentials import accounts
from sekisho.errors import SekishoError
from sekisho.store import changes, db
from sekisho.store.tables import Account
from tests import postgres

pytestmark = pytest.mark.faults

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "111122223333"
BREAK = "SELECT pg_terminate_backend(pg_backend_pid())"


@pytest.fixture
def database(postgres_server: postgres.Server) -> Iterator[db.Database]:
    with postgres_server.migrated() as url, db.Database(url) as made:
        yield made


def write(database: db.Database, *statements: str, seconds: float = 20.0) -> changes.Recorded:
    """A write of an account, with more statements before its revision."""

    def step(script: db.Script) -> None:
        for statement in statements:
            script.execute(statement)

    with database.write((ACCOUNT,), deadline=time.monotonic() + seconds) as session:
        touched = changes.Touched(session)
        changes.add(session, Account(id=ACCOUNT, name="a", created_at=NOW))
        db.at_commit(session, step)
        return changes.record(session, touched, NOW, lambda: "0" * 16, accounts.by_operator(ACCOUNT, NOW, "iam", "Test", {}))


def there(database: db.Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(Account.id)))


def test_a_connection_that_breaks_leaves_it_open_whether_the_write_took_place(database: db.Database) -> None:
    with pytest.raises(SekishoError) as caught:
        write(database, BREAK)
    assert caught.value.code == "CommitUnknown"
    assert there(database) == []
    assert write(database).point == changes.Point(1, "0" * 16)  # on a connection that is whole
    assert there(database) == [ACCOUNT]


def test_a_statement_that_fails_takes_all_of_it_back(database: db.Database) -> None:
    with pytest.raises(SekishoError) as caught:
        write(database, "SELECT 'one'::int")
    assert caught.value.code == "ServiceUnavailable"
    assert there(database) == []


def test_the_deadline_holds_while_another_has_the_lock_of_revisions(database: db.Database) -> None:
    held, done = threading.Event(), threading.Event()

    def holder() -> None:
        with database.read() as session:
            session.execute(text(db._taking("revision")))
            held.set()
            done.wait(20)

    thread = threading.Thread(target=holder)
    thread.start()
    held.wait(20)
    try:
        with pytest.raises(SekishoError) as caught:
            write(database, seconds=0.5)
    finally:
        done.set()
        thread.join()
    assert caught.value.code == "RequestTimeout"  # and not CommitUnknown: nothing was committed
    assert there(database) == []
    assert write(database).point.number == 1
