"""OpenID Connect providers on loopback, over TLS: one that signs whatever a test wants, and a real one."""

import json
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from joserfc import jwk, jws
from werkzeug.serving import WSGIRequestHandler, make_server

from sekisho.credentials.oidc.addresses import Place
from tests import clock
from tests.certificates import Authority

GITHUB = "token.actions.githubusercontent.com"

Respond = Callable[[str], tuple[int, Mapping[str, str], bytes] | None]
"""Answers a path in the place of the provider; None where the provider answers itself."""

RSA = jwk.RSAKey.generate_key(2048, {"kid": "rsa", "alg": "RS256", "use": "sig"}, private=True)
EC = jwk.ECKey.generate_key("P-256", {"kid": "ec"}, private=True)
ED = jwk.OKPKey.generate_key("Ed25519", {"kid": "ed"}, private=True)
STRANGER = jwk.RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)
"""A key of somebody else, who calls it what the provider calls its own."""


@dataclass
class Provider:
    """A provider of this issuer, which is without `https://`. `keys` are those that it publishes."""

    issuer: str
    keys: list[Any] = field(default_factory=lambda: [RSA, EC, ED])
    respond: Respond = lambda _: None
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for."""
    place: Place = field(default_factory=lambda: Place("127.0.0.1", 0))
    thumbprint: str = ""

    @property
    def host(self) -> str:
        """Its host."""
        return self.issuer.partition("/")[0]

    @property
    def allowance(self) -> str:
        """How a server is told where it is."""
        return f"{self.host}={self.place.address}:{self.place.port}"

    def token(self, key: Any = RSA, alg: str = "RS256", header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token of it, good for five minutes, with other claims, or without those that are None."""
        now = int(clock.now().timestamp())
        given = {"iss": f"https://{self.issuer}", "aud": "sts.amazonaws.com", "sub": "alice", "iat": now, "exp": now + 300} | claims
        head = {"alg": alg, "kid": key.kid, "typ": "JWT", **(header or {})}
        return signed({k: v for k, v in given.items() if v is not None}, key, {k: v for k, v in head.items() if v is not None})

    def __call__(self, environ: Mapping[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Discovery and keys (WSGI)."""
        path = environ["PATH_INFO"]
        self.asked.append(path)
        answer = self.respond(path)
        if answer is None:
            prefix = self.issuer.partition("/")[2]
            documents = {
                f"/{prefix}/.well-known/openid-configuration".replace("//", "/"): {
                    "issuer": f"https://{self.issuer}",
                    "jwks_uri": f"https://{self.host}/keys",
                },
                "/keys": {"keys": [key.as_dict(private=False) for key in self.keys]},
            }
            found = documents.get(path)
            answer = (200, {"Content-Type": "application/json"}, json.dumps(found).encode()) if found is not None else (404, {}, b"")
        status, headers, body = answer
        start(f"{status} Status", list({"Content-Length": str(len(body)), **headers}.items()))
        return [body]


def signed(claims: Mapping[str, Any] | bytes, key: Any, header: Mapping[str, Any]) -> str:
    """A compact JWS, whatever it says."""
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    registry.max_header_length = registry.max_payload_length = 10**6
    content = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.serialize_compact(dict(header), content, key, registry=registry)


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Say nothing."""


def certified(host: str, authority: Authority) -> tuple[ssl.SSLContext, str]:
    """What a host shows who connects: its certificate, then the authority's; and the thumbprint of the latter."""
    made = authority.client(host=host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        chain, key = Path(folder) / "chain.pem", Path(folder) / "key.pem"
        chain.write_bytes(made.certificate + authority.certificate)
        key.write_bytes(made.key)
        context.load_cert_chain(chain, key)
    return context, sha1(ssl.PEM_cert_to_DER_cert(authority.certificate.decode()), usedforsecurity=False).hexdigest()


@contextmanager
def listening(application: Any, host: str, *, authority: Authority | None = None) -> Iterator[tuple[Place, str]]:
    """Serve a WSGI application over TLS on loopback, with a certificate for a host; where that is, and the thumbprint of the authority,
    which is the last of the chain.
    """
    context, thumbprint = certified(host, authority or Authority())
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Place("127.0.0.1", server.server_port), thumbprint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def provider(issuer: str = "login.example.com", **fields: Any) -> Iterator[Provider]:
    """A provider that listens."""
    made = Provider(issuer, **fields)
    with listening(made, made.host) as (made.place, made.thumbprint):
        yield made
