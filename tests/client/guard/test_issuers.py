"""Tokens that a guard verifies by itself: what is not one reaches neither the service nor Sekisho."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

import grpc
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from sekisho.client import Client
from sekisho.client.guard import Guard, Refused, issuers
from sekisho.client.guard.issuers import Issuers
from tests.client.fake import Fake
from tests.client.guard import shop, test_asgi, test_interceptor
from tests.client.guard.conftest import Serve, asked

URL = "https://auth.example.com/iss-1"
NOW = 1_800_000_000.0
EC, NEXT, RSA = ECKey.generate_key("P-384"), ECKey.generate_key("P-384"), RSAKey.generate_key(2048)
PAIRS: dict[str, tuple[ECKey | RSAKey, str]] = {"ec": (EC, "ES384"), "next": (NEXT, "ES384"), "rsa": (RSA, "RS256")}
CLAIMS: dict[str, Any] = {"iss": URL, "aud": "orders", "sub": "arn", "iat": NOW, "exp": NOW + 300}


def published(*kids: str) -> bytes:
    keys = [{"kid": kid, "alg": PAIRS[kid][1], "use": "sig", **PAIRS[kid][0].as_dict(private=False)} for kid in kids]
    return json.dumps({"keys": keys}).encode()


def token(kid: str = "ec", header: dict[str, Any] | None = None, key: Any = None, **claims: Any) -> str:
    pair, algorithm = PAIRS[kid]
    said = {"alg": algorithm, "kid": kid, "typ": "JWT"} | (header or {})
    content = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return jws.serialize_compact(said, json.dumps(content).encode(), key or pair, algorithms=[said["alg"]])


class Site:
    """An issuer's keys, and how often they were fetched."""

    def __init__(self, *kids: str) -> None:
        self.document: bytes | Exception = published(*kids)
        self.asked: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if isinstance(self.document, Exception):
            raise self.document
        return self.document


@pytest.fixture
def clock() -> Iterator[Any]:
    """The monotonic clock of the module, as a test sets it."""
    with mock.patch.object(issuers, "time", mock.Mock(monotonic=mock.Mock(return_value=1000.0))) as made:
        yield made.monotonic


def taken(made: Issuers, text: str, audience: str = "orders", now: float = NOW) -> str:
    """The code with which a token is refused; empty when it is taken."""
    try:
        made.verify(text, audience, now)
    except Refused as refused:
        return refused.code
    return ""


@pytest.mark.parametrize("kid", ["ec", "rsa"])
def test_what_an_issuer_signed_is_taken(kid: str) -> None:
    site = Site("ec", "rsa")
    made = Issuers(URL, fetch=site.fetch)
    assert [taken(made, token(kid)), taken(made, token(kid, aud=["depot", "orders"]))] == ["", ""]
    assert site.asked == ["https://auth.example.com/iss-1/.well-known/jwks.json"]


def confused() -> str:
    secret = OctKey.import_key(published("ec"))
    return token(header={"alg": "HS256"}, key=secret)


def unsigned() -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "kid": "ec"}, CLAIMS)]
    return ".".join((*(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""))


WRONG: dict[str, tuple[Callable[[], str], str]] = {
    "of a foreign key": (lambda: token(key=NEXT), "InvalidClientTokenId"),
    "of a key that is not published": (lambda: token("next"), "InvalidClientTokenId"),
    "of another issuer": (lambda: token(iss="https://auth.example.com/iss-2"), "InvalidClientTokenId"),
    "of another issuer, whose URL begins alike": (lambda: token(iss=URL + "/"), "InvalidClientTokenId"),
    "for another audience": (lambda: token(aud="depot"), "InvalidClientTokenId"),
    "for no audience": (lambda: token(aud=[]), "InvalidClientTokenId"),
    "for an audience that begins alike": (lambda: token(aud="orders.example.com"), "InvalidClientTokenId"),
    "ended": (lambda: token(exp=NOW - 60), "ExpiredToken"),
    "without an end": (lambda: token(exp=None), "InvalidClientTokenId"),
    "with an end that is no number": (lambda: token(exp="never"), "InvalidClientTokenId"),
    "with an end that is no moment": (lambda: token(exp=float("nan")), "InvalidClientTokenId"),
    "from the time to come": (lambda: token(iat=NOW + 61), "InvalidClientTokenId"),
    "not good yet": (lambda: token(nbf=NOW + 61), "InvalidClientTokenId"),
    "with our public key as a secret": (confused, "InvalidClientTokenId"),
    "without an algorithm": (unsigned, "InvalidClientTokenId"),
    "with the algorithm of another kind of key": (lambda: token("rsa", header={"kid": "ec"}), "InvalidClientTokenId"),
    "with a critical header": (lambda: token(header={"b64": True, "crit": ["b64"]}).replace(".", ".", 1) + "A", "InvalidClientTokenId"),
    "of no JSON": (lambda: "AAAA.AAAA.AAAA", "InvalidClientTokenId"),
    "of empty parts": (lambda: "..", "InvalidClientTokenId"),
    "deeper than any": (lambda: f"{urlsafe_b64encode(b'[' * 9000).decode()}.e30.AAAA", "InvalidClientTokenId"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_taken(name: str) -> None:
    made = Issuers(URL, fetch=Site("ec", "rsa").fetch)
    text, code = WRONG[name][0](), WRONG[name][1]
    assert taken(made, text) == code
    assert taken(made, token()) == ""


def test_a_key_that_is_new_is_fetched_and_others_are_not_asked_for_twice_a_minute(clock: Any) -> None:
    site = Site("ec")
    made = Issuers(URL, fetch=site.fetch)
    assert taken(made, token()) == ""
    site.document = published("ec", "next")
    for _ in range(50):
        assert taken(made, token("next")) == "InvalidClientTokenId"
    assert len(site.asked) == 1
    clock.return_value += 60
    assert taken(made, token("next")) == ""
    for number in range(50):
        assert taken(made, token(header={"kid": f"made-up-{number}"})) == "InvalidClientTokenId"
    assert len(site.asked) == 2
    clock.return_value += 300
    assert taken(made, token()) == ""
    assert len(site.asked) == 3


def test_a_key_that_is_published_no_more_is_taken_no_more(clock: Any) -> None:
    site = Site("ec", "next")
    made = Issuers(URL, fetch=site.fetch)
    assert taken(made, token()) == ""
    site.document = published("next")
    clock.return_value += 300
    assert [taken(made, token()), taken(made, token("next"))] == ["InvalidClientTokenId", ""]


@pytest.mark.parametrize(
    "broken", [OSError("gone"), b"{}", b"[", b'{"keys": 7}', b'{"keys": [7]}', b'{"keys": [{"alg": "ES384", "kty": "EC", "kid": "ec"}]}']
)
def test_keys_that_are_there_are_used_on_when_none_can_be_had(clock: Any, broken: Any) -> None:
    site = Site("ec")
    made = Issuers(URL, fetch=site.fetch)
    assert taken(made, token()) == ""
    site.document = broken
    clock.return_value += 3600
    assert taken(made, token()) == ""
    assert len(site.asked) == 2


def test_without_any_key_nobody_can_say(clock: Any) -> None:
    site = Site("ec")
    site.document = OSError("gone")
    made = Issuers(URL, fetch=site.fetch)
    assert [taken(made, token()) for _ in range(3)] == ["ServiceUnavailable"] * 3
    assert len(site.asked) == 1
    site.document = published("ec")
    clock.return_value += 5
    assert taken(made, token()) == ""


def test_one_thread_fetches_and_the_others_wait_for_it() -> None:
    site, begun, free = Site("ec"), threading.Event(), threading.Event()

    def fetch(url: str) -> bytes:
        begun.set()
        assert free.wait(60)
        return site.fetch(url)

    made = Issuers(URL, fetch=fetch)
    with ThreadPoolExecutor(8) as threads:
        found = [threads.submit(taken, made, token()) for _ in range(8)]
        assert begun.wait(60)
        free.set()
        assert [one.result() for one in found] == [""] * 8
    assert len(site.asked) == 1


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name that the base calls
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("location", "/iss-1/.well-known/jwks.json")
            self.end_headers()
            return
        body = published("ec") if self.path.startswith("/iss-1/") else b" " * (issuers.MAX_BYTES + 1)
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_keys_come_over_http_and_no_redirect_is_followed() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        for path, expected in (("iss-1", ""), ("moved", "ServiceUnavailable"), ("large", "ServiceUnavailable")):
            assert taken(Issuers(f"{address}/{path}"), token(iss=f"{address}/{path}")) == expected, path
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "url", ["http://auth.example.com/iss-1", "auth.example.com", "https://auth.example.com/iss-1/", "https://a/b?c", "file:///keys"]
)
def test_what_is_no_issuer(url: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        Issuers(url)


def test_it_takes_an_issuer() -> None:
    with pytest.raises(ValueError, match="name the issuers"):
        Issuers()


# In the guards.


def now_token(**claims: Any) -> str:
    return token(**{"iat": time.time(), "exp": time.time() + 300} | claims)


def test_over_grpc(serve: Serve, fake: Fake) -> None:
    fake.replies = [shop.ALLOWED]
    service = serve(test_interceptor.GET, issuers=Issuers(URL, fetch=Site("ec").fetch))
    good, bad = now_token(), now_token(aud="depot")
    assert service.call("Get", test_interceptor.get(), metadata=(("authorization", f"Bearer {good}"),))[0] == grpc.StatusCode.OK
    (question,) = asked(fake)
    assert (question.bearer_token, question.audience) == (good, "orders")
    before = len(fake.arrived)
    status, said = service.call("Get", test_interceptor.get(), metadata=(("authorization", f"Bearer {bad}"),))
    assert (status, said) == (grpc.StatusCode.UNAUTHENTICATED, "The security token included in the request is invalid.")
    assert len(fake.arrived) == before
    assert service.call("Get", test_interceptor.get())[0] == grpc.StatusCode.OK  # a bearer token of Sekisho's own is Sekisho's to verify


def test_over_asgi(client: Client, fake: Fake) -> None:
    fake.replies = [shop.ALLOWED]
    app = test_asgi.App()
    guarded = Guard(app, client, test_asgi.ROUTES, audience="orders", account=shop.ACCOUNT, issuers=Issuers(URL, fetch=Site("ec").fetch))
    good, bad = now_token(), now_token(exp=time.time() - 120)
    assert test_asgi.call(guarded, "GET", "/orders/7", ((b"authorization", f"Bearer {good}".encode()),))[0] == 200
    assert [question.bearer_token for question in asked(fake)] == [good]
    before = len(fake.arrived)
    status, error, headers = test_asgi.call(guarded, "GET", "/orders/7", ((b"authorization", f"Bearer {bad}".encode()),))
    assert (status, error["code"], headers[b"www-authenticate"]) == (401, "ExpiredToken", b"Bearer")
    assert (len(fake.arrived), len(app.bodies)) == (before, 1)
