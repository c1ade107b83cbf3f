"""Takes away what has had its time in an organization, a little at a time, so that no call waits for it.

Ninety days after an account was closed nothing of it is left but its number, its address and its trail: neither is given out again. What
became of requests for accounts that failed is known for ninety days, of handshakes for thirty. Source:
https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-closing.html
"""

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from sekisho.credentials import accounts
from sekisho.store import changes, db
from sekisho.store.tables import Access, Account, AccountRequest, Base, Entity, Handshake, Member, OrganizationTag, Target

INTERVAL = 600.0
"""Seconds between two looks."""
AFTER = timedelta(days=90)
"""From the closing of an account to its end, and for how long a request that failed is known."""
ANSWERED = timedelta(days=30)
"""For how long a handshake is known that is over."""
MOST = 200
"""Rows that one transaction deletes: others wait for the locks that it holds."""

ACTIVE, CLOSED, REMOVED = "ACTIVE", "CLOSED", "REMOVED"
KEPT = frozenset(
    """
    account_emails accounts entity_counts event_data_stores event_queries event_query_pages organizations trail_retentions trails
    """.split()  # noqa: SIM905  # as a list it takes ten lines
)
"""The tables that refer to accounts and of which nothing goes: the account's name, and what is known of what was done in it."""


class Retiring:
    """The step of a thread that does it, on one database."""

    def __init__(self, database: db.Database) -> None:
        self._database = database

    def by_both_clocks(self, now: datetime) -> bool:
        """Do a little, by the clock that is behind: the node's, or that of the database. What one that is ahead takes away stays away."""
        if not self._database.sqlite:
            with self._database.read() as session:
                now = min(now, session.scalars(select(func.now())).one())
        return self.once(now)

    def once(self, now: datetime) -> bool:
        """Do a little; whether there may be more. Two processes may do it at once."""
        return self._dated(now) or self._removed(now) or self._forgotten(now)

    def _dated(self, now: datetime) -> bool:
        """Say of one account since when it is closed, or that it is not any more, where whoever closed or opened it did not."""
        unsaid = (Account.status == CLOSED) & Account.closed_at.is_(None)
        wrong = select(Account.id).where(or_(unsaid, (Account.status == ACTIVE) & Account.closed_at.is_not(None)))
        with self._database.read() as session:
            id_ = session.scalar(wrong.limit(1))
        if id_ is None:
            return False
        with self._database.write((id_,)) as session:
            if session.scalar(wrong.where(Account.id == id_).with_for_update()) is None:
                return True
            touched = changes.Touched(session)
            account = session.get_one(Account, id_)
            account.closed_at = now if account.status == CLOSED else None
            _record(session, touched, id_, now)
        return True

    def _removed(self, now: datetime) -> bool:
        """Delete some rows of one account whose time is over; when there are none any more, it is gone."""
        ended = select(Account.id).where(Account.status == CLOSED, Account.closed_at <= now - AFTER)
        with self._database.read() as session:
            id_ = session.scalar(ended.order_by(Account.id).limit(1))
        if id_ is None:
            return False
        with self._database.write((id_,)) as session:
            organization_id = session.scalar(select(Member.organization_id).where(Member.account_id == id_))
            if organization_id is not None:
                db.lock(session, f"organization:{organization_id}")
            if session.scalar(ended.where(Account.id == id_).with_for_update()) is None:  # somebody opened it again meanwhile
                return True
            touched = changes.Touched(session)
            if not _deleted(session, id_):
                session.get_one(Account, id_).status = REMOVED
            _record(session, touched, id_, now)
        return True

    def _forgotten(self, now: datetime) -> bool:
        """Forget some of what nobody is told any more; whether there may be more.

        A handshake stays as long as another waits for those that belong to it.
        """
        parent = aliased(Handshake)
        waits = exists(
            select(parent.id).where(parent.id == Handshake.parent_id, parent.ended_at.is_(None), parent.expires_at > now - ANSWERED)
        )
        over = or_(Handshake.ended_at <= now - ANSWERED, Handshake.ended_at.is_(None) & (Handshake.expires_at <= now - ANSWERED))
        failed = AccountRequest.state == "FAILED", AccountRequest.requested_at <= now - AFTER
        with self._database.read() as session:
            requests = session.scalars(select(AccountRequest.id).where(*failed).limit(MOST)).all()
            handshakes = session.scalars(select(Handshake.id).where(over, ~waits).limit(MOST)).all()
        if requests or handshakes:
            with self._database.write(()) as session:
                session.execute(delete(AccountRequest).where(AccountRequest.id.in_(requests), *failed))
                gone = delete(Handshake).where(Handshake.id.in_(handshakes), over, ~waits)
                session.execute(gone.execution_options(synchronize_session=False))
        return MOST in (len(requests), len(handshakes))


def _deleted(session: Session, account_id: str) -> int:
    """Delete rows of an account, in an order in which nothing refers to them any more; how many there were."""
    left = MOST
    for kind, condition in _owned(account_id):
        rows = session.scalars(select(kind).where(condition).limit(left)).all()
        for row in rows:
            session.delete(row)
        session.flush()
        left -= len(rows)
        if left <= 0:
            break
    return MOST - left


def _owned(account_id: str) -> Iterator[tuple[Any, ColumnElement[bool]]]:
    """The kinds of rows that belong to an account, those that refer to others first, each with the condition that tells the account's."""
    yield Target, Target.target_id == account_id
    yield OrganizationTag, OrganizationTag.resource_id == account_id
    yield Access, Access.account_id == account_id
    own = select(Entity.id).where(Entity.account_id == account_id)
    kinds = {mapper.local_table: mapper.class_ for mapper in Base.registry.mappers}
    tables = [table for table in reversed(Base.metadata.sorted_tables) if kinds[table] is not Entity]
    for table in tables:
        if not issubclass(kinds[table], Entity) and table.name not in KEPT and (told := list(_conditions(table, account_id, own))):
            yield kinds[table], or_(*told)
    for table in tables:  # last, since the rest refers to the row that each entity has among all
        if issubclass(kind := kinds[table], Entity):
            yield kind, kind.account_id == account_id


def _conditions(table: Table, account_id: str, own: Any) -> Iterator[ColumnElement[bool]]:
    """By what the rows of a table tell whose they are: by the account itself, or by one of its entities."""
    entities = {mapper.local_table for mapper in Base.registry.mappers if issubclass(mapper.class_, Entity)}
    for key in table.foreign_keys:
        if key.column.table.name == "accounts":
            yield key.parent == account_id
        elif key.column.table in entities:
            yield key.parent.in_(own)


def _record(session: Session, touched: changes.Touched, account_id: str, now: datetime) -> None:
    audited = accounts.by_operator(account_id, now, "organizations", "CloseAccountResult", {"accountId": account_id})
    changes.record(session, touched, now, lambda: secrets.token_hex(8), audited)
