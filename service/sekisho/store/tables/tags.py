"""Tags of every taggable kind."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sekisho.store.db import Base


class Tag(Base):
    """One tag. `key_key` is what makes it unique: the key in lower case for users and roles, the key itself for other kinds."""

    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("owner_id", "key_key"),)
    touches = ("owner_id",)

    owner_id: Mapped[str] = mapped_column(ForeignKey("entities.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    key_key: Mapped[str]
    value: Mapped[str]
