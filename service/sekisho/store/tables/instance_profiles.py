"""Instance profiles: named places for a role."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.tables.entities import Entity


class InstanceProfile(Entity):
    """An instance profile, with its role if it has one. No decision depends on it, but a client of the change log may want to know."""

    __tablename__ = "instance_profiles"
    __mapper_args__ = {"polymorphic_identity": "instance-profile"}  # noqa: RUF012  # SQLAlchemy reads a plain dict here

    id: Mapped[str] = mapped_column(ForeignKey("entities.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[str | None] = mapped_column(ForeignKey("roles.id"), index=True)
