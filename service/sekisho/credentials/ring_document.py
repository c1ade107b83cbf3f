"""What the file of a key ring says: its keys, each wrapped with a key derived from the master key.

    {"format": 1, "id": ring id, "master": base64 or null, "keys": [{"purpose": …, "id": …, "wrapped": base64}, …]}

A key also has `created`, its `state` where it is not the usual one, and, once it no longer seals, `ends`, from when on it opens nothing.
The last key of a purpose seals; one that is `next` therefore stands before all others, also for a release that does not know states.

The master key comes from outside or else stands in the file itself. While one is exchanged for another, `before` has master key and keys
as they were, so that a process with the one of before opens the file, too; it may not change it.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sekisho.credentials.envelopes import NONCE, TAG, derive
from sekisho.credentials.key_ids import Random
from sekisho.errors import Unavailable

NEXT = "next"
"""Published, and not used before every process has it."""
KEPT = "kept"
"""Seals no more, and opens for ever."""

_KEY = 32  # bytes of every key


class KeyRingUnusable(Unavailable):
    """The key ring's file is missing, readable by others, damaged, or wrapped with another master key."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key as the file has it; a key of an earlier release does not say when it was made."""

    purpose: str
    id: str
    wrapped: bytes
    created: datetime | None = None
    state: str = ""
    ends: datetime | None = None

    @classmethod
    def parse(cls, said: dict[str, Any]) -> Self:
        """The key in its JSON; ValueError, LookupError or TypeError."""
        created, ends = _moment(said.get("created")), _moment(said.get("ends"))
        made = cls(str(said["purpose"]), said["id"], b64decode(said["wrapped"]), created, said.get("state", ""), ends)
        if made.purpose != said["purpose"] or made.state not in ("", NEXT, KEPT):
            raise ValueError
        if len(bytes.fromhex(made.id)) != 4 or len(made.wrapped) != NONCE + _KEY + TAG:
            raise ValueError
        return made

    def said(self) -> dict[str, str]:
        """The key as JSON."""
        made = {"purpose": self.purpose, "id": self.id, "wrapped": b64encode(self.wrapped).decode()}
        more = {"created": _text(self.created), "state": self.state, "ends": _text(self.ends)}
        return made | {name: text for name, text in more.items() if text}

    def ended(self, now: datetime) -> bool:
        """True of a key that opens nothing any more."""
        return self.ends is not None and now >= self.ends


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, with the key that wraps all others; `master` is the file's own master key, None for one from outside.

    `before` is the part of that name. `old` says that this document is that part, opened with the master key of before.
    """

    path: Path
    id: bytes
    master: bytes | None
    entries: tuple[Entry, ...]
    wrapping: bytes = field(repr=False)
    before: dict[str, Any] | None = field(default=None, repr=False)
    old: bool = False

    @classmethod
    def new(cls, path: Path, master: bytes | None, random: Random) -> Self:
        """A ring without keys; it has a master key of its own unless one is given."""
        own = random(_KEY) if master is None else None
        id_ = random(16)
        return cls(path, id_, own, (), _wrapping(path, id_, own, master))

    @classmethod
    def parse(cls, path: Path, content: bytes, master: bytes | None) -> Self:
        """The document in the bytes of a file, as far as this master key opens it; KeyRingUnusable, which never quotes them."""
        try:
            found = json.loads(content)
            if found["format"] != 1:
                raise ValueError
            before = found.get("before")
            parts = [found, *([before] if before is not None else [])]
            read = [(_own(part), tuple(map(Entry.parse, part["keys"]))) for part in parts]
            id_ = bytes.fromhex(found["id"])
            if len(id_) != 16:
                raise ValueError
        except (ValueError, LookupError, TypeError, AttributeError):
            raise KeyRingUnusable(f"the key ring {path} is damaged") from None
        fault = None
        for number, (own, entries) in enumerate(read):
            try:
                made = cls(path, id_, own, entries, _wrapping(path, id_, own, master), None if number else before, bool(number))
                if entries:
                    made.key(entries[0])
            except KeyRingUnusable as error:
                fault = fault or error
            else:
                return made
        assert fault is not None  # there is one part at least
        raise fault

    def content(self) -> bytes:
        """The bytes of the file; KeyRingUnusable of a document that is the one of before."""
        if self.old:
            raise KeyRingUnusable(f"the key ring {self.path} is wrapped with a newer master key, which is needed to change it")
        said = {"format": 1, "id": self.id.hex(), **self._part()}
        return json.dumps(said | ({"before": self.before} if self.before is not None else {}), indent=1).encode()

    def with_key(self, purpose: str, random: Random, now: datetime) -> Self:
        """The same with a new key, the last one, which seals at once."""
        return replace(self, entries=(*self.entries, self._made(purpose, random, now, "")))

    def with_next(self, purpose: str, random: Random, now: datetime) -> Self:
        """The same with a key that is to be used next; one that is there already stays."""
        if self.next(purpose) is not None:
            return self
        return replace(self, entries=(self._made(purpose, random, now, NEXT), *self.entries))

    def next(self, purpose: str) -> Entry | None:
        """The key of a purpose that is to be used next."""
        return next((entry for entry in self.entries if entry.purpose == purpose and entry.state == NEXT), None)

    def current(self, purpose: str) -> Entry | None:
        """The key of a purpose that seals."""
        return next((entry for entry in reversed(self.entries) if entry.purpose == purpose and entry.state != NEXT), None)

    def activated(self, purpose: str) -> Self:
        """The same with the next key as the one that seals."""
        if (found := self.next(purpose)) is None:
            return self
        return replace(self, entries=(*(entry for entry in self.entries if entry is not found), replace(found, state="")))

    def retired(self, purpose: str, ends: datetime | None) -> Self:
        """The same with an end for the keys that sealed before and have none; without one they open for ever."""
        current = self.current(purpose)

        def changed(entry: Entry) -> Entry:
            if entry.purpose != purpose or entry is current or entry.state or entry.ends is not None:
                return entry
            return replace(entry, state=KEPT) if ends is None else replace(entry, ends=ends)

        return replace(self, entries=tuple(map(changed, self.entries)))

    def pruned(self, now: datetime) -> Self:
        """The same without the keys that have ended."""
        return replace(self, entries=tuple(entry for entry in self.entries if not entry.ended(now)))

    def completed(self, purposes: Collection[str], random: Random, now: datetime) -> Self:
        """The same with a key for each purpose that has none."""
        made, present = self, {entry.purpose for entry in self.entries}
        for purpose in purposes:
            if purpose not in present:
                made = made.with_key(purpose, random, now)
        return made

    def without_key(self, purpose: str, key_id: str) -> Self:
        """The same without one key, also as it was before."""
        before = self.before
        if before is not None:
            before = {**before, "keys": [key for key in before["keys"] if (key["purpose"], key["id"]) != (purpose, key_id)]}
        kept = tuple(entry for entry in self.entries if (entry.purpose, entry.id) != (purpose, key_id))
        return replace(self, entries=kept, before=before)

    def only(self, purposes: Collection[str]) -> Self:
        """The same with the keys of some purposes."""
        before = self.before
        if before is not None:
            before = {**before, "keys": [key for key in before["keys"] if key["purpose"] in purposes]}
        return replace(self, entries=tuple(entry for entry in self.entries if entry.purpose in purposes), before=before)

    def rewrapped(self, master: bytes | None, random: Random, *, overlap: bool = False) -> Self:
        """The same keys under another master key, or under a new one of the file's own; with an overlap, the one of now opens them, too."""
        own = random(_KEY) if master is None else None
        bare = replace(self, master=own, wrapping=_wrapping(self.path, self.id, own, master), before=self._part() if overlap else None)
        return replace(bare, entries=tuple(replace(entry, wrapped=bare._wrap(entry, self.key(entry), random)) for entry in self.entries))

    def key(self, entry: Entry) -> bytes:
        """The 32 bytes of a key; KeyRingUnusable."""
        try:
            return AESGCM(self.wrapping).decrypt(entry.wrapped[:NONCE], entry.wrapped[NONCE:], self._names(entry))
        except InvalidTag:
            raise KeyRingUnusable(f"the key ring {self.path} is wrapped with another master key, or damaged") from None

    def _part(self) -> dict[str, Any]:
        return {
            "master": b64encode(self.master).decode() if self.master is not None else None,
            "keys": [entry.said() for entry in self.entries],
        }

    def _made(self, purpose: str, random: Random, now: datetime, state: str) -> Entry:
        taken = {entry.id for entry in self.entries}
        while (id_ := random(4).hex()) in taken:
            pass
        bare = Entry(purpose, id_, b"", now, state)
        return replace(bare, wrapped=self._wrap(bare, random(_KEY), random))

    def _wrap(self, entry: Entry, key: bytes, random: Random) -> bytes:
        nonce = random(NONCE)
        return nonce + AESGCM(self.wrapping).encrypt(nonce, key, self._names(entry))

    def _names(self, entry: Entry) -> bytes:
        return json.dumps((self.id.hex(), entry.purpose, entry.id)).encode()


Change = Callable[[Document], Document]
"""What is made of a document."""


def _own(part: dict[str, Any]) -> bytes | None:
    own = None if part["master"] is None else b64decode(part["master"])
    if own is not None and len(own) != _KEY:
        raise ValueError
    return own


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _text(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def _wrapping(path: Path, ring_id: bytes, own: bytes | None, given: bytes | None) -> bytes:
    """The key that wraps all others: derived from the master key, with the ring's id as salt."""
    if (secret := own or given) is None or (own and given):
        fault = "has its own master key, and another was given" if own else "was made with a master key from outside, which is missing"
        raise KeyRingUnusable(f"the key ring {path} {fault}")
    return derive(secret, ring_id, "wrap")
