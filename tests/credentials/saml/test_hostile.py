"""Every document of the table is refused, for the reason that it says, at little cost; and by more than one of the steps."""

import base64
import time
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sekisho.credentials import saml
from sekisho.credentials.saml import documents
from tests.credentials.saml.hostile import HOSTILE
from tests.credentials.saml.hostile.making import IDP, NOW, OURS, mallory, plain, whole
from tests.identity_provider import RECIPIENT, IdentityProvider, encode, pair

WRAPPED = [name for name in HOSTILE if name.startswith("xsw")]
MOST = 1.0
"""Seconds of CPU: twenty times what one document may take."""


def provider(*certificates: bytes, valid_for: timedelta = timedelta(days=1)) -> saml.Provider:
    """What we hold of the provider: its certificate, and a key of ours."""
    return saml.Provider(IDP.issuer, certificates or (IDP.pair.der,), NOW + valid_for, lambda: (OURS.private_pem.encode(),))


def test_there_are_as_many_as_the_issue_asks_for() -> None:
    assert len(HOSTILE) >= 80
    assert len(WRAPPED) == 8


def test_what_the_table_starts_from_is_taken() -> None:
    assert isinstance(OURS.key, rsa.RSAPrivateKey)
    for text in (encode(plain()), encode(whole()), IDP.encrypted(mallory(), OURS.key.public_key())):
        assert saml.read(text, provider(), [RECIPIENT], NOW).name_id == "mallory@example.com"


@pytest.mark.bounded
@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused(name: str) -> None:
    reason, maker = HOSTILE[name]
    text = maker()
    began = time.process_time()
    with pytest.raises(saml.SamlError) as refused:
        saml.read(text, provider(), [RECIPIENT], NOW)
    assert time.process_time() - began < MOST
    assert reason in str(refused.value)


@pytest.mark.parametrize("name", WRAPPED)
def test_what_wraps_gains_nothing_where_every_shape_is_let_through(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the table of places, what is read is still what was signed."""
    monkeypatch.setattr(documents, "check", lambda root: None)
    try:
        facts = saml.read(HOSTILE[name][1](), provider(), [RECIPIENT], NOW)
    except saml.SamlError:
        return
    assert facts.name_id == "mallory@example.com"


def test_a_certificate_that_has_ended_or_is_weak_vouches_for_nothing() -> None:
    ended, weak = pair("ended", days=1, begins=-2), pair("weak", bits=1024)
    for one in (ended, weak):
        idp = IdentityProvider(one)
        with pytest.raises(saml.Invalid, match="Response signature invalid"):
            saml.read(idp.keycloak(mallory()), provider(one.der), [RECIPIENT], NOW)


def test_metadata_that_have_ended_vouch_for_nothing() -> None:
    with pytest.raises(saml.Invalid, match="has expired"):
        saml.read(encode(plain()), provider(valid_for=timedelta()), [RECIPIENT], NOW)


def test_a_provider_that_has_to_encrypt_is_not_taken_in_clear() -> None:
    asking = saml.Provider(IDP.issuer, (IDP.pair.der,), NOW + timedelta(days=1), lambda: (OURS.private_pem.encode(),), encrypted=True)
    with pytest.raises(saml.Invalid, match="requires encrypted assertions"):
        saml.read(encode(plain()), asking, [RECIPIENT], NOW)


def test_no_byte_of_a_signed_response_can_be_another() -> None:
    """Every twenty-ninth byte is replaced; what is still taken says the same as before."""
    for text in (plain(), whole()):
        honest = saml.read(encode(text), provider(), [RECIPIENT], NOW)
        data = text.encode()
        for at in range(0, len(data), 29):
            changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            try:
                found = saml.read(base64.b64encode(changed).decode(), provider(), [RECIPIENT], NOW)
            except saml.SamlError:
                continue
            assert found == honest
