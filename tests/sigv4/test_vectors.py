"""The published AWS Signature Version 4 test suite, its facts: what is signed and which signature comes out.

Source: the SigV4 test suite (key AKIDEXAMPLE, region us-east-1, service `service`, 2015-08-30T12:36:00Z) and the worked ListUsers
example of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sekisho import sigv4
from sekisho.sigv4 import algorithm

NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
KEYS = sigv4.Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SUITE_TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi"
    "/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPk"
    "UL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)

# name: (method, path, query, further headers, body, signature)
VECTORS: dict[str, tuple[str, str, str, tuple[tuple[str, str], ...], bytes, str]] = {
    "get-vanilla": ("GET", "/", "", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "post-vanilla": ("POST", "/", "", (), b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "get-unreserved": ("GET", f"/{UNRESERVED}", "", (), b"", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    "get-utf8": ("GET", "/ሴ", "", (), b"", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    "get-space": ("GET", "/example space/", "", (), b"", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    "get-slash": ("GET", "//", "", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-slashes": ("GET", "//example//", "", (), b"", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    "get-slash-dot-slash": ("GET", "/./", "", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-slash-pointless-dot": ("GET", "/./example", "", (), b"", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
    "get-relative": ("GET", "/example/..", "", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-relative-relative": (
        "GET", "/example1/example2/../..", "", (), b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "get-vanilla-empty-query-key": (
        "GET", "/", "Param1=value1", (), b"", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    "get-vanilla-query-order-key-case": (
        "GET", "/", "Param2=value2&Param1=value1", (), b"", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-vanilla-query-order-value": (
        "GET", "/", "Param1=value2&Param1=value1", (), b"", "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
    ),
    "get-vanilla-query-unreserved": (
        "GET", "/", f"{UNRESERVED}={UNRESERVED}", (), b"", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    ),
    "get-vanilla-utf8-query": ("GET", "/", "ሴ=bar", (), b"", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    "post-vanilla-query": ("POST", "/", "Param1=value1", (), b"", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    "post-vanilla-query-nonunreserved": (
        "POST", "/", "@#$%^&+=/,?><`\";:\\|][{}", (), b"", "66c82657c86e26fb25238d0e69f011edc4c6df5ae71119d7cb98ed9b87393c1e",
    ),
    "get-header-key-duplicate": (
        "GET", "/", "", (("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")), b"",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    "get-header-value-multiline": (
        "GET", "/", "", (("My-Header1", "value1\n  value2\n     value3"),), b"",
        "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd",
    ),
    "get-header-value-order": (
        "GET", "/", "", (("My-Header1", "value4"), ("My-Header1", "value1"), ("My-Header1", "value3"), ("My-Header1", "value2")), b"",
        "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ),
    "get-header-value-trim": (
        "GET", "/", "", (("My-Header1", " value1"), ("My-Header2", '"a   b   c"')), b"",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "post-header-key-sort": (
        "POST", "/", "", (("My-Header1", "value1"),), b"", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    "post-header-value-case": (
        "POST", "/", "", (("My-Header1", "VALUE1"),), b"", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    "post-x-www-form-urlencoded": (
        "POST", "/", "", (("Content-Type", "application/x-www-form-urlencoded"),), b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    "post-x-www-form-urlencoded-parameters": (
        "POST", "/", "", (("Content-Type", "application/x-www-form-urlencoded; charset=utf8"),), b"Param1=value1",
        "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_the_suite_signs_and_verifies(name: str) -> None:
    method, path, query, headers, body, expected = VECTORS[name]
    request = sigv4.HttpRequest(method, path, query, (("Host", "example.amazonaws.com"), *headers), body)
    request = sigv4.sign_http(KEYS, request, "us-east-1", "service", NOW)
    signed = sigv4.read_http(request)
    assert signed.scope.signature == expected
    sigv4.verify_http(signed, KEYS.secret_access_key, request, NOW)


def test_a_session_token_is_signed() -> None:
    request = sigv4.HttpRequest("POST", "/", headers=(("Host", "example.amazonaws.com"),))
    request = sigv4.sign_http(replace(KEYS, session_token=SUITE_TOKEN), request, "us-east-1", "service", NOW)
    assert request.header("authorization") == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
    )


def test_the_worked_example_step_by_step() -> None:
    headers = (
        ("Host", "iam.amazonaws.com"),
        ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("X-Amz-Date", "20150830T123600Z"),
    )
    names = ("content-type", "host", "x-amz-date")
    canonical = algorithm.canonical_request(
        "GET",
        algorithm.canonical_path("/"),
        algorithm.canonical_query("Version=2010-05-08&Action=ListUsers"),
        algorithm.canonical_headers(headers, names),
        names,
        algorithm.payload_hash(b""),
    )
    assert canonical == (
        "GET\n/\nAction=ListUsers&Version=2010-05-08\n"
        "content-type:application/x-www-form-urlencoded; charset=utf-8\nhost:iam.amazonaws.com\nx-amz-date:20150830T123600Z\n\n"
        "content-type;host;x-amz-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert algorithm.string_to_sign(NOW, "20150830/us-east-1/iam/aws4_request", canonical) == (
        "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n"
        "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
    )
    key = algorithm.signing_key(KEYS.secret_access_key, "20150830", "us-east-1", "iam")
    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
    scope = sigv4.Scope("AKIDEXAMPLE", "20150830", "us-east-1", "iam", names, "")
    signature = algorithm.signature(KEYS.secret_access_key, scope, NOW, canonical)
    assert signature == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
