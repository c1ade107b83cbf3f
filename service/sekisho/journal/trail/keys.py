"""The pairs of keys that sign checkpoints and digest files: RSA, PKCS #1 v1.5 with SHA-256, as CloudTrail signs its digests.

Each signs for a year, and its public key stays listed for as long as there is something that it signed.
Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from sekisho.credentials.key_ring import TRAIL, KeyRing
from sekisho.store import db
from sekisho.store.tables import TrailKey

BITS = 2048
TERM = timedelta(days=365)
"""The time that a pair signs."""


def current(database: db.Database, ring: KeyRing, now: datetime) -> tuple[str, RSAPrivateKey]:
    """The fingerprint and the private key of the pair that signs now, made where there is none."""
    with database.read() as session:
        found = get_current(session, now)
    if found is None:
        made = make(ring, now)  # before the transaction: it takes a tenth of a second
        with database.write(()) as session:
            db.lock(session, "trail-keys")
            found = get_current(session, now)  # another process may have been faster
            if found is None:
                session.add(made)
                found = made
    return found.fingerprint, opened(found, ring)


def get_current(session: Session, now: datetime) -> TrailKey | None:
    """The newest pair that signs now."""
    valid = select(TrailKey).where(TrailKey.begins_at <= now, TrailKey.ends_at > now)
    return session.scalars(valid.order_by(TrailKey.begins_at.desc(), TrailKey.fingerprint).limit(1)).one_or_none()


def listed(session: Session, begins: datetime | None = None, ends: datetime | None = None) -> Sequence[TrailKey]:
    """The pairs that signed at some time between these two, oldest first."""
    query = select(TrailKey).order_by(TrailKey.begins_at, TrailKey.fingerprint)
    if begins is not None:
        query = query.where(TrailKey.ends_at >= begins)
    if ends is not None:
        query = query.where(TrailKey.begins_at <= ends)
    return session.scalars(query).all()


def make(ring: KeyRing, now: datetime) -> TrailKey:
    """A new pair, which signs from now on; its public key is DER in PKCS #1, as ListPublicKeys shows it."""
    private = generate_private_key(public_exponent=65537, key_size=BITS)
    public = public_der(private.public_key())
    name = fingerprint(public)
    plain = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    sealed = ring.seal(TRAIL, plain, _place(name))
    return TrailKey(fingerprint=name, public_key=public, private_key=sealed, begins_at=now, ends_at=now + TERM)


def opened(row: TrailKey, ring: KeyRing) -> RSAPrivateKey:
    """The private key of a pair; UnknownKey or SealBroken."""
    found = load_der_private_key(ring.unseal(TRAIL, row.private_key, _place(row.fingerprint)), None)
    if not isinstance(found, RSAPrivateKey):
        raise TypeError(f"the key {row.fingerprint} is not one of RSA")
    return found


def public_der(key: RSAPublicKey) -> bytes:
    """A public key as it is stored and listed."""
    return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)


def fingerprint(public: bytes) -> str:
    """The name of a public key in DER: its MD5, which CloudTrail uses, and which protects nothing."""
    return hashlib.md5(public, usedforsecurity=False).hexdigest()


def sign(key: RSAPrivateKey, content: bytes) -> str:
    """The signature of a content, in hexadecimal digits."""
    return key.sign(content, PKCS1v15(), SHA256()).hex()


def is_signed(public: bytes, content: bytes, signature: str) -> bool:
    """True of a signature of the content by the private key to this public one (DER)."""
    try:
        key = load_der_public_key(public)
        if not isinstance(key, RSAPublicKey):
            return False
        key.verify(bytes.fromhex(signature), content, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def _place(name: str) -> tuple[str, ...]:
    return "trail_keys", "private_key", name
