"""The file of a snapshot: the world in memory, on the disk, so that a node that starts while every database is gone answers from it.

    magic (8) | tag (20) | confirmed at (8, microseconds of the epoch) | length of the body (8) | SHA-256 of the body (32) | body

The body is deflated lines: one about the whole, then `id JSON` for each record. The tag, of the key ring's purpose `snapshot`, is over all
that stands behind it; so nothing is inflated or read that this ring has not made. A record is read when somebody asks for it: policies are
compiled then, and the secret of an access key, which is sealed here as it is in the database, is opened then.
"""

import hashlib
import json
import os
import struct
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sekisho.credentials.key_ring import SNAPSHOT, KeyRing
from sekisho.errors import Unavailable
from sekisho.memory import lines
from sekisho.memory.names import Key, Name
from sekisho.store import durable
from sekisho.store.changes import Point
from sekisho.world import Record

MAX_BYTES = 256 * 1024 * 1024
"""Bytes of an inflated body: what was asked for last comes first, and the rest is left out."""

MAX_AHEAD = timedelta(minutes=5)
"""A snapshot from further ahead than clocks differ is of nobody's past."""

_MAGIC = b"SEKISHO1"
_HEAD = struct.Struct(">QQ32s")
_TAG = 20
_BEFORE = len(_MAGIC) + _TAG + _HEAD.size
_SLICE, _BREATH = 64, 0.001  # records between two breaths, and seconds of each: the threads that decide want the interpreter, too
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SnapshotRejected(Unavailable):
    """The file is not a snapshot that this ring has made, whole and of a moment that may be answered from."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The world in memory at `point`, which was confirmed to be the newest at `confirmed_at`. Records are as they are in memory, or as a
    snapshot had them (bytes); the last one asked for comes last. `points` are the recent ones of the history.
    """

    point: Point
    confirmed_at: datetime
    points: Sequence[Point]
    records: Mapping[str, Record | bytes]
    absent: Sequence[str]
    names: Mapping[Key, Name]
    absent_names: Sequence[Key]


def write(path: Path, snapshot: Snapshot, ring: KeyRing) -> int:
    """Put the snapshot in the place of the one before, whole or not at all; how many records are in it."""
    count, body = _body(snapshot, ring)
    head = _HEAD.pack((snapshot.confirmed_at - _EPOCH) // _MICROSECOND, len(body), hashlib.sha256(body).digest())
    durable.write_file(path, b"".join((_MAGIC, ring.mac(SNAPSHOT, _MAGIC + head), head, body)), mode=0o600)
    return count


def read(path: Path, ring: KeyRing, now: datetime, *, oldest: timedelta) -> Snapshot:
    """The snapshot in a file, its records as bytes; SnapshotRejected, which says why, also when it is older than `oldest`."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES + _BEFORE:
                raise SnapshotRejected("it is larger than any that is written")
            content = file.read()
    except OSError as error:
        raise SnapshotRejected(f"it cannot be read: {error.strerror}") from error
    magic, tag, head = content[: len(_MAGIC)], content[len(_MAGIC) : len(_MAGIC) + _TAG], content[len(_MAGIC) + _TAG : _BEFORE]
    if magic != _MAGIC or len(head) != _HEAD.size:
        raise SnapshotRejected("it is not a snapshot of this version")
    if not ring.is_mac(SNAPSHOT, magic + head, tag):
        raise SnapshotRejected("it was not made with this key ring, or was changed")
    confirmed, length, digest = _HEAD.unpack(head)
    body = memoryview(content)[_BEFORE:]
    if len(body) != length or hashlib.sha256(body).digest() != digest:
        raise SnapshotRejected("it is damaged")
    confirmed_at = _EPOCH + confirmed * _MICROSECOND
    if not now - oldest <= confirmed_at <= now + MAX_AHEAD:
        raise SnapshotRejected(f"it is of {confirmed_at.isoformat(timespec='seconds')}, which is too long ago, or is still to come")
    return _parsed(body, confirmed_at)


def _body(snapshot: Snapshot, ring: KeyRing) -> tuple[int, bytes]:
    deflate = zlib.compressobj(1)
    whole = json.dumps(
        {
            "shapes": lines.SHAPES,
            "point": [snapshot.point.number, snapshot.point.nonce],
            "points": [[point.number, point.nonce] for point in snapshot.points],
            "absent": list(snapshot.absent),
            "names": [[*key, name.id, name.path, name.name] for key, name in snapshot.names.items()],
            "absent_names": list(snapshot.absent_names),
        },
        separators=(",", ":"),
    ).encode()
    parts, size, count = [deflate.compress(whole)], len(whole), 0
    for key in reversed(list(snapshot.records)):
        record = snapshot.records[key]
        line = record if isinstance(record, bytes) else lines.written(record, ring)
        if line is None:
            continue
        size += len(key) + len(line) + 2
        if size > MAX_BYTES:
            break
        parts.append(deflate.compress(b"\n%b %b" % (key.encode(), line)))
        count += 1
        if count % _SLICE == 0:
            time.sleep(_BREATH)
    parts.append(deflate.flush())
    return count, b"".join(parts)


def _parsed(body: memoryview, confirmed_at: datetime) -> Snapshot:
    inflate = zlib.decompressobj()
    whole, *parts = inflate.decompress(body, MAX_BYTES).split(b"\n")
    if not inflate.eof:
        raise SnapshotRejected("it is larger than any that is written")
    said = json.loads(whole)
    if said["shapes"] != lines.SHAPES:
        raise SnapshotRejected("it is of a version whose records are others")
    records: dict[str, Record | bytes] = {}
    for line in reversed(parts):
        key, _, record = line.partition(b" ")
        records[key.decode()] = record
    return Snapshot(
        point=Point(*said["point"]),
        confirmed_at=confirmed_at,
        points=[Point(*point) for point in said["points"]],
        records=records,
        absent=said["absent"],
        names={(account, kind, key): Name(*name) for account, kind, key, *name in said["names"]},
        absent_names=[(account, kind, key) for account, kind, key in said["absent_names"]],
    )
