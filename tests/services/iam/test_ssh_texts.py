"""SSH public keys as texts, read without a server."""

import pytest

from sekisho.errors import SekishoError
from sekisho.services.iam import ssh_public_keys
from tests.services.iam import pki
from tests.services.iam.test_ssh_public_keys import FINGERPRINT, KNOWN


def test_a_key_is_read_with_white_space_around_it() -> None:
    pem = ssh_public_keys._pem(KNOWN)
    assert pem.startswith("-----BEGIN PUBLIC KEY-----\n")
    for text in (KNOWN, f"\n {KNOWN} ann@laptop\n", pem, f"\n  {pem}"):
        assert ssh_public_keys._openssh(text) == KNOWN
    assert ssh_public_keys._fingerprint(KNOWN) == ssh_public_keys._fingerprint(f"{KNOWN} comment") == FINGERPRINT


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("key", "UnrecognizedPublicKeyEncoding", "The public key encoding is not recognized. Use the format of ssh-rsa, or PEM."),
        (f"x{KNOWN}", "UnrecognizedPublicKeyEncoding", "The public key encoding is not recognized. Use the format of ssh-rsa, or PEM."),
        ("ssh-rsa AAAA", "InvalidPublicKey", "The public key is malformed."),
        ("ecdsa-sha2-nistp256 AAAA", "InvalidPublicKey", "The public key is malformed."),
        ("sk-ssh-ed25519@openssh.com AAAA", "InvalidPublicKey", "The public key is malformed."),
        ("-----BEGIN", "InvalidPublicKey", "The public key is malformed."),
        (
            pki.openssh(pki.rsa_public(0, bits=1024)),
            "InvalidPublicKey",
            "The public key is invalid. It must be an RSA key of at least 2048 bits.",
        ),
    ],
)
def test_what_is_no_key(text: str, code: str, message: str) -> None:
    with pytest.raises(SekishoError) as caught:
        ssh_public_keys._openssh(text)
    assert (caught.value.code, caught.value.message) == (code, message)
