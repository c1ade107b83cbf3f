"""A signed HTTP request of which one character of one header, of the query or of the body was changed, or one of them left out or doubled.

Nothing is accepted but what says the same: where a changed request is answered, all that was signed is as it was.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest

from sekisho import sigv4
from sekisho.errors import Unauthenticated
from sekisho.sigv4 import Credentials, HttpRequest
from tests.wire import attacks
from tests.wire.edge import Edge, presigned, query, signed

UNSIGNED = ("authorization", "content-length", "accept")
"""Headers that no signature covers; of the first, the parts are compared by themselves."""


def characters(text: str) -> Iterator[str]:
    """The text with each character replaced, left out and doubled."""
    for at, one in enumerate(text):
        for other in {chr(ord(one) ^ 1), one.swapcase(), "%", "", one * 2, " "} - {one}:
            yield text[:at] + other + text[at + 1 :]


def headers(request: HttpRequest) -> Iterator[HttpRequest]:
    """The request with one header changed, left out, doubled, or renamed."""
    for at, (name, value) in enumerate(request.headers):
        before, after = request.headers[:at], request.headers[at + 1 :]
        for changed in characters(value):
            yield replace(request, headers=(*before, (name, changed), *after))
        for pairs in ((), ((name, value),) * 2, ((name, value), (name, "")), ((name + "x", value),), ((name.upper(), value + ","),)):
            yield replace(request, headers=(*before, *pairs, *after))


def fields(request: HttpRequest) -> Iterator[HttpRequest]:
    """The request with one parameter of its query changed, left out, doubled, or put last."""
    parts = request.query.split("&")
    for changed in characters(request.query):
        yield replace(request, query=changed)
    for at, part in enumerate(parts):
        rest = parts[:at] + parts[at + 1 :]
        for text in (rest, [*parts, part], [*rest, part.partition("=")[0]], [*parts, part.partition("=")[0] + "=x"], [*rest, part.lower()]):
            yield replace(request, query="&".join(text))


def bodies(request: HttpRequest) -> Iterator[HttpRequest]:
    """The request with one character of its body changed."""
    for changed in characters(request.body.decode()):
        yield replace(request, body=changed.encode())


def meaning(request: HttpRequest) -> object:
    """All of a request that a signature covers, and the signature's own parts, as they are understood."""
    named: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name.lower() not in UNSIGNED:
            named.setdefault(name.lower(), []).append(" ".join(value.split()))
    given = request.header("authorization") or ""
    parts = sorted(part.strip() for part in given.removeprefix("AWS4-HMAC-SHA256").strip().split(","))
    members = parse_qsl(request.query, keep_blank_values=True)
    signature = {
        value for name, value in members if name == "X-Amz-Signature"
    }  # which is not signed, and says the same when it says it twice
    asked = sorted(member for member in members if member[0] != "X-Amz-Signature")
    return request.method, request.path, asked, signature, named, parts, request.body


def _signed(edge: Edge, credentials: Credentials) -> HttpRequest:
    return signed(query("GetCallerIdentity"), credentials, "sts")


def _presigned(edge: Edge, credentials: Credentials) -> HttpRequest:
    return attacks.url("GetCallerIdentity", "sts", credentials)


@pytest.fixture(scope="module")
def session(shared: Edge) -> Credentials:
    """Temporary credentials, whose token is a part of what is signed."""
    return attacks.deal(shared.house).session


@pytest.mark.parametrize("make", [_signed, _presigned], ids=["in_a_header", "in_the_query"])
@pytest.mark.parametrize("change", [headers, fields, bodies])
def test_nothing_else_is_accepted(shared: Edge, make: object, change: object) -> None:
    assert callable(make)
    assert callable(change)
    good: HttpRequest = make(shared, shared.house.root)
    assert shared.send(good).status == 200
    tried, accepted = 0, []
    for tampered in dict.fromkeys(change(good)):
        tried += 1
        if shared.send(tampered).status == 200 and meaning(tampered) != meaning(good):
            accepted.append(tampered)
    assert accepted == []
    assert tried >= {(_signed, fields): 1, (_presigned, bodies): 0}.get((make, change), 50)


def test_nothing_else_verifies_of_a_sessions_request(session: Credentials) -> None:
    """Without the gateway, for the token alone has a thousand characters."""
    now = datetime.now(UTC)
    tried, accepted = 0, []
    for good, change in (
        (signed(query("GetCallerIdentity"), session, "sts", now=now), headers),
        (presigned(query("GetCallerIdentity", method="GET"), session, "sts", now=now), fields),
    ):
        sigv4.verify_http(sigv4.read_http(good), session.secret_access_key, good, now)
        for tampered in change(good):
            tried += 1
            try:
                sigv4.verify_http(sigv4.read_http(tampered), session.secret_access_key, tampered, now)
            except Unauthenticated:
                continue
            # Another key's id has another secret, which verifies nothing.
            if sigv4.read_http(tampered).access_key_id == session.access_key_id and meaning(tampered) != meaning(good):
                accepted.append(tampered)
    assert accepted == []
    assert tried > 5_000
