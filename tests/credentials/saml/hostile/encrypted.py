"""Encrypted assertions."""

import re

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.credentials.saml.hostile.making import ONE, OURS, PLAIN, SEALED, SIGNED, mallory, plain, rows
from tests.credentials.saml.hostile.markup import BOMB
from tests.identity_provider import XENC, assertion, encode, encrypt, pair, response, sign


def _encrypted(mode: str = "aes256-gcm", *, to: str = "ours", by: str = "idp", transport: str = f"{XENC}rsa-oaep-mgf1p") -> str:
    key = pair(to).key
    assert isinstance(key, rsa.RSAPrivateKey)
    return response(mallory(), encrypt(sign(assertion(mallory()), pair(by)), key.public_key(), mode=mode, transport=transport))


def _altered(text: str, which: int) -> str:
    """One byte of one of the values is another."""
    values = list(re.finditer(r"<xenc:CipherValue>([^<]+)<", text))
    at = values[which].start(1) + 40
    return encode(text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1 :])


rows(
    SEALED,
    encrypted_for_somebody_else=lambda: encode(_encrypted(to="other")),
    encrypted_in_cbc_without_a_signature_around=lambda: encode(_encrypted("aes256-cbc")),
    encrypted_with_the_transport_of_pkcs_1_5=lambda: encode(_encrypted(transport=f"{XENC}rsa-1_5")),
    an_encrypted_text_that_is_changed=lambda: _altered(_encrypted(), 1),
    an_encrypted_key_that_is_changed=lambda: _altered(_encrypted(), 0),
    encrypted_by_no_algorithm=lambda: encode(_encrypted().replace("aes256-gcm", "null")),
    encrypted_nothing=lambda: encode(response(mallory(), '<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/>')),
)
rows(
    SIGNED,
    encrypted_by_anybody=lambda: encode(_encrypted(by="mallory")),
    encrypted_and_unsigned=lambda: encode(response(mallory(), encrypt(assertion(mallory(), place=""), _public()))),
)
rows(PLAIN, encrypted_bomb=lambda: encode(response(mallory(), encrypt(f"<!DOCTYPE a [{BOMB}]><a>&l9;</a>", _public()))))
rows(ONE, encrypted_response=lambda: encode(response(mallory(), encrypt(plain(), _public()))))


def _public() -> rsa.RSAPublicKey:
    assert isinstance(OURS.key, rsa.RSAPrivateKey)
    return OURS.key.public_key()
