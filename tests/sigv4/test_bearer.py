"""A bearer token proves its maker to one audience for a quarter of an hour."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from sekisho import errors, sigv4
from sekisho.sigv4 import bearer

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
KEYS = sigv4.Credentials("AKIAEXAMPLE", "secret")
SESSION = sigv4.Credentials("ASIAEXAMPLE", "secret", "token.token-_")


def verify(token: str, audience: str = "prod", now: datetime = NOW, secret: str = "secret") -> None:
    bearer.verify(bearer.parse(token), secret, audience, now)


def url_of(token: str) -> str:
    encoded = token.removeprefix("Bearer ")
    return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def token_of(url: str) -> str:
    return "Bearer " + urlsafe_b64encode(url.encode()).decode().rstrip("=")


def test_what_a_token_says() -> None:
    assert url_of(bearer.make(KEYS, "https://authz.example.com", NOW)) == (
        "https://sts.sekisho.internal/?Action=GetCallerIdentity&Version=2011-06-15"
        "&X-Sekisho-Audience=https%3A%2F%2Fauthz.example.com&X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAEXAMPLE%2F20260301%2Flocal%2Fsts%2Faws4_request&X-Amz-Date=20260301T120000Z&X-Amz-Expires=900"
        "&X-Amz-SignedHeaders=host&X-Amz-Signature=e91afb19c99ff0e3f81b1734836fb916cd2ba77787da86c31084bcc2549a457c"
    )


@pytest.mark.parametrize("credentials", [KEYS, SESSION], ids=["long_term", "session"])
def test_a_token_verifies(credentials: sigv4.Credentials) -> None:
    token = bearer.make(credentials, "prod", NOW)
    proof = bearer.parse(token)
    assert (proof.access_key_id, proof.session_token, proof.audience) == (credentials.access_key_id, credentials.session_token, "prod")
    verify(token)
    verify(token, now=NOW + timedelta(seconds=900))
    verify(token.removeprefix("Bearer "))


def test_a_session_token_of_full_length_fits() -> None:
    verify(bearer.make(sigv4.Credentials("ASIAEXAMPLE", "secret", "t" * 6144), "a" * 256, NOW), audience="a" * 256)


def test_a_url_that_botocore_presigned_is_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW)
    url = "https://iam.corp.example:8443/?Action=GetCallerIdentity&Version=2011-06-15&X-Sekisho-Audience=prod"
    request = AWSRequest("GET", url)
    botocore.auth.SigV4QueryAuth(BotoCredentials("ASIAEXAMPLE", "secret", "to/k+en="), "sts", "eu-west-1", 300).add_auth(request)
    verify(token_of(request.url), now=NOW + timedelta(seconds=300))
    assert bearer.parse(token_of(request.url)).session_token == "to/k+en="


def test_another_audience_is_named() -> None:
    with pytest.raises(sigv4.SignatureDoesNotMatch) as caught:
        verify(bearer.make(KEYS, "staging", NOW))
    assert caught.value.message == "signed for the audience `staging`, but this service is `prod`"


def test_a_token_ends() -> None:
    with pytest.raises(sigv4.RequestExpired):
        verify(bearer.make(KEYS, "prod", NOW), now=NOW + timedelta(seconds=901))
    with pytest.raises(sigv4.RequestExpired):
        verify(bearer.make(KEYS, "prod", NOW, expires=60), now=NOW + timedelta(seconds=61))
    with pytest.raises(sigv4.SignatureDoesNotMatch, match="Signature not yet current"):
        verify(bearer.make(KEYS, "prod", NOW), now=NOW - timedelta(minutes=6))
    with pytest.raises(sigv4.SignatureDoesNotMatch, match="valid for at most 900 seconds, this one is for 901"):
        verify(bearer.make(KEYS, "prod", NOW, expires=901))


def test_another_secret_is_refused() -> None:
    with pytest.raises(sigv4.SignatureDoesNotMatch):
        verify(bearer.make(KEYS, "prod", NOW), secret="other")


CHANGED: dict[str, Callable[[str], str]] = {
    "audience": lambda url: url.replace("Audience=staging", "Audience=prod"),
    "expires": lambda url: url.replace("Expires=900", "Expires=899"),
    "host": lambda url: url.replace("sts.sekisho.internal", "evil.example.com"),
    "key": lambda url: url.replace("AKIAEXAMPLE", "AKIAEXAMPLF"),
    "service": lambda url: url.replace("%2Fsts%2F", "%2Fiam%2F"),
    "signed_headers": lambda url: url.replace("SignedHeaders=host", "SignedHeaders=host%3Bx"),
    "session_token": lambda url: url + "&X-Amz-Security-Token=other",
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_token_does_not_verify(name: str) -> None:
    url = url_of(bearer.make(KEYS, "staging" if name == "audience" else "prod", NOW))
    assert CHANGED[name](url) != url
    with pytest.raises(sigv4.SignatureDoesNotMatch):
        verify(token_of(CHANGED[name](url)))


MALFORMED: dict[str, Callable[[str], str]] = {
    "another_action": lambda url: url.replace("GetCallerIdentity", "GetSessionToken"),
    "another_version": lambda url: url.replace("2011-06-15", "2011-06-16"),
    "no_audience": lambda url: url.replace("&X-Sekisho-Audience=prod", ""),
    "two_audiences": lambda url: url + "&X-Sekisho-Audience=test",
    "further_parameter": lambda url: url + "&RoleArn=x",
    "empty_parameter": lambda url: url + "&",
    "path": lambda url: url.replace("internal/", "internal/x"),
    "no_host": lambda url: url.replace("sts.sekisho.internal", ""),
    "fragment": lambda url: url + "#x",
    "another_scheme": lambda url: url.replace("https:", "ftp:"),
    "another_spelling": lambda url: url.replace("%2Fsts", "%2fsts"),
    "line_break": lambda url: url + "\n",
    "not_ascii": lambda url: url + "é",
    "no_signature": lambda url: url.partition("&X-Amz-Signature")[0],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_proof_is_refused(name: str) -> None:
    url = url_of(bearer.make(KEYS, "prod", NOW))
    with pytest.raises(sigv4.IncompleteSignature):
        bearer.parse(token_of(MALFORMED[name](url)))


def test_a_presigned_call_for_the_gateway_is_no_bearer_token() -> None:
    query = "Action=GetCallerIdentity&Version=2011-06-15"
    request = sigv4.presign_http(KEYS, sigv4.HttpRequest("GET", "/", query, (("Host", "h"),)), "local", "sts", NOW, expires=900)
    with pytest.raises(sigv4.IncompleteSignature, match="with the parameter X-Sekisho-Audience and no others"):
        bearer.parse(token_of(f"https://h/?{request.query}"))


@pytest.mark.parametrize(
    ("service", "headers"),
    [("iam", (("Host", "h"),)), ("sts", (("Host", "h"), ("Accept", "x")))],
    ids=["another_service", "further_header"],
)
def test_a_proof_has_one_scope_and_one_header(service: str, headers: tuple[tuple[str, str], ...]) -> None:
    query = "Action=GetCallerIdentity&Version=2011-06-15&X-Sekisho-Audience=prod"
    request = sigv4.presign_http(KEYS, sigv4.HttpRequest("GET", "/", query, headers), "local", service, NOW, expires=900)
    with pytest.raises(sigv4.SignatureDoesNotMatch, match="is scoped to the service `sts` and signs the header `host` alone"):
        verify(token_of(f"https://h/?{request.query}"))


def test_no_character_may_change() -> None:
    token, rng = bearer.make(SESSION, "prod", NOW), Random(1)
    for index in range(len(token)):
        for character in rng.sample("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/.= \n", 12):
            changed = token[:index] + character + token[index + 1 :]
            if character != token[index] and changed.rstrip("= \n") != token:
                with pytest.raises(errors.Unauthenticated):
                    verify(changed)


@given(st.text(max_size=200), st.binary(max_size=100))
def test_any_other_text_is_refused(text: str, data: bytes) -> None:
    for token in (text, f"Bearer {text}", "Bearer " + urlsafe_b64encode(data).decode(), token_of(f"https://h/?{text}")):
        with pytest.raises(sigv4.IncompleteSignature):
            bearer.parse(token)
    with pytest.raises(sigv4.IncompleteSignature, match="at most 12288 characters"):
        bearer.parse("Bearer " + "A" * 12_289)
