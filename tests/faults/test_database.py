"""The database refuses: full, locked, read-only, damaged, gone. Nothing is written, the caller hears why in our words, and it recovers."""

import resource
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from sekisho.credentials import accounts
from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import SekishoError
from sekisho.store import db, engines, schema
from sekisho.store.file_lock import FileLock
from sekisho.store.tables import AuditRecord, Change, Revision, User
from tests import harness, processes, sqlite
from tests.harness import House

pytestmark = pytest.mark.faults


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with harness.house(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path) as made:
        yield made


def rows(house: House) -> tuple[int, ...]:
    """How many users, revisions, changes and audit records of writes there are."""
    with house.node.database.read() as session:
        counted = [session.scalar(select(func.count()).select_from(table)) for table in (User, Revision, Change)]
        counted.append(session.scalar(select(func.count()).select_from(AuditRecord).where(AuditRecord.revision.is_not(None))))
        return tuple(number or 0 for number in counted)


def refused(house: House, name: str = "CreateUser", **fields: Any) -> SekishoError:
    """The error that a call ends with; no row was written."""
    before = rows(house)
    with pytest.raises(SekishoError) as caught:
        house.call(name, **(fields or {"user_name": "ann"}))
    assert rows(house) == before
    for word in ("sqlite", "INSERT", "PRAGMA", str(house.node.database.url.database)):
        assert word not in caught.value.message
    return caught.value


def on_every_connection(house: House, pragma: str) -> None:
    """Set a pragma on all connections from now on."""

    @event.listens_for(house.node.database.engine, "checkout")
    def prepare(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA {pragma}")


def test_a_full_disk(house: House) -> None:
    with house.node.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    on_every_connection(house, f"max_page_count = {pages}")
    errors = []
    for number in range(100):  # some room is left in the pages that there are
        try:
            house.call("CreateUser", user_name=f"user-{number}", path="/" + "x" * 400 + "/")
        except SekishoError:
            errors.append(refused(house, user_name=f"user-{number}", path="/" + "x" * 400 + "/"))
            break
    assert [(error.code, error.message) for error in errors] == [
        ("ServiceUnavailable", "The database cannot take the write: its disk is full or failing. Nothing was written.")
    ]
    assert house.call("ListUsers").users  # reads go on
    on_every_connection(house, f"max_page_count = {pages * 100}")
    house.call("CreateUser", user_name="ann")


def write_until_refused(houses: Sequence[House], _number: int) -> tuple[list[str], list[tuple[str, str]], list[str]]:
    """With files that may not grow over 400 KiB: the users made, the errors, and the users made after the limit was lifted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    house = houses[0]
    resource.setrlimit(resource.RLIMIT_FSIZE, (400 * 1024, hard))
    made, errors = [], []
    for index in range(200):
        try:
            house.call("CreateUser", user_name=f"before-{index}", path="/" + "x" * 400 + "/")
        except SekishoError as error:
            errors.append((error.code, error.message))
            if len(errors) == 3:
                break
        else:
            made.append(f"before-{index}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for index in range(3):
        house.call("CreateUser", user_name=f"after-{index}")
    return made, errors, [f"after-{index}" for index in range(3)]


def test_a_disk_that_fails_under_the_files(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'sekisho.db'}"
    with db.Database(url) as database:
        schema.upgrade(database)
        account = accounts.create(database, KeyRing.create(tmp_path / "keyring.json"))
    ((made, errors, after),) = processes.run(url, tmp_path, [account], write_until_refused, processes=1)
    assert made
    assert len(errors) == 3
    assert {code for code, _ in errors} <= {"ServiceUnavailable", "CommitUnknown"}
    with db.Database(url) as database, database.read() as session:
        users = set(session.scalars(select(User.name)))
        written = (
            select(func.count()).select_from(AuditRecord).where(AuditRecord.event_name == "CreateUser", AuditRecord.revision.is_not(None))
        )
        audited = session.scalar(written)
    assert users >= {*made, *after}
    assert len(users - {*made, *after}) <= sum(code == "CommitUnknown" for code, _ in errors)
    assert audited == len(users)


def test_another_program_holds_the_write_lock(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sqlite3.connect(str(house.node.database.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(engines, "BUSY", 600.0)  # what SQLite would wait
    begun = time.monotonic()
    with pytest.raises(SekishoError) as caught, house.node.database.write((), deadline=time.monotonic() + 0.3):
        pass
    assert caught.value.message == "The database is locked by another program. Nothing was written."
    assert caught.value.grpc == "UNAVAILABLE"
    assert time.monotonic() - begun < 300
    assert house.call("ListUsers").users == []  # readers are not kept
    other.execute("ROLLBACK")
    other.close()
    house.call("CreateUser", user_name="ann")


def test_another_process_writes_for_longer_than_the_deadline(house: House) -> None:
    path = Path(f"{house.node.database.url.database}.lock")
    with FileLock(path).held(time.monotonic() + 5):
        for _ in range(3):
            with pytest.raises(SekishoError) as caught, house.node.database.write((), deadline=time.monotonic() + 0.1):
                pass
            assert (caught.value.code, caught.value.grpc) == ("RequestTimeout", "DEADLINE_EXCEEDED")
    house.call("CreateUser", user_name="ann")


def test_a_read_only_database(house: House) -> None:
    on_every_connection(house, "query_only = ON")
    error = refused(house)
    assert (error.code, error.message) == ("ServiceUnavailable", "The database is read-only. Nothing was written.")
    on_every_connection(house, "query_only = OFF")
    house.call("CreateUser", user_name="ann")


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database, but long enough to be looked at as one" * 100)
    with db.Database(f"sqlite:///{tmp_path / 'x.db'}") as database, pytest.raises(SekishoError) as caught, database.read():
        pass
    assert (caught.value.code, caught.value.grpc) == ("ServiceUnavailable", "UNAVAILABLE")
    assert str(tmp_path) not in caught.value.message


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with db.Database(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}") as database:
        attempts: list[Callable[[], AbstractContextManager[Any]]] = [database.read, lambda: database.write(())]
        for attempt in attempts:
            with pytest.raises(SekishoError) as caught, attempt():
                pass
            assert (caught.value.code, caught.value.grpc) == ("ServiceUnavailable", "UNAVAILABLE")
            assert str(tmp_path) not in caught.value.message


def test_a_commit_that_breaks_off_says_that_nobody_knows(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.orm import Session

    def broken(self: Session) -> None:
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    with monkeypatch.context() as patched:
        patched.setattr(Session, "commit", broken)
        error = refused(house)
    assert (error.code, error.grpc) == ("CommitUnknown", "INTERNAL")  # not UNAVAILABLE: clients repeat that
    assert "not known" in error.message
    house.call("CreateUser", user_name="ann")


@pytest.mark.parametrize("kind", ["removed", "replaced", "removed in a write"])
def test_a_file_that_goes_underneath_takes_no_writes(house: House, tmp_path: Path, kind: str) -> None:
    """SQLite would take them into a file without a name."""
    path = Path(str(house.node.database.url.database))
    house.call("CreateUser", user_name="ann")
    moved = "The file of the database was removed or replaced while the server runs. Nothing was written."
    if kind == "removed in a write":
        with pytest.raises(SekishoError) as caught, house.node.database.write((house.account_id,)):
            path.rename(tmp_path / "aside")
        assert caught.value.message == moved
    else:
        path.rename(tmp_path / "aside")
    if kind == "replaced":
        sqlite.migrated(path)
    for _ in range(3):
        if kind != "replaced":
            error = refused(house)
        else:  # whoever has opened the other file has made away with what belonged to this one: its rows say nothing
            with pytest.raises(SekishoError) as caught:
                house.call("CreateUser", user_name="bob")
            error = caught.value
        assert (error.code, error.grpc, error.message) == ("ServiceUnavailable", "UNAVAILABLE", moved)
    messages = []
    with ExitStack() as stack:
        for _ in range(20):  # more than the pool has: it would connect anew, and SQLite make an empty file
            try:
                stack.enter_context(house.node.database.read())
            except SekishoError as error:
                messages.append(error.message)
    assert set(messages) == {moved}
    assert path.exists() == (kind == "replaced")
    if kind == "replaced":
        return
    (tmp_path / "aside").replace(path)
    house.call("CreateUser", user_name="bob")
    assert sorted(user.user_name for user in house.call("ListUsers").users) == ["ann", "bob"]
