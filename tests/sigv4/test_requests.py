"""What a signed HTTP request must be, and in which words it is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho import errors, sigv4
from sekisho.sigv4 import HttpRequest

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
KEYS = sigv4.Credentials("AKIAEXAMPLE", "secret")
SESSION = sigv4.Credentials("ASIAEXAMPLE", "secret", "token")
PLAIN = HttpRequest(
    "POST",
    "/",
    "a=1&b=2",
    (("Host", "sts.example.com"), ("X-Amz-Target", "Sts.GetCallerIdentity"), ("Content-Type", "application/json")),
    b"{}",
)
SIGNED = sigv4.sign_http(SESSION, PLAIN, "us-east-1", "sts", NOW)
PRESIGNED = sigv4.presign_http(
    SESSION, HttpRequest("GET", "/", "Action=GetCallerIdentity", PLAIN.headers[:1]), "us-east-1", "sts", NOW, expires=900
)


def verify(request: HttpRequest, now: datetime = NOW, secret: str = "secret") -> None:
    sigv4.verify_http(sigv4.read_http(request), secret, request, now)


def with_header(request: HttpRequest, name: str, value: str | None) -> HttpRequest:
    """The request with another value of a header, or without it."""
    kept = tuple(pair for pair in request.headers if pair[0].lower() != name)
    return replace(request, headers=kept if value is None else (*kept, (name, value)))


def authorization(change: Callable[[str], str]) -> HttpRequest:
    return with_header(SIGNED, "authorization", change(SIGNED.header("authorization") or ""))


def test_both_forms_verify() -> None:
    verify(SIGNED)
    verify(PRESIGNED)
    signed = sigv4.read_http(PRESIGNED)
    assert (signed.access_key_id, signed.scope.service, signed.session_token, signed.expires) == ("ASIAEXAMPLE", "sts", "token", 900)


CHANGED = {
    "method": replace(SIGNED, method="GET"),
    "path": replace(SIGNED, path="/x"),
    "query": replace(SIGNED, query="a=1&b=3"),
    "added_parameter": replace(SIGNED, query="a=1&b=2&c=3"),
    "body": replace(SIGNED, body=b"{ }"),
    "signed_header": with_header(SIGNED, "content-type", "text/plain"),
    "repeated_header": replace(SIGNED, headers=(*SIGNED.headers, ("x-amz-target", "Iam.CreateUser"))),
    "session_token": with_header(SIGNED, "x-amz-security-token", "other"),
    "time": with_header(SIGNED, "x-amz-date", "20260301T120001Z"),
    "region": authorization(lambda text: text.replace("us-east-1", "us-east-2")),
    "service": authorization(lambda text: text.replace("/sts/", "/iam/")),
    "signature": authorization(lambda text: text[:-1] + ("0" if text[-1] != "0" else "1")),
    "presigned_query": replace(PRESIGNED, query=PRESIGNED.query.replace("GetCallerIdentity", "GetSessionToken")),
    "presigned_expires": replace(PRESIGNED, query=PRESIGNED.query.replace("Expires=900", "Expires=901")),
    "presigned_host": replace(PRESIGNED, headers=(("Host", "other.example.com"),)),
    "presigned_body": replace(PRESIGNED, body=b"Action=GetSessionToken"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_request_is_refused(name: str) -> None:
    with pytest.raises(sigv4.SignatureDoesNotMatch) as caught:
        verify(CHANGED[name])
    assert caught.value.message == (
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )
    assert (caught.value.code, caught.value.http, caught.value.grpc) == ("SignatureDoesNotMatch", 403, "UNAUTHENTICATED")


def test_another_secret_is_refused() -> None:
    with pytest.raises(sigv4.SignatureDoesNotMatch):
        verify(SIGNED, secret="secret2")


REFUSED: dict[str, tuple[HttpRequest, type[errors.SekishoError], str]] = {
    "no_signature": (PLAIN, sigv4.MissingAuthenticationToken, "Request is missing Authentication Token"),
    "another_algorithm": (
        authorization(lambda text: text.replace("HMAC", "ECDSA-P256")),
        sigv4.IncompleteSignature,
        "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.",
    ),
    "no_members": (
        authorization(lambda _: "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature="),
        sigv4.IncompleteSignature,
        ("Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
        "Authorization header requires 'SignedHeaders' parameter."),
    ),
    "no_equal_sign": (
        authorization(lambda _: "AWS4-HMAC-SHA256 Credential"),
        sigv4.IncompleteSignature,
        "'Credential' not a valid key=value pair (missing equal-sign) in Authorization header.",
    ),
    "short_credential": (
        authorization(lambda text: text.replace("/sts/", "/")),
        sigv4.IncompleteSignature,
        ("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
        "got 'ASIAEXAMPLE/20260301/us-east-1/aws4_request'"),
    ),
    "another_terminator": (
        authorization(lambda text: text.replace("aws4_request", "aws5_request")),
        sigv4.SignatureDoesNotMatch,
        "Credential should be scoped with correct terminator: 'aws4_request'.",
    ),
    "unsorted_signed_headers": (
        authorization(lambda text: text.replace("content-type;host", "host;content-type")),
        sigv4.IncompleteSignature,
        "SignedHeaders must be lower-case header names, sorted, each once, separated by semicolons.",
    ),
    "no_date": (
        with_header(SIGNED, "x-amz-date", None),
        sigv4.IncompleteSignature,
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    ),
    "date_in_another_format": (
        with_header(SIGNED, "x-amz-date", "2026-03-01T12:00:00Z"),
        sigv4.IncompleteSignature,
        "Date must be in ISO-8601 'basic format'. Got '2026-03-01T12:00:00Z'. See http://en.wikipedia.org/wiki/ISO_8601",
    ),
    "no_such_day": (
        with_header(SIGNED, "x-amz-date", "20260231T120000Z"),
        sigv4.IncompleteSignature,
        "Date must be in ISO-8601 'basic format'. Got '20260231T120000Z'. See http://en.wikipedia.org/wiki/ISO_8601",
    ),
    "scope_of_another_day": (
        authorization(lambda text: text.replace("/20260301/", "/20260228/")),
        sigv4.SignatureDoesNotMatch,
        ("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'20260228' != '20260301', from '20260301T120000Z'."),
    ),
    "two_signatures": (
        replace(SIGNED, query=PRESIGNED.query),
        sigv4.IncompleteSignature,
        "Only one of an Authorization header and a presigned query string is allowed.",
    ),
    "host_not_signed": (
        authorization(lambda text: text.replace(";host", "")),
        sigv4.SignatureDoesNotMatch,
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    ),
    "signed_headers_in_capitals": (
        authorization(lambda text: text.replace("SignedHeaders=content-type;host", "SignedHeaders=Content-type;host")),
        sigv4.IncompleteSignature,
        "SignedHeaders must be lower-case header names, sorted, each once, separated by semicolons.",
    ),
    "target_not_signed": (
        authorization(lambda text: text.replace(";x-amz-target", "")),
        sigv4.SignatureDoesNotMatch,
        "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
    ),
    "signed_header_absent": (
        with_header(SIGNED, "content-type", None),
        sigv4.SignatureDoesNotMatch,
        "The signed header 'content-type' is not in the request.",
    ),
    "unsigned_payload": (
        sigv4.sign_http(KEYS, with_header(PLAIN, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"), "us-east-1", "sts", NOW),
        sigv4.SignatureDoesNotMatch,
        "The header 'x-amz-content-sha256' is not the SHA-256 of the body.",
    ),
    "presigned_in_part": (
        HttpRequest("GET", "/", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260301T120000Z&X-Amz-Expires=60"),
        sigv4.IncompleteSignature,
        ("AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. "
        "AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters."),
    ),
    "presigned_for_over_a_week": (
        sigv4.presign_http(KEYS, PLAIN, "us-east-1", "sts", NOW, expires=604_801),
        sigv4.IncompleteSignature,
        "X-Amz-Expires must be a number of seconds from 1 to 604800.",
    ),
    "presigned_for_no_number": (
        replace(PRESIGNED, query=PRESIGNED.query.replace("Expires=900", "Expires=%D9%A9")),
        sigv4.IncompleteSignature,
        "X-Amz-Expires must be a number of seconds from 1 to 604800.",
    ),
    "presigned_twice": (
        replace(PRESIGNED, query=PRESIGNED.query + "&X-Amz-Expires=901"),
        sigv4.IncompleteSignature,
        "The query-string parameter 'X-Amz-Expires' is given twice.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_signature_that_cannot_be_right_is_refused_in_words(name: str) -> None:
    request, error, message = REFUSED[name]
    with pytest.raises(error) as caught:
        verify(request)
    assert (type(caught.value), caught.value.message) == (error, message)


def test_the_clock_may_be_five_minutes_off() -> None:
    verify(SIGNED, NOW + timedelta(minutes=5))
    verify(SIGNED, NOW - timedelta(minutes=5))
    with pytest.raises(sigv4.SignatureDoesNotMatch) as late:
        verify(SIGNED, NOW + timedelta(minutes=5, seconds=1))
    assert late.value.message == "Signature expired: 20260301T120000Z is now earlier than 20260301T120001Z (20260301T120501Z - 5 min.)"
    with pytest.raises(sigv4.SignatureDoesNotMatch) as early:
        verify(SIGNED, NOW - timedelta(minutes=5, seconds=1))
    assert early.value.message == (
        "Signature not yet current: 20260301T120000Z is still later than 20260301T115959Z (20260301T115459Z + 5 min.)"
    )
    sigv4.verify_http(sigv4.read_http(SIGNED), "secret", SIGNED, NOW + timedelta(minutes=9), skew=timedelta(minutes=10))


def test_a_presigned_request_ends() -> None:
    verify(PRESIGNED, NOW + timedelta(seconds=900))
    with pytest.raises(sigv4.RequestExpired) as caught:
        verify(PRESIGNED, NOW + timedelta(seconds=901))
    assert caught.value.message == "Request has expired: 20260301T121501Z is later than 20260301T121500Z."
    assert (caught.value.http, caught.value.grpc) == (400, "UNAUTHENTICATED")


@pytest.mark.parametrize("form", ["http", "iso"])
def test_a_date_header_stands_for_x_amz_date(form: str) -> None:
    text = format_datetime(NOW, usegmt=True) if form == "http" else "20260301T120000Z"
    request = sigv4.sign_http(KEYS, replace(PLAIN, headers=(*PLAIN.headers, ("Date", text))), "us-east-1", "sts", NOW)
    verify(request)
    lone = with_header(request, "x-amz-date", None)
    assert sigv4.read_http(lone).timestamp == NOW


def test_secrets_are_not_shown() -> None:
    assert repr(sigv4.Credentials("AKIAEXAMPLE", "hidden", "hidden")) == "Credentials(access_key_id='AKIAEXAMPLE')"
    assert "token" not in repr(sigv4.read_http(SIGNED)).replace("security-token", "").replace("session_token", "")


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20))
def test_any_text_is_refused_as_unauthenticated(header: str, query: str, date: str) -> None:
    for request in (
        HttpRequest("GET", "/", query, (("Host", "h"), ("Authorization", f"AWS4-HMAC-SHA256 {header}"), ("Date", date))),
        HttpRequest("GET", "/", f"X-Amz-Signature={query}", (("Host", "h"),)),
        with_header(with_header(SIGNED, "x-amz-date", None), "date", date),
    ):
        with pytest.raises(errors.Unauthenticated):
            verify(request)
