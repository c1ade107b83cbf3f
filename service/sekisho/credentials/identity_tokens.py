"""Identity tokens: JWTs (RFC 7519) that say to other services who a caller is, and that we take for the caller itself.

    base64url({"alg":ALGORITHM,"kid":KID,"typ":"JWT"}) . base64url(claims) . base64url(signature)

Others verify the signature by the published keys of the account's issuer, and read the claims. The last claim is for us alone: it is
sealed, and holds what the caller's own credentials say of it, so that the token may no more than they. It opens only among the claims that
it was made for, under the name of the key that signed them: who had nothing but a signing key could make tokens for others, and none that
is taken here. So it is opened first: what was not made here costs no look-up and no verification.
"""

import hashlib
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from joserfc import jws
from joserfc.errors import JoseError

from sekisho.credentials import signing_keys
from sekisho.credentials.envelopes import SealBroken
from sekisho.credentials.key_ring import SESSIONS, KeyRing, UnknownKey
from sekisho.credentials.sessions import Session, pack, unpack
from sekisho.errors import InvalidArgument
from sekisho.sigv4 import SKEW, ExpiredToken, InvalidClientTokenId, SignatureDoesNotMatch
from sekisho.world import IssuerRecord, SigningKey

MAX_LENGTH = 7168
"""Bytes: what is left of the 8 KiB of metadata that gRPC takes with certainty goes to other metadata of a call."""

AWS = "https://sts.amazonaws.com/"
"""The claim that holds what AWS says beside the standard claims. It comes first, and in it the account."""
SEALED = "urn:sekisho:credentials"
"""The claim that we open."""

ACCOUNT = "aws_account"

_FORMAT = 1
_MAX_CONTENT = 131_072  # bytes, as of a session token
_PLACE = "identity-token"


class JWTPayloadSizeExceededException(InvalidArgument):  # AWS's name
    """The claims are more than a token holds."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a token is: the principal by its unique id, the key that asked for it (empty where a certificate did), and its session."""

    account: str
    principal_id: str
    access_key_id: str
    session: Session | None


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token whose sealed claim opened. Until `verify` has looked at it, its other claims may be of another time or for somebody else.

    `key` is the id of the ring's key that sealed the claim; `size` is in bytes.
    """

    holder: Holder
    claims: Mapping[str, Any]
    kid: str
    key: str
    size: int
    _header: str
    _token: str

    @property
    def issued_at(self) -> datetime:
        """When it was made."""
        return datetime.fromtimestamp(self.claims["iat"], UTC)

    @property
    def expires_at(self) -> datetime:
        """The first moment at which it is good no more."""
        return datetime.fromtimestamp(self.claims["exp"], UTC)


def issue(claims: Mapping[str, Any], holder: Holder, key: SigningKey, ring: KeyRing) -> str:
    """A token with these claims; JWTPayloadSizeExceededException where they are too large."""
    session = pack(holder.session) if holder.session is not None else None
    content = json.dumps([_FORMAT, holder.account, holder.principal_id, holder.access_key_id, session], separators=(",", ":"))
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflate.compress(content.encode()) + deflate.flush()
    sealed = _encode(ring.seal(SESSIONS, packed, _place(key.kid, claims)))
    payload = json.dumps({**claims, SEALED: sealed}, ensure_ascii=False, separators=(",", ":")).encode()
    header = {"alg": key.algorithm, "kid": key.kid, "typ": "JWT"}
    if len(payload) > MAX_LENGTH or len(content) > _MAX_CONTENT:
        _too_large()
    token = jws.serialize_compact(header, payload, signing_keys.private(key, ring), algorithms=[key.algorithm])
    if len(token) > MAX_LENGTH:
        _too_large()
    return token


def read(token: str, ring: KeyRing) -> Unverified:
    """A token that was made here, for whomever; InvalidClientTokenId for all else. Only the one spelling that `issue` gives is taken."""
    try:
        if len(token) > MAX_LENGTH:
            raise InvalidClientTokenId
        header, payload, signature = token.encode("ascii").split(b".")
        said, claims = json.loads(_decode(header)), json.loads(_decode(payload))
        _decode(signature)
        sealed = _decode(claims.pop(SEALED).encode("ascii"))
        packed = ring.unseal(SESSIONS, sealed, _place(said["kid"], claims))
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        version, account, principal_id, access_key_id, session = json.loads(inflate.decompress(packed, _MAX_CONTENT))
        if version != _FORMAT:  # of a later release that shares the key: not ours to guess at
            raise InvalidClientTokenId
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, SealBroken, UnknownKey):
        raise InvalidClientTokenId from None
    holder = Holder(account, principal_id, access_key_id, unpack(session) if session is not None else None)
    return Unverified(holder, claims, said["kid"], sealed[1:5].hex(), len(token) + len(packed), header.decode(), token)


def verify(token: Unverified, issuer: IssuerRecord, audience: str, now: datetime) -> None:
    """Raise unless the issuer of the holder's account made the token, it is for this audience, and its time is now."""
    claims = token.claims
    key = next((key for key in signing_keys.published(issuer, now) if key.kid == token.kid), None)
    if key is None or issuer.account_id != token.holder.account or claims["iss"] != issuer.url:
        raise InvalidClientTokenId
    # The header in the one spelling that it has for this key: no algorithm is taken from the token.
    if token._header != _encode(_header(key)):
        raise InvalidClientTokenId
    try:
        jws.deserialize_compact(token._token, signing_keys.public(key.public), algorithms=[key.algorithm])
    except (JoseError, ValueError):
        raise InvalidClientTokenId from None
    if now >= token.expires_at:
        raise ExpiredToken
    if token.issued_at > now + SKEW:
        raise InvalidClientTokenId
    meant = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if audience not in meant:
        raise SignatureDoesNotMatch("The token is for another audience.")


def _header(key: SigningKey) -> bytes:
    return json.dumps({"alg": key.algorithm, "kid": key.kid, "typ": "JWT"}, separators=(",", ":")).encode()


def _place(kid: str, claims: Mapping[str, Any]) -> tuple[str, ...]:
    """What the sealed claim belongs to: all other claims, and the key that signs them."""
    text = json.dumps([kid, claims], sort_keys=True, separators=(",", ":"))
    return _PLACE, hashlib.sha256(text.encode()).hexdigest()


def _too_large() -> NoReturn:
    raise JWTPayloadSizeExceededException(f"The token would have more than {MAX_LENGTH} bytes. Reduce the number of request tags.")


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: bytes) -> bytes:
    """The bytes, or ValueError unless this is their one spelling: Python's decoder skips signs that it does not know."""
    data = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    if urlsafe_b64encode(data).rstrip(b"=") != text:
        raise ValueError
    return data
