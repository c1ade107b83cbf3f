"""Transactions, locks and settings of both databases."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.orm import Session

from sekisho.errors import RequestTimeout, ServiceUnavailable
from sekisho.store import db, engines, schema
from sekisho.store.file_lock import FileLock
from sekisho.store.tables import Account

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[db.Database]:
    with db.Database(database_url) as made:
        schema.upgrade(made)
        yield made


def account(id_: str, at: datetime = NOW) -> Account:
    return Account(id=id_, name="x", created_at=at)


def ids(database: db.Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(text("SELECT id FROM accounts ORDER BY id")))


def test_a_write_is_there_when_its_block_ends_and_not_when_it_raises(database: db.Database) -> None:
    with database.write(("1",)) as session:
        session.add(account("1"))
    with pytest.raises(ValueError, match="no"), database.write(("2",)) as session:
        _add_and_raise(session)
    assert ids(database) == ["1"]


def _add_and_raise(session: Session) -> None:
    session.add(account("2"))
    session.flush()
    raise ValueError("no")


def test_a_transaction_has_one_connection_with_its_rows(database: db.Database) -> None:
    with database.write(("1",)) as session:
        session.add(account("1"))
        session.flush()
        connection = session.connection()
        assert session.connection() is connection
        assert connection.scalar(text("SELECT count(*) FROM accounts")) == 1
    with database.read() as session, database.read() as beside:
        assert session.connection() is not connection
        assert session.connection() is not beside.connection()
        assert connection.closed


def test_a_deadline_that_passes_before_the_commit_writes_nothing(database: db.Database) -> None:
    with pytest.raises(RequestTimeout), database.write((), deadline=time.monotonic() + 0.2) as session:
        _add_late(session)
    with pytest.raises(RequestTimeout), database.write((), deadline=time.monotonic() - 1):
        raise AssertionError("the block does not run")
    assert ids(database) == []


def test_a_reader_sees_one_moment_and_cannot_write(database: db.Database) -> None:
    with database.read() as reader:
        assert reader.scalar(text("SELECT count(*) FROM accounts")) == 0
        with database.write(()) as session:
            session.add(account("1"))
        assert reader.scalar(text("SELECT count(*) FROM accounts")) == 0
    assert ids(database) == ["1"]
    if not database.sqlite:
        with pytest.raises(ServiceUnavailable, match="read-only"), database.read() as reader:
            reader.execute(text("DELETE FROM accounts"))


def test_what_a_role_lacks_is_said(postgres_url: str) -> None:
    """Of a statement of the session's and of one that goes past it, with the table and without a row."""
    with db.Database(postgres_url) as owner:
        schema.upgrade(owner)
        role = f"lacking_{make_url(postgres_url).database}"
        with owner.write(()) as session:
            session.execute(text(f"CREATE ROLE {role}"))
            session.execute(text(f"GRANT {role} TO CURRENT_USER"))
        lacking = make_url(postgres_url).update_query_dict({"options": f"-c role={role}"})
        said = (
            "The database lets this node do less than it needs: permission denied for table accounts; see `sekisho db grants`. "
            "Nothing was written."
        )
        try:
            with db.Database(lacking) as database:
                with pytest.raises(ServiceUnavailable) as denied:
                    ids(database)
                assert denied.value.message == said
                with pytest.raises(ServiceUnavailable) as denied:
                    database.glance("SELECT id FROM accounts")
                assert denied.value.message == said
        finally:
            with owner.write(()) as session:
                session.execute(text(f"DROP ROLE {role}"))


def test_the_same_name_twice_is_a_conflict(database: db.Database) -> None:
    with database.write(()) as session:
        session.add(account("1"))
    with pytest.raises(db.WriteConflict), database.write(()) as session:
        session.add(account("1"))


def test_writers_of_one_account_wait_for_each_other_and_others_do_not(database: db.Database) -> None:
    order: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with database.write(("a", "b")):
            order.append("first in")
            inside.set()
            go_on.wait(20)
            order.append("first out")

    def second() -> None:
        with database.write(("b", "c")):
            order.append("second in")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    inside.wait(20)
    threads[1].start()
    if not database.sqlite:
        with database.write(("d",)):  # an account that nobody holds
            order.append("other")
    time.sleep(0.1)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert [step for step in order if step != "other"] == ["first in", "first out", "second in"]
    assert order.index("first out") > (order.index("other") if "other" in order else -1)


def test_accounts_in_any_order_do_not_lock_each_other_for_ever(database: db.Database) -> None:
    done: list[int] = []

    def work(number: int) -> None:
        for _ in range(10):
            with database.write(("a", "b") if number % 2 else ("b", "a")):
                pass
        done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == [0, 1, 2, 3]


def _add_late(session: Session) -> None:
    session.add(account("1"))
    time.sleep(0.3)


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9))], ids=["utc", "tokyo"])
def test_moments_come_back_in_utc(database: db.Database, zone: timezone) -> None:
    with database.write(()) as session:
        session.add(account("1", NOW.astimezone(zone)))
    with database.read() as session:
        row = session.get(Account, "1")
        assert row is not None
        assert row.created_at == NOW
        assert row.created_at.utcoffset() == timedelta(0)


def test_settings_are_safe(database: db.Database) -> None:
    db.refuse_unsafe(database)


@pytest.mark.parametrize(
    ("pragma", "words"),
    [
        ("synchronous = OFF", "synchronous is 0, not 2"),
        ("synchronous = NORMAL", "synchronous is 1, not 2"),
        ("foreign_keys = OFF", "foreign_keys is 0, not 1"),
        ("journal_mode = DELETE", "journal_mode is delete, not wal"),
    ],
)
def test_a_sqlite_that_would_lose_writes_is_refused(tmp_path: Path, pragma: str, words: str) -> None:
    with db.Database(f"sqlite:///{tmp_path / 'x.db'}") as database:
        event.listen(database.engine, "checkout", lambda connection, *_: connection.execute(f"PRAGMA {pragma}"))
        with pytest.raises(engines.UnsafeDatabase) as caught:
            db.refuse_unsafe(database)
        assert caught.value.message == f"the database's settings are unsafe: {words}"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql+pymysql://h/d"])
def test_what_is_no_database_for_us(url: str) -> None:
    with pytest.raises(engines.UnsafeDatabase):
        db.Database(url)


def test_a_password_does_not_show(postgres_url: str) -> None:
    with db.Database(postgres_url) as database:
        password = str(database.url.password)
        assert password not in repr(database.url)
    wrong = make_url(postgres_url).set(password="not the password")
    with db.Database(wrong) as database, pytest.raises(ServiceUnavailable) as caught, database.read():
        pass
    assert "password" not in caught.value.message


def test_a_file_lock_is_held_by_one_and_given_back(tmp_path: Path) -> None:
    one, two = FileLock(tmp_path / "l"), FileLock(tmp_path / "l")
    with one.held(time.monotonic() + 5):
        with pytest.raises(RequestTimeout, match="another process was writing"), two.held(time.monotonic() + 0.1):
            pass
        with pytest.raises(RequestTimeout, match="another write was under way"), one.held(time.monotonic() + 0.1):
            pass
    with two.held(time.monotonic() + 5):  # who gave up waiting holds nothing
        pass
    with one.held(time.monotonic() + 5):
        pass


def test_a_file_lock_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailable) as caught, FileLock(tmp_path / "nowhere" / "l").held(time.monotonic() + 1):
        pass
    assert str(tmp_path) not in caught.value.message
