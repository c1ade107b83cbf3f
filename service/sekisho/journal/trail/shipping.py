"""Ships the trail: every record that is linked, in order, as the event that it is, to a file, to standard output or to a collector.

What was shipped is known by a cursor in the database, which moves when the sink has taken a batch. So nothing is left out, whatever ends;
a batch whose cursor did not move is shipped again, and its events have the ids that they had. One process ships at a time.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sekisho import meters
from sekisho.journal.trail import cursors, events, walk
from sekisho.store import db
from sekisho.store.alone import Alone

CURSOR = "sink"
BATCH = 500
"""Events that a sink is given at once."""

SHIPPED = meters.Counter("sekisho_audit_shipped_events", "Events of the trail that the audit sink has taken.")
BEHIND = meters.Gauge("sekisho_audit_sink_behind", "Records that are linked and that the audit sink has not taken yet.")

Sink = Callable[[Sequence[dict[str, Any]]], None]
"""Takes events, or raises."""


class Shipping:
    """Ships to one sink, while no other process does."""

    def __init__(self, database: db.Database, sink: Sink) -> None:
        self._database, self._sink = database, sink
        self._alone = Alone(database, "audit-sink")

    def once(self) -> bool:
        """Ship one batch; whether there may be more."""
        if not self._alone.take():
            return False
        with self._database.read() as session:
            is_begun, at = CURSOR in cursors.positions(session, CURSOR), cursors.position(session, CURSOR)
            rows = walk.after(session, at, limit=BATCH)
            BEHIND.set(max(0, walk.newest(session) - at))
        if not is_begun:
            with self._database.write(()) as session:
                cursors.move(session, CURSOR, 0, 0)  # before the sink has taken anything: retention waits for one that fails, too
        if not rows:
            return False
        self._sink([events.event(record) for _, record in rows])
        with self._database.write(()) as session:
            moved = cursors.move(session, CURSOR, at, rows[-1][0])
        if moved:
            SHIPPED.inc(len(rows))
            BEHIND.dec(len(rows))
        return len(rows) == BATCH

    def close(self) -> None:
        """Leave shipping to another process."""
        self._alone.release()


def said(value: Any) -> Any:
    """A value without members that are null, for a protocol that has none."""
    if isinstance(value, dict):
        return {name: said(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [said(inner) for inner in value if inner is not None]
    return value
