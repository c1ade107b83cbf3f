"""Records for tests of the trail, written as calls and drains write them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from sekisho.credentials.key_ring import KeyRing
from sekisho.journal.trail.sealer import Sealer
from sekisho.store import changes, db
from sekisho.store.tables import AuditRecord, TrailLink

NOW = datetime(2026, 5, 4, 3, 2, 1, 987654, UTC)
ONE, TWO = "111122223333", "444455556666"


def made(id_: str, account_id: str = ONE, *, at: datetime = NOW, **columns: Any) -> dict[str, Any]:
    """The columns of a record, but for its place."""
    return {
        "id": id_,
        "account_id": account_id,
        "at": at,
        "event_source": "iam.amazonaws.com",
        "event_name": "CreateUser",
        "read_only": False,
        "principal_id": account_id,
        "principal_arn": f"arn:aws:iam::{account_id}:root",
        "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "source_ip": "192.0.2.1",
        "user_agent": "tests",
        "request": '{"userName": "ann"}',
        "response": "{}",
        "error_code": None,
        "error_message": None,
    } | columns


@dataclass(slots=True)
class Trail:
    """A database that is written to and sealed."""

    database: db.Database
    ring: KeyRing
    now: datetime = NOW
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def write(self, record: dict[str, Any], *beside: dict[str, Any]) -> None:
        """A write with its revision, and the records of other accounts that hear of it."""
        with self.database.write([record["account_id"]]) as session:
            touched = changes.Touched(session)
            changes.record(session, touched, self.now, lambda: f"{next(self.numbers):016x}", record, *beside)

    def spool(self, *records: dict[str, Any]) -> None:
        """Records that come by the spool at once."""
        with self.database.write(()) as session:
            changes.spooled(session, [{"count": 1, "last_at": None, **record} for record in records])

    def old(self, record: dict[str, Any]) -> None:
        """A record that a release before the trail brings from its spool."""
        with self.database.write(()) as session:
            session.execute(insert(AuditRecord), [record])

    def fill(self, count: int, accounts: Sequence[str] = (ONE, TWO)) -> None:
        """So many records, of these accounts in turn; every third is a write, and each is a second after the one before."""
        for number in range(count):
            record = made(f"r-{number}", accounts[number % len(accounts)], at=self.now + timedelta(seconds=number))
            if number % 3 == 0:
                self.write(record)
            else:
                self.spool(record | {"event_name": "ListUsers", "read_only": True})

    def seal(self) -> None:
        """Link all that there is."""
        sealer = Sealer(self.database, self.ring, now=lambda: self.now)
        while sealer.once():
            pass

    def links(self) -> list[tuple[int, str, int, str]]:
        """Ordinal, account, sequence and record of each link."""
        with self.database.read() as session:
            columns = TrailLink.ordinal, TrailLink.account_id, TrailLink.sequence, TrailLink.record_id
            return [(row[0], row[1], row[2], row[3]) for row in session.execute(select(*columns).order_by(TrailLink.ordinal))]
