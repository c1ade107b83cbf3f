"""Checkpoints: signed statements of how far the chains have come, published outside the database.

A checkpoint says the heads of the chains that moved since the one before, whose hash it holds. Who changes what is linked has to change
the checkpoints after it as well, and those that are published are out of reach. One that would grow too long is split into parts, which
are checkpoints of their own, with the same time and ordinal.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sekisho import meters
from sekisho.credentials.key_ring import KeyRing
from sekisho.journal.trail import keys, sealer, walk
from sekisho.store import db, durable
from sekisho.store.tables import TrailCheckpoint, TrailLink

FORMAT = 1
SECONDS = 60
"""Seconds between two checkpoints, where the options do not say."""
MOST_ORDINALS = 100_000
"""Links that one checkpoint covers, so that a first one over a long trail looks at as many at once."""
MOST_HEADS = 1000
"""Heads in one part: some 150 KB."""
UNPUBLISHED = 100
"""Checkpoints that are published at once."""
_MODE = 0o644  # the file is a proof to be shown

Publish = Callable[[str, bytes], None]
"""Puts a file of this name, with this content, where it is kept; whole or not at all. Raises when it could not."""

AGE = meters.Age("sekisho_trail_checkpoint_age_seconds", "Seconds since this process last made or published a checkpoint.")
WAITING = meters.Gauge("sekisho_trail_checkpoints_unpublished", "Checkpoints that are not published outside the database yet.")

log = structlog.get_logger(__name__)


class Checkpoints:
    """Makes and publishes the checkpoints of one database; several processes may, and each is then made by one of them."""

    def __init__(
        self,
        database: db.Database,
        ring: KeyRing,
        *,
        every: float = SECONDS,
        publish: Sequence[Publish] = (),
        now: Callable[[], datetime] = sealer.utc,
    ) -> None:
        self._database, self._ring, self._every, self._publish, self._now = database, ring, timedelta(seconds=every), publish, now

    def once(self) -> bool:
        """Make one checkpoint if it is due and something is new; whether there is more of the same time."""
        now = self._now()
        with self._database.read() as session:
            last = get_last(session)
            newest = walk.newest(session)
            behind = last.ordinal if last is not None else 0
            if newest <= behind or (last is not None and last.at <= now < last.at + self._every and newest - behind < MOST_ORDINALS):
                return False
        name, private = keys.current(self._database, self._ring, now)
        with self._database.read() as session:
            last = get_last(session)
            contents = _contents(session, last, name, now)
        rows = [
            TrailCheckpoint(
                number=content["number"], at=now, ordinal=content["ordinal"], content=said, signature=keys.sign(private, said.encode())
            )
            for content, said in contents
        ]
        with self._database.write(()) as session:
            db.lock(session, "trail-checkpoints")
            again = get_last(session)
            if (again.number if again is not None else 0) != (last.number if last is not None else 0):
                return False  # another process was faster
            session.add_all(rows)
        AGE.mark()
        return bool(rows) and rows[-1].ordinal < newest

    def publish(self) -> bool:
        """Publish the oldest that are not; whether there may be more. What cannot be published waits for the next round."""
        if not self._publish:
            return False
        with self._database.read() as session:
            waiting = select(TrailCheckpoint).where(TrailCheckpoint.published_at.is_(None))
            rows = session.scalars(waiting.order_by(TrailCheckpoint.number).limit(UNPUBLISHED)).all()
            WAITING.set(session.scalar(select(func.count()).select_from(waiting.subquery())) or 0)
            public = {row.fingerprint: row.public_key for row in keys.listed(session)} if rows else {}
        for row in rows:
            signed_by = str(json.loads(row.content)["key"])
            for put in self._publish:
                put(key_file(signed_by), public[signed_by])
                put(file(row.number), published(row))
        if rows:
            with self._database.write(()) as session:
                numbers = [row.number for row in rows]
                session.execute(update(TrailCheckpoint).where(TrailCheckpoint.number.in_(numbers)).values(published_at=self._now()))
            AGE.mark()
            WAITING.dec(len(rows))
        return len(rows) == UNPUBLISHED


def get_last(session: Session) -> TrailCheckpoint | None:
    """The newest checkpoint."""
    return session.scalars(select(TrailCheckpoint).order_by(TrailCheckpoint.number.desc()).limit(1)).one_or_none()


def _contents(session: Session, last: TrailCheckpoint | None, key: str, now: datetime) -> list[tuple[dict[str, Any], str]]:
    """The parts of the next checkpoint, each with its text."""
    behind, number = (last.ordinal, last.number) if last is not None else (0, 0)
    before = hashed(last.content) if last is not None else ""
    newest = min(walk.newest(session), behind + MOST_ORDINALS)
    moved = (
        select(TrailLink.account_id, func.max(TrailLink.sequence).label("sequence"))
        .where(TrailLink.ordinal > behind, TrailLink.ordinal <= newest)
        .group_by(TrailLink.account_id)
        .subquery()
    )
    same = (TrailLink.account_id == moved.c.account_id) & (TrailLink.sequence == moved.c.sequence)
    rows = session.execute(
        select(TrailLink.account_id, TrailLink.sequence, TrailLink.hash).join(moved, same).order_by(TrailLink.account_id)
    )
    heads = [list(row) for row in rows]
    made = []
    for begin in range(0, len(heads), MOST_HEADS):
        number += 1
        content = {
            "format": FORMAT,
            "number": number,
            "at": now.isoformat(timespec="microseconds"),
            "ordinal": newest,
            "part": begin // MOST_HEADS + 1,
            "parts": -(-len(heads) // MOST_HEADS),
            "heads": heads[begin : begin + MOST_HEADS],
            "before": before,
            "key": key,
        }
        said = json.dumps(content, separators=(",", ":"))
        made.append((content, said))
        before = hashed(said)
    return made


def hashed(content: str) -> str:
    """The hash of a checkpoint, which the next one holds."""
    return hashlib.sha256(content.encode()).hexdigest()


def file(number: int) -> str:
    """The name of a published checkpoint."""
    return f"{number:012}.json"


def key_file(fingerprint: str) -> str:
    """The name of a published public key, which is DER in PKCS #1."""
    return f"{fingerprint}.der"


def published(row: TrailCheckpoint) -> bytes:
    """A checkpoint as it is published."""
    return json.dumps({"content": row.content, "signature": row.signature}, indent=1).encode() + b"\n"


def folder(path: Path) -> Publish:
    """Publish into a directory. A file that is there already, with the same content, stays: who publishes twice was killed in between."""

    def put(name: str, content: bytes) -> None:
        place = path / name
        if place.exists():
            if place.read_bytes() != content:
                log.error("trail.checkpoint_differs", path=str(place))
                raise FileExistsError(
                    f"{place} is there and says something else: the trail was set back, or another one is published there"
                )
            return
        durable.create_file(place, content, mode=_MODE)

    return put
