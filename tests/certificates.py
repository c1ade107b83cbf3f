"""An authority of one's own, and the certificates that it makes."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from sekisho.client import TLS

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Both as files."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.certificate)
        key.write_bytes(self.key)
        return certificate, key


class Authority:
    """Signs certificates of servers on loopback, and of clients."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
        self.certificate = _pem(self._signed(self._name, self._key.public_key(), [], authority=True, signs=True, begins=NOW))

    @classmethod
    def of(cls, made: Made) -> "Authority":
        """One that signs with the key of a certificate, whatever that one is for."""
        pretended, key = cls(), load_pem_private_key(made.key, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        pretended._key, pretended._name = key, x509.load_pem_x509_certificate(made.certificate).subject
        return pretended

    def alone(self, *uris: str) -> Made:
        """Of a client with these names, which vouches for itself."""
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        certificate = self._signed(self._name, self._key.public_key(), names, authority=False, signs=False, begins=NOW)
        return Made(_pem(certificate), _private(self._key))

    def server(self) -> Made:
        """Of a server on 127.0.0.1."""
        return self._made([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])

    def client(
        self,
        *uris: str,
        authority: bool = False,
        signs: bool = False,
        begins: datetime = NOW,
        common_name: str = "test",
        host: str = "",
    ) -> Made:
        """Of a client with these names, for an hour."""
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        names += [x509.DNSName(host)] if host else []
        return self._made(names, authority=authority, signs=signs, begins=begins, common_name=common_name)

    def tls(self, folder: Path, *uris: str) -> TLS:
        """What a client of that name connects with."""
        name = f"client-{len(list(folder.iterdir()))}"
        certificate, key = self.client(*uris).write(folder, name)
        ca = folder / f"{name}.ca"
        ca.write_bytes(self.certificate)
        return TLS(ca=ca, certificate=certificate, key=key)

    def _made(
        self,
        names: list[x509.GeneralName],
        *,
        authority: bool = False,
        signs: bool = False,
        begins: datetime = NOW,
        common_name: str = "test",
    ) -> Made:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        certificate = self._signed(subject, key.public_key(), names, authority=authority, signs=signs, begins=begins)
        return Made(_pem(certificate), _private(key))

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        names: Sequence[x509.GeneralName],
        *,
        authority: bool,
        signs: bool,
        begins: datetime,
    ) -> x509.Certificate:
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=signs, crl_sign=False, **usage), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
