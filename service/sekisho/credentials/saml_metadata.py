"""The metadata of a SAML identity provider: XML from outside, read by an event parser that knows no document types.

Without a document type there are no entities to expand and nothing to fetch; size, depth and what is kept are bounded.
Source: https://docs.oasis-open.org/security/saml/v2.0/saml-metadata-2.0-os.pdf
"""

import binascii
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import NoReturn
from xml.parsers import expat

from cryptography import x509

from sekisho.errors import InvalidArgument

_MD = "urn:oasis:names:tc:SAML:2.0:metadata "
_DS = "http://www.w3.org/2000/09/xmldsig# "
_ENTITY, _IDP, _KEY, _SSO = (_MD + name for name in ("EntityDescriptor", "IDPSSODescriptor", "KeyDescriptor", "SingleSignOnService"))
_CERTIFICATE = _DS + "X509Certificate"

_MOST_DEPTH = 64
_MOST_ELEMENTS = 20_000
_LONGEST_NAMESPACE = 256
"""Characters; the parser writes the name of each element with its namespace, however long that is."""
_MOST_CERTIFICATES = 20
_MOST_ISSUER = 1024
_MOST_CERTIFICATE = 16_384  # characters


class MalformedMetadata(InvalidArgument):
    """The document is not the metadata of one identity provider."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What federation needs: who it is, which certificates it signs with (DER), until when the document is good, if it says so."""

    issuer: str
    certificates: tuple[bytes, ...]
    valid_until: datetime | None

    @property
    def key_hashes(self) -> list[str]:
        """SHA-256 of each certificate, in hexadecimal."""
        return [sha256(one).hexdigest() for one in self.certificates]


def read(text: str) -> Metadata:
    """The metadata in a document, or MalformedMetadata."""
    reader = _Reader()
    try:
        reader.parser.Parse(text, True)
        return reader.metadata()
    except (expat.ExpatError, ValueError, OverflowError, x509.InvalidVersion) as error:
        raise MalformedMetadata(str(error)) from error


class _Reader:
    """Follows the elements, and keeps what a Metadata has; a ValueError for what it may not be."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = _no_document_type
        self.parser.StartNamespaceDeclHandler = _refuse_long
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._path: list[str] = []
        self._elements = 0
        self._issuer = ""
        self._valid_until: datetime | None = None
        self._signing = False
        self._sign_on = False
        self._certificates: list[bytes] = []
        self._characters: list[str] | None = None

    def metadata(self) -> Metadata:
        """What was found; it must be an identity provider that one can sign on to, with a certificate."""
        if not (self._issuer and self._certificates and self._sign_on):
            raise ValueError("no identity provider with an id, a certificate and a sign-on service")
        return Metadata(self._issuer, tuple(self._certificates), self._valid_until)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= _MOST_DEPTH or (not self._path and name != _ENTITY):
            raise ValueError("not the descriptor of one entity")
        self._elements += 1
        if self._elements > _MOST_ELEMENTS:
            raise ValueError("too many elements")
        within = self._path[:2]
        self._path.append(name)
        if len(self._path) == 1:
            self._issuer = attributes.get("entityID", "")
            if len(self._issuer) > _MOST_ISSUER:
                raise ValueError("the id of the entity is too long")
        if name in (_ENTITY, _IDP) and len(self._path) <= 2 and "validUntil" in attributes:
            self._valid_until = _earlier(self._valid_until, _moment(attributes["validUntil"]))
        if within == [_ENTITY, _IDP]:
            if name == _KEY:
                self._signing = attributes.get("use", "signing") == "signing"
            elif name == _SSO:
                self._sign_on = self._sign_on or bool(attributes.get("Location"))
            elif name == _CERTIFICATE and self._signing and _KEY in self._path:
                self._characters = []

    def _text(self, text: str) -> None:
        if self._characters is not None:
            self._characters.append(text)

    def _end(self, name: str) -> None:
        self._path.pop()
        if name == _CERTIFICATE and self._characters is not None:
            self._keep("".join(self._characters))
            self._characters = None
        elif name == _KEY:
            self._signing = False

    def _keep(self, text: str) -> None:
        if len(self._certificates) >= _MOST_CERTIFICATES or len(text) > _MOST_CERTIFICATE:
            raise ValueError("too many certificates, or one too long")
        try:
            encoded = b64decode("".join(text.split()), validate=True)
        except binascii.Error:
            raise ValueError("a certificate is not in base64") from None
        x509.load_der_x509_certificate(encoded)
        self._certificates.append(encoded)


def _no_document_type(*_: object) -> NoReturn:
    raise ValueError("a document type, which could declare entities")


def _refuse_long(_prefix: str | None, uri: str | None) -> None:
    if uri is not None and len(uri) > _LONGEST_NAMESPACE:
        raise ValueError("the name of a namespace is too long")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _earlier(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)
