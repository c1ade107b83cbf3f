"""botocore, as the oracle: thousands of seeded requests must come out with its signatures."""

import random
import string
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from sekisho import sigv4

TEXT = string.ascii_letters + string.digits + "-._~ /+=&%?:@!$'()*,;[]éሴ😀\t\"<>\\^`{|}"


def text(rng: random.Random, most: int, alphabet: str = TEXT) -> str:
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(1, most)))


def path(rng: random.Random) -> str:
    segments = [
        rng.choice(("", ".", "..", quote(text(rng, 8), safe=""), text(rng, 6, string.ascii_letters))) for _ in range(rng.randint(0, 5))
    ]
    return "/" + "/".join(segments)


def query(rng: random.Random, *, unique: bool) -> str:
    names = [text(rng, 6) for _ in range(rng.randint(0, 5))]
    if not unique:
        names += names[: rng.randint(0, len(names))]
    names = sorted(set(names)) if unique else names
    return "&".join(f"{quote(name, safe='-_.~')}={quote(text(rng, 9) if rng.random() < 0.9 else '', safe='-_.~')}" for name in names)


def headers(rng: random.Random) -> list[tuple[str, str]]:
    """Host, a content type, and some of our own, repeated at times and with white space in any place."""
    found = [("Host", text(rng, 12, string.ascii_lowercase) + rng.choice(("", ":8080", ".example.com")))]
    for _ in range(rng.randint(0, 4)):
        name = rng.choice(("X-Amz-Target", "x-amz-meta-a", "Content-Type", "My-Header1", "my-header1", "Accept"))
        found.append((name, rng.choice(("", " ", "  ")) + text(rng, 12, string.ascii_letters + "  ,;=/") + rng.choice(("", "  "))))
    return found


def boto_request(rng: random.Random, found: list[tuple[str, str]], url: str, body: bytes) -> AWSRequest:
    request = AWSRequest(method=rng.choice(("GET", "POST", "PUT", "DELETE")), url=url, data=body)
    for name, value in found:
        request.headers.add_header(name, value)
    return request


@pytest.mark.parametrize("seed", range(4))
def test_header_signatures_are_botocores(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    for _ in range(750):
        now = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(10**9))
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda now=now: now)
        keys = sigv4.Credentials(
            text(rng, 20, string.ascii_uppercase),
            text(rng, 40),
            text(rng, 60, string.ascii_letters + "+/=") if rng.random() < 0.5 else None,
        )
        body = rng.randbytes(rng.choice((0, 1, 200)))
        found, target = headers(rng), path(rng)
        parameters = query(rng, unique=False)
        boto = boto_request(rng, found, f"https://{found[0][1]}{target}?{parameters}", body)
        region, service = text(rng, 9, string.ascii_lowercase), text(rng, 9, string.ascii_lowercase)
        botocore.auth.SigV4Auth(BotoCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token), service, region).add_auth(
            boto
        )

        request = sigv4.HttpRequest(boto.method, target, parameters, tuple(found), body)
        ours = sigv4.sign_http(keys, request, region, service, now)
        assert ours.header("authorization") == boto.headers["Authorization"]

        arrived = sigv4.HttpRequest(boto.method, target, parameters, tuple(boto.headers.items()), body)
        sigv4.verify_http(sigv4.read_http(arrived), keys.secret_access_key, arrived, now + timedelta(seconds=299))


@pytest.mark.parametrize("seed", range(4))
def test_presigned_signatures_are_botocores(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    for _ in range(750):
        now = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(10**9))
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda now=now: now)
        keys = sigv4.Credentials(
            text(rng, 20, string.ascii_uppercase),
            text(rng, 40),
            text(rng, 60, string.ascii_letters + "+/=") if rng.random() < 0.5 else None,
        )
        found, target, parameters, expires = headers(rng), path(rng), query(rng, unique=True), rng.randint(1, 604_800)
        boto = boto_request(rng, found, f"https://{found[0][1]}{target}?{parameters}", b"")
        region, service = text(rng, 9, string.ascii_lowercase), text(rng, 9, string.ascii_lowercase)
        credentials = BotoCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
        botocore.auth.SigV4QueryAuth(credentials, service, region, expires).add_auth(boto)
        arrived = sigv4.HttpRequest(boto.method, target, urlsplit(boto.url).query, tuple(found))

        request = sigv4.HttpRequest(boto.method, target, parameters, tuple(found))
        ours = sigv4.presign_http(keys, request, region, service, now, expires=expires)
        assert ours.query.rpartition("=")[2] == arrived.query.rpartition("=")[2]

        signed = sigv4.read_http(arrived)
        assert signed.session_token == keys.session_token
        sigv4.verify_http(signed, keys.secret_access_key, arrived, now + timedelta(seconds=expires))
