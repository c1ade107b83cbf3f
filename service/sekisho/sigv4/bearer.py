"""Bearer tokens for tools that cannot sign: a presigned GetCallerIdentity in a header, valid for one audience and 15 minutes at most.

    authorization: Bearer base64url("https://HOST/?Action=GetCallerIdentity&Version=2011-06-15&X-Sekisho-Audience=AUDIENCE&X-Amz-…")

The URL is presigned as every AWS SDK does it: service `sts`, any region, the one header `host`, whose value means nothing here. The
audience is a parameter and so under the signature; a proof made for another service, and any presigned URL without one, is refused.
Whoever holds the token is the caller until it ends: a token goes over TLS or a local socket, and never into a log.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote, unquote, urlsplit

from sekisho.sigv4 import (
    SKEW,
    Credentials,
    HttpRequest,
    IncompleteSignature,
    SignatureDoesNotMatch,
    Signed,
    presign_http,
    read_presigned,
    verify_http,
)
from sekisho.sigv4.algorithm import check_audience

SCHEME = "Bearer "
MAX_EXPIRES = 900
MAX_LENGTH = 12_288
"""Characters: room for a session token of 6,144 bytes."""

_AUDIENCE = "X-Sekisho-Audience"
_HOST = "sts.sekisho.internal"
_ACTION = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
_OPTIONAL = {"X-Amz-Security-Token"}
_PARAMETERS = {
    *_ACTION, _AUDIENCE, "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PresignedProof:
    """A bearer token as read, not yet verified."""

    signed: Signed
    audience: str
    request: HttpRequest = field(repr=False)

    @property
    def access_key_id(self) -> str:
        """Whose secret verifies it."""
        return self.signed.access_key_id

    @property
    def session_token(self) -> str | None:
        """The token of a session, to be opened before its secret is known."""
        return self.signed.session_token


def make(credentials: Credentials, audience: str, now: datetime, *, expires: int = MAX_EXPIRES, region: str = "local") -> str:
    """The value of an `authorization` header, for `expires` seconds from now."""
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in (*_ACTION.items(), (_AUDIENCE, audience)))
    request = presign_http(credentials, HttpRequest("GET", "/", query, (("Host", _HOST),)), region, "sts", now, expires=expires)
    return SCHEME + urlsafe_b64encode(f"https://{_HOST}/?{request.query}".encode()).decode().rstrip("=")


def parse(token: str) -> PresignedProof:
    """The proof in a token, with or without the `Bearer ` that stands before it in a header, or IncompleteSignature."""
    encoded = token.removeprefix(SCHEME).strip().rstrip("=")
    if len(encoded) > MAX_LENGTH:
        raise _malformed(f"it has at most {MAX_LENGTH} characters")
    try:
        decoded = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        url = urlsplit(decoded.decode("ascii"))
    except ValueError:
        raise _malformed("it is the base64url of a URL") from None
    # only the one spelling, here and below, so that nothing that was not made is accepted; urlsplit drops line breaks silently
    if urlsafe_b64encode(decoded).decode().rstrip("=") != encoded or url.geturl().encode() != decoded:
        raise _malformed("it is the base64url of a URL")
    if url.scheme not in ("https", "http") or url.path != "/" or url.fragment or not url.netloc:
        raise _malformed("the URL is https://HOST/?QUERY")
    signed = read_presigned(url.query)
    return PresignedProof(signed, _audience(url.query), HttpRequest("GET", "/", url.query, (("host", url.netloc),)))


def verify(proof: PresignedProof, secret: str, audience: str, now: datetime, *, skew: timedelta = SKEW) -> None:
    """Raise unless the holder of the secret made this proof for this audience and it has not ended."""
    check_audience(proof.audience, audience)
    if (proof.signed.expires or 0) > MAX_EXPIRES:
        raise SignatureDoesNotMatch(f"a bearer token is valid for at most {MAX_EXPIRES} seconds, this one is for {proof.signed.expires}")
    if proof.signed.scope.service != "sts" or proof.signed.scope.signed_headers != ("host",):
        raise SignatureDoesNotMatch("a bearer token is scoped to the service `sts` and signs the header `host` alone")
    verify_http(proof.signed, secret, proof.request, now, skew=skew)


def _audience(query: str) -> str:
    """The audience among the parameters, which have to be exactly those of a proof."""
    pairs = [(unquote(name), unquote(value)) for name, _, value in (pair.partition("=") for pair in query.split("&"))]
    members = dict(pairs)
    if query != "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs):
        raise _malformed("the URL's query is encoded as Signature Version 4 encodes it")
    if len(members) != len(pairs) or members.keys() - _OPTIONAL != _PARAMETERS or not _ACTION.items() <= members.items():
        raise _malformed(f"the URL is a presigned GetCallerIdentity with the parameter {_AUDIENCE} and no others")
    return members[_AUDIENCE]


def _malformed(rule: str) -> IncompleteSignature:
    return IncompleteSignature(f"the bearer token is malformed: {rule}")
