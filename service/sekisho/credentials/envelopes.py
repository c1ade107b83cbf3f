"""Envelopes for what must not be read from the database or a dump of it.

A sealed value is AES-256-GCM: `version (1 byte) | key id (4) | nonce (12) | ciphertext and tag (16)`. Its associated data says where
it belongs (purpose, table, column, row id), so that a value moved to another row does not open there.

One key seals at most 2^32 values before random nonces are likelier to meet than NIST SP 800-38D §8.3 allows; rotate well before.
"""

import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sekisho.credentials.key_ids import Random
from sekisho.errors import Internal

NONCE = 12
TAG = 16
"""Bytes that AES-GCM adds to a text: its nonce before, its tag behind."""

_VERSION = b"\x01"
_KEY_ID = slice(1, 5)
_SEALED = slice(5, 5 + NONCE), slice(5 + NONCE, None)  # the nonce, what is under it
_MAC = 16  # bytes of a shortened HMAC-SHA-256


class SealBroken(Internal):
    """A sealed value was changed, or belongs elsewhere."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one purpose; `id` is eight hexadecimal digits. Sealing and MACs use keys derived from it, never itself.

    From `ends` on it opens nothing.
    """

    id: str
    aead: AESGCM = field(repr=False)
    mac: bytes = field(repr=False)
    ends: datetime | None = field(default=None, repr=False)

    @classmethod
    def derived(cls, key_id: str, raw: bytes, ends: datetime | None = None) -> Self:
        """The key whose 32 bytes are `raw`."""
        return cls(key_id, AESGCM(derive(raw, b"", "seal")), derive(raw, b"", "mac"), ends)

    def seal(self, plaintext: bytes, place: tuple[str, ...], random: Random) -> bytes:
        """Put a plaintext into an envelope that opens only for the same place."""
        nonce = random(NONCE)
        return _VERSION + bytes.fromhex(self.id) + nonce + self.aead.encrypt(nonce, plaintext, _associated(place))

    def unseal(self, sealed: bytes, place: tuple[str, ...]) -> bytes:
        """Open an envelope of this key; SealBroken."""
        nonce, ciphertext = (sealed[part] for part in _SEALED)
        try:
            return self.aead.decrypt(nonce, ciphertext, _associated(place))
        except InvalidTag:
            raise SealBroken(f"the sealed value at {place[1:]} was changed or belongs elsewhere") from None

    def digest(self, data: bytes) -> bytes:
        """32 bytes that only who has the key can make of the data."""
        return hmac.digest(self.mac, data, "sha256")

    def tag(self, data: bytes) -> bytes:
        """A tag of 20 bytes, which begins with the key's id."""
        return bytes.fromhex(self.id) + self.digest(data)[:_MAC]


def key_id(sealed: bytes) -> str:
    """The id of the key that an envelope names."""
    return sealed[_KEY_ID].hex()


def tag_key_id(tag: bytes) -> str:
    """The id of the key that a tag names."""
    return tag[:4].hex()


def is_envelope(sealed: bytes) -> bool:
    """True for bytes that have the shape of an envelope."""
    return len(sealed) >= 5 + NONCE + TAG and sealed[:1] == _VERSION


def derive(secret: bytes, salt: bytes, info: str) -> bytes:
    """32 bytes made of a secret, for one use."""
    return HKDF(SHA256(), 32, salt, f"sekisho {info}".encode()).derive(secret)


def _associated(place: tuple[str, ...]) -> bytes:
    return json.dumps(place).encode()
