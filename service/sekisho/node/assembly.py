"""Puts a node together: database, key ring, world, feed and spool, and what it writes with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sekisho.calls.call import Node, Writes
from sekisho.calls.replays import Replays
from sekisho.credentials import access_keys
from sekisho.credentials.key_ring import KeyRing
from sekisho.credentials.session_tokens import OpenedTokens
from sekisho.journal.accesses import Accesses
from sekisho.journal.decision_log import DecisionLog
from sekisho.journal.last_use import LastUse
from sekisho.journal.spool import Spool
from sekisho.memory.cache import World
from sekisho.memory.feed import Feed
from sekisho.node.drain import Drain
from sekisho.store import db


@contextmanager
def opened(
    database: db.Database, ring: KeyRing, spool_path: Path, *, audience: str, writes: bool = True, decision_log: DecisionLog | None = None
) -> Iterator[Node]:
    """A node with its threads running; stopped, and its spool drained as far as the database takes it, at the end.

    One that does not write keeps what it would record in its spool, where nobody drains it.
    """
    world = World(database, lambda row: access_keys.unseal(row.id, row.secret, ring))
    spool = Spool(spool_path)
    node = Node(
        database=database,
        ring=ring,
        world=world,
        feed=Feed(world),
        spool=spool,
        last_use=LastUse(spool),
        accesses=Accesses(spool),
        tokens=OpenedTokens(ring),
        replays=Replays(),
        audience=audience,
        writes=Writes(database) if writes else None,
        decision_log=decision_log,
    )
    world.poll()
    drain = Drain(spool, (node.last_use, node.accesses), node.writes.database if node.writes is not None else None)
    node.feed.start()
    drain.start()
    try:
        yield node
    finally:
        node.feed.stop()
        drain.stop()
        spool.close()
        world.close()
