"""Who the end user is: what its client sent with the call, to be verified by Sekisho and by nobody else.

authorization: Bearer TOKEN               a token made for this service's audience
authorization: AWS4-HMAC-SHA256 …         a signature over this call, as `sigv4.sign_call` makes it
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.client.guard.refusals import Kind, Refused, unauthenticated
from sekisho.sigv4 import AUDIENCE, NONCE

_OF_SIGNATURE = ("authorization", "x-amz-date", "x-amz-security-token", AUDIENCE, NONCE)
MAX_SIGNED = 1024 * 1024
"""Bytes of a signed body: Sekisho takes no more of them."""
MAX_TOKEN = 16_384


@dataclass(frozen=True, slots=True)
class Proof:
    """One of a bearer token and a signed request; `audience` is whom the token was made for."""

    audience: str
    bearer_token: str | None = field(default=None, repr=False)
    signed_request: pb.SignedRequest | None = field(default=None, repr=False)


def is_signature(metadata: Iterable[tuple[str, str | bytes]]) -> bool:
    """Whether the call says that it is signed, so that its body has to be at hand."""
    return any(name == "authorization" and isinstance(value, str) and not _is_bearer(value) for name, value in metadata)


def of(metadata: Iterable[tuple[str, str | bytes]], signed: str, body: bytes, audience: str) -> Proof:
    """The proof of a call, or Refused; `signed` is what a signature names as its path, names of metadata are lower case."""
    found: dict[str, str] = {}
    for name, value in metadata:
        if name in _OF_SIGNATURE and isinstance(value, str):
            if name in found:
                raise unauthenticated("IncompleteSignature", f"The request has '{name}' twice.")
            found[name] = value
    authorization = found.get("authorization", "").strip()
    if not authorization:
        raise unauthenticated("MissingAuthenticationToken", "Request is missing Authentication Token")
    if _is_bearer(authorization):
        token = authorization[7:].strip()
        if not token or len(token) > MAX_TOKEN:
            raise unauthenticated("IncompleteSignature", "the bearer token is malformed")
        return Proof(audience, bearer_token=token)
    if len(body) > MAX_SIGNED:
        raise Refused(Kind.TOO_LARGE, "RequestEntityTooLarge", f"A signed request has a body of at most {MAX_SIGNED} bytes.")
    return Proof(audience, signed_request=pb.SignedRequest(path=signed, body=body, audience=audience, headers=found))


def _is_bearer(authorization: str) -> bool:
    return authorization.lower().split(maxsplit=1)[:1] == ["bearer"]
