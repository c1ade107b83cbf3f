"""New rows: one way to make them, whichever way they reach the database; and they are seen by whatever the session is asked."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, DateTime, Integer, LargeBinary, event, func, inspect, select
from sqlalchemy.orm import Session

from sekisho.errors import SekishoError
from sekisho.store import changes, db, schema
from sekisho.store.tables import (
    AccessKey,
    Account,
    Attachment,
    AuditRecord,
    Base,
    Change,
    Entity,
    PasswordHistory,
    Policy,
    PolicyVersion,
    Revision,
    Tag,
    User,
)
from tests.test_house import handwritten

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ACCOUNT = "111122223333"
SERVICE = Path(db.__file__).parent.parent


@pytest.fixture
def database(database_url: str) -> Iterator[db.Database]:
    with db.Database(database_url) as made:
        schema.upgrade(made)
        with made.write(()) as session:
            session.add(Account(id=ACCOUNT, name="a", created_at=NOW))
        yield made


def user(id_: str) -> User:
    return User(id=id_, account_id=ACCOUNT, name=id_, name_key=id_.lower(), created_at=NOW)


def tag(owner: str, key: str) -> Tag:
    return Tag(owner_id=owner, key=key, key_key=key.lower(), value="v")


def policy(id_: str) -> Policy:
    named = {"name": id_, "name_key": id_.lower(), "created_at": NOW, "updated_at": NOW}
    return Policy(id=id_, account_id=ACCOUNT, **named, default_version=1, last_version=1)


ASKED: dict[str, Any] = {
    "by query": lambda session: session.scalars(select(User.name).where(User.name_key == "aida1")).all(),
    "by key": lambda session: [session.get_one(User, "AIDA1").name],
    "by count": lambda session: ["AIDA1"] * session.scalar(select(func.count()).select_from(Tag)),
    "past the mapper": lambda session: session.execute(select(inspect(User).local_table.c.id)).scalars().all(),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_a_new_row_is_seen_by_the_call_that_made_it(database: db.Database, ask: Any) -> None:
    with database.write(()) as session:
        changes.Touched(session)
        changes.add(session, user("AIDA1"))
        changes.add(session, tag("AIDA1", "k"))
        assert ask(session) == ["AIDA1"]
    with database.read() as session:
        assert [row.id for row in session.scalars(select(User))] == ["AIDA1"]


def test_a_row_may_be_changed_until_it_is_written_and_after(database: db.Database) -> None:
    with database.write(()) as session:
        changes.Touched(session)
        row = user("AIDA1")
        changes.add(session, row)
        row.path = "/before/"
        session.flush()
        assert session.scalar(select(User.path)) == "/before/"
        row.path = "/after/"
    with database.read() as session:
        assert session.scalar(select(User.path)) == "/after/"


def test_rows_of_several_kinds_come_in_their_order_whatever_way_they_take(database: db.Database) -> None:
    """Each refers to one before it."""

    def made(number: int, session: Session) -> None:
        changes.add(session, user(f"AIDA{number}"))
        changes.add(session, tag(f"AIDA{number}", "k"))
        changes.add(session, policy(f"ANPA{number}"))
        changes.add(session, PolicyVersion(policy_id=f"ANPA{number}", number=1, document="{}", created_at=NOW))
        changes.add(session, PasswordHistory(user_id=f"AIDA{number}", number=1, password_hash="x"))
        changes.add(session, tag(f"ANPA{number}", "k"))
        changes.add(session, Attachment(owner_id=f"AIDA{number}", policy_id=f"ANPA{number}", created_at=NOW))
        key = {"account_id": ACCOUNT, "owner_id": f"AIDA{number}", "secret": b"x", "status": "Active", "created_at": NOW}
        changes.add(session, AccessKey(id=f"AKIA{number}", **key))

    ways: list[Any] = [
        lambda _: None,
        lambda session: session.flush(),
        lambda session: session.scalar(select(func.count()).select_from(User)),
    ]
    for number, way in enumerate(ways):
        with database.write(()) as session:
            changes.Touched(session)
            made(number, session)
            way(session)
    with database.read() as session:
        assert session.scalars(select(Tag.owner_id).order_by(Tag.owner_id)).all() == ["AIDA0", "AIDA1", "AIDA2", "ANPA0", "ANPA1", "ANPA2"]


def test_a_row_that_another_is_changed_to_refer_to_is_there_first(database: db.Database) -> None:
    with database.write(()) as session:
        changes.Touched(session)
        changes.add(session, user("AIDA1"))
    with database.write(()) as session:
        changes.Touched(session)
        row = session.get_one(User, "AIDA1")
        changes.add(session, policy("ANPA1"))
        row.boundary_id = "ANPA1"
    with database.read() as session:
        assert session.scalar(select(User.boundary_id)) == "ANPA1"


@pytest.mark.parametrize("asked", [True, False])
def test_a_row_may_have_the_name_of_one_that_is_deleted(database: db.Database, *, asked: bool) -> None:
    with database.write(()) as session:
        changes.Touched(session)
        changes.add(session, user("AIDA1"))
    with database.write(()) as session:
        changes.Touched(session)
        session.delete(session.get_one(User, "AIDA1"))
        again = user("AIDA2")
        again.name, again.name_key = "AIDA1", "aida1"
        changes.add(session, again)
        if asked:
            assert session.scalars(select(User.id)).all() == ["AIDA2"]
    with database.read() as session:
        assert session.scalars(select(User.id)).all() == ["AIDA2"]


def test_new_rows_alone_need_no_unit_of_work(database: db.Database) -> None:
    flushes: list[object] = []
    event.listen(db.Transaction, "after_flush", lambda *_: flushes.append(1))
    with database.write(()) as session:
        touched = changes.Touched(session)
        changes.add(session, user("AIDA1"))
        changes.add(session, tag("AIDA1", "k"))
        audited = {column.name: "" for column in inspect(AuditRecord).columns} | {"at": NOW, "read_only": False, "id": "1"}
        audited.pop("revision")
        recorded = changes.record(session, touched, NOW, lambda: "ab" * 8, audited)
    assert flushes == []
    with database.read() as session:
        assert session.scalars(select(Change.id).order_by(Change.id)).all() == ["@", "AIDA1"]
        assert session.scalars(select(Revision.number)).all() == [recorded.point.number]


def _write_twice(database: db.Database, *, flushed: bool) -> None:
    with database.write(()) as session:
        changes.Touched(session)
        changes.add(session, user("AIDA1"))
        changes.add(session, user("AIDA1"))
        if flushed:
            session.flush()


def test_a_conflict_leaves_nothing_whatever_way_it_takes(database: db.Database) -> None:
    for flushed in (False, True):
        with pytest.raises(SekishoError) as caught:
            _write_twice(database, flushed=flushed)
        assert caught.value.code == "WriteConflict"
        with database.read() as session:
            assert session.scalars(select(User)).all() == []


def _value(column: Any, number: int) -> Any:
    """Something that fits a column."""
    alone = any(index.unique and [*index.columns] == [column] for index in column.table.indexes)
    if column.primary_key or column.unique or alone:
        return number if isinstance(column.type, Integer) else f"id-{number}"
    kinds: list[tuple[type, Any]] = [(Boolean, True), (Integer, 7), (DateTime, NOW), (db.Moment, NOW), (LargeBinary, b"\x00\xff")]
    return next((value for kind, value in kinds if isinstance(column.type, kind)), f"å-{column.name}-{number}")


def _without_references(database: db.Database) -> None:
    """Let rows refer to what is not there."""
    statement = "PRAGMA foreign_keys = OFF" if database.sqlite else "SET session_replication_role = replica"
    event.listen(database.engine, "checkout", lambda connection, *_: connection.execute(statement))


def _written(database: db.Database, kind: Any, values: dict[str, Any], number: int, *, flushed: bool) -> dict[str, str]:
    """The columns of a row that was written, with another number for its own."""
    mapper = inspect(kind)
    with database.write(()) as session:
        changes.Touched(session)
        row = kind(**values)
        changes.add(session, row)
        if flushed:
            session.flush()
    found = {}
    with database.read() as session:
        for table in mapper.tables:
            keys = [column == getattr(row, mapper.get_property_by_column(column).key) for column in table.primary_key]
            for name, value in session.execute(select(table).where(*keys)).mappings().one().items():
                found[f"{table.name}.{name}"] = repr(value).replace(str(number), "N")
    return found


@pytest.mark.parametrize("all_given", [True, False], ids=["all columns", "what must be given"])
def test_each_kind_of_row_is_the_one_that_the_unit_of_work_would_have_made(database: db.Database, *, all_given: bool) -> None:
    _without_references(database)
    kinds = [mapper.class_ for mapper in Base.registry.mappers if not mapper.polymorphic_abstract]
    assert len(kinds) > 30
    for index, kind in enumerate(kinds):
        given = {"kind"} if issubclass(kind, Entity) else set()  # by the class
        columns = {attribute.key: attribute.columns[0] for attribute in inspect(kind).column_attrs if attribute.key not in given}
        needed = {key: column for key, column in columns.items() if all_given or (not column.nullable and column.default is None)}
        one, two = (
            _written(database, kind, {key: _value(column, number) for key, column in needed.items()}, number, flushed=flushed)
            for number, flushed in ((510_000 + index, False), (520_000 + index, True))
        )
        assert (kind.__name__, one) == (kind.__name__, two)


BESIDE = ("journal/trail/", "cli/trail.py", "calls/backing_off.py", "calls/passkey_proofs.py")
"""Modules that write what no decision in memory is made of, the trail, wrong proofs and used challenges, past the change log."""


def test_no_module_of_the_service_adds_rows_past_the_change_log() -> None:
    modules = [path for path in handwritten() if SERVICE in path.parents]
    assert len(modules) > 100
    found = {str(path.relative_to(SERVICE)) for path in modules if "session.add" in path.read_text()}
    assert {module for module in found if not module.startswith(BESIDE)} == set()
