"""Session tokens: the whole session, sealed, so that none is stored.

A token is a compact JWE (RFC 7516), `dir` with A256GCM, its content deflated JSON:

    base64url({"alg":"dir","enc":"A256GCM","kid":KEY,"zip":"DEF"}) . . base64url(nonce) . base64url(ciphertext) . base64url(tag)

Any JOSE library opens one with the key. We do it by hand, in a few lines over AESGCM: a header other than the one above is refused
before anything is decoded, so that no algorithm is ever negotiated, and it takes a quarter of a library's time.

The secret is in the token rather than derived from the key: it stays random whoever learns a key later, and needs no second rule for
rotation. An old key opens until it is forgotten, which ends all sessions that it sealed; the longest session lasts 36 hours.
"""

import hashlib
import hmac
import json
import secrets
import threading
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag

from sekisho.credentials import access_keys, key_ids
from sekisho.credentials.envelopes import Key
from sekisho.credentials.key_ids import Random
from sekisho.credentials.key_ring import SESSIONS, KeyRing, UnknownKey
from sekisho.credentials.sessions import Session, pack, unpack
from sekisho.errors import InvalidArgument
from sekisho.sigv4 import Credentials, ExpiredToken, InvalidClientTokenId

MAX_LENGTH = 6144
"""Bytes of a token; more metadata than this gRPC drops by default."""
MAX_CONTENT = 131_072
"""Bytes of the inflated content: 50 tags of the longest kind, ten policy ARNs and an inline policy stay below."""

_HEADER = b'{"alg":"dir","enc":"A256GCM","kid":"%b","zip":"DEF"}'
_KID = slice(36, 44)  # where the key id stands in it
_FORMAT = 1


class PackedPolicyTooLarge(InvalidArgument):
    """The session's policies and tags do not fit into a token."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A token that was ours: the credentials that it belongs to and the session; `size` is the inflated content in bytes."""

    credentials: Credentials
    session: Session
    key: str
    size: int


def issue(session: Session, ring: KeyRing, *, random: Random = secrets.token_bytes) -> Credentials:
    """New credentials for a session, nothing stored; PackedPolicyTooLarge over 6,144 bytes."""
    key_id, secret = key_ids.temporary(session.account, random), access_keys.new_secret(random)
    content = json.dumps([_FORMAT, key_id, secret, *pack(session)], ensure_ascii=False, separators=(",", ":")).encode()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflate.compress(content) + deflate.flush()
    key = ring.current(SESSIONS)
    header, nonce = _encode(_HEADER % key.id.encode()), random(12)
    sealed = key.aead.encrypt(nonce, packed, header)
    token = b".".join((header, b"", _encode(nonce), _encode(sealed[:-16]), _encode(sealed[-16:]))).decode()
    if (percent := packed_size_percent(token)) > 100 or len(content) > MAX_CONTENT:
        subject = "Packed policy" if session.policy or session.policy_arns else "Packed size of session tags"
        raise PackedPolicyTooLarge(f"{subject} consumes {max(percent, 101)}% of allotted space.")
    return Credentials(key_id, secret, token)


def packed_size_percent(token: str) -> int:
    """How much of a token's room is used, rounded up."""
    return -(-100 * len(token) // MAX_LENGTH)


def open_token(token: str, access_key_id: str, ring: KeyRing, now: datetime) -> Opened:
    """The session in a token; InvalidClientTokenId unless it is ours and comes with its own access key id, ExpiredToken at its end."""
    return _checked(_open(token, ring), access_key_id, now)


class OpenedTokens:
    """Tokens that were opened before, bounded in bytes, the longest unused dropped first; safe for threads.

    Kept by the hash of the whole token. Key id, expiry and the sealing key are checked each time.
    """

    def __init__(self, ring: KeyRing, *, max_bytes: int = 32 * 2**20) -> None:
        self._ring, self._max_bytes = ring, max_bytes
        self._lock = threading.Lock()
        self._opened: OrderedDict[bytes, Opened] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._opened)

    def open(self, token: str, access_key_id: str, now: datetime) -> Opened:
        """As `open_token`."""
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        with self._lock:
            if (found := self._opened.get(digest)) is not None:
                self._opened.move_to_end(digest)
        if found is None:
            found = _open(token, self._ring)
            self._keep(digest, found)
        else:
            _key(self._ring, found.key)
        return _checked(found, access_key_id, now)

    def refuse_forgotten(self, opened: Opened) -> None:
        """InvalidClientTokenId for a token whose sealing key the ring does not hold any more."""
        _key(self._ring, opened.key)

    def _keep(self, digest: bytes, opened: Opened) -> None:
        with self._lock:
            if digest not in self._opened:
                self._opened[digest] = opened
                self._bytes += weight(opened)
            while self._bytes > self._max_bytes:
                _, dropped = self._opened.popitem(last=False)
                self._bytes -= weight(dropped)


def _open(token: str, ring: KeyRing) -> Opened:
    """The content of a token that one of our keys seals; only the one spelling that `issue` gives is taken."""
    try:
        if len(token) > MAX_LENGTH:
            raise InvalidClientTokenId
        header, empty, *texts = token.encode("ascii").split(b".")
        nonce, ciphertext, tag = (_decode(text) for text in texts)
        key_id = _decode(header)[_KID]
        if empty or header != _encode(_HEADER % key_id) or len(nonce) != 12 or len(tag) != 16:
            raise InvalidClientTokenId
        key = _key(ring, key_id.decode())
        packed = key.aead.decrypt(nonce, ciphertext + tag, header)
    except (ValueError, InvalidTag):
        raise InvalidClientTokenId from None
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflate.decompress(packed, MAX_CONTENT)
    version, access_key_id, secret, *members = json.loads(content)
    if version != _FORMAT:  # of a later release that shares the key: not ours to guess at
        raise InvalidClientTokenId
    return Opened(Credentials(access_key_id, secret, token), unpack(members), key.id, len(content))


def _checked(opened: Opened, access_key_id: str, now: datetime) -> Opened:
    if not hmac.compare_digest(opened.credentials.access_key_id.encode(), access_key_id.encode(errors="replace")):
        raise InvalidClientTokenId
    if now >= opened.session.expires_at:
        raise ExpiredToken
    return opened


def _key(ring: KeyRing, key_id: str) -> Key:
    try:
        return ring.key(SESSIONS, key_id)
    except UnknownKey:
        raise InvalidClientTokenId from None


def weight(opened: Opened) -> int:
    """Bytes that an entry takes, roughly: strings of one byte a character, objects around them."""
    return 2 * opened.size + len(opened.credentials.session_token or "") + 1024


def _encode(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    """The bytes, or ValueError unless this is their one spelling: Python's decoder skips signs that it does not know."""
    data = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    if _encode(data) != text:
        raise ValueError
    return data
