"""HTTP requests, signed in an `Authorization` header or presigned in their query string.

Reading proves nothing: it says whose secret to look up. Verifying is the second step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote_to_bytes

from sekisho.sigv4.algorithm import (
    ALGORITHM,
    SKEW,
    Credentials,
    Signed,
    authorization,
    canonical_headers,
    canonical_path,
    canonical_query,
    canonical_request,
    check_time,
    compare,
    format_time,
    new_scope,
    parse_authorization,
    parse_scope,
    parse_time,
    payload_hash,
    signature,
)
from sekisho.sigv4.errors import IncompleteSignature, MissingAuthenticationToken, SignatureDoesNotMatch

MAX_EXPIRES = 604_800
"""Seconds that a presigned request may be valid at most: one week."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it stood on the wire: path and query percent-encoded, headers in order of arrival.

    Bytes beyond ASCII in path, query and headers are read as UTF-8 with replacement.
    """

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of a header by its lower-case name, repeated ones joined by commas; None when there is none."""
        found = None
        for key, value in self.headers:
            if key == name or key.lower() == name:
                found = value if found is None else f"{found},{value}"
        return found


def _http_time(request: HttpRequest) -> datetime:
    """`X-Amz-Date`, else `Date`, which may also have HTTP's own format."""
    if (amz := request.header("x-amz-date")) is not None:
        return parse_time(amz.strip())
    if (date := request.header("date")) is None:
        raise IncompleteSignature("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    try:
        parsed = parsedate_to_datetime(date)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return parse_time(date.strip())


_PRESIGNED = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date", "X-Amz-Expires")


def read_presigned(query: str) -> Signed:
    """The signature in a presigned query string, or IncompleteSignature."""
    members: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        name = unquote_to_bytes(name).decode(errors="replace")
        if name.startswith("X-Amz-") and members.setdefault(name, text := unquote_to_bytes(value).decode(errors="replace")) != text:
            raise IncompleteSignature(f"The query-string parameter '{name[:64]}' is given twice.")
    if missing := [f"AWS query-string parameters must include '{name}'." for name in _PRESIGNED if not members.get(name)]:
        raise IncompleteSignature(" ".join((*missing, "Re-examine the query-string parameters.")))
    if members["X-Amz-Algorithm"] != ALGORITHM:
        raise IncompleteSignature(f"Unsupported AWS 'algorithm': '{members['X-Amz-Algorithm'][:32]}'.")
    expires = members["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 6 and 1 <= int(expires) <= MAX_EXPIRES):
        raise IncompleteSignature(f"X-Amz-Expires must be a number of seconds from 1 to {MAX_EXPIRES}.")
    scope = parse_scope(members["X-Amz-Credential"], members["X-Amz-SignedHeaders"], members["X-Amz-Signature"])
    return Signed(scope, parse_time(members["X-Amz-Date"]), members.get("X-Amz-Security-Token"), int(expires))


def read_http(request: HttpRequest) -> Signed:
    """The signature of an HTTP request; MissingAuthenticationToken when there is none, IncompleteSignature when there are two."""
    header = request.header("authorization")
    presigned = any(f"{name}=" in request.query for name in _PRESIGNED[:3])
    if header is not None and presigned:
        raise IncompleteSignature("Only one of an Authorization header and a presigned query string is allowed.")
    if presigned:
        return read_presigned(request.query)
    if header is None:
        raise MissingAuthenticationToken
    return Signed(parse_authorization(header), _http_time(request), request.header("x-amz-security-token"))


def verify_http(signed: Signed, secret: str, request: HttpRequest, now: datetime, *, skew: timedelta = SKEW) -> None:
    """Raise unless the request is the one that the holder of the secret signed, and is in time.

    `host` and every `x-amz-…` header of the request must be signed: such a header can choose the operation. So must the body:
    `UNSIGNED-PAYLOAD` is not accepted.
    """
    check_time(signed, now, skew)
    names = signed.scope.signed_headers
    if "host" not in names:
        raise SignatureDoesNotMatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name, _ in request.headers:
        if (lowered := name.lower()).startswith("x-amz-") and lowered not in names:
            raise SignatureDoesNotMatch(f"'{lowered}' must be a 'SignedHeader' in the AWS Authorization.")
    if request.header("x-amz-content-sha256") not in (None, digest := payload_hash(request.body)):
        raise SignatureDoesNotMatch("The header 'x-amz-content-sha256' is not the SHA-256 of the body.")
    compare(signed, secret, _canonical(request, names, digest))


def _canonical(request: HttpRequest, names: Sequence[str], digest: str) -> str:
    headers = canonical_headers(request.headers, names)
    return canonical_request(request.method, canonical_path(request.path), canonical_query(request.query), headers, names, digest)


def sign_http(credentials: Credentials, request: HttpRequest, region: str, service: str, now: datetime) -> HttpRequest:
    """The request with `X-Amz-Date`, `Authorization` and, for a session, `X-Amz-Security-Token` added; signs all its headers."""
    headers = [*request.headers, ("X-Amz-Date", format_time(now))]
    if credentials.session_token is not None:
        headers.append(("X-Amz-Security-Token", credentials.session_token))
    request = replace(request, headers=tuple(headers))
    scope = new_scope(credentials, region, service, (name for name, _ in headers), now)
    canonical = _canonical(request, scope.signed_headers, payload_hash(request.body))
    scope = replace(scope, signature=signature(credentials.secret_access_key, scope, now, canonical))
    return replace(request, headers=(*headers, ("Authorization", authorization(scope))))


def presign_http(credentials: Credentials, request: HttpRequest, region: str, service: str, now: datetime, *, expires: int) -> HttpRequest:
    """The request with its signature in the query string, valid for `expires` seconds; signs all its headers."""
    scope = new_scope(credentials, region, service, (name for name, _ in request.headers), now)
    members = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{scope.access_key_id}/{scope.credential_scope}",
        "X-Amz-Date": format_time(now),
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": ";".join(scope.signed_headers),
    }
    if credentials.session_token is not None:
        members["X-Amz-Security-Token"] = credentials.session_token
    added = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in members.items())
    request = replace(request, query=f"{request.query}&{added}" if request.query else added)
    canonical = _canonical(request, scope.signed_headers, payload_hash(request.body))
    given = signature(credentials.secret_access_key, scope, now, canonical)
    return replace(request, query=f"{request.query}&X-Amz-Signature={given}")
