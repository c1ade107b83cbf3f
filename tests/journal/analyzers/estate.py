"""An account with roles and an analyzer, changed as calls change it, and a scan that is taken step by step."""

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from sekisho.analysis.solver import Grant
from sekisho.credentials import accounts
from sekisho.journal.analyzers.external import Looking
from sekisho.journal.analyzers.scanning import Scanning
from sekisho.journal.analyzers.zones import Trusted
from sekisho.store import changes, db
from sekisho.store.tables import AccessFinding, Account, Analyzer, Role

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
OWNER = "111122223333"
OPEN = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}'
CLOSED = OPEN.replace('"*"', f'"{OWNER}"')
_numbers = itertools.count(1)


def grants(document: str, resource: str, owner: str, trusted: Trusted) -> tuple[Grant, ...]:
    """What a document grants to others, in a world where policies name one principal."""
    (named,) = json.loads(document)["Statement"][0]["Principal"]["AWS"]
    return () if named in trusted.accounts else (Grant({"AWS": named}, ("sts:AssumeRole",), {}, named == "*", 0, None),)


@dataclass(slots=True)
class Estate:
    """The account, and what was looked at."""

    database: db.Database
    looked: list[str] = field(default_factory=list)
    beside: Callable[[], object] | None = None
    """What happens while a resource is looked at, once."""

    def write(self, change: Callable[[Any], Iterable[Any] | None]) -> None:
        """One write, with its revision."""
        with self.database.write((OWNER,)) as session:
            touched = changes.Touched(session)
            for row in change(session) or ():
                session.add(row)
            audited = accounts.by_operator(OWNER, NOW, "iam", "Changed", {})
            changes.record(session, touched, NOW, lambda: f"{next(_numbers):016x}", audited)

    def roles(self, first: int, count: int, document: str = OPEN) -> None:
        """New roles, in one write."""
        self.write(lambda _: [role(number, document) for number in range(first, first + count)])

    def trust(self, number: int, document: str) -> None:
        """Another trust policy for a role."""

        def change(session: Any) -> None:
            session.get_one(Role, id_of(number)).trust_policy = document

        self.write(change)

    def analyzer(self, name: str = "main") -> str:
        """A new analyzer of the account; its id."""
        id_ = f"analyzer-{name}"
        columns: dict[str, Any] = {"type": "ACCOUNT", "configuration": "{}", "created_at": NOW, "scan_began_at": NOW}
        self.write(lambda _: [Analyzer(id=id_, account_id=OWNER, name=name, scan_after="", scan_turn=0, zone="", **columns)])
        return id_

    def delete(self, id_: str) -> None:
        """As DeleteAnalyzer does."""

        def change(session: Any) -> None:
            row = session.get_one(Analyzer, id_)
            row.name, row.deleted_at, row.scan_after = id_, NOW, None

        self.write(change)

    def scanning(self) -> Scanning:
        """A scan of the database, as one process has it."""

        def ask(document: str, resource: str, owner: str, trusted: Trusted) -> tuple[Grant, ...]:
            self.looked.append(resource.rpartition("/")[2])
            beside, self.beside = self.beside, None
            if beside is not None:
                beside()
            return grants(document, resource, owner, trusted)

        return Scanning(self.database, Looking(ask), now=lambda: NOW)

    def statuses(self) -> dict[str, str]:
        """The status of each finding, by its role."""
        with self.database.read() as session:
            rows = session.execute(select(AccessFinding.resource, AccessFinding.status))
            return {row.resource.rpartition("/")[2]: row.status for row in rows}

    def count(self, *tables: Any) -> list[int]:
        """The rows of tables."""
        with self.database.read() as session:
            return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


def id_of(number: int) -> str:
    """The unique id of a role."""
    return f"AROA{number:017d}".replace("0", "A").replace("1", "B").replace("8", "C").replace("9", "D")


def role(number: int, document: str) -> Role:
    """A role."""
    name = f"role-{number}"
    columns: dict[str, Any] = {"account_id": OWNER, "name": name, "name_key": name, "path": "/", "created_at": NOW}
    return Role(id=id_of(number), trust_policy=document, max_session_seconds=3600, **columns)


def estate(database: db.Database) -> Estate:
    """An account without roles."""
    with database.write((OWNER,)) as session:
        session.add(Account(id=OWNER, name="owner", created_at=NOW))
    return Estate(database)


def exhausted(scanning: Scanning, most: int = 200) -> int:
    """Take steps until there is nothing to be done; how many that took."""
    for number in range(1, most + 1):
        if not scanning.once():
            return number
    raise AssertionError(f"after {most} steps there is more to be done")
