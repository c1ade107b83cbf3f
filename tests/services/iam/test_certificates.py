"""Certificates and private keys as texts, read without a server."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sekisho.errors import SekishoError
from sekisho.services.iam import certificates
from tests.services.iam import pki

ONE = pki.made("one")
SECOND = timedelta(seconds=1)


def said(text: str, function: object = certificates.read) -> str:
    assert callable(function)
    with pytest.raises(SekishoError) as caught:
        function(text)
    return f"{caught.value.code}: {caught.value.message}"


def test_a_certificate_is_valid_from_its_first_second_to_its_last() -> None:
    read = certificates.read(ONE.certificate)
    assert [read.valid_at(moment) for moment in (read.begins - SECOND, read.begins, read.ends, read.ends + SECOND)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_text_has_one_certificate() -> None:
    sentence = "MalformedCertificate: Unable to parse certificate. Please ensure the certificate is in PEM format."
    for wrong in ("", ONE.certificate * 2, "none", ONE.certificate.replace("\nMII", "\n!!!"), f"{ONE.certificate}é€"):
        assert said(wrong) == sentence


def test_a_private_key_is_rsa_or_ec_without_a_password() -> None:
    sentence = (
        "MalformedCertificate: Unable to parse private key. Please ensure the key is an RSA or EC key in PEM format and is not encrypted."
    )

    def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    assert isinstance(certificates.read_private_key(f"\n {pem(ec.generate_private_key(ec.SECP256R1()))} "), ec.EllipticCurvePrivateKey)
    for wrong in ("none", pem(ed25519.Ed25519PrivateKey.generate()), ONE.certificate):
        assert said(wrong, certificates.read_private_key) == sentence
