"""Signatures that calls used up."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class UsedSignature(Base):
    """The signature of a call that wrote, so that it does not write again.

    `minute` is that of the signature's own date, in minutes since 1970, so that those that have ended stand together; `signature` its first
    32 hexadecimal digits; `used_at` the time of the first use, in microseconds since 1970.
    """

    __tablename__ = "used_signatures"
    touches = ()

    minute: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    account_id: Mapped[str] = mapped_column(primary_key=True)
    signature: Mapped[str] = mapped_column(primary_key=True)
    used_at: Mapped[int] = mapped_column(BigInteger)
