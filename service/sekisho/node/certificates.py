"""The server's certificate, and whose certificates clients show; read anew when the server is told, for connections from then on."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sekisho.edges.http import listener
from sekisho.errors import FailedPrecondition
from sekisho.node.options import Options


class CertificateUnusable(FailedPrecondition):
    """A file of --tls-cert, --tls-key or --tls-client-ca cannot be read, or is not what it should be."""


@dataclass(frozen=True, slots=True)
class _Read:
    """The files as they were at one moment."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None
    context: ssl.SSLContext
    lean: ssl.SSLContext

    @property
    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """The same, as gRPC takes it."""
        return grpc.ssl_server_certificate_configuration([(self.key, self.certificate)], self.client_ca)


class Certificates:
    """The certificate that both edges show, from its files."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        self._certificate, self._key, self._client_ca = certificate, key, client_ca
        self._now = self._read()

    @classmethod
    def of(cls, options: Options) -> "Certificates | None":
        """Those that the options name; None where listeners speak in the clear."""
        if options.tls_cert is None or options.tls_key is None:
            return None
        return cls(options.tls_cert.resolve(), options.tls_key.resolve(), options.tls_client_ca and options.tls_client_ca.resolve())

    def reload(self) -> None:
        """Read the files again; CertificateUnusable, and those that were read before stay, when they are not all right."""
        self._now = self._read()

    def over_grpc(self) -> grpc.ServerCredentials:
        """Credentials of a gRPC server; it asks at each handshake whether they are still the same."""
        shown = self._now

        def newer() -> grpc.ServerCertificateConfiguration | None:
            nonlocal shown
            if shown is self._now:
                return None
            shown = self._now
            return shown.configuration

        fetch: Any = newer  # gRPC's types do not know None, which its documentation asks for
        return grpc.dynamic_ssl_server_credentials(shown.configuration, fetch, self._client_ca is not None)

    def over_lean(self) -> ssl.SSLContext:
        """The context of the next handshake of the lean listener."""
        return self._now.lean

    def over_http(self) -> ssl.SSLContext:
        """The context of an HTTP listener, which hands each handshake over to the newest one.

        A new context each time, for one whose files do not fit together would be left with half of them.
        """

        def newest(connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = self._now.context

        first = self._now.context
        first.sni_callback = newest
        return first

    def _read(self) -> _Read:
        certificate, key = _content(self._certificate), _content(self._key)
        client_ca = _content(self._client_ca) if self._client_ca is not None else None
        _check_certificates(self._certificate, certificate)
        if self._client_ca is not None and client_ca is not None:
            _check_certificates(self._client_ca, client_ca)
        try:
            load_pem_private_key(key, None)
        except (ValueError, TypeError):
            raise CertificateUnusable(f"{self._key} holds no private key in PEM that opens without a password") from None
        try:
            context = listener.encrypted(self._certificate, self._key)
            lean = listener.encrypted(self._certificate, self._key, protocol="h2")
        except (ssl.SSLError, OSError) as error:
            reason = getattr(error, "reason", None) or error.strerror or "unknown"
            said = f"the certificate {self._certificate} and the key {self._key} do not go together"
            raise CertificateUnusable(f"{said}: {reason.replace('_', ' ').lower()}") from None
        if client_ca is not None:
            lean.verify_mode = ssl.CERT_REQUIRED
            # As gRPC takes clients' certificates: Python 3.13 asks for extensions that RFC 5280 demands of authorities, and many lack.
            lean.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
            lean.load_verify_locations(cadata=client_ca.decode("ascii", "replace"))
        return _Read(certificate, key, client_ca, context, lean)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateUnusable(f"{path} cannot be read: {error.strerror}") from error


def _check_certificates(path: Path, content: bytes) -> None:
    try:
        x509.load_pem_x509_certificates(content)
    except ValueError:
        raise CertificateUnusable(f"{path} holds no certificate in PEM") from None
