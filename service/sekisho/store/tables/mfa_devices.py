"""MFA devices: virtual ones, those with a seed of their own, passkeys; and whose proofs were wrong. No decision depends on any of it."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base
from sekisho.store.tables.entities import Entity

HARDWARE, PASSKEY = "hardware", "passkey"
"""The kinds of authenticators."""


class MfaDevice(Entity):
    """A virtual device, which shows one-time passwords; `user_id` is whose it is, if it is a user's; `of_root`: the root user has it.

    `last_step` is the newest time step of which a code was taken, so that none is taken twice; `drift` is how many steps the device's
    clock is ahead of ours. `failures` wrong codes in a row, the last at `failed_at`, are what guessing is slowed down by.
    """

    __tablename__ = "mfa_devices"
    __mapper_args__ = {"polymorphic_identity": "mfa"}  # noqa: RUF012  # SQLAlchemy reads a plain dict here

    id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)
    seed: Mapped[bytes]
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    of_root: Mapped[bool] = mapped_column(default=False, server_default=false())
    enabled_at: Mapped[datetime | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    drift: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None]


class Authenticator(Base):
    """A device that AWS's API does not make: a hardware device with the seed that it came with, or a passkey.

    `owner_id` is the user or root user who has it; a passkey is somebody's from the first. A hardware device has `seed`, `last_step` and
    `drift` as a virtual one. A passkey has `credential_id` in base64url, `public_key` as COSE, and `sign_count`, its signatures so far.
    """

    __tablename__ = "authenticators"
    __table_args__ = (UniqueConstraint("account_id", "serial"), UniqueConstraint("account_id", "credential_id"))
    touches = ()

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str]
    serial: Mapped[str]
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    enabled_at: Mapped[datetime | None]
    seed: Mapped[bytes | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    drift: Mapped[int] = mapped_column(default=0)
    credential_id: Mapped[str | None]
    public_key: Mapped[bytes | None]
    sign_count: Mapped[int] = mapped_column(BigInteger, default=0)
    failures: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None]


class ProofFailure(Base):
    """Wrong proofs of one kind in a row, by one user or root user, on whatever device; there is no row where the last was right."""

    __tablename__ = "proof_failures"
    touches = ()

    owner_id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)
    proof: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[datetime]
