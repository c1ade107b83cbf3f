"""Certificates and keys for tests, made once for each process."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate with its private key, both in PEM."""

    certificate: str
    private_key: str
    x509: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@cache
def made(name: str, *, days: int = 365, begins: int = -1) -> Made:
    """The certificate of a name, valid from `begins` days from now for `days`; `a/b` is signed by `a`, and `a` by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer, _, own = name.rpartition("/")
    signer = made(issuer) if issuer else None
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, own)])
    builder = x509.CertificateBuilder(
        issuer_name=signer.x509.subject if signer is not None else named,
        subject_name=named,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=NOW + timedelta(days=begins),
        not_valid_after=NOW + timedelta(days=begins + days),
    )
    certificate = builder.sign(signer.key if signer is not None else key, SHA256())
    return Made(certificate.public_bytes(Encoding.PEM).decode(), pem(key), certificate, key)


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, password: str = "") -> str:
    """A private key in PEM, encrypted when there is a password."""
    protection = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection).decode()


@cache
def rsa_public(number: int, *, bits: int = 2048) -> rsa.RSAPublicKey:
    """An RSA public key; each number has another."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()


def openssh(key: rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> str:
    """A public key as `ssh-keygen` writes it, without a comment."""
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def public_pem(key: rsa.RSAPublicKey) -> str:
    """A public key in PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
