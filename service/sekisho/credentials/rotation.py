"""How keys of the ring follow on each other.

A key is published (`next`: it opens, and seals nothing), used (`current`) once every process has it, and the one that sealed before ends
after as long as what it sealed may live. Each step is one change of the ring's file, for all purposes of a kind together; so a rotation
that ended anywhere goes on from what the file says.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sekisho.credentials.key_ids import Random
from sekisho.credentials.key_ring import ACCESS_KEYS, CERTIFICATES, MFA, PAGING, SESSIONS, SIGNING, SNAPSHOT, TRAIL, KeyRing
from sekisho.credentials.ring_document import Document, Entry

OVERLAP = timedelta(hours=37)
"""The time from a rotation's end to the end of the keys before: the longest session lasts 36 hours, JWTs of the issuer one, and snapshots
of data nodes are used for 24 hours. Markers of lists have no end of their own, and hold as long as sessions.
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """The keys that are rotated together; without an `overlap`, those before open for ever."""

    purposes: tuple[str, ...]
    overlap: timedelta | None


KINDS: Mapping[str, Kind] = {
    "wrapping": Kind((ACCESS_KEYS, MFA, CERTIFICATES), OVERLAP),
    "session": Kind((SESSIONS, PAGING, SNAPSHOT), OVERLAP),
    "signing": Kind((SIGNING,), OVERLAP),
    "trail": Kind((TRAIL,), None),  # the links that a key has made are proven with it as long as there are any
}


def state(document: Document, entry: Entry, now: datetime) -> str:
    """What a key is: `next`, `current`, `retiring`, `retired` or `kept`."""
    if entry.state:
        return entry.state
    if entry == document.current(entry.purpose):
        return "current"
    return "retired" if entry.ended(now) else "retiring"


def begun(document: Document, kind: Kind) -> str:
    """How far a rotation has come that did not end: a key is `published`, or `used` while those before have no end; else nothing."""
    if any(document.next(purpose) is not None for purpose in kind.purposes):
        return "published"
    current = {document.current(purpose) for purpose in kind.purposes}
    before = [entry for entry in document.entries if entry.purpose in kind.purposes and entry not in current]
    return "used" if any(not entry.state and entry.ends is None for entry in before) else ""


def publish(ring: KeyRing, kind: Kind, now: datetime, random: Random = secrets.token_bytes) -> Document:
    """Have a next key for each purpose; keys that have ended are erased."""

    def changed(document: Document) -> Document:
        document = document.pruned(now)
        for purpose in kind.purposes:
            document = document.with_next(purpose, random, now)
        return document

    return ring.rewrite(changed)


def use(ring: KeyRing, kind: Kind) -> Document:
    """Have the next keys seal."""

    def changed(document: Document) -> Document:
        for purpose in kind.purposes:
            document = document.activated(purpose)
        return document

    return ring.rewrite(changed)


def retire(ring: KeyRing, kind: Kind, now: datetime) -> Document:
    """Say when the keys that sealed before end."""

    def changed(document: Document) -> Document:
        for purpose in kind.purposes:
            document = document.retired(purpose, now + kind.overlap if kind.overlap is not None else None)
        return document

    return ring.rewrite(changed)


def revoke(ring: KeyRing, purpose: str, key_id: str, now: datetime, random: Random = secrets.token_bytes) -> Document:
    """Take a key away at once; where it is the one that seals, the next one does, or a new one."""

    def changed(document: Document) -> Document:
        current = document.current(purpose)
        if current is not None and current.id == key_id:
            next_ = document.next(purpose)
            document = document.activated(purpose) if next_ is not None else document.with_key(purpose, random, now)
        return document.without_key(purpose, key_id)

    return ring.rewrite(changed)
