"""The work of a node on the trail, beside its calls: to seal it, to state and publish checkpoints, to deliver trails, to let old
records go, and to ship the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sekisho.credentials.key_ring import KeyRing
from sekisho.errors import FailedPrecondition, InvalidArgument
from sekisho.journal.decision_log import STDOUT, Lines
from sekisho.journal.trail import checkpoints, destinations, shipping
from sekisho.journal.trail.checkpoints import Checkpoints, Publish
from sekisho.journal.trail.retention import Retention
from sekisho.journal.trail.sealer import Sealer
from sekisho.journal.trail.shipping import Shipping, Sink
from sekisho.node import telemetry
from sekisho.node.delivering import Delivering, Trails
from sekisho.node.options import Options
from sekisho.node.rounds import Rounds
from sekisho.store import db

INTERVAL = 1.0
"""Seconds between two rounds: for so long a record may be unlinked."""
OTLP = "otlp"
FOLDER = "checkpoints/"
"""The beginning of the keys of checkpoints in a bucket."""


def _nothing() -> None:
    """There is nothing to be reopened."""


@dataclass(frozen=True, slots=True)
class Trailing:
    """The wishes of the options; without any, records are sealed, and kept for ever, and no trail is delivered."""

    publish: tuple[Publish, ...] = ()
    every: float = checkpoints.SECONDS
    days: int = 0
    sink: Sink | None = None
    reopen: Callable[[], None] = _nothing
    trails: Trails | None = None


def of(options: Options, index: int) -> Trailing:
    """The wishes of the options of worker number `index`."""
    publish: list[Publish] = []
    buckets = destinations.parsed(options.trail_buckets)
    trails = Trails(buckets, options.trail_delivery, options.trail_digests) if buckets else None
    if options.trail_checkpoints is not None:
        publish.append(checkpoints.folder(options.trail_checkpoints))
    if options.trail_checkpoint_bucket:
        publish.append(_bucket(buckets[options.trail_checkpoint_bucket]))
    sink: Sink | None = None
    reopen: Callable[[], None] = _nothing
    if options.audit_sink == OTLP:
        export = telemetry.sink(options, index, of="audit", at="eventTime")
        sink = lambda events: export([shipping.said(event) for event in events])  # noqa: E731  # a protocol without nulls
    elif options.audit_sink:
        lines = Lines(options.audit_sink, of="the audit sink", lasting=True)
        sink, reopen = lines, lines.reopen
    return Trailing(tuple(publish), options.trail_checkpoint_seconds, options.trail_retention_days, sink, reopen, trails)


def refuse_unusable(options: Options) -> None:
    """Raise what is wrong with the options before a worker is started."""
    if options.trail_checkpoints is not None and not options.trail_checkpoints.is_dir():
        raise FailedPrecondition(f"--trail-checkpoints: there is no directory {options.trail_checkpoints}")
    if options.trail_checkpoint_bucket and options.trail_checkpoint_bucket not in destinations.parsed(options.trail_buckets):
        raise InvalidArgument(f"--trail-checkpoint-bucket: there is no --trail-bucket `{options.trail_checkpoint_bucket}`")
    if options.audit_sink == OTLP:
        if not telemetry.asked(options):
            raise InvalidArgument("--audit-sink otlp needs a collector; give --otel-endpoint")
    elif options.audit_sink and options.audit_sink != STDOUT:
        if Path(options.audit_sink) == Path(options.decision_log):
            raise InvalidArgument("--audit-sink and --decision-log are two files")
        Lines(options.audit_sink, of="the audit sink")


@contextmanager
def running(database: db.Database, ring: KeyRing, asked: Trailing) -> Iterator[None]:
    """The threads of one process, while the block runs; each does a last round when it ends. What waits for a disk or a network that does
    not answer, or has much to do, keeps no record from being sealed.
    """
    retention = Retention(database, ring, days=asked.days)
    made = [
        Rounds("retention", INTERVAL, {"retain": retention.once}, last=False),
        Rounds("sealer", INTERVAL, {"seal": Sealer(database, ring).once}),
    ]
    if asked.publish:
        stating = Checkpoints(database, ring, every=asked.every, publish=asked.publish)
        made.append(Rounds("checkpoints", INTERVAL, {"state": stating.once, "publish": stating.publish}))
    ship = Shipping(database, asked.sink) if asked.sink is not None else None
    if ship is not None:
        made.append(Rounds("audit-sink", INTERVAL, {"ship": ship.once}))
    delivering = Delivering(database, ring, asked.trails) if asked.trails is not None else None
    for rounds in made:
        rounds.start()
    if delivering is not None:
        delivering.start()
    try:
        yield
    finally:
        if delivering is not None:
            delivering.stop()
        _stop(made)
        if ship is not None:
            ship.close()


def _stop(made: Sequence[Rounds]) -> None:
    """One after the other: what the sealer links at last, the others state and ship."""
    for rounds in made:
        rounds.stop()


def _bucket(destination: destinations.Destination) -> Publish:
    return lambda name, content: destination.put(FOLDER + name, content)
