"""The key ring: keys by purpose, which seal and open, and are rotated while others use them.

Keys are random, and stand in a file outside the database (`ring_file`); every purpose has its own, one of which seals and all of which
open, until they end. A node that is given a file with some purposes only can open nothing else. How one key follows on another is in
`rotation`.
"""

import hmac
import secrets
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from sekisho.credentials import envelopes
from sekisho.credentials.envelopes import Key, SealBroken
from sekisho.credentials.key_ids import Random
from sekisho.credentials.ring_document import Change, Document, KeyRingUnusable
from sekisho.credentials.ring_file import RingFile, Stamp
from sekisho.errors import Unavailable

ACCESS_KEYS = "access-keys"
SESSIONS = "sessions"
MFA = "mfa"
PAGING = "paging"
SNAPSHOT = "snapshot"
SIGNING = "signing"
CERTIFICATES = "certificates"
TRAIL = "trail"
PURPOSES = (ACCESS_KEYS, SESSIONS, MFA, PAGING, SNAPSHOT, SIGNING, CERTIFICATES, TRAIL)
"""Access-key secrets; session tokens; seeds of one-time passwords; markers of lists; the cache on disk; private keys of JWKS; private
keys that users bring; the chains of the trail, and the private keys that sign its checkpoints."""


Clock = Callable[[], datetime]


class UnknownKey(Unavailable):
    """Sealed with a key that this ring does not hold, or that has ended."""


def utc_now() -> datetime:
    """The time by which keys end."""
    return datetime.now(UTC)


class KeyRing:
    """The keys of some purposes, by purpose and key id; safe for threads, and aware of rotation by other processes."""

    def __init__(
        self,
        path: Path,
        master: bytes | None,
        purposes: Collection[str] | None,
        random: Random = secrets.token_bytes,
        clock: Clock = utc_now,
    ) -> None:
        self._file = RingFile(path)
        self._master, self._purposes, self._random, self._clock = master, purposes, random, clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, Mapping[str, Key]] = {}
        self._others: frozenset[str] = frozenset()
        self._stamp: Stamp = ()
        self._old = False
        self._load()

    def __repr__(self) -> str:
        return f"KeyRing({str(self._file.path)!r}, purposes={sorted(self._keys)})"

    @classmethod
    def open(cls, path: Path, master: bytes | None = None, *, purposes: Collection[str] | None = None, clock: Clock = utc_now) -> Self:
        """The ring in a file, all purposes of it or only those named; `master` is None when the file holds its own."""
        return cls(path, master, purposes, clock=clock)

    @classmethod
    def create(
        cls,
        path: Path,
        master: bytes | None = None,
        *,
        purposes: Collection[str] = PURPOSES,
        random: Random = secrets.token_bytes,
        clock: Clock = utc_now,
    ) -> Self:
        """Make a new ring, on disk before this returns; of several processes that try at once, one makes it and all open that.

        For the first start only: what another ring sealed stays closed to this one.
        """
        RingFile(path).create(Document.new(path, master, random).completed(purposes, random, clock()))
        return cls(path, master, purposes, random, clock)

    @property
    def others(self) -> frozenset[str]:
        """The purposes that the file has keys for, and this ring was not asked to have."""
        return self._others

    @property
    def old(self) -> bool:
        """True of a ring that was opened with the master key of before: it goes on, and can change nothing."""
        return self._old

    def seal(self, purpose: str, plaintext: bytes, aad: tuple[str, ...]) -> bytes:
        """The plaintext in an envelope that opens only for the same purpose and place: `aad` is (table, column, row id)."""
        return self.current(purpose).seal(plaintext, (purpose, *aad), self._random)

    def unseal(self, purpose: str, sealed: bytes, aad: tuple[str, ...]) -> bytes:
        """The plaintext; UnknownKey or SealBroken."""
        if not envelopes.is_envelope(sealed):
            raise SealBroken(f"no sealed value at {aad}")
        return self.key(purpose, envelopes.key_id(sealed)).unseal(sealed, (purpose, *aad))

    def is_current(self, purpose: str, sealed: bytes) -> bool:
        """True for a value that is sealed with the purpose's newest key; others are to be sealed anew after a rotation."""
        return envelopes.key_id(sealed) == self.current(purpose).id

    def mac(self, purpose: str, data: bytes) -> bytes:
        """A tag of 20 bytes that shows that we made the data; checked by `is_mac`."""
        return self.current(purpose).tag(data)

    def is_mac(self, purpose: str, data: bytes, tag: bytes) -> bool:
        """True when the tag is ours for this data and purpose, under any key that the ring still holds."""
        try:
            key = self.key(purpose, envelopes.tag_key_id(tag))
        except UnknownKey:
            return False
        return hmac.compare_digest(key.tag(data), tag)

    def current(self, purpose: str) -> Key:
        """The key that seals now; looks whether another process has rotated it."""
        self.refresh()
        *_, newest = self._of(purpose).values()
        return newest

    def key(self, purpose: str, key_id: str) -> Key:
        """A key by its id, from the file again when it is unknown and the file has changed; UnknownKey."""
        if (found := self._of(purpose).get(key_id)) is None:
            self.refresh()
            if (found := self._of(purpose).get(key_id)) is None:
                raise UnknownKey(f"the key ring holds no key {key_id} for {purpose}")
        if found.ends is not None and self._clock() >= found.ends:
            raise UnknownKey(f"the key {key_id} for {purpose} has ended")
        return found

    def keys(self, purpose: str) -> Sequence[Key]:
        """The keys of a purpose that have not ended: the next one if there is one, those that sealed before, last the one that seals."""
        self.refresh()
        now = self._clock()
        return [key for key in self._of(purpose).values() if key.ends is None or now < key.ends]

    def held(self) -> Mapping[str, Sequence[str]]:
        """The ids of the keys in memory by purpose, the one that seals last; the file is not looked at."""
        return {purpose: list(keys) for purpose, keys in self._keys.items()}

    def document(self) -> Document:
        """What the file says now; KeyRingUnusable."""
        return self._file.read(self._master)[0]

    def refresh(self) -> None:
        """Read the file again if it has changed; whoever polls calls this, so that a key forgotten elsewhere opens nothing here."""
        try:
            if (stamp := self._file.stamp()) != self._stamp:
                self._load()
        except OSError:
            pass  # the keys in memory outlive the file
        except KeyRingUnusable:
            self._stamp = stamp  # they outlive a file that became unusable, too; it is read again when it changes

    def rewrite(self, change: Change) -> Document:
        """Put what a change makes of the document in the file, while no other process does so."""
        with self._file.alone():
            document = change(self._file.read(self._master)[0])
            self._file.replace(document)
        self._load()
        return document

    def rotate(self, purpose: str) -> str:
        """Add a key that seals from now on, whether other processes have it yet or not; older ones still open. The id of the new key."""
        return self.rewrite(lambda document: document.with_key(purpose, self._random, self._clock())).entries[-1].id

    def complete(self, purposes: Collection[str] = PURPOSES) -> None:
        """Add a key for each purpose that the file lacks, as one made by an earlier version does; of a ring with all, nothing changes."""
        if self._purposes is None and not all(purpose in self._keys for purpose in purposes):
            self.rewrite(lambda document: document.completed(purposes, self._random, self._clock()))

    def forget(self, purpose: str, key_id: str) -> None:
        """Remove a key that no longer seals; what it sealed can never be opened again."""
        if key_id == self.current(purpose).id:
            raise ValueError(f"{key_id} is the current key of {purpose}: rotate first")
        self.rewrite(lambda document: document.without_key(purpose, key_id))

    def rewrap(self, master: bytes | None, *, overlap: bool = False) -> None:
        """Wrap all keys with another master key, or with one in the file itself; with an overlap, the one of now opens them until
        `finish_rewrap`. Processes that have keys in memory go on; those that start need a master key that opens.
        """
        with self._file.alone():
            document, _ = self._file.read(self._master)
            self._file.replace(document.rewrapped(master, self._random, overlap=overlap))
            self._master = master
        self._load()

    def finish_rewrap(self) -> None:
        """Have the master key of before open nothing any more."""
        self.rewrite(lambda document: replace(document, before=None))

    def export(self, path: Path, purposes: Collection[str]) -> None:
        """Write a ring of some purposes only, for a node that must not open the others; replaces the file."""
        document, _ = self._file.read(self._master)
        RingFile(path).replace(document.only(purposes))

    def _of(self, purpose: str) -> Mapping[str, Key]:
        if (keys := self._keys.get(purpose)) is None:
            raise UnknownKey(f"the key ring holds no keys for {purpose}")
        return keys

    def _load(self) -> None:
        with self._lock:
            document, stamp = self._file.read(self._master)
            keys: dict[str, dict[str, Key]] = {purpose: {} for purpose in self._purposes or ()}
            for entry in document.entries:
                if self._purposes is None or entry.purpose in self._purposes:
                    keys.setdefault(entry.purpose, {})[entry.id] = Key.derived(entry.id, document.key(entry), entry.ends)
            if missing := [purpose for purpose, found in keys.items() if not found]:
                raise KeyRingUnusable(f"the key ring {self._file.path} holds no keys for {', '.join(missing)}")
            self._others = frozenset(entry.purpose for entry in document.entries) - keys.keys()
            self._keys, self._stamp, self._old = keys, stamp, document.old


def parse_master(text: str) -> bytes:
    """A master key as the environment or a mounted file has it: 32 bytes in base64, either alphabet."""
    try:
        master = urlsafe_b64decode(text.strip().replace("+", "-").replace("/", "_"))
    except ValueError:
        master = b""
    if len(master) != 32:
        raise KeyRingUnusable("a master key is 32 bytes in base64, such as `openssl rand -base64 32` prints")
    return master
