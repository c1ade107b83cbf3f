"""The URLs of issuers: `https://auth.example.com/iss-0123…`, the server's own address and an id that says nothing of the account.

The documents of OpenID Connect Discovery 1.0 are beneath it, where AWS has them:
https://docs.aws.amazon.com/IAM/latest/APIReference/API_EnableOutboundWebIdentityFederation.html
"""

import ipaddress
import json
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from sekisho.credentials.signing_keys import ALGORITHMS
from sekisho.errors import FailedPrecondition, InvalidArgument

PREFIX = "iss-"
CONFIGURATION = ".well-known/openid-configuration"
KEYS = ".well-known/jwks.json"

_MAX_LENGTH = 255
_DOCUMENT = re.compile(rf"(?:/[A-Za-z0-9._~-]{{1,64}}){{0,8}}/({PREFIX}[0-9a-f]{{32}})/({re.escape(CONFIGURATION)}|{re.escape(KEYS)})")


class IssuerUrlUnknown(FailedPrecondition):
    """The server does not know by which URL others reach it."""


class Document(NamedTuple):
    """A document of an issuer: the issuer's id, and which it is."""

    issuer_id: str
    name: str


def of(base: str, id_: str) -> str:
    """The URL of an issuer; IssuerUrlUnknown without the server's own address."""
    if not base:
        raise IssuerUrlUnknown("This server listens on all addresses and does not know its own; start it with --issuer-url.")
    return f"{base.rstrip('/')}/{id_}"


def checked(text: str) -> str:
    """The server's own address as it was given: https, or http on this machine alone; InvalidArgument."""
    try:
        url = urlsplit(text)
        valid = bool(url.hostname) and text.isascii() and url.port != 0 and len(text) <= _MAX_LENGTH and url.geturl() == text
    except ValueError:
        valid = False
    if not valid or url.username is not None or url.query or url.fragment or any(c in text for c in " ?#\\"):
        raise InvalidArgument(f"--issuer-url `{text}` is not https://HOST, with or without port and path")
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.hostname or "")):
        raise InvalidArgument(f"--issuer-url `{text}`: whoever reads keys over http can be given others; it is https://…")
    return text.rstrip("/")


def document(path: str) -> Document | None:
    """The document that a path of HTTP names, whatever stands before the issuer's id: a proxy may add to the path, or take from it."""
    found = _DOCUMENT.fullmatch(path)
    return Document(*found.groups()) if found is not None else None


def configuration(url: str) -> bytes:
    """The document about an issuer."""
    said = {
        "issuer": url,
        "jwks_uri": f"{url}/{KEYS}",
        # Every client of OpenID Connect finds the member; nobody signs in here.
        "authorization_endpoint": "urn:sekisho:get-web-identity-token",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "claims_supported": ["aud", "exp", "iat", "iss", "jti", "sub"],
    }
    return json.dumps(said, indent=1).encode()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
