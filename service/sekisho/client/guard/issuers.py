"""Issuers whose tokens a guard verifies by itself, before it asks: by their published keys, without a call to Sekisho.

    from sekisho.client.guard.issuers import Issuers  # needs `sekisho[jwt]`

    guard.grpc(client, RULES, audience="orders.example.com", issuers=Issuers("https://auth.example.com/iss-0123…"))

What is forged, ended, or for somebody else costs the service a look at its memory, and Sekisho nothing. What holds is decided by Sekisho,
as without this: whether the principal still exists, and what it may. Keys are kept for `MAX_AGE` seconds, and fetched again for a key that
is not known, at most once in `PAUSE` seconds; those that are there are used on when none can be fetched.
"""

import ipaddress
import json
import logging
import math
import ssl
import threading
import time
import urllib.request
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from sekisho.client.guard.refusals import Refused, unauthenticated, unavailable

MAX_AGE = 300.0
"""Seconds."""
PAUSE = 60.0
"""Seconds between two fetches from an issuer, whatever the tokens name."""
IMPATIENCE = 5.0
"""Seconds between two fetches from an issuer of which no key was had yet."""
LEEWAY = 60.0
"""Seconds that the clocks of an issuer and of the service may differ."""
MAX_KEYS = 64
"""Keys of an issuer that are read."""
MAX_BYTES = 65_536
"""Of a document with keys."""

_ALGORITHMS: Mapping[str, type[ECKey] | type[RSAKey]] = {"ES384": ECKey, "RS256": RSAKey}
_PATH = "/.well-known/jwks.json"

Fetch = Callable[[str], bytes]
Keys = Mapping[str, ECKey | RSAKey]

log = logging.getLogger("sekisho.guard")


@dataclass(slots=True)
class _Issuer:
    """What is known of one; `tried_at` is monotonic."""

    keys: Keys = field(default_factory=dict)
    tried_at: float = -MAX_AGE
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def may_try(self) -> bool:
        """Whether its keys may be fetched again."""
        return time.monotonic() - self.tried_at >= (PAUSE if self.keys else IMPATIENCE)


class Issuers:
    """The issuers of these URLs, as `GetOutboundWebIdentityFederationInfo` tells them; threads may share it.

    `ca` are the certificates (PEM) that the servers of the issuers are verified by, where they are not the machine's own; `timeout` is in
    seconds. An issuer is reached over https, or over http on this machine.
    """

    def __init__(self, *urls: str, ca: Path | None = None, timeout: float = 5.0, fetch: Fetch | None = None) -> None:
        self._issuers = {_checked(url): _Issuer() for url in urls}
        if not self._issuers:
            raise ValueError("name the issuers whose tokens are taken")
        self._fetch = fetch or _fetching(ca, timeout)

    def verify(self, token: str, audience: str, now: float) -> None:
        """Return if one of the issuers made the token, for this audience, and it is good now (seconds of the epoch); else Refused."""
        try:
            header, claims, signature = token.split(".")
            said, claimed = json.loads(_decoded(header)), json.loads(_decoded(claims))
            _decoded(signature)
            url, kid, algorithm = str(claimed["iss"]), str(said["kid"]), str(said["alg"])
            audiences = claimed["aud"] if isinstance(claimed["aud"], list) else [claimed["aud"]]
            begins, ends = float(claimed.get("nbf", claimed["iat"])), float(claimed["exp"])
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
            raise _invalid() from None
        issuer = self._issuers.get(url)
        if issuer is None or audience not in audiences or not math.isfinite(ends) or not begins - LEEWAY <= now:
            raise _invalid()
        if now >= ends + LEEWAY:
            raise unauthenticated("ExpiredToken", "The security token included in the request is expired")
        key = self._key(url, issuer, kid)
        # The algorithm is the key's own: a token says which one it has, and does not choose.
        if key is None or not isinstance(key, _ALGORITHMS.get(algorithm, ())):
            raise _invalid()
        try:
            jws.deserialize_compact(token, key, algorithms=[algorithm])
        except (JoseError, ValueError):
            raise _invalid() from None

    def _key(self, url: str, issuer: _Issuer, kid: str) -> ECKey | RSAKey | None:
        """The key of this name, fetched where it may be new; Refused (UNAVAILABLE) when no key of the issuer was ever had."""
        wanted = kid not in issuer.keys or time.monotonic() - issuer.tried_at >= MAX_AGE
        # One thread fetches; the others wait for it only where there is nothing yet.
        if wanted and issuer.may_try and issuer.lock.acquire(blocking=not issuer.keys):
            try:
                if issuer.may_try:
                    self._renew(url, issuer)
            finally:
                issuer.lock.release()
        if not issuer.keys:
            raise unavailable()
        return issuer.keys.get(kid)

    def _renew(self, url: str, issuer: _Issuer) -> None:
        try:
            issuer.keys = _keys(self._fetch(url + _PATH))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, JoseError) as error:
            log.error("the keys of the issuer %s cannot be had: %s", url, error)
        finally:
            issuer.tried_at = time.monotonic()


def _invalid() -> Refused:
    return unauthenticated("InvalidClientTokenId", "The security token included in the request is invalid.")


def _keys(document: bytes) -> Keys:
    found: dict[str, ECKey | RSAKey] = {}
    for said in json.loads(document)["keys"][:MAX_KEYS]:
        kind = _ALGORITHMS.get(said.get("alg"))
        public = {name: said[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in said}
        if kind is not None and said["kty"] == kind.key_type:
            found[str(said["kid"])] = kind.import_key(public)
    return found


def _checked(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or parts.query or parts.fragment or url.endswith("/"):
        raise ValueError(f"`{url}` is not the URL of an issuer")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError(f"`{url}`: keys that come over http may be anybody's; the URL of an issuer begins with https")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Straight(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the keys are where the issuer says, or nowhere."""

    def redirect_request(self, *_: Any) -> None:
        """None, for which urllib raises."""


def _fetching(ca: Path | None, timeout: float) -> Fetch:
    context = ssl.create_default_context(cafile=str(ca) if ca is not None else None)
    opener = urllib.request.build_opener(_Straight, urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({}))

    def fetch(url: str) -> bytes:
        with opener.open(url, timeout=timeout) as answer:
            content: bytes = answer.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"the document has more than {MAX_BYTES} bytes")
        return content

    return fetch


def _decoded(text: str) -> bytes:
    """The bytes of a part, or ValueError; Sekisho takes the one spelling that they have, this only looks."""
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
