"""Virtual MFA devices."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.tables.entities import Entity


class MfaDevice(Entity):
    """A device that shows one-time passwords; `user_id` is whose it is, if anybody's.

    `last_step` is the newest time step of which a code was taken, so that none is taken twice; `drift` is how many steps the device's
    clock is ahead of ours. `failures` wrong codes in a row, the last at `failed_at`, are what guessing is slowed down by.
    """

    __tablename__ = "mfa_devices"
    __mapper_args__ = {"polymorphic_identity": "mfa"}  # noqa: RUF012  # SQLAlchemy reads a plain dict here

    id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)
    seed: Mapped[bytes]
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    enabled_at: Mapped[datetime | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    drift: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None]
