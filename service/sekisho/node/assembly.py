"""Puts a node together: database, key ring, world, feed and spool, and what it writes with."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sekisho.calls.call import Node, Writes
from sekisho.calls.replays import Replays
from sekisho.credentials import access_keys, saml, signing_keys
from sekisho.credentials.key_ring import KeyRing
from sekisho.credentials.oidc.key_sets import KeySets
from sekisho.credentials.passkeys import RelyingParty
from sekisho.credentials.session_tokens import OpenedTokens
from sekisho.journal.accesses import Accesses
from sekisho.journal.data_events import DataEvents
from sekisho.journal.decision_log import DecisionLog
from sekisho.journal.issued import Issued
from sekisho.journal.last_use import LastUse
from sekisho.journal.spool import Spool
from sekisho.memory import keeper, places
from sekisho.memory.cache import World
from sekisho.memory.confirmation import Check
from sekisho.memory.feed import Feed
from sekisho.memory.keeper import Keeper
from sekisho.node import trailing
from sekisho.node.drain import Drain
from sekisho.node.retiring import INTERVAL, Retiring
from sekisho.node.rounds import Rounds
from sekisho.node.trailing import Trailing
from sekisho.sigv4 import Credentials
from sekisho.store import db
from sekisho.store.tables import AccessKey

ASKING = 0.5
"""Seconds between two looks for queries that wait."""

FIRST_LOOK = 0.5
"""Seconds that a node which begins from a snapshot waits for its database: one that is there says at once what has changed since."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How a node keeps its memory on the disk: in `path`, `every` so many seconds. It begins from that file, or from another in the same
    folder, when it is not older than `oldest`; `check` is made of the database before anything is read there.
    """

    path: Path
    every: float
    oldest: timedelta
    check: Check

    def files(self) -> list[Path]:
        """The files that it may begin from, its own first, then the newest."""
        others = {path: path.stat().st_mtime for path in self.path.parent.glob("*.snapshot") if path != self.path}
        return [*([self.path] if self.path.exists() else []), *sorted(others, key=others.__getitem__, reverse=True)]


@contextmanager
def opened(
    database: db.Database,
    ring: KeyRing,
    spool_path: Path,
    *,
    audience: str,
    writes: bool = True,
    services: frozenset[str] | None = None,
    kept: Kept | None = None,
    max_staleness: float | None = None,
    decision_log: DecisionLog | None = None,
    trail: Trailing | None = None,
    buckets: frozenset[str] | None = None,
    saml_recipients: Sequence[str] = (),
    key_sets: KeySets | None = None,
    issuer_url: str = "",
    passkeys: RelyingParty | None = None,
) -> Iterator[Node]:
    """A node with its threads running; stopped, and its spool drained as far as the database takes it, at the end.

    One that writes seals the trail, and does with it what else `trail` asks for. One that does not keeps what it would record in its spool,
    which another process drains.
    """
    nobody = Credentials("-" * 20, "-" * 40)
    decoy = AccessKey(id=nobody.access_key_id, secret=access_keys.seal(nobody, ring))
    loads = db.Database(database.url, pool_size=places.MOST, make=database.make)
    world = World(
        database,
        lambda row: access_keys.unseal(row.id, row.secret, ring),
        decoy=decoy,
        loads=loads,
        max_staleness=max_staleness,
        private=writes,
    )
    spool = Spool(spool_path)
    node = Node(
        database=database,
        ring=ring,
        world=world,
        feed=Feed(world),
        spool=spool,
        last_use=LastUse(spool),
        accesses=Accesses(spool),
        data_events=DataEvents(spool),
        tokens=OpenedTokens(ring),
        replays=Replays(),
        issued=Issued(spool_path.with_name("issued.db")),
        audience=audience,
        writes=Writes(database) if writes else None,
        services=services,
        decision_log=decision_log,
        buckets=buckets,
        saml_recipients=tuple(saml_recipients) or (saml.AWS_RECIPIENT,),
        key_sets=key_sets or KeySets(),
        issuer_url=issuer_url,
        passkeys=passkeys,
    )
    drain = Drain(spool, (node.last_use, node.accesses), node.writes.database if node.writes is not None else None)
    beside = ExitStack()
    keeping = Keeper(world, ring, kept.path, every=kept.every) if kept is not None else None
    if kept is not None and keeper.restore(world, ring, kept.files(), datetime.now(UTC), oldest=kept.oldest, check=kept.check):
        node.feed.start()
        node.feed.wait_for_look(FIRST_LOOK)
    else:
        world.look_at_lag()
        world.poll()
        node.feed.start()
    drain.start()
    if writes:
        beside.enter_context(trailing.running(database, ring, trail or Trailing()))
        retired = Retiring(database)
        steps = {"retire": lambda: retired.by_both_clocks(datetime.now(UTC)), "turn": lambda: _turned(database, ring, datetime.now(UTC))}
        retiring = Rounds("retiring", INTERVAL, steps, last=False)
        retiring.start()
        beside.callback(retiring.stop)
        if services is None or "cloudtrail" in services:
            from sekisho.journal.trail.lake.asking import Asking  # with which comes a parser of SQL; no other node has queries

            asks = Asking(database)
            asking = Rounds("asking", ASKING, {"ask": asks.once}, last=False)  # a query may take half a minute
            asking.start()
            beside.callback(asks.close)
            beside.callback(asking.stop)
        if services is None or "analyzer" in services:
            from sekisho.node import analyzing  # what a node without analyzers need not load

            beside.enter_context(analyzing.running(database, world, node.questions))
    if keeping is not None:
        keeping.start()
    try:
        yield node
    finally:
        node.feed.stop()
        if keeping is not None:
            keeping.stop()
        node.data_events.close()  # before the drain, which takes what it hands to the spool
        drain.stop()
        beside.close()  # after the drain, whose records are sealed
        node.questions.close()
        spool.close()
        node.issued.close()
        world.close()
        loads.close()


def _turned(database: db.Database, ring: KeyRing, now: datetime) -> bool:
    """Have one issuer go on with another pair of keys when its own has had its time; whether there was one."""
    return signing_keys.turn_one(database, ring, now, begun=now - signing_keys.TERM) is not None
