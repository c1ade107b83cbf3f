"""A response, read from its bytes to the facts of its one assertion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from lxml import etree

from sekisho.credentials.saml import documents, encryption, signatures, statements
from sekisho.credentials.saml.errors import Invalid
from sekisho.credentials.saml.statements import Facts

AWS_RECIPIENT = "https://signin.aws.amazon.com/saml"
"""Where AWS takes responses, which the templates of identity providers for AWS name."""
_AWS_AUDIENCE = "urn:amazon:webservices"


@dataclass(frozen=True, slots=True)
class Provider:
    """What we hold of an identity provider: `certificates` in DER; `private_keys` gives those that open what it encrypts, in PEM, and is
    called for an encrypted assertion alone; `encrypted` has it send nothing else.
    """

    issuer: str
    certificates: Sequence[bytes]
    valid_until: datetime
    private_keys: Callable[[], Sequence[bytes]] = tuple
    encrypted: bool = False


def read(text: str, provider: Provider, recipients: Sequence[str], now: datetime) -> Facts:
    """The facts of a response, in base64, that the provider signed for one of the recipients; Invalid, Expired or Rejected."""
    if now >= provider.valid_until:
        raise Invalid("The metadata document of the SAML provider has expired.")
    certificates = signatures.usable(provider.certificates, now)
    root = documents.parse(documents.decode(text))
    if root.tag != documents.RESPONSE:
        raise Invalid("The SAML response is malformed: it is no response.")
    whole = signatures.is_signed(root)
    if whole:
        root = signatures.signed(root, documents.RESPONSE, certificates, now)
    envelope = statements.envelope(root, provider.issuer, recipients)
    encrypted = root.find(documents.ENCRYPTED)
    if encrypted is None and provider.encrypted:
        raise Invalid("The SAML provider requires encrypted assertions.")
    if encrypted is not None:
        root = documents.parse(encryption.opened(encrypted, provider.private_keys(), within_signature=whole))
        if root.tag != documents.ASSERTION:
            raise Invalid("The SAML response is malformed: it has not exactly one assertion.")
    assertion = _assertion(root, certificates, now, vouched=whole)
    audiences = (*recipients, _AWS_AUDIENCE) if AWS_RECIPIENT in recipients else tuple(recipients)
    return statements.facts(assertion, envelope, provider.issuer, recipients, audiences, now)


def _assertion(root: etree._Element, certificates: Sequence[x509.Certificate], now: datetime, *, vouched: bool) -> etree._Element:
    """The assertion that is the tree's root or its child: as it is signed itself, or unsigned where the signature of all vouches for it."""
    assertion = root if root.tag == documents.ASSERTION else root.find(documents.ASSERTION)
    if assertion is None:
        raise Invalid("The SAML response is malformed: it has not exactly one assertion.")
    if vouched and not signatures.is_signed(assertion):
        return assertion
    return signatures.signed(root, documents.ASSERTION, certificates, now)
