"""Tokens of OpenID Connect providers: what one says, and when it is believed. Pure.

A token is a JWS in its compact form, in its one spelling. Its header says which of the provider's keys has signed it and nothing that is
followed: keys in the token, or places to fetch them from, are refused, as is all that it calls critical. Messages are AWS's where AWS has
one. Source: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation, RFC 7515, RFC 7519, RFC 8725
"""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError

from sekisho.credentials.errors import ExpiredTokenException, IDPRejectedClaim, InvalidIdentityToken
from sekisho.credentials.oidc.keys import ALGORITHMS, LONGEST_ID, Key, Keys, fitting
from sekisho.credentials.oidc.objects import NotAnObject, read_object

MAX_LENGTH = 20_000
"""Characters of a token."""
SKEW = 60
"""Seconds that the clock of a provider may be ahead."""
LONGEST_SUBJECT = 1024
"""Characters; a session carries it as long as it lasts."""
MOST_METHODS = 32

SCHEME = "https://"
TAGS, SOURCE_IDENTITY = "https://aws.amazon.com/tags", "https://aws.amazon.com/source_identity"
_PRINCIPAL_TAGS, _TRANSITIVE = "principal_tags", "transitive_tag_keys"

_NOT_A_TOKEN = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"  # noqa: S105  # a sentence
NO_KEY = " ".join(
    (
        "Couldn't retrieve verification key from your identity provider,",
        "please reference AssumeRoleWithWebIdentity documentation for requirements",
    )
)
_ISSUER = re.compile(r"[\x21-\x7e]{1,263}")
_REFUSED_HEADERS = frozenset(("crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"))
_TYPES = frozenset(("jwt", "application/jwt"))


@dataclass(frozen=True, slots=True)
class Token:
    """A token of which nothing is believed yet: its text, header and claims."""

    text: str
    algorithm: str
    key_id: str | None
    claims: Mapping[str, Any]

    @property
    def issuer(self) -> str:
        """The provider that it names, without `https://`."""
        return str(self.claims["iss"]).removeprefix(SCHEME)

    def fitting(self, keys: Keys) -> Keys:
        """The keys that it may be signed with."""
        return fitting(keys, self.key_id, self.algorithm)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a provider says of somebody, who is `subject` to it; `methods` is None where it does not say how they were authenticated."""

    subject: str
    audience: str
    authorized_party: str
    methods: tuple[str, ...] | None
    tags: Mapping[str, str]
    transitive: tuple[str, ...]
    source_identity: str


class _Registry(jws.JWSRegistry):
    max_header_length = max_payload_length = MAX_LENGTH
    max_signature_length = 2048  # of RSA with 8,192 bits, in base64

    def get_alg(self, name: str) -> Any:
        """The algorithm, if it is the one: of joserfc's own, EdDSA warns each time that its name is an old one."""
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


def read(text: str) -> Token:
    """The token in a text, or InvalidIdentityToken. Nothing that it says is true yet."""
    if len(text) > MAX_LENGTH or not text.isascii():
        raise InvalidIdentityToken(_NOT_A_TOKEN)
    parts = text.split(".")
    try:
        if len(parts) != 3:
            raise NotAnObject("not three parts")
        header, claims = read_object(_decoded(parts[0])), read_object(_decoded(parts[1]))
        _decoded(parts[2])
    except (NotAnObject, binascii.Error):
        raise InvalidIdentityToken(_NOT_A_TOKEN) from None
    algorithm, key_id, type_ = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(type_, str) or type_.lower() not in _TYPES or not _REFUSED_HEADERS.isdisjoint(header):
        raise InvalidIdentityToken(_NOT_A_TOKEN)
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise InvalidIdentityToken("The algorithm that the token is signed with is not supported")
    if key_id is not None and (not isinstance(key_id, str) or len(key_id) > LONGEST_ID):
        raise InvalidIdentityToken(_NOT_A_TOKEN)
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer.startswith(SCHEME):
        raise InvalidIdentityToken("Missing a required claim: iss")
    if _ISSUER.fullmatch(issuer) is None:
        raise InvalidIdentityToken("Invalid claim: iss")
    return Token(text, algorithm, key_id, claims)


def verified(token: Token, keys: Keys, issuer: str, client_ids: Collection[str], now: datetime) -> Identity:
    """What the token says, once one of the provider's keys verifies it, and it is the provider's, of now, and for one of our client ids."""
    candidates = token.fitting(keys)
    if not candidates:
        raise InvalidIdentityToken(NO_KEY)
    if not any(_is_signed(token, key) for key in candidates):
        raise InvalidIdentityToken("Invalid token signature")
    if token.claims["iss"] != SCHEME + issuer:
        raise InvalidIdentityToken("Incorrect token issuer")
    _refuse_untimely(token.claims, now)
    audience, party = _audience(token.claims, client_ids)
    tags, transitive = _tags(token.claims)
    return Identity(
        subject=_text(token.claims, "sub", LONGEST_SUBJECT),
        audience=audience,
        authorized_party=party,
        methods=_methods(token.claims),
        tags=tags,
        transitive=transitive,
        source_identity=_text(token.claims, SOURCE_IDENTITY, 64) if SOURCE_IDENTITY in token.claims else "",
    )


def _decoded(text: str) -> bytes:
    """The bytes, or binascii.Error unless this is their one spelling: Python's decoder skips signs that it does not know."""
    decoded = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if urlsafe_b64encode(decoded).rstrip(b"=").decode() != text:
        raise binascii.Error
    return decoded


def _is_signed(token: Token, key: Key) -> bool:
    registry = _Registry(algorithms=[token.algorithm], strict_check_header=False)
    try:
        jws.deserialize_compact(token.text, key.verifier, registry=registry)
    except (JoseError, ValueError):
        return False
    return True


def _refuse_untimely(claims: Mapping[str, Any], now: datetime) -> None:
    moment = int(now.timestamp())
    expires, issued = _moment(claims, "exp"), _moment(claims, "iat")
    if moment >= expires:
        raise ExpiredTokenException(f"Token expired: current date/time {moment} must be before the expiration date/time {int(expires)}")
    begins = _moment(claims, "nbf") if "nbf" in claims else issued
    if max(begins, issued) > moment + SKEW:
        raise IDPRejectedClaim(f"Token is not valid yet: current date/time {moment} must be after {int(max(begins, issued))}")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidIdentityToken(f"Missing a required claim: {name}")
    return value


def _audience(claims: Mapping[str, Any], client_ids: Collection[str]) -> tuple[str, str]:
    """Whom the token is for, and who got it. Of several audiences the one that counts is the party that it was given to. Either must be
    registered with the provider.
    """
    given = claims.get("aud")
    audiences = [given] if isinstance(given, str) else given
    if not isinstance(audiences, list) or not audiences or not all(isinstance(one, str) and one for one in audiences):
        raise InvalidIdentityToken("Missing a required claim: aud")
    party = _text(claims, "azp", LONGEST_SUBJECT) if "azp" in claims else ""
    audience = audiences[0] if len(audiences) == 1 else party
    if audience not in audiences or audience not in client_ids or (party and party not in client_ids):
        raise InvalidIdentityToken("Incorrect token audience")
    return audience, party


def _methods(claims: Mapping[str, Any]) -> tuple[str, ...] | None:
    given = claims.get("amr")
    if given is None:
        return None
    if not isinstance(given, list) or len(given) > MOST_METHODS or not all(map(_is_method, given)):
        raise InvalidIdentityToken("Invalid claim: amr")
    return tuple(given)


def _is_method(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 256 and value.isprintable()


def _text(claims: Mapping[str, Any], name: str, most: int) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidIdentityToken(f"Missing a required claim: {name}")
    if len(value) > most or not value.isprintable():
        raise InvalidIdentityToken(f"Invalid claim: {name}")
    return value


def _tags(claims: Mapping[str, Any]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """The tags of the session and those of their keys that are transitive, in either form that AWS documents: one claim with both, or a
    claim for each tag. Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_adding-assume-role-idp
    """
    nested = claims.get(TAGS, {})
    if not isinstance(nested, dict) or not isinstance(nested.get(_PRINCIPAL_TAGS, {}), dict):
        raise InvalidIdentityToken(f"Invalid claim: {TAGS}")
    prefix = f"{TAGS}/{_PRINCIPAL_TAGS}/"
    flat = {name.removeprefix(prefix): value for name, value in claims.items() if name.startswith(prefix)}
    transitive = claims.get(f"{TAGS}/{_TRANSITIVE}", nested.get(_TRANSITIVE, []))
    if flat and nested:
        raise InvalidIdentityToken(f"Invalid claim: {TAGS}")
    if not isinstance(transitive, list) or not all(isinstance(one, str) for one in transitive):
        raise InvalidIdentityToken(f"Invalid claim: {TAGS}/{_TRANSITIVE}")
    tags = {name: _tag(name, value) for name, value in (flat or nested.get(_PRINCIPAL_TAGS, {})).items()}
    return tags, tuple(dict.fromkeys(transitive))


def _tag(name: str, value: Any) -> str:
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(one, str):
        raise InvalidIdentityToken(f"Invalid claim: {TAGS}/{_PRINCIPAL_TAGS}/{name[:128]}")
    return one
