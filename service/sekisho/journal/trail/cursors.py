"""The cursors of those who walk along the trail.

A position is an ordinal, but for the sealer's own cursors, whose names begin with `sealer`. Retention waits for the one that is furthest
behind: who begins to walk puts its cursor where it begins, and who will not walk on removes it.
"""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from sekisho.store.tables import TrailCursor

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def position(session: Session, name: str) -> int:
    """The position of one; 0 before its first step."""
    return session.scalar(select(TrailCursor.position).where(TrailCursor.name == name)) or 0


def positions(session: Session, prefix: str) -> dict[str, int]:
    """The positions of those whose names begin so."""
    rows = session.execute(select(TrailCursor.name, TrailCursor.position).order_by(TrailCursor.name))
    return {row.name: row.position for row in rows if row.name.startswith(prefix)}


def move(session: Session, name: str, before: int, now: int) -> bool:
    """Move one that stands where it stood before; False when another process has moved it meanwhile.

    Until the transaction ends nobody else moves it: who does something once for each step does it in the same transaction.
    """
    _begin(session, name)
    moved = session.connection().execute(
        update(TrailCursor).where(TrailCursor.name == name, TrailCursor.position == before).values(position=now)
    )
    return _is_one(moved)


def put(session: Session, name: str, now: int) -> None:
    """Say where one stands, whose moves another's guard."""
    _begin(session, name)
    session.connection().execute(update(TrailCursor).where(TrailCursor.name == name).values(position=now))


def _begin(session: Session, name: str) -> None:
    made = _INSERT[session.get_bind().dialect.name](TrailCursor).values(name=name, position=0)
    session.connection().execute(made.on_conflict_do_nothing())


def _is_one(result: CursorResult[Any]) -> bool:
    return result.rowcount == 1
