"""Responses of honest providers, in the shapes of well-known ones, are read to what they say."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sekisho.credentials import saml
from tests.identity_provider import AUDIENCE, RECIPIENT, ROLE, SESSION_NAME, IdentityProvider, Said, pair

NOW = datetime.now(UTC).replace(microsecond=0)
IDP = IdentityProvider()
ATTRIBUTES = {
    ROLE: ["arn:aws:iam::111122223333:role/dev,arn:aws:iam::111122223333:saml-provider/idp"],
    SESSION_NAME: ["ana"],
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": ["staff", "member"],
}
SHAPES: dict[str, Callable[[Said], str]] = {name: getattr(IDP, name) for name in ("keycloak", "okta", "entra", "adfs")}


def provider(idp: IdentityProvider = IDP, *more: bytes, keys: tuple[bytes, ...] = (), encrypted: bool = False) -> saml.Provider:
    """What we hold of an identity provider."""
    return saml.Provider(idp.issuer, (*more, idp.pair.der), NOW + timedelta(days=1), lambda: keys, encrypted)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_provider_says_is_read(shape: str) -> None:
    what = IDP.says(NOW, attributes=ATTRIBUTES, session_ends=timedelta(hours=8))
    facts = saml.read(SHAPES[shape](what), provider(), [RECIPIENT], NOW)
    assert facts == saml.Facts(
        id=what.assertion_id,
        issuer="https://idp.example.com/m",
        issued_at=NOW,
        name_id="ana@example.com",
        name_format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
        name_qualifier="",
        sp_name_qualifier="",
        recipient="https://signin.aws.amazon.com/saml",
        audiences=("urn:amazon:webservices",),
        not_on_or_after=NOW + timedelta(minutes=5),
        attributes={name: tuple(values) for name, values in ATTRIBUTES.items()},
        authenticated_at=NOW,
        session_index="_s1",
        session_not_on_or_after=NOW + timedelta(hours=8),
        context_class="urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
    )


@pytest.mark.bounded
@pytest.mark.parametrize("shape", SHAPES)
def test_reading_takes_little(shape: str) -> None:
    text = SHAPES[shape](IDP.says(NOW, attributes=ATTRIBUTES))
    saml.read(text, provider(), [RECIPIENT], NOW)  # loads the schema of signatures, once
    began = time.process_time()
    saml.read(text, provider(), [RECIPIENT], NOW)
    assert time.process_time() - began < 1.0


def test_a_key_on_a_curve_signs_as_well() -> None:
    idp = IdentityProvider(pair("curve", bits=0))
    assert saml.read(idp.keycloak(idp.says(NOW)), provider(idp), [RECIPIENT], NOW).name_id == "ana@example.com"


def test_a_provider_turns_its_key_with_both_certificates_in_its_metadata() -> None:
    text = IDP.okta(IDP.says(NOW))
    assert saml.read(text, provider(IDP, pair("next").der), [RECIPIENT], NOW).name_id == "ana@example.com"


def test_a_certificate_with_a_key_that_nobody_here_knows_is_in_nobodys_way() -> None:
    curve = bytes.fromhex("2a8648ce3d0301")
    strange = pair("curve", bits=0).der.replace(curve + b"\x07", curve + b"\x63")
    assert strange != pair("curve", bits=0).der
    assert saml.read(IDP.okta(IDP.says(NOW)), provider(IDP, strange), [RECIPIENT], NOW).name_id == "ana@example.com"


@pytest.mark.parametrize(("mode", "whole"), [("aes256-gcm", False), ("aes128-gcm", True), ("aes256-cbc", True), ("aes128-cbc", True)])
def test_an_encrypted_assertion_is_opened_by_any_of_our_keys(mode: str, whole: bool) -> None:
    ours, other = pair("ours"), pair("other")
    assert isinstance(ours.key, rsa.RSAPrivateKey)
    what = IDP.says(NOW, attributes=ATTRIBUTES)
    text = IDP.encrypted(what, ours.key.public_key(), mode=mode, whole=whole)
    keys = (other.private_pem.encode(), ours.private_pem.encode())
    facts = saml.read(text, provider(keys=keys, encrypted=True), [RECIPIENT], NOW)
    assert (facts.name_id, facts.attributes[SESSION_NAME]) == ("ana@example.com", ("ana",))


def test_recipients_of_ones_own_are_audiences_too() -> None:
    own = "https://sekisho.example.com/saml"
    text = IDP.keycloak(IDP.says(NOW, recipient=own, destination=own, audience=own))
    assert saml.read(text, provider(), [own], NOW).recipient == own


def test_an_audience_of_aws_goes_with_its_recipient_alone() -> None:
    own = "https://sekisho.example.com/saml"
    text = IDP.keycloak(IDP.says(NOW, recipient=own, destination=own, audience=AUDIENCE))
    with pytest.raises(saml.Invalid, match="required audience"):
        saml.read(text, provider(), [own], NOW)
    assert saml.read(text, provider(), [own, RECIPIENT], NOW).audiences == (AUDIENCE,)


def test_base64_may_be_broken_into_lines() -> None:
    text = IDP.keycloak(IDP.says(NOW))
    broken = "\r\n".join(text[begin : begin + 76] for begin in range(0, len(text), 76))
    assert saml.read(broken, provider(), [RECIPIENT], NOW).name_id == "ana@example.com"
