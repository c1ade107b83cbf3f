"""A gRPC call is bound to its method, message, audience, time and session."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho import sigv4

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
KEYS = sigv4.Credentials("AKIAEXAMPLE", "secret")
SESSION = sigv4.Credentials("ASIAEXAMPLE", "secret", "token")
METHOD = "/sekisho.api.iam.v1.IamService/GetUser"
BODY = b"\x0a\x05alice"


def verify(
    metadata: tuple[tuple[str, str], ...],
    method: str = METHOD,
    body: bytes = BODY,
    audience: str = "prod",
    now: datetime = NOW,
    secret: str = "secret",
) -> None:
    sigv4.verify_call(sigv4.read_call(metadata), secret, method, body, audience, now)


def changed(metadata: tuple[tuple[str, str], ...], name: str, value: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, value if key == name else old) for key, old in metadata)


def test_the_metadata_of_a_call() -> None:
    metadata = sigv4.sign_call(SESSION, METHOD, BODY, "prod", NOW)
    assert metadata == (
        ("x-amz-date", "20260301T120000Z"),
        ("x-sekisho-audience", "prod"),
        ("x-amz-security-token", "token"),
        (
            "authorization",
            (
                "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20260301/local/sekisho/aws4_request, "
                "SignedHeaders=x-amz-date;x-amz-security-token;x-sekisho-audience, "
                "Signature=03a22d137d5b1c70922bc0ca65d678092362fef4915c25932d4dc18214eb632d"
            ),
        ),
    )
    signed = sigv4.read_call((*metadata, ("user-agent", "grpc"), ("trace-bin", b"\x00")))
    assert (signed.access_key_id, signed.session_token, signed.audience, signed.timestamp) == ("ASIAEXAMPLE", "token", "prod", NOW)


@pytest.mark.parametrize("credentials", [KEYS, SESSION], ids=["long_term", "session"])
def test_a_signed_call_verifies(credentials: sigv4.Credentials) -> None:
    verify(sigv4.sign_call(credentials, METHOD, BODY, "prod", NOW, region="eu-west-1"))


@pytest.mark.parametrize("credentials", [KEYS, SESSION], ids=["long_term", "session"])
def test_nothing_of_a_call_may_change(credentials: sigv4.Credentials) -> None:
    metadata = sigv4.sign_call(credentials, METHOD, BODY, "prod", NOW)
    signature = metadata[-1][1]
    attempts: tuple[Callable[[], None], ...] = (
        lambda: verify(metadata, method="/sekisho.api.iam.v1.IamService/DeleteUser"),
        lambda: verify(metadata, body=b"\x0a\x03bob"),
        lambda: verify(metadata, secret="other"),
        lambda: verify(changed(metadata, "x-amz-date", "20260301T120001Z")),
        lambda: verify(changed(metadata, "x-amz-security-token", "other")) if credentials is SESSION else verify(metadata, body=b""),
        lambda: verify(changed(metadata, "authorization", signature.replace("/local/", "/other/"))),
        lambda: verify(changed(metadata, "authorization", signature.replace("EXAMPLE", "EXAMPLF")), secret="secret2"),
        lambda: verify(changed(metadata, "x-sekisho-audience", "test"), audience="test"),
    )
    for attempt in attempts:
        with pytest.raises(sigv4.SignatureDoesNotMatch, match="The request signature we calculated does not match"):
            attempt()


def test_another_audience_is_named() -> None:
    with pytest.raises(sigv4.SignatureDoesNotMatch) as caught:
        verify(sigv4.sign_call(KEYS, METHOD, BODY, "staging", NOW))
    assert caught.value.message == "signed for the audience `staging`, but this service is `prod`"


def test_a_signature_of_another_service_is_refused() -> None:
    metadata = sigv4.sign_call(KEYS, METHOD, BODY, "prod", NOW)
    with pytest.raises(sigv4.SignatureDoesNotMatch, match="scoped to correct service: 'sekisho'"):
        verify(changed(metadata, "authorization", metadata[-1][1].replace("/sekisho/", "/sts/")))


def test_the_clock_may_be_five_minutes_off() -> None:
    metadata = sigv4.sign_call(KEYS, METHOD, BODY, "prod", NOW)
    verify(metadata, now=NOW + timedelta(minutes=5))
    with pytest.raises(sigv4.SignatureDoesNotMatch, match="Signature expired: 20260301T120000Z is now earlier than"):
        verify(metadata, now=NOW + timedelta(minutes=5, seconds=1))


def test_what_must_be_there() -> None:
    metadata = sigv4.sign_call(SESSION, METHOD, BODY, "prod", NOW)
    with pytest.raises(sigv4.MissingAuthenticationToken):
        sigv4.read_call(metadata[:-1])
    for name in ("x-amz-date", "x-sekisho-audience", "x-amz-security-token"):
        with pytest.raises(sigv4.IncompleteSignature, match="A call signs 'x-amz-date', 'x-sekisho-audience' and"):
            sigv4.read_call([pair for pair in metadata if pair[0] != name])
        with pytest.raises(sigv4.IncompleteSignature, match=f"The metadata has '{name}' twice."):
            sigv4.read_call((*metadata, (name, "again")))
    with pytest.raises(sigv4.IncompleteSignature, match="A call signs"):
        sigv4.read_call((*sigv4.sign_call(KEYS, METHOD, BODY, "prod", NOW), ("x-amz-security-token", "unsigned")))


NONCE = "0123456789abcdefGHIJK-_"


@pytest.mark.parametrize("credentials", [KEYS, SESSION], ids=["long_term", "session"])
def test_a_nonce_is_signed(credentials: sigv4.Credentials) -> None:
    metadata = sigv4.sign_call(credentials, METHOD, BODY, "prod", NOW, nonce=NONCE)
    assert ("x-sekisho-nonce", NONCE) in metadata
    assert ";x-sekisho-nonce, " in metadata[-1][1]
    assert sigv4.read_call(metadata).nonce == NONCE
    verify(metadata)
    with pytest.raises(sigv4.SignatureDoesNotMatch):
        verify(changed(metadata, "x-sekisho-nonce", NONCE[::-1]))


def test_a_nonce_is_signed_or_not_there() -> None:
    metadata = sigv4.sign_call(KEYS, METHOD, BODY, "prod", NOW, nonce=NONCE)
    for wrong in (
        tuple(pair for pair in metadata if pair[0] != "x-sekisho-nonce"),
        (*metadata, ("x-sekisho-nonce", NONCE)),
        (*sigv4.sign_call(KEYS, METHOD, BODY, "prod", NOW), ("x-sekisho-nonce", NONCE)),
    ):
        with pytest.raises(sigv4.IncompleteSignature):
            sigv4.read_call(wrong)


@pytest.mark.parametrize("nonce", ["", "x" * 15, "x" * 65, "x" * 15 + "\n", "x" * 15 + ":", "x" * 15 + "é"])
def test_a_nonce_has_16_to_64_characters_that_need_no_quoting(nonce: str) -> None:
    with pytest.raises(sigv4.IncompleteSignature, match=r"'x-sekisho-nonce' has 16 to 64 letters, digits, '-' and '_'\."):
        sigv4.read_call(sigv4.sign_call(KEYS, METHOD, BODY, "prod", NOW, nonce=nonce))


@given(st.binary(max_size=64), st.data())
def test_no_bit_of_the_message_may_flip(body: bytes, data: st.DataObject) -> None:
    metadata = sigv4.sign_call(KEYS, METHOD, body, "prod", NOW)
    verify(metadata, body=body)
    other = data.draw(st.binary(max_size=64).filter(lambda other: other != body))
    with pytest.raises(sigv4.SignatureDoesNotMatch):
        verify(metadata, body=other)
