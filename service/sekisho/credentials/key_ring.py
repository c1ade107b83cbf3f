"""Envelopes for what must not be read from the database or a dump of it, and the key ring that opens them.

A sealed value is AES-256-GCM: `version (1 byte) | key id (4) | nonce (12) | ciphertext and tag (16)`. Its associated data says where
it belongs (table, column, row id), so that a value moved to another row does not open there.

Keys are random, one line each in a file outside the database; every purpose has its own, the last of which seals and all of which
open. A node that is given a file with some purposes only can open nothing else. In the file each key is wrapped with a key derived
from the master key, which comes from outside (environment or a mounted file) or else stands in the file itself:

    {"format": 1, "id": ring id, "master": base64 or null, "keys": [{"purpose": …, "id": …, "wrapped": base64}, …]}

One key seals at most 2^32 values before random nonces are likelier to meet than NIST SP 800-38D §8.3 allows; rotate well before.
"""

import fcntl
import hmac
import json
import os
import secrets
import threading
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sekisho.errors import Internal, Unavailable

ACCESS_KEYS = "access-keys"
SESSIONS = "sessions"
MFA = "mfa"
PAGING = "paging"
SNAPSHOT = "snapshot"
SIGNING = "signing"
CERTIFICATES = "certificates"
PURPOSES = (ACCESS_KEYS, SESSIONS, MFA, PAGING, SNAPSHOT, SIGNING, CERTIFICATES)
"""Access-key secrets; session tokens; seeds of one-time passwords; markers of lists; the cache on disk; private keys of JWKS; private
keys that users bring."""

_VERSION = b"\x01"
_NONCE = 12
_TAG = 16
_MAC = 16


class KeyRingUnusable(Unavailable):
    """The key ring's file is missing, readable by others, damaged, or wrapped with another master key."""


class UnknownKey(Unavailable):
    """Sealed with a key that this ring does not hold."""


class SealBroken(Internal):
    """A sealed value was changed, or belongs elsewhere."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one purpose; `id` is eight hexadecimal digits. Sealing and MACs use keys derived from it, never itself."""

    id: str
    aead: AESGCM = field(repr=False)
    mac: bytes = field(repr=False)


class KeyRing:
    """The keys of some purposes, by purpose and key id; safe for threads, and aware of rotation by other processes."""

    def __init__(
        self, path: Path, master: bytes | None, purposes: Collection[str] | None, random: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._path, self._master, self._purposes, self._random = path, master, purposes, random
        self._lock = threading.Lock()
        self._keys: Mapping[str, Mapping[str, Key]] = {}
        self._stamp: tuple[int, ...] = ()
        self._load()

    def __repr__(self) -> str:
        return f"KeyRing({str(self._path)!r}, purposes={sorted(self._keys)})"

    @classmethod
    def open(cls, path: Path, master: bytes | None = None, *, purposes: Collection[str] | None = None) -> Self:
        """The ring in a file, all purposes of it or only those named; `master` is None when the file holds its own."""
        return cls(path, master, purposes)

    @classmethod
    def create(
        cls,
        path: Path,
        master: bytes | None = None,
        *,
        purposes: Collection[str] = PURPOSES,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> Self:
        """Make a new ring, on disk before this returns; of several processes that try at once, one makes it and all open that.

        For the first start only: what another ring sealed stays closed to this one.
        """
        own = None if master is not None else b64encode(random(32)).decode()
        document = {"format": 1, "id": random(16).hex(), "master": own, "keys": []}
        for purpose in purposes:
            _add_key(document, _master(document, master, path), purpose, random)
        _write(path, document, random, replace=False)
        return cls(path, master, purposes, random)

    def seal(self, purpose: str, plaintext: bytes, aad: tuple[str, ...]) -> bytes:
        """The plaintext in an envelope that opens only for the same purpose and place: `aad` is (table, column, row id)."""
        key = self.current(purpose)
        nonce = self._random(_NONCE)
        return _VERSION + bytes.fromhex(key.id) + nonce + key.aead.encrypt(nonce, plaintext, _place(purpose, aad))

    def unseal(self, purpose: str, sealed: bytes, aad: tuple[str, ...]) -> bytes:
        """The plaintext; UnknownKey or SealBroken."""
        if len(sealed) < 5 + _NONCE + _TAG or sealed[:1] != _VERSION:
            raise SealBroken(f"no sealed value at {aad}")
        try:
            return self.key(purpose, sealed[1:5].hex()).aead.decrypt(sealed[5 : 5 + _NONCE], sealed[5 + _NONCE :], _place(purpose, aad))
        except InvalidTag:
            raise SealBroken(f"the sealed value at {aad} was changed or belongs elsewhere") from None

    def is_current(self, purpose: str, sealed: bytes) -> bool:
        """Whether the value is sealed with the purpose's newest key; others are to be sealed anew after a rotation."""
        return sealed[1:5].hex() == self.current(purpose).id

    def mac(self, purpose: str, data: bytes) -> bytes:
        """A tag of 20 bytes that shows that we made the data; checked by `is_mac`."""
        key = self.current(purpose)
        return bytes.fromhex(key.id) + hmac.digest(key.mac, data, "sha256")[:_MAC]

    def is_mac(self, purpose: str, data: bytes, tag: bytes) -> bool:
        """Whether the tag is ours for this data and purpose, under any key that the ring still holds."""
        try:
            key = self.key(purpose, tag[:4].hex())
        except UnknownKey:
            return False
        return hmac.compare_digest(hmac.digest(key.mac, data, "sha256")[:_MAC], tag[4:])

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
        return found

    def refresh(self) -> None:
        """Read the file again if it has changed; whoever polls calls this, so that a key forgotten elsewhere opens nothing here."""
        try:
            if (stamp := _stamp(self._path)) != self._stamp:
                self._load()
        except OSError:
            pass  # the keys in memory outlive the file
        except KeyRingUnusable:
            self._stamp = stamp  # they outlive a file that became unusable, too; it is read again when it changes

    def rotate(self, purpose: str) -> str:
        """Add a key that seals from now on, in every process; older ones still open. The id of the new key."""
        with self._rewriting() as (document, master):
            return _add_key(document, master, purpose, self._random)

    def complete(self, purposes: Collection[str] = PURPOSES) -> None:
        """Add a key for each purpose that the file lacks, as one made by an earlier version does; of a ring with all, nothing changes."""
        if self._purposes is not None or all(purpose in self._keys for purpose in purposes):
            return
        with self._rewriting() as (document, master):
            present = {entry["purpose"] for entry in document["keys"]}
            for purpose in purposes:
                if purpose not in present:
                    _add_key(document, master, purpose, self._random)

    def forget(self, purpose: str, key_id: str) -> None:
        """Remove a key that no longer seals; what it sealed can never be opened again."""
        if key_id == self.current(purpose).id:
            raise ValueError(f"{key_id} is the current key of {purpose}: rotate first")
        with self._rewriting() as (document, _):
            document["keys"] = [entry for entry in document["keys"] if (entry["purpose"], entry["id"]) != (purpose, key_id)]

    def rewrap(self, master: bytes | None) -> None:
        """Wrap all keys with another master key, or with one in the file itself; other processes must be started again with it."""
        with self._rewriting() as (document, old):
            keys = {(entry["purpose"], entry["id"]): _unwrap(entry, document, old, self._path) for entry in document["keys"]}
            document["master"] = None if master is not None else b64encode(self._random(32)).decode()
            new = _master(document, master, self._path)
            document["keys"] = [_wrap(document, new, *names, raw, self._random) for names, raw in keys.items()]
            self._master = master

    def export(self, path: Path, purposes: Collection[str]) -> None:
        """Write a ring of some purposes only, for a node that must not open the others; replaces the file."""
        document = _read(self._path)
        document["keys"] = [entry for entry in document["keys"] if entry["purpose"] in purposes]
        _write(path, document, self._random, replace=True)

    def _of(self, purpose: str) -> Mapping[str, Key]:
        if (keys := self._keys.get(purpose)) is None:
            raise UnknownKey(f"the key ring holds no keys for {purpose}")
        return keys

    def _load(self) -> None:
        with self._lock:
            stamp = _stamp_or_refuse(self._path)
            document = _read(self._path)
            master = _master(document, self._master, self._path)
            keys: dict[str, dict[str, Key]] = {purpose: {} for purpose in self._purposes or ()}
            for entry in document["keys"]:
                if self._purposes is None or entry["purpose"] in self._purposes:
                    raw = _unwrap(entry, document, master, self._path)
                    key = Key(entry["id"], AESGCM(_derive(raw, b"", "seal")), _derive(raw, b"", "mac"))
                    keys.setdefault(entry["purpose"], {})[key.id] = key
            if missing := [purpose for purpose, found in keys.items() if not found]:
                raise KeyRingUnusable(f"the key ring {self._path} holds no keys for {', '.join(missing)}")
            self._keys, self._stamp = keys, stamp

    @contextmanager
    def _rewriting(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """The file's document, to be changed by one process at a time; written when the block ends well."""
        lock = os.open(self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            document = _read(self._path)
            yield document, _master(document, self._master, self._path)
            _write(self._path, document, self._random, replace=True)
        finally:
            os.close(lock)
        self._load()


def parse_master(text: str) -> bytes:
    """A master key as the environment or a mounted file has it: 32 bytes in base64, either alphabet."""
    try:
        master = urlsafe_b64decode(text.strip().replace("+", "-").replace("/", "_"))
    except ValueError:
        master = b""
    if len(master) != 32:
        raise KeyRingUnusable("a master key is 32 bytes in base64, such as `openssl rand -base64 32` prints")
    return master


def _place(purpose: str, aad: tuple[str, ...]) -> bytes:
    return json.dumps((purpose, *aad)).encode()


def _derive(secret: bytes, salt: bytes, info: str) -> bytes:
    return HKDF(SHA256(), 32, salt, f"sekisho {info}".encode()).derive(secret)


def _master(document: dict[str, Any], given: bytes | None, path: Path) -> bytes:
    """The key that wraps all others: derived from the master key, with the ring's id as salt."""
    own = document["master"] and b64decode(document["master"])
    if (secret := own or given) is None or (own and given):
        fault = "has its own master key, and another was given" if own else "was made with a master key from outside, which is missing"
        raise KeyRingUnusable(f"the key ring {path} {fault}")
    return _derive(secret, bytes.fromhex(document["id"]), "wrap")


def _names(document: dict[str, Any], purpose: str, key_id: str) -> bytes:
    return json.dumps((document["id"], purpose, key_id)).encode()


def _wrap(document: dict[str, Any], master: bytes, purpose: str, key_id: str, raw: bytes, random: Callable[[int], bytes]) -> dict[str, str]:
    nonce = random(_NONCE)
    wrapped = nonce + AESGCM(master).encrypt(nonce, raw, _names(document, purpose, key_id))
    return {"purpose": purpose, "id": key_id, "wrapped": b64encode(wrapped).decode()}


def _unwrap(entry: dict[str, str], document: dict[str, Any], master: bytes, path: Path) -> bytes:
    wrapped = b64decode(entry["wrapped"])
    try:
        return AESGCM(master).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _names(document, entry["purpose"], entry["id"]))
    except InvalidTag:
        raise KeyRingUnusable(f"the key ring {path} is wrapped with another master key, or damaged") from None


def _add_key(document: dict[str, Any], master: bytes, purpose: str, random: Callable[[int], bytes]) -> str:
    taken = {entry["id"] for entry in document["keys"]}
    while (key_id := random(4).hex()) in taken:
        pass
    document["keys"].append(_wrap(document, master, purpose, key_id, random(32), random))
    return key_id


def _stamp(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_mode, found.st_ino, found.st_mtime_ns, found.st_size


def _stamp_or_refuse(path: Path) -> tuple[int, ...]:
    try:
        stamp = _stamp(path)
    except OSError as error:
        raise KeyRingUnusable(f"the key ring {path} cannot be read: {error.strerror}") from error
    if stamp[0] & 0o077:
        raise KeyRingUnusable(f"the key ring {path} is open to others than its owner: chmod 600 it")
    return stamp


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        valid = document["format"] == 1 and len(bytes.fromhex(document["id"])) == 16
        valid = valid and (document["master"] is None or len(b64decode(document["master"])) == 32)
        for entry in document["keys"]:
            valid = valid and isinstance(entry["purpose"], str) and len(bytes.fromhex(entry["id"])) == 4
            valid = valid and len(b64decode(entry["wrapped"])) == _NONCE + 32 + _TAG
    except OSError as error:
        raise KeyRingUnusable(f"the key ring {path} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError):
        valid = False
    if not valid:
        raise KeyRingUnusable(f"the key ring {path} is damaged") from None  # never with the cause: it may quote the file
    return document


def _write(path: Path, document: dict[str, Any], random: Callable[[int], bytes], *, replace: bool) -> None:
    """Put the whole file in place at once, and on disk; an existing one stays when `replace` is false."""
    draft = path.with_name(f".{path.name}.{random(8).hex()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(document, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                draft.replace(path)
            else:
                path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise KeyRingUnusable(f"the key ring {path} cannot be written: {error.strerror}") from error
