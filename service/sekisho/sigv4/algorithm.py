"""The four steps of AWS Signature Version 4 that every carrier shares: pure functions of a request, a secret and a time.

The canonical request (method, path, query, the signed headers, a hash of the body), the string to sign (that request's hash with the
time and the scope), the signing key (the secret narrowed to one day, region and service), and an HMAC of the one with the other.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from sekisho.sigv4.errors import IncompleteSignature, RequestExpired, SignatureDoesNotMatch

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
MINUTE = timedelta(minutes=1)
SKEW = 5 * MINUTE

Headers = Iterable[tuple[str, str]]

_TIMESTAMP = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a caller signs with; only temporary ones have a session token."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """What an `Authorization` header says: whose key, for which day (YYYYMMDD), region and service, over which headers."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @property
    def credential_scope(self) -> str:
        """The scope as the string to sign writes it."""
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature as read from a request, not yet verified.

    `expires`, in seconds, is there only when presigned, `audience` and `nonce` only over gRPC.
    """

    scope: Scope
    timestamp: datetime
    session_token: str | None = field(default=None, repr=False)
    expires: int | None = None
    audience: str = ""
    nonce: str | None = None

    @property
    def access_key_id(self) -> str:
        """Whose secret verifies it."""
        return self.scope.access_key_id


def canonical_path(path: str) -> str:
    """The path without dot segments and empty segments, encoded once more, as all AWS services but S3 have it."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    slash = "/" if kept and path.endswith("/") else ""
    return quote(f"/{'/'.join(kept)}{slash}", safe="/~")


def canonical_query(query: str) -> str:
    """The parameters, each encoded in the one proper way, sorted by name and then by value; the signature itself left out."""
    pairs = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if pair and name != "X-Amz-Signature":
            pairs.append((quote(unquote_to_bytes(name), safe="-_.~"), quote(unquote_to_bytes(value), safe="-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def canonical_headers(headers: Headers, signed: Sequence[str]) -> str:
    """The signed headers, a line each: repeated ones joined in order of arrival, runs of white space folded to one blank."""
    values: dict[str, list[str]] = {name: [] for name in signed}
    for name, value in headers:
        if (lowered := name.lower()) in values:
            values[lowered].append(" ".join(value.split()))
    for name, found in values.items():
        if not found:
            raise SignatureDoesNotMatch(f"The signed header '{name}' is not in the request.")
    return "".join(f"{name}:{','.join(values[name])}\n" for name in signed)


def canonical_request(method: str, path: str, query: str, headers: str, signed: Sequence[str], payload_hash: str) -> str:
    """The text whose hash is signed; path, query and headers are canonical already."""
    return f"{method}\n{path}\n{query}\n{headers}\n{';'.join(signed)}\n{payload_hash}"


def string_to_sign(timestamp: datetime, credential_scope: str, canonical: str) -> str:
    """The canonical request's hash, with the time and the scope."""
    return f"{ALGORITHM}\n{format_time(timestamp)}\n{credential_scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


@lru_cache(maxsize=4096)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The secret, narrowed to a day, a region and a service; kept, since the four HMACs are a third of a verification."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signature(secret: str, scope: Scope, timestamp: datetime, canonical: str) -> str:
    """The signature of a canonical request, 64 hexadecimal digits."""
    key = signing_key(secret, scope.date, scope.region, scope.service)
    return hmac.digest(key, string_to_sign(timestamp, scope.credential_scope, canonical).encode(), "sha256").hex()


def format_time(moment: datetime) -> str:
    """ISO 8601 basic format in UTC: `20150830T123600Z`."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    # strftime takes three times as long, and does not pad years before 1000
    fields = (utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second)
    return "%04d%02d%02dT%02d%02d%02dZ" % fields  # noqa: UP031  # half of an f-string's time


def payload_hash(body: bytes) -> str:
    """The hash of a body, as the last line of a canonical request has it."""
    return hashlib.sha256(body).hexdigest()


def parse_authorization(header: str) -> Scope:
    """The scope in an `Authorization` header, or IncompleteSignature."""
    algorithm, _, rest = header.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise IncompleteSignature(f"Unsupported AWS 'algorithm': '{algorithm[:32]}'.")
    members: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or name in members:
            raise IncompleteSignature(f"'{name[:64]}' not a valid key=value pair (missing equal-sign) in Authorization header.")
        members[name] = value
    wanted = ("Credential", "Signature", "SignedHeaders")
    if missing := [f"Authorization header requires '{name}' parameter." for name in wanted if not members.get(name)]:
        raise IncompleteSignature(" ".join(missing))
    return parse_scope(members["Credential"], members["SignedHeaders"], members["Signature"])


def parse_scope(credential: str, signed_headers: str, given: str) -> Scope:
    """A credential, a list of header names and a signature as one scope, or an error that says what is wrong with them."""
    parts = credential.split("/")
    if len(parts) != 5 or not all(parts) or not credential.isascii() or not credential.isprintable():
        raise IncompleteSignature(
            f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential[:128]}'"
        )
    names = tuple(signed_headers.split(";"))
    if not all(names) or list(names) != sorted(set(names)) or signed_headers != signed_headers.lower():
        raise IncompleteSignature("SignedHeaders must be lower-case header names, sorted, each once, separated by semicolons.")
    if parts[4] != TERMINATOR:
        raise SignatureDoesNotMatch(f"Credential should be scoped with correct terminator: '{TERMINATOR}'.")
    if _SIGNATURE.fullmatch(given) is None:
        raise SignatureDoesNotMatch
    return Scope(parts[0], parts[1], parts[2], parts[3], names, given)


@lru_cache(maxsize=1024)  # calls of one second have one time; what is not one is not kept
def parse_time(text: str) -> datetime:
    """A time in ISO 8601 basic format, or IncompleteSignature."""
    if (match := _TIMESTAMP.fullmatch(text)) is not None:
        try:
            year, month, day, hour, minute, second = map(int, match.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            pass
    raise IncompleteSignature(f"Date must be in ISO-8601 'basic format'. Got '{text[:32]}'. See http://en.wikipedia.org/wiki/ISO_8601")


def check_time(signed: Signed, now: datetime, skew: timedelta = SKEW) -> None:
    """Raise unless the signature is of its scope's day and neither from the future nor too old."""
    stamp = signed.timestamp
    if not (text := format_time(stamp)).startswith(signed.scope.date + "T"):
        raise SignatureDoesNotMatch(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{signed.scope.date}' != '{text[:8]}', from '{text}'."
        )
    if stamp > now + skew:
        raise SignatureDoesNotMatch(
            f"Signature not yet current: {text} is still later than {format_time(now + skew)} ({format_time(now)} + {skew // MINUTE} min.)"
        )
    if signed.expires is not None:
        if now > (end := stamp + timedelta(seconds=signed.expires)):
            raise RequestExpired(f"Request has expired: {format_time(now)} is later than {format_time(end)}.")
    elif stamp < now - skew:
        raise SignatureDoesNotMatch(
            f"Signature expired: {text} is now earlier than {format_time(now - skew)} ({format_time(now)} - {skew // MINUTE} min.)"
        )


def check_audience(claimed: str, audience: str) -> None:
    """Raise unless the signature claims to be meant for this audience."""
    if claimed != audience:
        raise SignatureDoesNotMatch(f"signed for the audience `{claimed[:128]}`, but this service is `{audience}`")


def compare(signed: Signed, secret: str, canonical: str) -> None:
    """Raise unless the given signature is the right one; takes the same time whatever differs."""
    if not hmac.compare_digest(signature(secret, signed.scope, signed.timestamp, canonical), signed.scope.signature):
        raise SignatureDoesNotMatch


def new_scope(credentials: Credentials, region: str, service: str, names: Iterable[str], now: datetime) -> Scope:
    """A scope to sign in, its signature still empty."""
    return Scope(credentials.access_key_id, format_time(now)[:8], region, service, tuple(sorted({n.lower() for n in names})), "")


def authorization(scope: Scope) -> str:
    """The `Authorization` header of a signed scope."""
    credential = f"{scope.access_key_id}/{scope.credential_scope}"
    return f"{ALGORITHM} Credential={credential}, SignedHeaders={';'.join(scope.signed_headers)}, Signature={scope.signature}"
