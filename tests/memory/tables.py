"""Rows for a world in memory, written past all calls: a database of SQLite, migrated, in which a test has exactly what it is about."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from sekisho.memory.cache import World
from sekisho.store import db
from sekisho.store.changes import Point
from sekisho.store.tables import AccessKey, Account, Change, Entity, InlinePolicy, Revision, User
from tests import sqlite

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT, OTHER = "111122223333", "444455556666"
ANN, BOB = "AIDAANNEXAMPLE", "AIDABOBEXAMPLE"


@contextmanager
def database(folder: Path) -> Iterator[db.Database]:
    """A database with two accounts, and nothing else."""
    with db.Database(sqlite.migrated(folder / "memory.db")) as made:
        write(made, *(Account(id=id_, name=id_, status="ACTIVE", created_at=NOW) for id_ in (ACCOUNT, OTHER)))
        yield made


def write(made: db.Database, *rows: db.Base) -> None:
    """Write rows, of which the change log does not know."""
    with Session(made.engine) as session, session.begin():
        for row in rows:
            session.add(row)
            session.flush()


def named(kind: type[Entity], id_: str, name: str, **fields: Any) -> Entity:
    """An entity of the account."""
    return kind(**{"id": id_, "account_id": ACCOUNT, "name": name, "name_key": name.lower(), "path": "/", "created_at": NOW, **fields})


def ann(made: db.Database, *documents: str) -> None:
    """A user with a key and these inline policies."""
    inline = [InlinePolicy(owner_id=ANN, name=f"p{n}", name_key=f"p{n}", document=one) for n, one in enumerate(documents)]
    key = AccessKey(id="AKIAANN", account_id=ACCOUNT, owner_id=ANN, secret=b"sealed", status="Active", created_at=NOW)
    write(made, named(User, ANN, "Ann"), *inline, key)


def revise(made: db.Database, number: int, *ids: str, nonce: str = "", account: str | None = ACCOUNT) -> Point:
    """Write a revision that touched these ids; its point."""
    point = Point(number, nonce or f"{number:016x}")
    with made.engine.begin() as connection:
        connection.execute(insert(Revision).values(number=number, nonce=point.nonce, committed_at=NOW))
        for id_ in (*ids, *(["@" + account] if account is not None else [])):
            connection.execute(insert(Change).values(number=number, id=id_))
    return point


def revisions(made: db.Database, numbers: Iterable[int], *ids: str) -> list[Point]:
    """Revisions that touched the same ids."""
    return [revise(made, number, *ids) for number in numbers]


def world_of(made: db.Database, **options: Any) -> World:
    """A world of this database, to which nobody has brought it yet; a secret is opened as its length."""
    return World(made, lambda row: str(len(row.secret)), **options)
