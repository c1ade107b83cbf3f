"""The change log: one revision a committed write, and the ids that it touched."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base

# SQLite numbers rows itself only in a column of the type INTEGER; ours are numbered under the revision lock on both databases.
Number = BigInteger().with_variant(Integer, "sqlite")


class Revision(Base):
    """A committed write. The nonce tells two histories apart that reached the same number (a failover, a restored backup)."""

    __tablename__ = "revisions"
    touches = ()

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    nonce: Mapped[str]
    committed_at: Mapped[datetime]


class Change(Base):
    """An id that a write touched: of a principal, a group, a policy, an account or an access key."""

    __tablename__ = "changes"
    touches = ()

    number: Mapped[int] = mapped_column(Number, ForeignKey("revisions.number"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
