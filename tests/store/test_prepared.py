"""Rows past the unit of work are the rows that it would have made."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import inspect, select

from sekisho.errors import SekishoError
from sekisho.store import changes, db, schema
from sekisho.store.tables import Account, AccountAlias, Base, Policy, Role, Tag, User

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ACCOUNT = "111122223333"


@pytest.fixture
def database(database_url: str) -> Iterator[db.Database]:
    with db.Database(database_url) as made:
        schema.upgrade(made)
        with made.write(()) as session:
            session.add(Account(id=ACCOUNT, name="a", created_at=NOW))
        yield made


def named(kind: type[Any], id_: str, **columns: Any) -> Any:
    return kind(id=id_, account_id=ACCOUNT, name=id_, name_key=id_.lower(), created_at=NOW, **columns)


def write(database: db.Database, *rows: Base, step: db.Step | None = None) -> None:
    with database.write(()) as session:
        changes.Touched(session)
        for row in rows:
            changes.add(session, row)
        if step is not None:
            db.at_commit(session, step)


ROWS: dict[str, Any] = {
    "a default of the base": lambda id_: named(User, id_),
    "a path instead": lambda id_: named(User, id_, path="/x/"),
    "a default of the own table": lambda id_: named(Role, id_, trust_policy="{}"),
    "no default": lambda id_: named(Role, id_, trust_policy="{}", max_session_seconds=900, description="å"),
    "numbers and moments": lambda id_: named(Policy, id_, default_version=1, last_version=2, updated_at=NOW + timedelta(days=1)),
    "one table": lambda id_: AccountAlias(alias=id_, account_id=ACCOUNT, created_at=NOW.astimezone(timezone(timedelta(hours=9)))),
}


def columns(session: Any, row: Base) -> dict[str, Any]:
    """What the database has of a row, but for what tells it from the other."""
    mapper = inspect(type(row))
    found = session.scalars(select(type(row)).where(mapper.primary_key[0] == mapper.primary_key_from_instance(row)[0])).one()
    shown = {attribute.key: getattr(found, attribute.key) for attribute in mapper.column_attrs}
    return {key: value for key, value in shown.items() if key not in ("id", "name", "name_key", "alias")}


@pytest.mark.parametrize("make", ROWS.values(), ids=ROWS)
def test_a_row_is_the_one_that_the_unit_of_work_would_have_made(database: db.Database, make: Any) -> None:
    with database.write(()) as session:
        session.add(make("one"))
    with database.write(()) as session:
        if isinstance(make("x"), AccountAlias):  # an account has one
            session.delete(session.get_one(AccountAlias, "one"))
        changes.Touched(session)
        changes.add(session, make("two"))
    with database.read() as session:
        if isinstance(make("x"), AccountAlias):
            assert columns(session, make("two")) == {"account_id": ACCOUNT, "created_at": NOW}
        else:
            assert columns(session, make("two")) == columns(session, make("one"))


def test_what_is_touched_is_known_before_the_commit(database: db.Database) -> None:
    with database.write(()) as session:
        touched = changes.Touched(session)
        changes.add(session, named(User, "AIDA1"))
        changes.add(session, Tag(owner_id="AIDA1", key="K", key_key="k", value="v"))
        assert touched.ids == {"AIDA1"}
        assert changes.is_changed(session)


def test_rows_come_in_the_order_in_which_they_were_given(database: db.Database) -> None:
    """A tag cannot come before what it belongs to."""
    with pytest.raises(SekishoError) as caught:
        write(database, Tag(owner_id="AIDA1", key="K", key_key="k", value="v"), named(User, "AIDA1"))
    assert caught.value.code == "WriteConflict"
    with database.read() as session:
        assert session.scalars(select(Tag)).all() == []
        assert session.scalars(select(User)).all() == []


def test_a_name_that_is_taken_is_a_conflict_and_nothing_is_written(database: db.Database) -> None:
    with database.write(()) as session:
        session.add(named(User, "AIDA1"))
    again = User(id="AIDA2", account_id=ACCOUNT, name="AIDA1", name_key="aida1", created_at=NOW)
    with pytest.raises(SekishoError) as caught:
        write(database, named(Role, "AROA1", trust_policy="{}"), again)
    assert caught.value.code == "WriteConflict"
    with database.read() as session:
        assert session.scalars(select(Role)).all() == []


def test_steps_are_done_after_the_rows_of_the_session(database: db.Database) -> None:
    seen: list[db.Script] = []

    def step(script: db.Script) -> None:
        script.execute("SELECT count(*) FROM users")
        seen.append(script)

    with database.write(()) as session:
        db.at_commit(session, step)
        session.add(named(User, "AIDA1"))
        assert seen == []
    assert [script.row for script in seen] == [(1,)]


def test_a_step_that_fails_leaves_nothing(database: db.Database) -> None:
    def step(_script: db.Script) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        write(database, named(User, "AIDA1"), step=step)
    with database.read() as session:
        assert session.scalars(select(User)).all() == []
