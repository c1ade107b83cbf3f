"""X.509 certificates and private keys as people send them: PEM, read once, held together.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from sekisho.services.iam.errors import KeyPairMismatch, MalformedCertificate

MOST_IN_CHAIN = 10
"""Certificates of a chain; a longer one only costs time, and clients give up before."""

_UNREADABLE = "Unable to parse certificate. Please ensure the certificate is in PEM format."
_BROKEN_CHAIN = (
    "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, "
    "followed by any intermediaries in order. The index within the chain of the invalid certificate is: {}"
)
_UNREADABLE_KEY = "Unable to parse private key. Please ensure the key is an RSA or EC key in PEM format and is not encrypted."
_MISMATCH = "The private key does not belong to the public key of the certificate."


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate; `fingerprint` is the SHA-256 of its bytes in hexadecimal."""

    x509: x509.Certificate
    fingerprint: str
    begins: datetime
    ends: datetime

    def valid_at(self, now: datetime) -> bool:
        """Whether its validity has begun and not ended."""
        return self.begins <= now <= self.ends


def read(text: str) -> Certificate:
    """The one certificate in a text, or MalformedCertificate."""
    (found,) = _certificates(text, most=1)
    return found


def check_chain(certificate: Certificate, text: str) -> None:
    """MalformedCertificate unless each certificate of the chain has signed the one before it, and the first one the certificate."""
    signed = certificate
    for index, issuer in enumerate(_certificates(text, most=MOST_IN_CHAIN)):
        try:
            signed.x509.verify_directly_issued_by(issuer.x509)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise MalformedCertificate(_BROKEN_CHAIN.format(index)) from None
        signed = issuer


def check_private_key(certificate: Certificate, text: str) -> None:
    """MalformedCertificate when the text is no private key; KeyPairMismatch when it is another certificate's."""
    theirs = certificate.x509.public_key()
    if _public_bytes(read_private_key(text).public_key()) != (_public_bytes(theirs) if isinstance(theirs, _PUBLIC) else b""):
        raise KeyPairMismatch(_MISMATCH)


def read_private_key(text: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """An RSA or EC key that is not encrypted, or MalformedCertificate; the error never quotes it."""
    try:
        key = load_pem_private_key(text.strip().encode("latin-1"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MalformedCertificate(_UNREADABLE_KEY) from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise MalformedCertificate(_UNREADABLE_KEY)
    return key


_PUBLIC = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)


def _public_bytes(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _certificates(text: str, *, most: int) -> list[Certificate]:
    """At least one and at most so many."""
    if not 1 <= text.count("-----BEGIN") <= most:
        raise MalformedCertificate(_UNREADABLE)
    try:
        found = x509.load_pem_x509_certificates(text.encode("latin-1"))
        return [Certificate(one, sha256(one.public_bytes(Encoding.DER)).hexdigest(), *_validity(one)) for one in found]
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise MalformedCertificate(_UNREADABLE) from None


def _validity(one: x509.Certificate) -> tuple[datetime, datetime]:
    return one.not_valid_before_utc, one.not_valid_after_utc
