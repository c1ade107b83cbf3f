"""gRPC calls, signed in their metadata.

The canonical request is POST, the full method path, an empty query, the metadata named here and the hash of the request message's
bytes. The audience is the configured name of the service, not `:authority`, which a proxy may change and a false server would choose.
A nonce, which need not be there, tells apart two calls of one second that are the same in all else: to a server each signature is one call.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sekisho.sigv4.algorithm import (
    SKEW,
    Credentials,
    Signed,
    authorization,
    canonical_request,
    check_audience,
    check_time,
    compare,
    format_time,
    new_scope,
    parse_authorization,
    parse_time,
    payload_hash,
    signature,
)
from sekisho.sigv4.errors import IncompleteSignature, MissingAuthenticationToken, SignatureDoesNotMatch

GRPC_SERVICE = "sekisho"
AUDIENCE = "x-sekisho-audience"
NONCE = "x-sekisho-nonce"

_NONCE = re.compile(r"[0-9A-Za-z_-]{16,64}")
_READ = ("authorization", "x-amz-date", "x-amz-security-token", AUDIENCE, NONCE)


def _canonical(names: Sequence[str], date: str, token: str | None, audience: str, nonce: str | None, method_path: str, body: bytes) -> str:
    session = f"x-amz-security-token:{token}\n" if token is not None else ""
    last = f"{NONCE}:{nonce}\n" if nonce is not None else ""
    headers = f"x-amz-date:{date}\n{session}{AUDIENCE}:{audience}\n{last}"
    return canonical_request("POST", method_path, "", headers, names, payload_hash(body))


def sign_call(
    credentials: Credentials,
    method_path: str,
    body: bytes,
    audience: str,
    now: datetime,
    *,
    region: str = "local",
    nonce: str | None = None,
) -> tuple[tuple[str, str], ...]:
    """The metadata that signs a call: `x-amz-date`, `x-sekisho-audience`, `authorization` and, for a session, `x-amz-security-token`.

    A `nonce`, 16 to 64 random letters, digits, `-` and `_`, is sent as `x-sekisho-nonce` and signed as well.
    """
    headers = [("x-amz-date", format_time(now)), (AUDIENCE, audience)]
    if credentials.session_token is not None:
        headers.append(("x-amz-security-token", credentials.session_token))
    if nonce is not None:
        headers.append((NONCE, nonce))
    scope = new_scope(credentials, region, GRPC_SERVICE, (name for name, _ in headers), now)
    canonical = _canonical(scope.signed_headers, format_time(now), credentials.session_token, audience, nonce, method_path, body)
    scope = replace(scope, signature=signature(credentials.secret_access_key, scope, now, canonical))
    return (*headers, ("authorization", authorization(scope)))


def read_call(metadata: Iterable[tuple[str, str | bytes]]) -> Signed:
    """The signature in a call's metadata; MissingAuthenticationToken when there is no `authorization`."""
    found: dict[str, str] = {}
    for name, value in metadata:
        if name in _READ and isinstance(value, str):
            if name in found:
                raise IncompleteSignature(f"The metadata has '{name}' twice.")
            found[name] = value
    if "authorization" not in found:
        raise MissingAuthenticationToken
    scope = parse_authorization(found.pop("authorization"))
    if scope.signed_headers != tuple(sorted(found)) or "x-amz-date" not in found or AUDIENCE not in found:
        raise IncompleteSignature(
            f"A call signs 'x-amz-date', '{AUDIENCE}' and, where they are given, 'x-amz-security-token' and '{NONCE}'."
        )
    nonce = found.get(NONCE)
    if nonce is not None and _NONCE.fullmatch(nonce) is None:
        raise IncompleteSignature(f"'{NONCE}' has 16 to 64 letters, digits, '-' and '_'.")
    return Signed(scope, parse_time(found["x-amz-date"]), found.get("x-amz-security-token"), audience=found[AUDIENCE], nonce=nonce)


def verify_call(
    signed: Signed, secret: str, method_path: str, body: bytes, audience: str, now: datetime, *, skew: timedelta = SKEW
) -> None:
    """Raise unless the holder of the secret signed this message for this method and audience, and just now."""
    if signed.scope.service != GRPC_SERVICE:
        raise SignatureDoesNotMatch(f"Credential should be scoped to correct service: '{GRPC_SERVICE}'.")
    check_audience(signed.audience, audience)
    check_time(signed, now, skew)
    names, date = signed.scope.signed_headers, format_time(signed.timestamp)
    compare(signed, secret, _canonical(names, date, signed.session_token, audience, signed.nonce, method_path, body))
