"""Pairs of keys that sign tokens for other services, by which an account's issuer is known: made, kept sealed to their row, and turned.

A pair is published `LEAD` before it signs, so that whoever keeps the published keys for `MAX_AGE` has it in time. It stays published until
the last token that it can have signed has ended: `OVERLAP` after the next pair of its algorithm began.
"""

import json
import secrets
from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import Select, func, select

from sekisho.credentials import accounts
from sekisho.credentials.key_ring import SIGNING, KeyRing
from sekisho.errors import Unavailable
from sekisho.store import changes, db
from sekisho.store.tables import Issuer, IssuerKey, IssuerPrivateKey
from sekisho.world import IssuerRecord, SigningKey

ES384, RS256 = "ES384", "RS256"
ALGORITHMS = (ES384, RS256)
BITS = 2048
"""Of a pair for RS256; ES384 is over P-384."""

LONGEST = timedelta(hours=1)
"""The life of a token, at the most."""
MAX_AGE = timedelta(minutes=5)
"""For how long others may keep the published keys."""
LEAD = timedelta(minutes=15)
"""From the publishing of a pair to the first token that it signs."""
OVERLAP = LONGEST + timedelta(minutes=5)
"""From the last token that a pair may have signed to its end, with what clocks differ."""
TERM = timedelta(days=90)
"""The time that a pair signs before another is made."""

Pair = ECKey | RSAKey


class Made(NamedTuple):
    """The rows of a new pair, in the order in which they are written."""

    key: IssuerKey
    private: IssuerPrivateKey


def make(issuer: Issuer, algorithm: str, ring: KeyRing, begins_at: datetime) -> Made:
    """A new pair for an issuer; nothing is stored. Takes a tenth of a second for RSA: no transaction waits for it."""
    pair: Pair = ECKey.generate_key("P-384") if algorithm == ES384 else RSAKey.generate_key(BITS)
    kid = pair.thumbprint()
    public = {"kid": kid, "use": "sig", "alg": algorithm, **pair.as_dict(private=False)}
    text = json.dumps(public, separators=(",", ":"))
    sealed = ring.seal(SIGNING, pair.as_der(private=True), _place(kid))
    return Made(
        IssuerKey(id=kid, issuer_id=issuer.id, account_id=issuer.account_id, algorithm=algorithm, public_key=text, begins_at=begins_at),
        IssuerPrivateKey(id=kid, account_id=issuer.account_id, private_key=sealed),
    )


class CannotSign(Unavailable):
    """A node that only reads has no private keys."""


def private(key: SigningKey, ring: KeyRing) -> Pair:
    """The pair with its private key; CannotSign on a node that has none, UnknownKey or SealBroken."""
    if not key.sealed:
        raise CannotSign("This node does not sign tokens for other services; send the call to one of the control plane.")
    return _private(key.kid, key.sealed, ring)


@lru_cache(maxsize=256)
def _private(kid: str, sealed: str, ring: KeyRing) -> Pair:
    der = ring.unseal(SIGNING, b64decode(sealed), _place(kid))
    # Made by us and sealed since: to look for the primes of a key again takes a quarter of a second.
    found = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    if isinstance(found, EllipticCurvePrivateKey):
        return ECKey.import_key(found)
    if isinstance(found, RSAPrivateKey):
        return RSAKey.import_key(found)
    raise TypeError(f"the key {kid} is neither of P-384 nor of RSA")


@lru_cache(maxsize=1024)
def public(jwk: str) -> Pair:
    """The public key of a pair."""
    said = json.loads(jwk)
    return ECKey.import_key(said) if said["kty"] == "EC" else RSAKey.import_key(said)


def signing(issuer: IssuerRecord, algorithm: str, now: datetime) -> SigningKey | None:
    """The pair that signs with an algorithm now: the newest that has begun."""
    begun = [key for key in issuer.keys if key.algorithm == algorithm and key.begins_at <= now]
    return begun[-1] if begun else None


def published(issuer: IssuerRecord, now: datetime) -> list[SigningKey]:
    """The pairs that have signed what may still be good, sign now, or will sign."""
    return [key for key in issuer.keys if not _is_over(key, issuer.keys, now)]


def is_served(issuer: IssuerRecord, now: datetime) -> bool:
    """Whether there may be tokens of an issuer that are good."""
    return issuer.disabled_at is None or now < issuer.disabled_at + OVERLAP


def turn(database: db.Database, ring: KeyRing, now: datetime) -> list[str]:
    """Have every issuer that issues begin with new pairs in `LEAD`, and forget those that are over; the names of the new ones. One that has
    a next pair already gets no other.
    """
    made = []
    while (kid := turn_one(database, ring, now, begun=now)) is not None:
        made.append(kid)
    return made


def turn_one(database: db.Database, ring: KeyRing, now: datetime, *, begun: datetime) -> str | None:
    """As `turn`, of one issuer and algorithm whose newest pair has begun by then; None where there is none."""
    with database.read() as session:
        found = session.execute(_stale(begun).limit(1)).one_or_none()
        issuer = session.get_one(Issuer, found.issuer_id) if found is not None else None
    if found is None or issuer is None:
        return None
    made = make(issuer, found.algorithm, ring, now + LEAD)  # before the transaction: it takes a while
    with database.write((issuer.account_id,)) as session:
        if session.execute(_stale(begun).having(IssuerKey.issuer_id == issuer.id, IssuerKey.algorithm == found.algorithm)).first() is None:
            return made.key.id  # another process was faster
        touched = changes.Touched(session)
        rows = session.scalars(select(IssuerKey).where(IssuerKey.issuer_id == issuer.id).order_by(IssuerKey.begins_at, IssuerKey.id)).all()
        for row in rows:
            if _is_over(row, rows, now):
                session.delete(session.get_one(IssuerPrivateKey, row.id))
                session.flush()
                session.delete(row)
        for part in made:
            changes.add(session, part)
        said = {"issuerIdentifier": issuer.url, "keyId": made.key.id, "signingAlgorithm": made.key.algorithm}
        audited = accounts.by_operator(issuer.account_id, now, "iam", "RotateOutboundWebIdentityFederationKey", said)
        changes.record(session, touched, now, lambda: secrets.token_hex(8), audited)
    return made.key.id


def _stale(begun: datetime) -> Select[str, str]:
    """Issuers that issue, by algorithm, whose newest pair began by this time."""
    return (
        select(IssuerKey.issuer_id, IssuerKey.algorithm)
        .join(Issuer, Issuer.id == IssuerKey.issuer_id)
        .where(Issuer.disabled_at.is_(None))
        .group_by(IssuerKey.issuer_id, IssuerKey.algorithm)
        .having(func.max(IssuerKey.begins_at) <= begun)
        .order_by(IssuerKey.issuer_id, IssuerKey.algorithm)
    )


def _is_over(key: SigningKey | IssuerKey, all_: Sequence[SigningKey | IssuerKey], now: datetime) -> bool:
    """Whether the next pair of the algorithm began so long ago that no token of this one is good."""
    later = [other.begins_at for other in all_ if other.algorithm == key.algorithm and other.begins_at > key.begins_at]
    return bool(later) and min(later) + OVERLAP <= now


def _place(kid: str) -> tuple[str, ...]:
    return "issuer_private_keys", "private_key", kid
