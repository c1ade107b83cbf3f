"""Rotation of keys beside a server that goes on: publish, wait until every process has the key, use it, wait again, seal rows anew, and say
when the keys before end.

The workers of the data directory say what they hold (`ring_holders`). Nodes that were given a ring of their own say it in their metrics;
to carry the ring to them is the operator's part. Where a rotation stops, for whatever reason, the next run goes on.
"""

import fcntl
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sekisho.credentials import accounts, resealing, rotation, signing_keys
from sekisho.credentials.key_ring import PURPOSES, SIGNING, KeyRing, utc_now
from sekisho.credentials.ring_document import Document
from sekisho.credentials.rotation import KINDS, Kind
from sekisho.errors import FailedPrecondition, Unavailable
from sekisho.meters import exposition
from sekisho.node import data_dir, ring_holders
from sekisho.node.ring_holders import HELD, METRIC, SEALS, Holder
from sekisho.store import db

LOCK = "keyring.rotation.lock"
EXPORTED = "keyring.exported"
"""A file that says that keys of this ring were given to other nodes."""

PATIENCE = 60.0
"""Seconds that a rotation waits for those who do not have a key yet."""
RATE = 2000
"""Rows that are sealed anew in a second, at most."""

EVENTS = "keyring"
"""The service of events of the key ring, in audit records."""

_LOOK = 0.1  # seconds between two looks at who has which keys
_LARGEST = 16 * 2**20  # bytes of a page of metrics

Progress = Callable[[int, int], None]
"""Told how many are done, and of how many."""
Say = Callable[[str], None]


class RotationUnderWay(FailedPrecondition):
    """Another rotation of the same ring runs."""


class KeysNotTaken(Unavailable):
    """A process does not have a key that it needs, or still has one that is to be gone."""


class NotTheWholeRing(FailedPrecondition):
    """The ring is what another was exported to; keys are rotated where that one is."""


@dataclass(frozen=True, slots=True)
class Rotating:
    """What a rotation is done with. `nodes` are addresses over HTTP of other nodes, `carried` is the operator's word that all of them were
    given the ring.
    """

    ring: KeyRing
    data_dir: Path
    database: db.Database
    nodes: Sequence[str] = ()
    carried: bool = False
    patience: float = PATIENCE
    rate: int = RATE
    batch: int = resealing.BATCH

    def rotate(self, name: str, say: Say, progress: Progress) -> None:
        """Rotate the keys of a kind, or end the rotation of it that was begun; KeysNotTaken or StillOpen when it stops on the way."""
        kind = KINDS[name]
        with alone(self.data_dir):
            refuse_part(self.ring)
            stage = rotation.begun(self.ring.document(), kind)
            if stage:
                say(f"{name}: going on with the rotation that did not end")
            if stage != "used":
                document = rotation.publish(self.ring, kind, utc_now())
                say(f"{name}: published {_shown([document.next(purpose) for purpose in kind.purposes])}")
                self._wait(_held(document, kind), "have the new key", say)
                rotation.use(self.ring, kind)
            document = self.ring.document()
            say(f"{name}: {_shown([document.current(purpose) for purpose in kind.purposes])} seals")
            self._wait(_sealing(document, kind), "seal with the new key", say)
            self._reseal(name, kind, say, progress)
            if SIGNING in kind.purposes and (turned := signing_keys.turn(self.database, self.ring, utc_now())):
                say(f"{name}: {len(turned)} new pairs of issuers, which sign when everybody may know them")
            rotation.retire(self.ring, kind, utc_now())
            self._audit("RotateKeys", kind=name, keys=[one.id for one in map(document.current, kind.purposes) if one is not None])
            say(f"{name}: the keys before {'are kept' if kind.overlap is None else f'end in {_hours(kind)}'}")

    def revoke(self, purpose: str, key_id: str, say: Say) -> None:
        """Take a key away, and return when nobody has it any more."""
        with alone(self.data_dir):
            refuse_part(self.ring)
            with self.database.read() as session:
                rows = resealing.counts(session, purpose).get(key_id, 0)
            if rows:
                raise FailedPrecondition(f"{rows} rows are sealed with {key_id}, which nothing else would open: rotate first")
            current = self.ring.document().current(purpose)
            if current is not None and current.id == key_id and any(column.purpose == purpose for column in resealing.SEALED):
                # a worker that does not know yet would seal a row with it, which nothing opens afterwards
                raise FailedPrecondition(f"rows of {purpose} are sealed with {key_id} from now on: rotate first")
            self._audit("RevokeKey", purpose=purpose, key=key_id)  # first: what is gone is recorded, whatever happens then
            rotation.revoke(self.ring, purpose, key_id, utc_now())
            self._wait({purpose: {key_id: 0}}, f"hold {key_id} no more", say)

    def _audit(self, event: str, **request: object) -> None:
        """Record what was done in the audit trail, of the oldest account; a database without one has nothing that a key has sealed."""
        accounts.record_by_operator(self.database, EVENTS, event, request)

    def _reseal(self, name: str, kind: Kind, say: Say, progress: Progress) -> None:
        resealing.settle(self.database, time.monotonic() + max(self.patience, db.DEFAULT_TIMEOUT))
        with self.database.read() as session:
            total = resealing.stale(session, self.ring, kind.purposes)
        done = closed = 0
        began = time.monotonic()
        for purpose in kind.purposes:
            for changed, failed in resealing.reseal(self.database, self.ring, purpose, batch=self.batch):
                done, closed = done + changed, closed + failed
                progress(done, total)
                time.sleep(max(0.0, done / self.rate - (time.monotonic() - began)))
        with self.database.read() as session:
            left = resealing.stale(session, self.ring, kind.purposes)
        if left > closed:
            raise KeysNotTaken(f"{left - closed} rows of {name} were sealed with a key of before meanwhile; run this again")
        if total:
            say(f"{name}: {done} rows sealed anew")
        if closed:
            say(f"{name}: {closed} rows open with no key of the ring, and stay as they are")

    def _wait(self, wanted: "Wanted", what: str, say: Say) -> None:
        """Return when every worker of this data directory and of the other nodes has the keys as they are wanted."""
        limit = time.monotonic() + self.patience
        while lacking := self._lacking(wanted):
            if time.monotonic() >= limit:
                raise KeysNotTaken(f"{lacking[0]} does not {what} yet; nothing is lost, run this again")
            time.sleep(_LOOK)
        if not self.nodes and not self.carried and (self.data_dir / EXPORTED).exists():
            raise KeysNotTaken(
                f"keys of this ring were exported to other nodes, which must {what} first: give each of them the ring again "
                "(`sekisho keys export`), then run this again with --node HOST:PORT for each, or with --carried"
            )
        say(f"every worker of {f'{1 + len(self.nodes)} nodes' if self.nodes else 'this node'} does {what}")

    def _lacking(self, wanted: "Wanted") -> list[str]:
        """Those who do not have the keys as they are wanted."""
        here = ring_holders.holders(self.data_dir)
        if not here and (self.data_dir / data_dir.LOCK).exists() and data_dir.is_served(self.data_dir):
            return ["the server of this data directory, which says nothing of its keys (is it of an earlier release?),"]
        found = [f"process {one.process}{_why(one)}" for one in here if not _fits(_levels(one), wanted)]
        for node in self.nodes:
            found += [f"{node}, worker {worker}," for worker, levels in _scraped(node).items() if not _fits(levels, wanted)]
        return found


def rotate_master(ring: KeyRing, folder: Path, new: bytes | None, say: Say, *, at_once: bool = False, patience: float = PATIENCE) -> None:
    """Put another master key around the ring, with one that was given or, where the ring has its own, a new one of its own.

    The one of before opens the ring until this is run again without another key, when every worker was started with the one of now; with
    `at_once`, no longer. A ring whose master key is its own changes at once: whoever reads the file has both.
    """
    with alone(folder):
        document = ring.document()
        if document.old:
            raise FailedPrecondition("the ring has a newer master key already; give that one")
        if document.before is not None and (new is None or not at_once):
            if new is not None:
                raise FailedPrecondition("the exchange of the master key before has not ended: run this with the one of now alone first")
            _wait_for_new_master(folder, patience)
            ring.finish_rewrap()
            say("master: the key of before opens nothing any more")
        elif new is None and document.master is None:
            raise FailedPrecondition("the ring's master key comes from outside: give the new one, with --new-master-key-file, say")
        else:
            overlap = new is not None and not at_once
            ring.rewrap(new, overlap=overlap)
            say("master: the ring has a new master key")
            if overlap:
                say("master: the one of before opens it, too; start every server again with the new one, and run this again with it alone")


def _wait_for_new_master(folder: Path, patience: float) -> None:
    limit = time.monotonic() + patience
    while old := [one for one in ring_holders.holders(folder) if one.old or one.keys is None]:
        if time.monotonic() >= limit:
            raise KeysNotTaken(f"process {old[0].process} was started with the master key of before; start it again with the one of now")
        time.sleep(_LOOK)


Wanted = dict[str, dict[str, int]]
"""For keys of a purpose by id, how much of them is wanted: `HELD` or more, `SEALS`, or that they are gone (0)."""
Levels = dict[str, dict[str, int]]
"""What somebody has of keys, likewise; a purpose of which somebody has none is not there."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the one rotation of a data directory; RotationUnderWay. The lock ends with the process."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RotationUnderWay(f"another rotation of the key ring in {folder} runs; nothing was done") from None
        yield
    finally:
        os.close(handle)


def refuse_part(ring: KeyRing) -> None:
    """Raise NotTheWholeRing for one that lacks purposes."""
    if missing := set(PURPOSES) - set(ring.held()):
        lacks = ", ".join(sorted(missing))
        raise NotTheWholeRing(f"the key ring has no keys for {lacks}: rotate keys where the whole ring is, and export it again")


def _held(document: Document, kind: Kind) -> Wanted:
    return {purpose: {entry.id: HELD} for purpose in kind.purposes if (entry := document.next(purpose)) is not None}


def _sealing(document: Document, kind: Kind) -> Wanted:
    return {purpose: {entry.id: SEALS} for purpose in kind.purposes if (entry := document.current(purpose)) is not None}


def _levels(holder: Holder) -> Levels | None:
    if holder.keys is None:
        return None
    return {purpose: {id_: SEALS if id_ == ids[-1] else HELD for id_ in ids} for purpose, ids in holder.keys.items()}


def _fits(levels: Levels | None, wanted: Wanted) -> bool:
    """True of somebody who has all keys as they are wanted; purposes that a node does not have do not count."""
    if levels is None:
        return False
    for purpose, keys in wanted.items():
        for id_, level in keys.items():
            have = levels.get(purpose, {}).get(id_, 0)
            if purpose in levels and (have < level if level else have > 0):
                return False
    return True


def _why(holder: Holder) -> str:
    return ", which was started with the master key of before," if holder.old else ""


def _scraped(node: str) -> dict[str, Levels]:
    """What the workers of another node have, by the number of each."""
    address = node if "://" in node else f"http://{node}"
    if not address.startswith(("http://", "https://")):
        raise FailedPrecondition(f"`{node}` is not the address of a node: HOST:PORT or https://HOST:PORT")
    try:
        with urllib.request.urlopen(f"{address.removesuffix('/metrics').rstrip('/')}/metrics", timeout=5) as answer:  # noqa: S310  # see above
            page = answer.read(_LARGEST).decode()
    except (OSError, ValueError) as error:
        raise KeysNotTaken(f"{node} does not show its metrics: {getattr(error, 'reason', error)}") from error
    found: dict[str, Levels] = {}
    for labels, value in exposition.read(page, METRIC):
        levels = found.setdefault(labels[exposition.WORKER], {})
        levels.setdefault(labels["purpose"], {})[labels["key"]] = int(value)
    if not found:
        raise KeysNotTaken(f"{node} says nothing of its keys; is it of an earlier release?")
    return found


def _shown(entries: Sequence[object]) -> str:
    return ", ".join(f"{getattr(entry, 'id', '')} ({getattr(entry, 'purpose', '')})" for entry in entries if entry is not None)


def _hours(kind: Kind) -> str:
    assert kind.overlap is not None
    return f"{kind.overlap.total_seconds() / 3600:.0f} hours"
