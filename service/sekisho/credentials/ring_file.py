"""The file of a key ring: its keys, each wrapped with a key derived from the master key.

    {"format": 1, "id": ring id, "master": base64 or null, "keys": [{"purpose": …, "id": …, "wrapped": base64}, …]}

The master key comes from outside (environment or a mounted file) or else stands in the file itself. A file is whole or not there, is its
owner's alone, and is rewritten by one process at a time.
"""

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sekisho.credentials.envelopes import NONCE, TAG, derive
from sekisho.credentials.key_ids import Random
from sekisho.errors import RequestTimeout, ServiceUnavailable, Unavailable
from sekisho.store.durable import create_file, write_file
from sekisho.store.file_lock import FileLock

PATIENCE = 60.0
"""Seconds that a process waits for others which rewrite the file."""

_MODE = 0o600
_KEY = 32  # bytes of every key

Stamp = tuple[int, ...]


class KeyRingUnusable(Unavailable):
    """The key ring's file is missing, readable by others, damaged, or wrapped with another master key."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key as the file has it."""

    purpose: str
    id: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, with the key that wraps all others; `master` is the file's own master key, None for one from outside."""

    path: Path
    id: bytes
    master: bytes | None
    entries: tuple[Entry, ...]
    wrapping: bytes = field(repr=False)

    @classmethod
    def new(cls, path: Path, master: bytes | None, random: Random) -> Self:
        """A ring without keys; it has a master key of its own unless one is given."""
        own = random(_KEY) if master is None else None
        id_ = random(16)
        return cls(path, id_, own, (), _wrapping(path, id_, own, master))

    @classmethod
    def parse(cls, path: Path, content: bytes, master: bytes | None) -> Self:
        """The document in the bytes of a file; KeyRingUnusable, which never quotes them."""
        try:
            found = json.loads(content)
            id_, own = bytes.fromhex(found["id"]), None if found["master"] is None else b64decode(found["master"])
            entries = tuple(Entry(entry["purpose"], entry["id"], b64decode(entry["wrapped"])) for entry in found["keys"])
            valid = found["format"] == 1 and len(id_) == 16 and (own is None or len(own) == _KEY)
            valid = valid and all(isinstance(entry["purpose"], str) for entry in found["keys"]) and all(map(_has_lengths, entries))
        except (ValueError, LookupError, TypeError):
            valid = False
        if not valid:
            raise KeyRingUnusable(f"the key ring {path} is damaged") from None
        return cls(path, id_, own, entries, _wrapping(path, id_, own, master))

    def content(self) -> bytes:
        """The bytes of the file."""
        keys = [{"purpose": entry.purpose, "id": entry.id, "wrapped": b64encode(entry.wrapped).decode()} for entry in self.entries]
        master = b64encode(self.master).decode() if self.master is not None else None
        return json.dumps({"format": 1, "id": self.id.hex(), "master": master, "keys": keys}, indent=1).encode()

    def with_key(self, purpose: str, random: Random) -> Self:
        """The same with a new key, the last one."""
        taken = {entry.id for entry in self.entries}
        while (id_ := random(4).hex()) in taken:
            pass
        return replace(self, entries=(*self.entries, self._wrapped(purpose, id_, random(_KEY), random)))

    def completed(self, purposes: Collection[str], random: Random) -> Self:
        """The same with a key for each purpose that has none."""
        made, present = self, {entry.purpose for entry in self.entries}
        for purpose in purposes:
            if purpose not in present:
                made = made.with_key(purpose, random)
        return made

    def without_key(self, purpose: str, key_id: str) -> Self:
        """The same without one key."""
        return replace(self, entries=tuple(entry for entry in self.entries if (entry.purpose, entry.id) != (purpose, key_id)))

    def only(self, purposes: Collection[str]) -> Self:
        """The same with the keys of some purposes."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry.purpose in purposes))

    def rewrapped(self, master: bytes | None, random: Random) -> Self:
        """The same keys under another master key, or under a new one of the file's own."""
        own = random(_KEY) if master is None else None
        bare = replace(self, master=own, wrapping=_wrapping(self.path, self.id, own, master))
        return replace(bare, entries=tuple(bare._wrapped(entry.purpose, entry.id, self.key(entry), random) for entry in self.entries))

    def key(self, entry: Entry) -> bytes:
        """The 32 bytes of a key; KeyRingUnusable."""
        try:
            return AESGCM(self.wrapping).decrypt(entry.wrapped[:NONCE], entry.wrapped[NONCE:], self._names(entry.purpose, entry.id))
        except InvalidTag:
            raise KeyRingUnusable(f"the key ring {self.path} is wrapped with another master key, or damaged") from None

    def _wrapped(self, purpose: str, id_: str, key: bytes, random: Random) -> Entry:
        nonce = random(NONCE)
        return Entry(purpose, id_, nonce + AESGCM(self.wrapping).encrypt(nonce, key, self._names(purpose, id_)))

    def _names(self, purpose: str, key_id: str) -> bytes:
        return json.dumps((self.id.hex(), purpose, key_id)).encode()


class RingFile:
    """A place for a document."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path.with_name(f"{path.name}.lock"), of="the key ring")

    def stamp(self) -> Stamp:
        """Numbers that change when the file does; OSError."""
        found = self.path.stat()
        return found.st_mode, found.st_ino, found.st_mtime_ns, found.st_size

    def read(self, master: bytes | None) -> tuple[Document, Stamp]:
        """The document, and a stamp that is not newer than it; KeyRingUnusable."""
        try:
            stamp = self.stamp()
            if stamp[0] & 0o077:
                raise KeyRingUnusable(f"the key ring {self.path} is open to others than its owner: chmod 600 it")
            content = self.path.read_bytes()
        except OSError as error:
            raise KeyRingUnusable(f"the key ring {self.path} cannot be read: {error.strerror}") from error
        return Document.parse(self.path, content, master), stamp

    def create(self, document: Document) -> None:
        """Write the first document; of several processes that try at once, one does."""
        self._write(create_file, document)

    def replace(self, document: Document) -> None:
        """Write a document in place of what is there."""
        self._write(write_file, document)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from rewriting the file; KeyRingUnusable when one of them does not end."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self._lock.held(time.monotonic() + PATIENCE))
            except (RequestTimeout, ServiceUnavailable) as error:
                raise KeyRingUnusable(f"the key ring {self.path} cannot be changed: {error.message}") from error
            yield

    def _write(self, put: Callable[..., None], document: Document) -> None:
        try:
            put(self.path, document.content(), mode=_MODE)
        except OSError as error:
            raise KeyRingUnusable(f"the key ring {self.path} cannot be written: {error.strerror}") from error


def _has_lengths(entry: Entry) -> bool:
    return len(bytes.fromhex(entry.id)) == 4 and len(entry.wrapped) == NONCE + _KEY + TAG


def _wrapping(path: Path, ring_id: bytes, own: bytes | None, given: bytes | None) -> bytes:
    """The key that wraps all others: derived from the master key, with the ring's id as salt."""
    if (secret := own or given) is None or (own and given):
        fault = "has its own master key, and another was given" if own else "was made with a master key from outside, which is missing"
        raise KeyRingUnusable(f"the key ring {path} {fault}")
    return derive(secret, ring_id, "wrap")
