"""A SAML identity provider of a test: its metadata, and the responses that it signs, in the shapes that well-known ones have.

The shapes follow what Okta, Microsoft Entra, Keycloak and AD FS send by default: prefixes, order, formats, which part is signed.
"""

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import SignatureConstructionMethod
from signxml.signer import XMLSigner

RECIPIENT = "https://signin.aws.amazon.com/saml"
AUDIENCE = "urn:amazon:webservices"
ROLE = "https://aws.amazon.com/SAML/Attributes/Role"
SESSION_NAME = "https://aws.amazon.com/SAML/Attributes/RoleSessionName"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC, XENC11 = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
PLACE = f'<ds:Signature xmlns:ds="{DS}" Id="placeholder"></ds:Signature>'

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """A key that signs, and its certificate."""

    key: PrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def private_pem(self) -> str:
        """The key in PEM."""
        return pem(self.key)


@cache
def pair(name: str, *, bits: int = 2048, days: int = 3650, begins: int = -1) -> Pair:
    """The key and the certificate of a name, made once for each process; with no bits a key on P-256."""
    key: PrivateKey = rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(named, named, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now + timedelta(days=begins)).not_valid_after(now + timedelta(days=begins + days))
    return Pair(key, builder.sign(key, hashes.SHA256()))


def pem(key: PrivateKey) -> str:
    """A private key in PEM."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


@dataclass(frozen=True, slots=True)
class Said:
    """What a response says, before it is signed; `moment` is when. Fields that are None are left out of the document."""

    moment: datetime
    issuer: str = "https://idp.example.com/m"
    name_id: str = "ana@example.com"
    name_format: str | None = PERSISTENT
    recipient: str | None = RECIPIENT
    destination: str | None = RECIPIENT
    audience: str | None = AUDIENCE
    request: str | None = None
    confirmed_request: str | None = None
    status: str = "urn:oasis:names:tc:SAML:2.0:status:Success"
    method: str = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
    not_before: timedelta = timedelta(minutes=-5)
    not_on_or_after: timedelta = timedelta(minutes=5)
    confirmed_until: timedelta | None = timedelta(minutes=5)
    session_ends: timedelta | None = None
    issued: timedelta = timedelta()
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    response_id: str = ""
    assertion_id: str = ""
    version: str = "2.0"

    def at(self, offset: timedelta) -> str:
        """A time as SAML writes it."""
        return (self.moment + offset).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def said(moment: datetime, **fields: Any) -> Said:
    """What Ana's provider says of her now, with ids of its own."""
    ids = {"response_id": f"_r{os.urandom(8).hex()}", "assertion_id": f"_a{os.urandom(8).hex()}"}
    return Said(moment, **{**ids, **fields})


def _maybe(name: str, value: str | None) -> str:
    return "" if value is None else f" {name}={quoteattr(value)}"


def attribute(name: str, values: Sequence[str], *, prefix: str = "saml:") -> str:
    """One attribute."""
    typed = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string"'
    inner = "".join(f"<{prefix}AttributeValue {typed}>{escape(value)}</{prefix}AttributeValue>" for value in values)
    return f"<{prefix}Attribute Name={quoteattr(name)}>{inner}</{prefix}Attribute>"


def assertion(what: Said, *, prefix: str = "saml:", place: str = PLACE, attributes: str | None = None) -> str:
    """The assertion; `place` stands where its signature goes."""
    p = prefix
    declared = f"xmlns{':' + p[:-1] if p else ''}"
    confirmed = None if what.confirmed_until is None else what.at(what.confirmed_until)
    data = _maybe("Recipient", what.recipient) + _maybe("NotOnOrAfter", confirmed)
    data += _maybe("InResponseTo", what.confirmed_request)
    restriction = (
        "" if what.audience is None else f"<{p}AudienceRestriction><{p}Audience>{what.audience}</{p}Audience></{p}AudienceRestriction>"
    )
    session = _maybe("SessionNotOnOrAfter", None if what.session_ends is None else what.at(what.session_ends))
    if attributes is None:
        attributes = "".join(attribute(name, values, prefix=p) for name, values in what.attributes.items())
    statement = f"<{p}AttributeStatement>{attributes}</{p}AttributeStatement>" if attributes else ""
    return (
        f'<{p}Assertion {declared}="urn:oasis:names:tc:SAML:2.0:assertion" ID="{what.assertion_id}" IssueInstant="{what.at(what.issued)}" '
        f'Version="{what.version}"><{p}Issuer>{what.issuer}</{p}Issuer>{place}'
        f"<{p}Subject><{p}NameID{_maybe('Format', what.name_format)}>{escape(what.name_id)}</{p}NameID>"
        f'<{p}SubjectConfirmation Method="{what.method}"><{p}SubjectConfirmationData{data}/></{p}SubjectConfirmation></{p}Subject>'
        f'<{p}Conditions NotBefore="{what.at(what.not_before)}" NotOnOrAfter="{what.at(what.not_on_or_after)}">{restriction}'
        f"</{p}Conditions>"
        f'<{p}AuthnStatement AuthnInstant="{what.at(timedelta())}" SessionIndex="_s1"{session}><{p}AuthnContext>'
        f"<{p}AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</{p}AuthnContextClassRef>"
        f"</{p}AuthnContext></{p}AuthnStatement>{statement}</{p}Assertion>"
    )


def response(what: Said, inner: str, *, prefix: str = "samlp:", place: str = "", extra: str = "") -> str:
    """The response around an assertion; `place` stands where its signature goes."""
    return (
        f'<{prefix}Response xmlns:{prefix[:-1]}="urn:oasis:names:tc:SAML:2.0:protocol" ID="{what.response_id}" Version="{what.version}" '
        f'IssueInstant="{what.at(what.issued)}"{_maybe("Destination", what.destination)}{_maybe("InResponseTo", what.request)}>'
        f'<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{what.issuer}</saml:Issuer>{place}'
        f'<{prefix}Status><{prefix}StatusCode Value="{what.status}"/></{prefix}Status>{extra}{inner}</{prefix}Response>'
    )


def sign(text: str, by: Pair, *, method: str | None = None, digest: str = "sha256", c14n: str = EXCLUSIVE, named: bool = True) -> str:
    """A document whose root is signed, in its place for that; the signature names its id, or else the whole document."""
    root = etree.fromstring(text.encode())
    method = method or ("rsa-sha256" if isinstance(by.key, rsa.RSAPrivateKey) else "ecdsa-sha256")
    signer = _Signer(SignatureConstructionMethod.enveloped, method, digest, c14n)
    signer.namespaces = {"ds": DS}
    certificate = by.certificate.public_bytes(serialization.Encoding.PEM).decode()
    done = signer.sign(root, key=by.key, cert=certificate, reference_uri=f"#{root.get('ID')}" if named else None)
    return str(etree.tostring(done).decode())


class _Signer(XMLSigner):
    """Signs with SHA-1, too: a hostile document may."""

    def check_deprecated_methods(self) -> None:
        """Nothing is checked."""


def encode(text: str) -> str:
    """A document as it is sent."""
    return b64encode(text.encode()).decode()


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """An identity provider with its key."""

    pair: Pair = field(default_factory=lambda: pair("idp"))
    issuer: str = "https://idp.example.com/m"

    @property
    def metadata(self) -> str:
        """Its metadata, with its certificate."""
        namespaces = f'xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="{DS}"'
        certificate = f"<ds:X509Certificate>{b64encode(self.pair.der).decode()}</ds:X509Certificate>"
        key = f"<ds:KeyInfo><ds:X509Data>{certificate}</ds:X509Data></ds:KeyInfo>"
        return (
            f'<md:EntityDescriptor {namespaces} entityID="{self.issuer}"><!-- {"x" * 600} -->'
            '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            f'<md:KeyDescriptor use="signing">{key}</md:KeyDescriptor>'
            '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/>'
            "</md:IDPSSODescriptor></md:EntityDescriptor>"
        )

    def says(self, moment: datetime, **fields: Any) -> Said:
        """What it says now."""
        return said(moment, **{"issuer": self.issuer, **fields})

    def keycloak(self, what: Said) -> str:
        """The assertion is signed, within `saml:` and `samlp:`."""
        return encode(response(what, sign(assertion(what), self.pair)))

    def okta(self, what: Said) -> str:
        """Both are signed; `saml2:` and `saml2p:`."""
        inner = sign(assertion(what, prefix="saml2:"), self.pair)
        return encode(sign(response(what, inner, prefix="saml2p:", place=PLACE), self.pair))

    def entra(self, what: Said) -> str:
        """The assertion is signed, in the default namespace; the request is named."""
        asked = replace(what, request="id1", confirmed_request="id1")
        return encode(response(asked, sign(assertion(asked, prefix=""), self.pair)))

    def adfs(self, what: Said) -> str:
        """The response alone is signed, with SHA-512 and an XML declaration."""
        signed = sign(response(what, assertion(what, prefix="", place=""), place=PLACE), self.pair, method="rsa-sha512", digest="sha512")
        return encode(f'<?xml version="1.0" encoding="UTF-8"?>{signed}')

    def encrypted(self, what: Said, public: rsa.RSAPublicKey, *, mode: str = "aes256-gcm", whole: bool = False, **how: Any) -> str:
        """The assertion is signed and encrypted, the response signed, too, where `whole` is true."""
        hidden = encrypt(sign(assertion(what), self.pair), public, mode=mode, **how)
        text = response(what, hidden, place=PLACE if whole else "")
        return encode(sign(text, self.pair) if whole else text)


def encrypt(text: str, public: rsa.RSAPublicKey, *, mode: str = "aes256-gcm", transport: str = f"{XENC}rsa-oaep-mgf1p") -> str:
    """An EncryptedAssertion."""
    size = {"1": 16, "2": 32}[mode[3]]
    key, data = os.urandom(size), text.encode()
    if mode.endswith("gcm"):
        nonce = os.urandom(12)
        hidden, algorithm = nonce + AESGCM(key).encrypt(nonce, data, None), f"{XENC11}{mode}"
    else:
        initial, fill = os.urandom(16), 16 - len(data) % 16
        encryptor = Cipher(algorithms.AES(key), modes.CBC(initial)).encryptor()
        hidden, algorithm = initial + encryptor.update(data + bytes(fill - 1) + bytes([fill])) + encryptor.finalize(), f"{XENC}{mode}"
    if transport.endswith("rsa-1_5"):
        wrapped = public.encrypt(key, padding.PKCS1v15())
    else:
        wrapped = public.encrypt(key, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))  # noqa: S303  # the default of OAEP
    return (
        f'<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><xenc:EncryptedData xmlns:xenc="{XENC}" '
        f'Type="{XENC}Element"><xenc:EncryptionMethod Algorithm="{algorithm}"/><ds:KeyInfo xmlns:ds="{DS}"><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{transport}"><ds:DigestMethod Algorithm="{DS}sha1"/></xenc:EncryptionMethod>'
        f"<xenc:CipherData><xenc:CipherValue>{b64encode(wrapped).decode()}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>"
        f"</ds:KeyInfo><xenc:CipherData><xenc:CipherValue>{b64encode(hidden).decode()}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedData></saml:EncryptedAssertion>"
    )
