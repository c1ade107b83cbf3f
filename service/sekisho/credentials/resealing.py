"""Rows whose secrets are sealed, and their sealing anew with the key that seals now, while servers read and write them.

A row that is sealed anew says what it said: no record of memory is stale, so the log of changes has nothing of it, as of last uses. A row
is changed only if it still holds what was opened; whoever writes it meanwhile has sealed it with the new key already.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, func, literal_column, select, text, update
from sqlalchemy.orm import Session

from sekisho.credentials.key_ring import ACCESS_KEYS, CERTIFICATES, MFA, SIGNING, TRAIL, KeyRing
from sekisho.errors import SekishoError, Unavailable
from sekisho.store import db
from sekisho.store.tables import AccessKey, Authenticator, Base, IssuerPrivateKey, MfaDevice, SamlPrivateKey, ServerCertificate, TrailKey

BATCH = 100
"""Rows of one transaction: on SQLite nobody else writes meanwhile, for some milliseconds."""

_BETWEEN = 0.05  # seconds between two looks at who is still in a transaction


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column that is sealed for a purpose, with its table's name, its own and the row's id as associated data."""

    purpose: str
    table: type[Base]
    name: str

    @property
    def rows(self) -> Table:
        """The table, without those that its rows go on in."""
        found = self.table.__table__
        assert isinstance(found, Table)
        return found

    @property
    def id(self) -> ColumnElement[Any]:
        """The primary key."""
        (found,) = self.rows.primary_key.columns
        return found

    @property
    def value(self) -> ColumnElement[Any]:
        """The column itself."""
        return self.rows.columns[self.name]

    def place(self, row_id: str) -> tuple[str, ...]:
        """The associated data of a row."""
        return self.table.__tablename__, self.name, row_id


SEALED = (
    Sealed(ACCESS_KEYS, AccessKey, "secret"),
    Sealed(MFA, MfaDevice, "seed"),
    Sealed(MFA, Authenticator, "seed"),
    Sealed(CERTIFICATES, ServerCertificate, "private_key"),
    Sealed(CERTIFICATES, SamlPrivateKey, "private_key"),
    Sealed(TRAIL, TrailKey, "private_key"),
    Sealed(SIGNING, IssuerPrivateKey, "private_key"),
)
"""Every sealed column of the schema."""


class StillOpen(Unavailable):
    """A transaction that may have sealed with the key of before does not end."""


def counts(session: Session, purpose: str) -> dict[str, int]:
    """The rows that each key of a purpose has sealed, by key id."""
    found: dict[str, int] = {}
    for column in SEALED:
        if column.purpose == purpose:
            for start, number in session.execute(
                select(_start(column), func.count()).where(column.value.is_not(None)).group_by(_start(column))
            ):
                found[bytes(start).hex()] = found.get(bytes(start).hex(), 0) + number
    return found


def stale(session: Session, ring: KeyRing, purposes: tuple[str, ...]) -> int:
    """The rows that another key than the one of now has sealed."""
    current = {purpose: ring.current(purpose).id for purpose in purposes}
    return sum(n for purpose in purposes for id_, n in counts(session, purpose).items() if id_ != current[purpose])


def settle(database: db.Database, deadline: float) -> None:
    """Wait until every transaction has ended that may have sealed before this moment and not committed; StillOpen at the deadline, which
    is on the monotonic clock.

    On SQLite that is who writes. PostgreSQL gives each transaction a virtual id, and shows who has which.
    Source: https://www.postgresql.org/docs/current/view-pg-locks.html
    """
    if database.sqlite:
        with database.write((), deadline=deadline):
            return
    before = _open_transactions(database)
    while before & _open_transactions(database):
        if time.monotonic() >= deadline:
            raise StillOpen("transactions of the database that began before the new key was used do not end; run this again when they have")
        time.sleep(_BETWEEN)


def reseal(database: db.Database, ring: KeyRing, purpose: str, *, batch: int = BATCH) -> Iterator[tuple[int, int]]:
    """Seal the rows of a purpose anew, a batch and a transaction at a time; after each, how many were, and how many cannot be opened."""
    for column in SEALED:
        if column.purpose != purpose:
            continue
        after = ""
        while rows := _stale_rows(database, ring, column, after, batch):
            after = rows[-1][0]
            changed, closed = [], 0
            for row_id, value in rows:
                try:
                    plain = ring.unseal(purpose, value, column.place(row_id))
                except SekishoError:
                    closed += 1  # it was so before
                else:
                    changed.append({"row": row_id, "old": value, "new": ring.seal(purpose, plain, column.place(row_id))})
            if changed:
                with database.write(()) as session:
                    mine = update(column.rows).where(column.id == bindparam("row"), column.value == bindparam("old"))
                    session.connection().execute(mine.values({column.name: bindparam("new")}), changed)
            yield len(changed), closed


def _stale_rows(database: db.Database, ring: KeyRing, column: Sealed, after: str, batch: int) -> list[tuple[str, bytes]]:
    current = bytes.fromhex(ring.current(column.purpose).id)
    query = select(column.id, column.value).where(column.id > after, _start(column) != current).order_by(column.id).limit(batch)
    with database.read() as session:
        return [(row_id, bytes(value)) for row_id, value in session.execute(query)]


def _start(column: Sealed) -> Any:
    """The id of the key in the envelopes of a column, as bytes (`envelopes.key_id`)."""
    return func.substr(column.value, literal_column("2"), literal_column("4"))


def _open_transactions(database: db.Database) -> set[str]:
    query = text(
        "SELECT virtualtransaction FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'virtualxid'"
        " AND granted AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    with database.read() as session:
        return set(session.scalars(query))
